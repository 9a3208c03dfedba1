"""What a comparison comes to: what the stack costs and what for, and what another choice would add or save."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from components.cost import COLUMNS, Column
from components.estimate import Amount, Estimate
from yard.comparison import Comparison
from yard.comparison.documents import amount


@dataclass(frozen=True)
class Share:
    """What one column is of the stack's own cost."""

    column: Column
    amount: Amount
    percent: int


@dataclass(frozen=True)
class Answer:
    """The few figures that most people look for."""

    found: Comparison

    @property
    def own(self) -> Estimate | None:
        """The stack's own pair; None where nobody knows what it costs."""
        return next((each for each in self.found.known if self.found.is_own(each)), None)

    def shares(self) -> list[Share]:
        """What the stack's own cost is made of, the largest first."""
        own = self.own
        if own is None or not own.amount().usd:
            return []
        total = own.amount().usd
        parts = [(column, own.amount(column)) for column in COLUMNS]
        found = [Share(column, part, round(100 * part.usd / total)) for column, part in parts if part.known != 0]
        return sorted(found, key=lambda each: -each.amount.usd)

    @property
    def cheapest_switch(self) -> Estimate | None:
        """The cheapest pair that costs less than the stack's own; None where there is none."""
        own = self.own
        cheaper = [each for each in self.found.known if own and gaps(each) <= gaps(own)]
        best = min(cheaper, key=lambda each: each.amount().usd, default=None)
        return best if own and best and self.added(best) < 0 else None

    def added(self, other: Estimate) -> Decimal:
        """What is known of what another pair adds to the stack's own cost, USD a month; below 0: it saves."""
        own = self.own
        return (other.amount().known or Decimal(0)) - ((own and own.amount().known) or Decimal(0))

    def orchestrators(self) -> Iterator[Estimate]:
        """Each orchestrator with the stack's own registry, or with the cheapest where they do not go together."""
        own = self.found.settings.config.registry
        best: dict[str, Estimate] = {}
        for each in self.found.working:
            key = each.orchestrators[0]
            best[key] = each if each.registry == own else best.get(key, each)
        order = [*self.found.working]
        yield from sorted(best.values(), key=order.index)

    def registries(self) -> Iterator[Estimate]:
        """Each registry with the stack's own orchestrator, the cheapest first; its own among them."""
        own = self.found.settings.config.orchestrator
        yield from (each for each in self.found.known if each.orchestrators[0] == own)

    def json(self) -> dict[str, Any]:
        """The same for machines."""
        best = self.cheapest_switch
        return {
            "own": amount(self.own.amount()) if self.own else None,
            "shares": [
                {"column": each.column, "usd": str(each.amount.known), "percent": each.percent}
                for each in self.shares()
            ],
            "cheapest_switch": best
            and {"registry": best.registry, "orchestrator": best.orchestrators[0], "usd_saved": str(-self.added(best))},
        }


def gaps(of: Estimate) -> set[str]:
    """The columns of which not all is known: a pair that has more of them only looks cheaper."""
    return {column for column in COLUMNS if not of.amount(column).whole}
