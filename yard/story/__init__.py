"""A rehearsal told in a few lines: what happens when, who serves, when the traffic moves, what costs twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from yard import progress
from yard.rehearsing import Report, Served, Step


@dataclass(frozen=True)
class Moment:
    """Something that a reader of a passage wants to know."""

    at: float
    """Rehearsal seconds since the beginning."""
    text: str


@dataclass(frozen=True)
class Both:
    """The time in which two orchestrators stand."""

    start: float
    end: float
    old: str
    """The one that goes."""


@dataclass(frozen=True)
class Phase:
    """One phase of a rehearsal, as it was."""

    name: str
    report: Report

    @cached_property
    def steps(self) -> list[Step]:
        """What changed the cloud, in the order in which it ended."""
        return [each for each in self.report.steps if each.phase == self.name]

    @property
    def start(self) -> float:
        """When its first change began; when the one before it ended where nothing changes."""
        return min((each.start for each in self.steps), default=self._before)

    @property
    def end(self) -> float:
        """When its last change ended."""
        return max((each.end for each in self.steps), default=self._before)

    @property
    def _before(self) -> float:
        """The end of all that came before."""
        order = [*self.report.changes]
        earlier = order[: order.index(self.name)] if self.name in order else order
        return max((each.end for each in self.report.steps if each.phase in earlier), default=0.0)

    @property
    def changes(self) -> str:
        """How many resources changed, in words."""
        return progress.counted(self.report.changes.get(self.name, {}))

    def moves(self) -> Iterator[tuple[str, list[Served]]]:
        """Who gets requests from now on -> the services of which, in the order in which they move."""
        found: dict[str, list[Served]] = {}
        for each in self.report.served:
            if each.phase == self.name and each.shares:
                found.setdefault(each.shares, []).append(each)
        yield from found.items()

    def twice(self) -> Both | None:
        """When both orchestrators stand, and cost; None where only one of them does."""
        names = [*self.report.orchestrators.values()]
        for new, old in (names, names[::-1]) if len(names) == 2 else ():
            made = [each.start for each in self.steps if (each.part, each.op) == (new, "create")]
            removed = [each.end for each in self.steps if (each.part, each.op) == (old, "delete")]
            if made and removed:
                return Both(min(made), max(removed), old)
        return None

    def path(self) -> list[Step]:
        """The steps that its length is made of: from the last one back, each time the one whose end was waited for."""
        found: list[Step] = []
        rest = self.steps
        while rest:
            found.append(max(rest, key=lambda each: (each.end, each.end - each.start)))
            rest = [each for each in rest if each.end <= found[-1].start]
        return found[::-1]

    def moments(self) -> Iterator[Moment]:
        """What is told of it."""
        for shares, moved in self.moves():
            services = ", ".join(each.service for each in moved) if len(moved) < 4 else f"{len(moved)} services"
            yield Moment(moved[-1].at, f"{shares} serves {services}" if "," not in shares else f"{services}: {shares}")
        if both := self.twice():
            yield Moment(both.end, f"{both.old} is gone: both cost for {clock(both.end - both.start)} minutes")


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"
