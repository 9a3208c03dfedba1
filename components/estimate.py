"""The estimate of a pair: what its backends state, with the prices of the region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property

from components import prices
from components.aws.network import Network
from components.aws.vault import Vault
from components.cost import Column, Demand, Item, Line, Note, Unpriced
from components.edge import EdgeOptions
from components.orchestrator import OrchestratorOptions
from components.prices import Price, Tier
from components.registry import RegistryOptions

CENT = Decimal("0.01")
SMALLEST = Decimal("1e-12")
"""USD to which a line is rounded: finer than any price, and so coarse that sums are exact in whatever order."""


@dataclass(frozen=True)
class Charge:
    """A line and what it comes to."""

    line: Line
    price: Price | None
    """None: not known for the region."""
    allowance: Price | None = None
    """What is free of it."""

    @property
    def free(self) -> Decimal:
        """Units that the allowance covers."""
        return (self.allowance and self.allowance.quantity) or Decimal(0)

    @property
    def billed(self) -> Decimal:
        """Units that are paid for."""
        return max(Decimal(0), self.line.quantity - self.free)

    @property
    def tiers(self) -> Sequence[Tier]:
        """The tiers of the price that it reaches."""
        return self.price.reached(self.billed) if self.price else ()

    @cached_property
    def usd(self) -> Decimal | None:
        """USD a month; None where there is no price, and something to pay for."""
        if self.price is None:
            return None if self.billed else Decimal(0)
        usd = self.price.cost(self.billed)
        return None if usd is None else usd.quantize(SMALLEST)

    @property
    def evidence(self) -> Sequence[Tier]:
        """What the amount rests on: prices, and the allowance where it takes something off."""
        free = self.allowance.tiers if self.allowance and self.free and self.line.quantity else ()
        return (*(self.tiers if self.usd else ()), *free)


@dataclass(frozen=True)
class Amount:
    """A sum of charges, and how far it can be trusted."""

    usd: Decimal
    """What is known of it."""
    confirmed: bool
    """Whether every price in it is."""
    whole: bool
    """False: something in it has no price, so that it costs more."""

    @property
    def known(self) -> Decimal | None:
        """USD rounded to cents; None where nothing is known, for that is not 0."""
        return cents(self.usd) if self.whole or self.usd else None

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.usd + other.usd, self.confirmed and other.confirmed, self.whole and other.whole)

    def marked(self, figure: str) -> str:
        """A figure of it with the marks that tell how far it can be trusted."""
        return f"{'' if self.confirmed else '~'}{figure}{'' if self.whole else '+?'}"

    def __str__(self) -> str:
        return "?" if self.known is None else self.marked(f"{self.known:,}")


@dataclass(frozen=True)
class Estimate:
    """What a stack costs a month with one registry and its orchestrators."""

    registry: str
    orchestrators: tuple[str, ...]
    network: str = ""
    """How replicas reach the outside, as it is priced."""
    charges: tuple[Charge, ...] = ()
    unpriced: tuple[Unpriced, ...] = ()
    notes: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    """Why there is no such pair."""

    def counted(self, column: Column | None = None) -> list[Charge]:
        """The charges of one column, or all; without those that have a condition."""
        return [each for each in self.charges if column in (None, each.line.column) and not each.line.only_if]

    def amount(self, column: Column | None = None) -> Amount:
        """What one column comes to, or everything."""
        charges = self.counted(column)
        missing = [each for each in self.unpriced if column in (None, each.column)]
        known = [each for each in charges if each.usd is not None]
        return Amount(
            usd=sum((each.usd for each in known if each.usd is not None), Decimal(0)),
            confirmed=all(tier.confirmed for each in known for tier in each.evidence),
            whole=not missing and len(known) == len(charges),
        )

    @property
    def missing(self) -> list[tuple[str, str]]:
        """What is in no sum, each with the reason."""
        without = [(each.line.what, "there is no price for it") for each in self.charges if each.usd is None]
        return [*[(each.what, each.why) for each in self.unpriced], *without]

    @property
    def unknown(self) -> list[str]:
        """What is in no sum, a line each."""
        return list(dict.fromkeys(f"{what}: {why}" for what, why in self.missing))

    @property
    def conditions(self) -> Mapping[str, Decimal]:
        """What does not hold today -> USD a month that it would add."""
        found: dict[str, Decimal] = {}
        for each in self.charges:
            if each.line.only_if:
                found[each.line.only_if] = found.get(each.line.only_if, Decimal(0)) + (each.usd or 0)
        return found

    @property
    def runs_unpriced(self) -> bool:
        """Whether nobody knows what the replicas themselves cost, so that it cannot be compared."""
        return bool(self.refused) or not self.amount("compute").whole


def cents(usd: Decimal) -> Decimal:
    """Rounded to cents, half of one upwards."""
    return usd.quantize(CENT, ROUND_HALF_UP)


def estimate(
    demand: Demand,
    images: RegistryOptions,
    runtimes: Sequence[OrchestratorOptions],
    region: str,
    beside: Sequence[RegistryOptions] = (),
    edge: EdgeOptions | None = None,
) -> Estimate:
    """The estimate of a registry and the orchestrators that run the services; with several of them, of a move.
    `beside` are registries that nobody pulls from yet, `edge` where callers come in."""
    items: list[Item] = []
    for runtime in runtimes:
        own = replace(demand, pulls={each: runtime.pulls(each, demand) for each in demand.services})
        items += [each for each in runtime.costs(own) if not (isinstance(each, Line) and each.shared and each in items)]
        demand = replace(
            demand, pulls={each: demand.pulls.get(each, Decimal(0)) + own.pulls[each] for each in own.pulls}
        )
    stored = demand.of_registry
    items += images.costs(stored)
    for other in beside:
        items += other.costs(replace(stored, pulls=dict.fromkeys(stored.pulls, Decimal(0))))
    for each in (images, *beside):
        items += map(Note, each.notes(demand.on_aws))
    items += (*Network.costs(demand), *Network.flows(demand)) if demand.on_aws else ()
    items += edge.costs(demand) if edge else ()
    items += Vault.costs(demand) if demand.on_aws else ()
    return Estimate(
        registry=images.key,
        orchestrators=tuple(each.key for each in runtimes),
        network=demand.network if demand.on_aws else "",
        charges=tuple(charge(each, demand, region) for each in items if isinstance(each, Line)),
        unpriced=tuple(each for each in items if isinstance(each, Unpriced)),
        notes=tuple(dict.fromkeys(each.text for each in items if isinstance(each, Note))),
    )


def charge(line: Line, demand: Demand, region: str) -> Charge:
    """A line with its price; raises ValueError where the two have different units."""
    book = prices.load(line.vendor, line.region or (region if line.vendor == "aws" else prices.GLOBAL))
    price = book.find(line.price)
    if price and price.unit != line.unit:
        raise ValueError(f"{line.what}: {line.unit} is not the unit of {line.price}, {price.unit}")
    allowance = book.find(line.free) if line.free and demand.usage.free_allowances else None
    return Charge(line, price, allowance)
