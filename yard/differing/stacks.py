"""What a change does to one stack: brought up as the base has it, and then, on the same cloud, as the head has it."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from config.stack_file import NoStack, StackFile
from rehearsal import Call, Cloud
from yard import programs, suggest
from yard.differing import fields
from yard.differing.result import FATES, NO_COST, UNKNOWN_COST, Cost, Policy, Resource, StackDiff, Traffic
from yard.differing.revisions import MODULE, Revision
from yard.rehearsable import StackConfig
from yard.rehearsing import environment, unanswered
from yard.serving import Shares, shares, told

Answer = Mapping[str, Any]
"""What a program says of a stack; see `yard.described`."""


@dataclass(frozen=True)
class Side:
    """What is known of the stack on one side."""

    revision: Revision
    stack: str
    answer: Answer
    """Of its program; empty where there is no such stack."""

    @property
    def is_up(self) -> bool:
        """Whether it was brought up."""
        return "urls" in self.answer

    @property
    def written(self) -> fields.Written:
        """Its configuration."""
        return fields.Written.of(self._file, self.answer.get("config"))

    @property
    def cost(self) -> Answer:
        """What it costs."""
        known: Answer = self.answer.get("cost", UNKNOWN_COST if self.answer else NO_COST)
        return known

    @property
    def _file(self) -> StackFile | None:
        try:
            return StackFile(self.revision.folder, self.stack, lenient=True)
        except NoStack:
            return None

    def says(self, *keys: str) -> str:
        """The first of these that the program says: with paths from the project's folder, for the other is made up, and
        with the stack's name in commands."""
        text = next((self.answer[key] for key in keys if key in self.answer), "")
        return suggest.about(self.stack, text.replace(f"{self.revision.folder}/", ""))


def diff(base: Revision, head: Revision, stack: str) -> StackDiff:
    """What the head does to a stack that is up as the base has it."""
    if stack not in head.stacks:
        return StackDiff(stack, "removed")
    if stack in base.stacks and base.fingerprint(stack) == head.fingerprint(stack):
        return StackDiff(stack, "unchanged")
    with Rehearsal(stack, base, head) as rehearsal:
        before = Side(base, stack, rehearsal.ask(base) if stack in base.stacks else {})
        if before.is_up or not before.answer:
            return result(before, Side(head, stack, rehearsal.ask(head)), rehearsal)
    with Rehearsal(stack, head) as rehearsal:  # what the base left half made is of no use
        return result(before, Side(head, stack, rehearsal.ask(head)), rehearsal)


def result(before: Side, after: Side, rehearsal: Rehearsal) -> StackDiff:
    return StackDiff(
        after.stack,
        "changed" if before.answer else "new",
        fields=fields.changes(before.written, after.written),
        resources=[Resource(**each) for each in after.answer.get("steps", ()) if each["fate"] in FATES],
        policies=[*_newly_broken(before, after)],
        cost=None if after.says("invalid") else Cost.of(before.cost, after.cost),
        traffic=rehearsal.traffic(before.answer["urls"], after.answer["urls"])
        if before.is_up and after.is_up
        else None,
        invalid=after.says("invalid"),
        refused=after.says("refused"),
        beyond=after.says("beyond"),
        base=before.says("invalid", "refused", *(["beyond"] if after.is_up else [])),
    )


def _newly_broken(before: Side, after: Side) -> Iterator[Policy]:
    """What the head breaks and the base does not. Nothing is known of a base whose program is older than policies."""
    if before.is_up and "policies" not in before.answer:
        return
    known = [(each["control"], each["type"], each["name"]) for each in before.answer.get("policies", ())]
    for each in after.answer.get("policies", ()):
        if (each["control"], each["type"], each["name"]) not in known:
            yield Policy(**each)


class Rehearsal:
    """A cloud for the stack, with what both sides take for granted on it; and who gets the callers' requests there."""

    def __init__(self, stack: str, *revisions: Revision) -> None:
        self._stack = stack
        configs = [*_configs(stack, revisions)]
        self._cloud = Cloud(
            on_call=self._saw,
            existing=[name for each in configs for name in each.existing],
            images=[digest for each in configs for digest in each.digests],
        )
        self._before: Mapping[str, Shares] = {}
        """Service -> its shares, as the base has them."""
        self._lost: dict[str, str] = {}
        """Service -> when no rule led to it."""
        self._broken = ""

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self._place = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="switchyard-diff-"))) / "stack"
            opened.enter_context(environment(opened.enter_context(self._cloud)))
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def ask(self, revision: Revision) -> Answer:
        """What the program of a revision says of the stack, once it has brought it up here."""
        self._before, self._lost, self._broken = shares(self._cloud.state), {}, ""
        return programs.ask(revision.program, MODULE, revision.folder, self._stack, self._place)

    def traffic(self, before: Mapping[str, str], after: Mapping[str, str]) -> Traffic:
        """What callers noticed of the last run, by the services' addresses before it and after it."""
        now = shares(self._cloud.state)
        back = [f"{when} callers of {name} would be answered 404" for name, when in self._lost.items() if name in now]
        both = [name for name in sorted(self._before) if name in now and self._before[name] != now[name]]
        return Traffic(
            moves={name: _move(self._before[name], now[name]) for name in both},
            urls={name: (url, after.get(name)) for name, url in before.items() if url != after.get(name)},
            broken=next(iter([*back, self._broken]), ""),
        )

    def _saw(self, call: Call) -> None:
        if call.end is None or call.op == "read" or not call.ok:
            return
        self._broken = self._broken or unanswered(call, self._cloud.state, math.inf)
        for name in self._before.keys() - shares(self._cloud.state).keys():
            self._lost.setdefault(name, f"after {call.op} of {call.name} ({call.type})")


def _configs(stack: str, revisions: Iterable[Revision]) -> Iterator[StackConfig]:
    """As they are rehearsed; without those that cannot be read, which their programs say."""
    for each in revisions:
        with suppress(NoStack):
            config = StackConfig(each.folder, stack)
            for _ in config.prepare():
                pass
            yield config


def _move(before: Shares, after: Shares) -> tuple[str, str]:
    """From where to where requests move, in words."""
    there, then = (told(each) for each in (before, after))
    return there, then if then != there else f"another target group of {there}"
