"""Stacks as the program of commit 767bea4 left them, each with the file that made it: every pair, and moves half done.

They lie in states.json.xz, small because they are much alike. `python -m tests.engine.record_states` made them.
"""

import json
import lzma
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, reduce
from operator import getitem
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation as auto
from pulumi.automation.events import StepEventMetadata

from rehearsal import Cloud
from rehearsal.apis import kms
from tests.program import ROOT
from yard import engine
from yard.rehearsing import environment

FILE = Path(__file__).with_name("states.json.xz")
STATE = ".pulumi/stacks/switchyard/dev.json"
"""Where the engine keeps the state, below its directory."""


@cache
def recorded() -> Mapping[str, Any]:
    """Name -> a recorded stack: its `file`, its `state`, and what else `exists` on its cloud."""
    states: Mapping[str, Any] = json.loads(lzma.decompress(FILE.read_bytes()))
    return states


def write(states: Mapping[str, Any]) -> None:
    """Keep these instead."""
    text = json.dumps(states, separators=(",", ":"))
    FILE.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))


NOTED = ("dependencies", "ignoreChanges", "additionalSecretOutputs", "customTimeouts", "protect")
"""What the engine keeps of a resource besides its inputs. To change it is no step, and a preview does not show it; but
the next run may go in another order by it, or show what was secret."""


@dataclass(frozen=True, order=True)
class Step:
    """Something that a preview would do, to a resource of a type."""

    op: str
    """The engine's word for it, or "note" where only what it keeps would be another."""
    type: str
    name: str
    paths: tuple[str, ...] = ()
    """What differs."""
    detail: tuple[str, ...] = ()
    """Of what is noted, what would go (-) and what would come (+)."""

    @property
    def kind(self) -> str:
        """Operation, type and what differs, as one text."""
        return f"{self.op} {self.type} {' '.join(self.paths)}".strip()


class Viewer:
    """One stack on one cloud that is each recorded stack in turn. Nobody made what is in its state, so it is good for
    previews alone."""

    def __init__(self, place: Path, cloud: Cloud) -> None:
        engine.borrow(ROOT, place)
        self._cloud = cloud
        self._file = place / "config" / "Pulumi.dev.yaml"
        self._state = place / "state" / STATE
        self._plan = place / "plan.json"
        self._file.write_text("{}", encoding="utf-8")
        self._stack = engine.stack(
            "dev",
            place,
            state=place / "state",
            env={**engine.disposable(place), **cloud.env},
            program=engine.main_program(ROOT),
            secrets_provider=kms.SECRETS_PROVIDER,
        )

    def restore(self, name: str, edit: Callable[[str], str] = str) -> None:
        """Be the stack of that name; with what `edit` makes of its state, as text."""
        kept = recorded()[name]
        self._cloud.state.existing |= set(kept["exists"])
        self._write(kept["file"])
        self._state.write_text(edit(json.dumps(kept["state"])), encoding="utf-8")

    def set(self, *steps: str, to: Any) -> None:
        """Change a value of the stack's file: the one that the `steps` from its key lead to."""
        file = yaml.safe_load(self._file.read_text(encoding="utf-8"))
        *way, last = steps
        reduce(getitem, way, file["config"])[last] = to
        self._write(file)

    def _write(self, file: Mapping[str, Any]) -> None:
        self._file.write_text(yaml.safe_dump(dict(file)), encoding="utf-8")

    def preview(self) -> list[Step]:
        """What the program of today would do to it."""
        steps: list[Step] = []

        def show(step: StepEventMetadata, done: bool) -> None:
            if not done and step.op != auto.OpType.SAME:
                name = step.urn.rpartition("::")[2]
                steps.append(Step(step.op.value, step.type, name, tuple(step.diffs or ())))

        with environment(self._cloud):
            engine.Watch(show).run(self._stack.preview, plan=str(self._plan))
        return sorted([*steps, *self._notes()])

    def _notes(self) -> Iterator[Step]:
        plans = json.loads(self._plan.read_text(encoding="utf-8"))["resourcePlans"]
        for kept in json.loads(self._state.read_text(encoding="utf-8"))["checkpoint"]["latest"]["resources"]:
            if goal := plans.get(kept["urn"], {}).get("goal"):
                yield from _notes(kept, goal)


def _notes(kept: Mapping[str, Any], goal: Mapping[str, Any]) -> Iterator[Step]:
    for key in NOTED:
        before, after = (_lines(each.get(key)) for each in (kept, goal))
        if before != after:
            detail = (*(f"-{each}" for each in before - after), *(f"+{each}" for each in after - before))
            yield Step("note", kept["type"], kept["urn"].rpartition("::")[2], (key,), detail)


def _lines(value: Any) -> set[str]:
    """A list as a set: the engine keeps it in no order. Of a URN, the type and the name."""
    if isinstance(value, list):
        return {each.rpartition("$")[2] for each in value}
    return {json.dumps(value)} if value else set()
