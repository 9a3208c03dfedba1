"""The engine killed between two calls, and the way on that docs/how-a-switch-works.md gives: what was being made is
taken into the state by its id, the rest a refresh clears up."""

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pulumi import automation as auto

from rehearsal import Call
from tests.engine.passage import Passage, Watch, passage
from tests.engine.test_program import MORE
from yard import engine


class Killer(Watch):
    """Kills the engine when a call has ended that none has been killed after; and watches as `Watch` does."""

    def __init__(self) -> None:
        super().__init__()
        self.armed = False
        self.killed_after: set[tuple[str, str]] = set()

    def __call__(self, call: Call) -> None:
        super().__call__(call)
        key = (call.op, call.urn)
        if self.armed and call.done is not None and call.op != "read" and key not in self.killed_after:
            self.armed = False
            self.killed_after.add(key)
            kill_engine()


def kill_engine() -> None:
    """As a machine does that dies: no time to say goodbye, and what the engine has started goes with it."""
    doomed = {os.getpid()}
    for pid, parent, name in sorted(_processes()):  # children come after their parents
        if parent in doomed and (parent != os.getpid() or name == "pulumi"):
            doomed.add(pid)
    for pid in doomed - {os.getpid()}:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _processes() -> Iterator[tuple[int, int, str]]:
    """Number, parent and name of each."""
    for process in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            head, _, rest = process.read_text(encoding="utf-8").partition(") ")
            pid, _, name = head.partition(" (")
            yield int(pid), int(rest.split()[1]), name


def until_it_is_done(stack: Passage, killer: Killer, run: Callable[[], object]) -> int:
    """Kill it between all calls, one after the other, going on each time; how often it was killed."""
    for killed in range(1000):
        killer.armed = True
        before = len(killer.killed_after)
        try:
            run()
        except (engine.EngineError, auto.CommandError):
            if len(killer.killed_after) == before:
                raise  # nobody killed it: it failed by itself
        else:
            if len(killer.killed_after) == before:
                return killed
        go_on(stack)
    raise AssertionError("it never ends")


def go_on(stack: Passage) -> None:
    """What a person does after it."""
    engine.unlock(stack.state)
    saved = stack.stack.export_stack()
    deployment: Mapping[str, Any] = saved.deployment or {}
    making = [each["resource"] for each in deployment.get("pending_operations", []) if each["type"] == "creating"]
    there = {each.urn: each for each in stack.cloud.state if each.ready}
    taken = [each | {"id": there[each["urn"]].id} for each in making if each["urn"] in there]
    if taken:
        resources = [*deployment["resources"], *taken]
        known = {**deployment, "resources": resources, "pending_operations": []}
        stack.stack.import_stack(auto.Deployment(saved.version, known))
    stack.stack.refresh(clear_pending_creates=True)


def survives(place: Path, old: str, new: str) -> str:
    """A switch and a destroy, killed between all calls; says how it went."""
    killer = Killer()
    with passage(place, "ecr", old, more=MORE, on_call=killer) as stack:
        workspace = stack.stack.workspace
        stack.up()
        # It saves its state with every step, as it does for users: what is left of that is what is tested.
        workspace.env_vars = {**workspace.env_vars, engine.SKIP_CHECKPOINTS: "false"}
        killer.stack = stack
        stack.set(orchestrator=new)
        killed = until_it_is_done(stack, killer, stack.up)
        assert stack.serving() == [new]
        assert stack.preview() == {}
        assert killer.unserved == []
        killer.stack = None
        killed += until_it_is_done(stack, killer, stack.destroy)
        assert [each.urn for each in stack.cloud.state] == []
        return f"{old} to {new}: killed {killed} times; survived"
