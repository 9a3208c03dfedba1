"""The figures wherever the page's controls stand: sliders for what a month looks like, choices for what a stack is.

Python computes them; the page only looks up and adds (see `parts`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, TypeVar, get_args

from components import prices
from components.aws.fleet import Architecture
from components.cost import Column
from components.estimate import Amount, Estimate
from components.network_options import Kind
from components.service import Service
from config.estimates import Pair, Unset, of_pair, pairs
from config.settings import Settings
from yard.comparison import Comparison
from yard.comparison.parts import Part, Position, Space, Table

V = TypeVar("V")

REPLICAS = tuple(range(1, 11))
IMAGE_SIZES = (50, 100, 200, 300, 500, 800, 1200, 2000)
DEPLOYS = (2, 5, 10, 20, 50, 100, 200)
REQUESTS = (100_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000, 100_000_000, 300_000_000, 1_000_000_000)
NETWORKS: tuple[tuple[Kind, str], ...] = (
    ("public", "no NAT: public addresses"),
    ("nat-single", "one NAT gateway"),
    ("nat-per-az", "one NAT gateway a zone"),
    ("endpoints", "no NAT: VPC endpoints"),
)
"""The values of the key `network`, as one who looks for NAT reads them."""


@dataclass(frozen=True)
class Control:
    """One of the quantities and choices that a reader may change."""

    key: str
    label: str
    stops: tuple[Any, ...]
    """Of a slider ascending. None: what the stack says, where that is not one value."""
    texts: tuple[str, ...]
    """The stops, in words."""
    own: int
    """The index of the stack's own stop."""
    is_choice: bool = False
    """Whether the stops have no order, so that it is no slider."""


class Grid:
    """A comparison at every position of the controls."""

    def __init__(self, found: Comparison) -> None:
        self.found = found
        self.controls = _controls(found)
        self.stops = [len(each.stops) for each in self.controls]
        self.own: Position = tuple(each.own for each in self.controls)
        sliders = frozenset(place for place, each in enumerate(self.controls) if not each.is_choice)
        self.space = Space(self.stops, self.own, sliders)
        self._pairs: dict[str, list[Pair | Unset]] = {}
        self._asked: dict[Position, Comparison] = {}
        self._estimates: dict[tuple[int, Position], Estimate] = {}
        self._amounts: dict[tuple[int, Position, Column], Amount] = {}

    def estimate(self, pair: int, position: Position) -> Estimate:
        """A pair's, by its place in the comparison."""
        key = (pair, position)
        if key not in self._estimates:
            asked = self.asked(position)
            found = of_pair(asked.settings, self._pairs_in(asked.region)[pair], asked.usage, asked.region)
            self._estimates[key] = asked.marked(found)
        return self._estimates[key]

    def amount(self, pair: int, position: Position, column: Column) -> Amount:
        """What a column of a pair comes to."""
        key = (pair, position, column)
        if key not in self._amounts:
            self._amounts[key] = self.estimate(pair, position).amount(column)
        return self._amounts[key]

    def asked(self, position: Position) -> Comparison:
        """The stack, the month and the region of a position, with the estimates of where the stack is."""
        if position not in self._asked:
            at = {each.key: each.stops[stop] for each, stop in zip(self.controls, position, strict=True)}
            settings = with_replicas(self.found.settings, at["replicas"])
            settings = with_architecture(settings, at.get("architecture"))
            settings = with_network(settings, at.get("network"))
            usage = {name: at[name.replace("_", "-")] for name in ("image_size", "deploys", "requests")}
            self._asked[position] = replace(
                self.found,
                settings=settings,
                usage=self.found.usage.model_copy(update=usage),
                region=at.get("region", self.found.region),
            )
        return self._asked[position]

    def comparison(self, position: Position) -> Comparison:
        """All pairs at a position, in the order that they have where the stack is."""
        estimates = tuple(self.estimate(pair, position) for pair, _ in enumerate(self.found.estimates))
        return replace(self.asked(position), estimates=estimates)

    @property
    def visited(self) -> Iterator[Estimate]:
        """Every estimate that was needed so far."""
        yield from self._estimates.values()

    def table(self, what: Callable[[Position], V]) -> Table[V]:
        """A value of any kind, for the controls on which it depends."""
        return Table.of(what, self.space.dependence(what), self.stops, self.own)

    def of_choices(self, what: Callable[[Position], V]) -> Table[V]:
        """A value that only the choices change."""
        choices = tuple(place for place, each in enumerate(self.controls) if each.is_choice)
        return Table.of(what, choices, self.stops, self.own)

    def parts(self, usd: Callable[[Position], Decimal]) -> list[Part]:
        """An amount as parts that add up to it."""
        return self.space.parts(usd)

    def _pairs_in(self, region: str) -> list[Pair | Unset]:
        """The pairs of the comparison, in its order, with what a region makes of those that the stack has not."""
        if region not in self._pairs:
            known = {each.names: each for each in pairs(self.found.settings, region)}
            self._pairs[region] = [known[each.registry, each.orchestrators] for each in self.found.estimates]
        return self._pairs[region]


