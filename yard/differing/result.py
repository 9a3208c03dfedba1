"""What a change does to a stack, as it is told: by a page, by a terminal, or by a document for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from components.estimate import cents
from yard.differing import fields

FATES = ("created", "updated", "replaced", "deleted")
"""What may become of a resource."""
Kind = Literal["unchanged", "removed", "new", "changed"]


@dataclass(frozen=True)
class Resource:
    """One that is created, updated, replaced or deleted."""

    fate: str
    type: str
    name: str
    because: Sequence[str] = ()
    """The properties that change; of one that is replaced those that cannot be changed in place."""


@dataclass(frozen=True)
class Line:
    """What something costs, USD a month, rounded to cents."""

    what: str
    before: Decimal
    after: Decimal

    @property
    def change(self) -> Decimal:
        """What is added."""
        return self.after - self.before

    def json(self) -> dict[str, str]:
        """The same for machines."""
        figures = {"before": self.before, "after": self.after, "change": self.change}
        return {"what": self.what, **{name: str(usd) for name, usd in figures.items()}}


@dataclass(frozen=True)
class Cost:
    """What the stack costs."""

    before: Decimal | None
    """The total, USD a month; None where nobody knows."""
    after: Decimal | None
    lines: Sequence[Line] = ()
    """Those that are different."""
    unknown: Sequence[str] = ()
    """What is in no figure of the head's."""

    @property
    def change(self) -> Decimal | None:
        """What is added."""
        return None if self.before is None or self.after is None else self.after - self.before

    @classmethod
    def of(cls, before: Mapping[str, Any], after: Mapping[str, Any]) -> Cost:
        """From what two programs said."""
        sums = [_sums(each["lines"]) for each in (before, after)]
        names = dict.fromkeys([*sums[0], *sums[1]])
        every = [Line(name, *[cents(each.get(name, Decimal(0))) for each in sums]) for name in names]
        was, then = (None if each["total"] is None else Decimal(each["total"]) for each in (before, after))
        known = was is not None and then is not None
        return cls(was, then, [each for each in every if each.change and known], after["unknown"])

    def json(self) -> dict[str, Any]:
        """The same for machines."""
        totals = {"before": self.before, "after": self.after, "change": self.change}
        return {
            "unit": "USD a month",
            **{name: None if usd is None else str(usd) for name, usd in totals.items()},
            "lines": [each.json() for each in self.lines],
            "unknown": [*self.unknown],
        }


NO_COST: Mapping[str, Any] = {"total": "0.00", "lines": [], "unknown": []}
UNKNOWN_COST: Mapping[str, Any] = {**NO_COST, "total": None}


def _sums(lines: Sequence[Sequence[str]]) -> dict[str, Decimal]:
    """By what is paid for, with its column before it."""
    found: dict[str, Decimal] = {}
    for column, what, usd in lines:
        name = what if what == column else f"{column}: {what}"
        found[name] = found.get(name, Decimal(0)) + Decimal(usd)
    return found


@dataclass(frozen=True)
class Traffic:
    """What callers notice."""

    moves: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Service -> who got its requests, and who gets them then, where that is not the same."""
    urls: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)
    """Service -> its address before and after, where that is another; None: it has none any more."""
    broken: str = ""
    """When callers would not have been answered; empty: they were throughout."""

    def json(self) -> dict[str, Any]:
        """The same for machines."""
        moves, urls = (
            {name: {"before": before, "after": after} for name, (before, after) in each.items()}
            for each in (self.moves, self.urls)
        )
        return {"moves": moves, "urls": urls, "answered": not self.broken, "broken": self.broken}


@dataclass(frozen=True)
class Policy:
    """One that a resource breaks, and did not break before."""

    control: str
    level: str
    type: str
    name: str
    says: str
    key: str
    """The key that decides; empty where there is none."""


@dataclass(frozen=True)
class StackDiff:
    """What a change does to a stack."""

    name: str
    kind: Kind
    fields: Sequence[fields.Change] = ()
    resources: Sequence[Resource] = ()
    policies: Sequence[Policy] = ()
    cost: Cost | None = None
    traffic: Traffic | None = None
    """None: it was not rehearsed, or nothing was up before."""
    invalid: str = ""
    """What is wrong with the head's configuration."""
    refused: str = ""
    """What the cloud, the engine or the program refuses of the head."""
    base: str = ""
    """Why the base could not be brought up: then all of the head's resources are created."""
    beyond: str = ""
    """Why it is not rehearsed."""

    @property
    def exit_code(self) -> int:
        """2 where the head's configuration is wrong, 1 where it cannot be brought up, callers are not answered, or it
        breaks a mandatory policy."""
        if self.invalid:
            return 2
        mandatory = any(each.level == "mandatory" for each in self.policies)
        return 1 if self.refused or mandatory or (self.traffic and self.traffic.broken) else 0

    def count(self, fate: str) -> int:
        """How many resources have a fate."""
        return sum(each.fate == fate for each in self.resources)

    def json(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            "name": self.name,
            "kind": self.kind,
            "fields": [each.json() for each in self.fields],
            "resources": [{**vars(each), "because": [*each.because]} for each in self.resources],
            "policies": [vars(each) for each in self.policies],
            "cost": self.cost and self.cost.json(),
            "traffic": self.traffic and self.traffic.json(),
            **{name: getattr(self, name) for name in ("invalid", "refused", "base", "beyond")},
        }


@dataclass(frozen=True)
class Report:
    """What a change does to all stacks."""

    base: str
    head: str
    stacks: Sequence[StackDiff]
    notes: Mapping[str, str] = field(default_factory=dict)
    """Revision -> why another program ran for it than its own."""

    @property
    def exit_code(self) -> int:
        """Of the worst stack."""
        return max((each.exit_code for each in self.stacks), default=0)

    def json(self) -> dict[str, Any]:
        """The shape of `yard diff --json`."""
        return {
            "base": self.base,
            "head": self.head,
            "notes": {**self.notes},
            "exit_code": self.exit_code,
            "stacks": [each.json() for each in self.stacks],
        }
