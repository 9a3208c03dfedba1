"""What somebody wrote of a price, beside what the price files say of it now."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from components.prices import Tier, plain

Verdict = Literal["unchanged", "changed", "corrected", "added"]
"""changed: it was so, and is no more. corrected: it was never so. added: they had not written of it."""


@dataclass(frozen=True)
class Figure:
    """A number, and the prices that it was read in or computed from."""

    value: Decimal
    tiers: tuple[Tier, ...] = ()
    whole: bool = True
    """False: something in it has no price, so that it is more."""

    def __format__(self, spec: str) -> str:
        """As money with the spec `$`: at least two digits behind the point, where there is one."""
        whole, _, rest = plain(self.value).partition(".")
        if rest and spec == "$":
            rest = f"{rest:0<2}"
        mark = "" if all(tier.confirmed for tier in self.tiers) else "~"
        return f"{mark}{int(whole):,}{rest and '.'}{rest}{'' if self.whole else '+?'}"


@dataclass(frozen=True)
class Said:
    """A text with a place for each of its figures."""

    text: str
    figures: tuple[Figure, ...]

    def __str__(self) -> str:
        return self.text.format(*self.figures)

    @property
    def values(self) -> tuple[Decimal, ...]:
        """The figures as numbers."""
        return tuple(each.value for each in self.figures)

    def json(self) -> dict[str, Any]:
        """The text, and the figures that are in it."""
        return {"text": str(self), "figures": [plain(each) for each in self.values]}


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    about: str
    what: str
    wrote: Said | None
    now: Said
    verdict: Verdict
    why: str

    @property
    def sources(self) -> tuple[Tier, ...]:
        """What the figures of today rest on, each once."""
        return tuple(dict.fromkeys(tier for figure in self.now.figures for tier in figure.tiers))

    def json(self) -> dict[str, Any]:
        """The row for machines."""
        return {
            "about": self.about,
            "what": self.what,
            "wrote": self.wrote.json() if self.wrote else None,
            "now": self.now.json(),
            "verdict": self.verdict,
            "why": self.why,
            "prices": [
                {"usd": f"{each.usd:f}", "status": each.status, "as_of": each.as_of, "source": each.source}
                for each in self.sources
            ],
        }


def row(
    about: str,
    what: str,
    wrote: Said | None,
    now: Said,
    why: str,
    otherwise: Literal["changed", "corrected"] = "changed",
) -> Row:
    """A row whose verdict follows from the figures; `otherwise`: which of the two it is where they differ."""
    verdict: Verdict = "added" if wrote is None else otherwise
    if wrote and set(wrote.values) == set(now.values):
        verdict = "unchanged"
    return Row(about, what, wrote, now, verdict, why)