def _controls(found: Comparison) -> tuple[Control, ...]:
    usage = found.usage
    every = (
        _replicas(list(found.settings.services.values())),
        _slider("image-size", "Image size", IMAGE_SIZES, usage.image_size, "{:,} MB"),
        _slider("deploys", "Deployments of each service a month", DEPLOYS, usage.deploys, "{:,}"),
        _slider("requests", "Requests a month, all services together", REQUESTS, usage.requests, "{:,}"),
        *_choices(found),
    )
    return tuple(each for each in every if not each.is_choice or len(each.stops) > 1)


def _choices(found: Comparison) -> Iterator[Control]:
    if not found.meant:  # there are the prices of one region alone, and they stand for those of another
        regions = tuple(sorted({found.region, *prices.regions("aws")}))
        yield Control("region", "Region", regions, regions, regions.index(found.region), is_choice=True)
    config, known = found.settings.config, get_args(Architecture)
    own = {each.architecture for each in config.services.values()}
    mixed = len(own) > 1
    stops = (*([None] if mixed else []), *known)
    texts = (*(["as the stack says"] if mixed else []), *known)
    at = 0 if mixed or not own else stops.index(own.pop())
    yield Control("architecture", "CPU architecture", stops, texts, at, is_choice=True)
    if config.vpc is None:
        kinds, told = zip(*NETWORKS, strict=True)
        yield Control("network", "Way out (NAT)", kinds, told, kinds.index(config.network), is_choice=True)


def _slider(key: str, label: str, stops: Sequence[int], own: int, text: str) -> Control:
    every = tuple(sorted({*stops, own}))
    return Control(key, label, every, tuple(map(text.format, every)), every.index(own))


def _replicas(services: Sequence[Service]) -> Control:
    """Replicas of each service. Where the services have not all as many, there is a stop for that."""
    least = sorted(each.replicas.min for each in services)
    scales = any(each.replicas.scales for each in services)
    label = "Replicas of each service" + (", at least" if scales else "")
    if least[0] == least[-1]:
        return _slider("replicas", label, REPLICAS, least[0], "{}")
    own = sum(1 for each in REPLICAS if each * len(least) <= sum(least))
    stops = (*REPLICAS[:own], None, *REPLICAS[own:])
    texts = [f"as the stack says, {least[0]} to {least[-1]}" if each is None else str(each) for each in stops]
    return Control("replicas", label, stops, tuple(texts), own)


def with_replicas(stack: Settings, replicas: int | None) -> Settings:
    """The stack with as many replicas of each service; the room up to `max` stays as it is."""
    if replicas is None:
        return stack
    return _with(stack, services={name: _of(each, replicas) for name, each in stack.services.items()})


def with_architecture(stack: Settings, architecture: Architecture | None) -> Settings:
    """The stack with every image for one CPU architecture; None: as it is."""
    if architecture is None:
        return stack
    services = stack.config.services.items()
    changed = {name: each.model_copy(update={"architecture": architecture}) for name, each in services}
    return _with(stack, services=changed)


def with_network(stack: Settings, network: Kind | None) -> Settings:
    """The stack with another way out for its replicas; None: as it is."""
    return stack if network is None else _with(stack, network=network)


def _with(stack: Settings, **keys: Any) -> Settings:
    """The stack with other values of some keys, which are known to be right."""
    return replace(stack, config=stack.config.model_copy(update=keys))


def _of(service: Service, replicas: int) -> Service:
    room = service.replicas.max - service.replicas.min
    wanted = service.replicas.model_copy(update={"min": replicas, "max": replicas + room})
    return service.model_copy(update={"replicas": wanted})
