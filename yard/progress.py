"""What the engine does, said as it happens."""

import time
from collections.abc import Callable, Mapping
from threading import Event, Thread
from typing import Any

from pulumi.automation.events import OpType, StepEventMetadata

from yard import engine

Say = Callable[[str], None]
VERBS = {
    OpType.CREATE: "created",
    OpType.UPDATE: "updated",
    OpType.DELETE: "deleted",
    OpType.CREATE_REPLACEMENT: "created anew",
    OpType.DELETE_REPLACED: "deleted the old",
}
DONE = {"create": "made", "update": "changed", "replace": "replaced", "delete": "removed", "import": "imported"}
"""What the engine does to a resource -> what has become of it."""
QUIET = 30.0
"""Seconds after which what is still under way is said again: a cluster takes a quarter of an hour."""


def counted(changes: Mapping[str, int]) -> str:
    """How many resources changed, in words."""
    return ", ".join(f"{changes[op]} {word}" for op, word in DONE.items() if op in changes) or "no changes"


class Progress:
    """Says what the engine has done, and on demand what it is still at."""

    def __init__(self, say: Say, clock: Callable[[], float] = time.monotonic) -> None:
        self.say = say
        self.clock = clock
        self.began: dict[str, tuple[str, float]] = {}
        """URN -> what is under way, and since when."""

    def __call__(self, step: StepEventMetadata, done: bool) -> None:
        """One step began, or is done."""
        verb = VERBS.get(step.op)
        if verb is None or step.type.startswith(("pulumi:pulumi:", "pulumi:providers:", "switchyard:")):
            return
        if done:
            what, start = self.began.pop(step.urn)
            self.say(f"  {verb} {what} ({self.clock() - start:.1f} s)")
            return
        what = f"{step.type.split(':')[-1].lower()} {step.urn.split('::')[-1]}"
        self.began[step.urn] = what, self.clock()
        if what.startswith("service ") and verb != "deleted":
            self.say(f"  {what}: waiting until every replica is healthy")

    def failed(self, step: StepEventMetadata, reason: str) -> None:
        """A step failed: said at once, for what runs beside it may take its time before the whole run ends."""
        what, _ = self.began.pop(step.urn, (step.urn.split("::")[-1], 0.0))
        self.say(f"  failed: {what}: {reason.partition(chr(10))[0]}")

    def remind(self) -> None:
        """Say what is under way, what began first before the others."""
        now = self.clock()
        if waiting := [f"{what} ({now - start:.0f} s)" for what, start in list(self.began.values())]:
            self.say(f"  still at {', '.join(waiting)}")


def run(operation: Callable[..., Any], say: Say, quiet: float = QUIET, **arguments: Any) -> Any:
    """Run `operation` of a stack (`stack.up`, ...) and say what it does; raises `EngineError`."""
    progress, over = Progress(say), Event()

    def remind() -> None:
        while not over.wait(quiet):
            progress.remind()

    reminder = Thread(target=remind, name="reminder", daemon=True)
    reminder.start()
    try:
        return engine.Watch(progress, say, progress.failed).run(operation, **arguments)
    finally:
        over.set()
        reminder.join()
