"""A file of another tool, value by value, and what becomes of each: no value is passed over, and none is told twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from config.stack_file import Steps, dotted

Verdict = Literal["honoured", "translated", "dropped"]
VERDICTS: tuple[Verdict, ...] = ("honoured", "translated", "dropped")


class NoImport(Exception):
    """A file cannot be imported; the message says which, why, and how to fix it."""


@dataclass(frozen=True)
class Line:
    """What became of a value of theirs, and of all that is in it."""

    steps: Steps
    verdict: Verdict
    to: str
    """Our field; empty where it is dropped."""
    why: str

    @property
    def path(self) -> str:
        """The way to it in their file."""
        way = dotted(self.steps) if self.steps else "the whole file"
        return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in way)


@dataclass
class Report:
    """What became of a file."""

    lines: list[Line] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What a person has to know, besides."""
    commands: list[str] = field(default_factory=list)
    """What is left to do, such as to set secrets."""
    open: dict[Steps, str] = field(default_factory=dict)
    """Values that are not known here, such as of a variable without default, and why."""
    filled: dict[Steps, str] = field(default_factory=dict)
    """Values in which the default stands for a variable, in words."""
    origins: dict[Steps, Steps] = field(default_factory=dict)
    """Where a value stands in their file, if elsewhere than here."""
    gone: set[Steps] = field(default_factory=set)
    """Where something stood in their file, of which all is said already."""
    told: set[Steps] = field(default_factory=set)

    def tell_gone(self, steps: Steps, why: str) -> None:
        """Say that something of theirs is dropped which is not looked at any more."""
        self.gone.add(steps)
        self.lines.append(Line(steps, "dropped", "", why))

    def tell(self, steps: Steps, value: Any, verdict: Verdict, to: str, why: str) -> None:
        """Say what became of a value; of nothing in it anything may have been said."""
        leaves = list(leaves_of(value, steps))
        if twice := self.told.intersection(leaves):
            raise AssertionError(f"told twice: {sorted(map(dotted, twice))}")
        self.told.update(leaves)
        moved = any(leaf in self.origins for leaf in leaves)
        apart = moved or any(each[: len(steps)] == steps for each in self.gone)
        for place in leaves if apart else [steps]:
            self.lines.append(Line(self.origins.get(place, place), verdict, to, why))


@dataclass(frozen=True)
class Source:
    """A value in the file, or the absence of one: of that, nothing is told."""

    report: Report
    steps: Steps
    value: Any
    there: bool = True

    def __bool__(self) -> bool:
        return self.there

    def at(self, *keys: str) -> Source:
        """What stands below, by the keys of maps."""
        found, there = self.value, self.there
        for key in keys:
            there = there and isinstance(found, dict) and key in found
            found = found[key] if there else None
        return Source(self.report, (*self.steps, *keys), found, there)

    def inner(self) -> Iterator[Source]:
        """The values of a map or a list."""
        value = self.value
        pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, each in pairs:
            yield Source(self.report, (*self.steps, key), each)

    @property
    def name(self) -> str:
        """The last step of the way to it."""
        return str(self.steps[-1])

    @property
    def open(self) -> str:
        """Why a value in it is not known here; empty: all are."""
        return next((why for leaf in leaves_of(self.value, self.steps) if (why := self.report.open.get(leaf))), "")

    @property
    def filled(self) -> str:
        """Which default stands for a variable in it."""
        filled = self.report.filled
        return next((words for leaf in leaves_of(self.value, self.steps) if (words := filled.get(leaf))), "")

    def taken(self, to: str, why: str = "") -> None:
        """It is in one of our fields: as it stands, or with the words how it was changed."""
        why = "; ".join(filter(None, (why, self.filled)))
        self._tell("translated" if why else "honoured", to, why)

    def dropped(self, why: str) -> None:
        """Nothing of ours takes it."""
        self._tell("dropped", "", why)

    def rest_dropped(self, why: str) -> None:
        """Nothing of ours takes what of it nothing has been said of."""
        if not self.there:
            return
        told = [leaf in self.report.told for leaf in leaves_of(self.value, self.steps)]
        if not any(told):
            self.dropped(why)
        elif not all(told):
            for each in self.inner():
                each.rest_dropped(why)

    def _tell(self, verdict: Verdict, to: str, why: str) -> None:
        if self.there:
            self.report.tell(self.steps, self.value, verdict, to, why)


def leaves_of(value: Any, steps: Steps = ()) -> Iterator[Steps]:
    """The way to each value that is no map and no list, or an empty one."""
    return (way for way, _ in values_of(value, steps))


def values_of(value: Any, steps: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    """Those values, with the way to each."""
    if not value or not isinstance(value, dict | list):
        yield steps, value
        return
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
        yield from values_of(each, (*steps, key))
