"""What fits a budget, and what would have to change for more to fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from components import edge
from components.estimate import Estimate, cents
from components.network_options import ExistingLoadBalancer
from config.estimates import with_smaller_nodes
from config.settings import Settings
from yard.comparison import Comparison
from yard.comparison.answer import gaps
from yard.comparison.controls import with_architecture, with_network, with_replicas
from yard.comparison.documents import amount


@dataclass(frozen=True)
class Change:
    """One thing that could be otherwise."""

    what: str
    saves: Decimal
    """USD a month, of the cheapest pair."""


@dataclass(frozen=True)
class Budget:
    """A month's budget, and the pairs."""

    usd: Decimal
    found: Comparison

    @property
    def fits(self) -> list[Estimate]:
        """The pairs of which no more is known than that; the cheapest first."""
        return [each for each in self.found.known if cents(each.amount().usd) <= self.usd]

    @property
    def cheapest(self) -> Estimate | None:
        """The cheapest of the pairs of which most is known; None: nobody knows what any costs."""
        return _cheapest(self.found)

    def changes(self) -> list[Change]:
        """What would make the cheapest pair cheaper, each by itself, what saves most first."""
        found = [Change(what, self._saved(by(self.found.settings))) for what, by in levers().items()]
        return sorted((each for each in found if each.saves > 0), key=lambda each: -each.saves)

    def at_best(self) -> Estimate | None:
        """The cheapest pair with all that `changes` names."""
        settings, changes = self.found.settings, {each.what for each in self.changes()}
        for what, by in levers().items():
            settings = by(settings) if what in changes else settings
        return _cheapest(self.found.priced(settings))

    def _saved(self, settings: Settings) -> Decimal:
        before, after = self.cheapest, _cheapest(self.found.priced(settings))
        return cents(before.amount().usd) - cents(after.amount().usd) if before and after else Decimal(0)

    def json(self) -> dict[str, Any]:
        """The same for machines."""
        best = self.at_best()
        return {
            "usd": str(self.usd),
            "fits": [_named(each) for each in self.fits],
            "cheapest": self.cheapest and _named(self.cheapest),
            "changes": [{"what": each.what, "usd_saved": str(each.saves)} for each in self.changes()],
            "with_all_changes": best and _named(best),
        }


def _cheapest(found: Comparison) -> Estimate | None:
    return min(found.known, key=lambda each: (len(gaps(each)), each.amount().usd), default=None)


def _named(of: Estimate) -> dict[str, Any]:
    return {"registry": of.registry, "orchestrator": of.orchestrators[0], "total": amount(of.amount())}


def _one_replica(stack: Settings) -> Settings:
    return with_replicas(stack, 1)


def _shared_load_balancer(stack: Settings) -> Settings:
    theirs = ExistingLoadBalancer.model_construct(
        listener="", security_group="", url=""
    )  # the figures ask only whether
    return replace(stack, config=stack.config.model_copy(update={"load_balancer": theirs}))


def _public_network(stack: Settings) -> Settings:
    return with_network(stack, "public")


def _arm(stack: Settings) -> Settings:
    return with_architecture(stack, "arm64")


def _edge(name: str) -> Callable[[Settings], Settings]:
    def put(stack: Settings) -> Settings:
        return replace(stack, edge=edge.load(name).Options.model_validate({}))

    return put


def levers() -> dict[str, Callable[[Settings], Settings]]:
    """What could be otherwise in a stack, in words -> how its settings are then."""
    return {
        "a load balancer that exists already (`load-balancer` and `vpc`)": _shared_load_balancer,
        "one replica of each service: when it fails, nobody answers": _one_replica,
        "images for arm64 (`architecture`)": _arm,
        "replicas with public addresses (`network: public`)": _public_network,
        **{_said(name): _edge(name) for name in edge.names() if name != edge.DEFAULT},
        # The last: how small they can be, the others decide.
        "the smallest nodes that hold the replicas (`instance-type`, `disk`)": with_smaller_nodes,
    }


def _said(name: str) -> str:
    loses = edge.load(name).Options.loses
    return f"edge {name} in place of {edge.DEFAULT}" + (f": {loses}" if loses else "")
