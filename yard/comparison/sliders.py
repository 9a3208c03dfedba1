"""The figures wherever the page's sliders stand. Python computes them; the page only looks up and adds.

A slider has few stops. All its stops with all of the others' would be thousands of estimates, so each figure is taken
apart: sliders that it does not depend on are left out, and it is split into parts that add up where no part depends on
two sliders together. Which do is found by trying: the ends of every slider and one stop between, each with each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from itertools import combinations, product
from typing import Any, Generic, TypeVar

from components.estimate import Estimate
from components.service import Service
from components.usage import Usage
from config.estimates import Pair, Unset, of_pair, pairs
from config.settings import Settings
from yard.comparison import Comparison

Position = tuple[int, ...]
"""Of every slider, the index of the stop where it stands."""
V = TypeVar("V")

REPLICAS = tuple(range(1, 11))
IMAGE_SIZES = (50, 100, 200, 300, 500, 800, 1200, 2000)
DEPLOYS = (2, 5, 10, 20, 50, 100, 200)
REQUESTS = (100_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000, 100_000_000, 300_000_000, 1_000_000_000)
NANO = Decimal("1e-9")
"""USD. Sums of so small a unit are exact to the cent, in whole numbers that a browser holds."""
SAME = Decimal("1e-15")
"""What Decimal's own rounding can make of equal numbers."""


@dataclass(frozen=True)
class Slider:
    """One of the quantities that a reader may change."""

    key: str
    label: str
    stops: tuple[int | None, ...]
    """Ascending; None: what the stack says, where that is not one number."""
    texts: tuple[str, ...]
    """The stops, in words."""
    own: int
    """The index of the stack's own stop."""


@dataclass(frozen=True)
class Table(Generic[V]):
    """Something that depends on some sliders: its value for each of their stops, the last slider's fastest."""

    sliders: tuple[int, ...]
    values: tuple[V, ...]

    @classmethod
    def of(
        cls, what: Callable[[Position], V], sliders: tuple[int, ...], stops: Sequence[int], own: Position
    ) -> Table[V]:
        """What there is where `sliders` stand anywhere, and the others at their own stops."""
        places = product(*(range(stops[each]) for each in sliders))
        return cls(sliders, tuple(what(moved(own, sliders, place)) for place in places))

    def document(self) -> list[Any]:
        """As the page reads it."""
        return [list(self.sliders), list(self.values)]


def moved(position: Position, sliders: Sequence[int], to: Sequence[int]) -> Position:
    """A position with some sliders moved."""
    new = list(position)
    for slider, stop in zip(sliders, to, strict=True):
        new[slider] = stop
    return tuple(new)


class Grid:
    """A comparison at every position of the sliders."""

    def __init__(self, found: Comparison) -> None:
        self.found = found
        self.sliders = _sliders(found)
        self.stops = [len(each.stops) for each in self.sliders]
        self.own: Position = tuple(each.own for each in self.sliders)
        known = {each.names: each for each in pairs(found.settings, found.region)}
        self._pairs: list[Pair | Unset] = [known[each.registry, each.orchestrators] for each in found.estimates]
        self._settings: dict[int, Settings] = {}
        self._usage: dict[Position, Usage] = {}
        self._estimates: dict[tuple[int, Position], Estimate] = {}

    def estimate(self, pair: int, position: Position) -> Estimate:
        """A pair's, by its place in the comparison."""
        key = (pair, position)
        if key not in self._estimates:
            asked = self.asked(position)
            found = of_pair(asked.settings, self._pairs[pair], asked.usage, asked.region)
            self._estimates[key] = asked.marked(found)
        return self._estimates[key]

    def asked(self, position: Position) -> Comparison:
        """The stack and the month of a position, with the estimates of where the stack is."""
        replicas, *rest = (each.stops[at] for each, at in zip(self.sliders, position, strict=True))
        if position[0] not in self._settings:
            self._settings[position[0]] = with_replicas(self.found.settings, replicas)
        if position[1:] not in self._usage:
            changes = dict(zip(("image_size", "deploys", "requests"), rest, strict=True))
            self._usage[position[1:]] = self.found.usage.model_copy(update=changes)
        return replace(self.found, settings=self._settings[position[0]], usage=self._usage[position[1:]])

    def comparison(self, position: Position) -> Comparison:
        """All pairs at a position, in the order that they have where the stack is."""
        estimates = tuple(self.estimate(pair, position) for pair in range(len(self._pairs)))
        return replace(self.asked(position), estimates=estimates)

    @property
    def visited(self) -> Iterator[Estimate]:
        """Every estimate that was needed so far."""
        yield from self._estimates.values()

    @cached_property
    def trials(self) -> list[Position]:
        """The ends of every slider and one stop between, each with each."""
        return list(product(*map(_levels, self.stops, self.own)))

    def table(self, what: Callable[[Position], V]) -> Table[V]:
        """A value of any kind, for the sliders on which it depends."""
        return Table.of(what, _dependence(self._tried(what)), self.stops, self.own)

    def parts(self, usd: Callable[[Position], Decimal]) -> list[Table[int]]:
        """An amount as tables, in NANO, that add up to it wherever the sliders stand."""
        rest = usd(self.own)

        def more(position: Position) -> int:
            return _nano(usd(position) - rest)

        groups = _together(self._tried(usd))
        return [Table((), (_nano(rest),)), *(Table.of(more, group, self.stops, self.own) for group in groups)]

    def look(self, table: Table[V], position: Position) -> V:
        """A table's value at a position."""
        index = 0
        for slider in table.sliders:
            index = index * self.stops[slider] + position[slider]
        return table.values[index]

    def _tried(self, what: Callable[[Position], V]) -> dict[Position, V]:
        return {position: what(position) for position in self.trials}


def _levels(stops: int, own: int) -> tuple[int, ...]:
    """The ends of a slider, and between them the stack's own stop, or where that is an end the middle. Parts and tables
    start from the stack's own stops, so what differs there alone must be found."""
    between = own if 0 < own < stops - 1 else stops // 2
    return tuple(sorted({0, between, stops - 1}))


def _dependence(tried: Mapping[Position, object]) -> tuple[int, ...]:
    """The sliders that make a difference."""
    sliders = range(len(next(iter(tried))))
    return tuple(each for each in sliders if any(tried[moved(at, [each], [0])] != got for at, got in tried.items()))


def _together(tried: Mapping[Position, Decimal]) -> list[tuple[int, ...]]:
    """The sliders that make a difference, those together whose effect depends on each other."""
    groups = [{slider} for slider in _dependence(tried)]
    for one, other in combinations([slider for group in groups for slider in group], 2):
        if _interact(tried, one, other):
            joined = [group for group in groups if group & {one, other}]
            groups = [group for group in groups if group not in joined] + [set().union(*joined)]
    return sorted(tuple(sorted(group)) for group in groups)


def _interact(tried: Mapping[Position, Decimal], one: int, other: int) -> bool:
    """Whether what a slider adds depends on where another stands."""
    for position, usd in tried.items():
        neither, first, second = (
            tried[moved(position, [one, other], to)] for to in ((0, 0), (position[one], 0), (0, position[other]))
        )
        if abs(usd - first - second + neither) > SAME * max(Decimal(1), usd):
            return True
    return False


def _nano(usd: Decimal) -> int:
    return int((usd / NANO).to_integral_value(ROUND_HALF_UP))


def _sliders(found: Comparison) -> tuple[Slider, ...]:
    usage = found.usage
    return (
        _replicas(list(found.settings.services.values())),
        _slider("image-size", "Image size", IMAGE_SIZES, usage.image_size, "{:,} MB"),
        _slider("deploys", "Deployments of each service a month", DEPLOYS, usage.deploys, "{:,}"),
        _slider("requests", "Requests a month, all services together", REQUESTS, usage.requests, "{:,}"),
    )


def _slider(key: str, label: str, stops: Sequence[int], own: int, text: str) -> Slider:
    every = tuple(sorted({*stops, own}))
    return Slider(key, label, every, tuple(map(text.format, every)), every.index(own))


def _replicas(services: Sequence[Service]) -> Slider:
    """Replicas of each service. Where the services have not all as many, there is a stop for that."""
    least = sorted(each.replicas.min for each in services)
    scales = any(each.replicas.scales for each in services)
    label = "Replicas of each service" + (", at least" if scales else "")
    if least[0] == least[-1]:
        return _slider("replicas", label, REPLICAS, least[0], "{}")
    own = sum(1 for each in REPLICAS if each * len(least) <= sum(least))
    stops = (*REPLICAS[:own], None, *REPLICAS[own:])
    texts = [f"as the stack says, {least[0]} to {least[-1]}" if each is None else str(each) for each in stops]
    return Slider("replicas", label, stops, tuple(texts), own)


def with_replicas(stack: Settings, replicas: int | None) -> Settings:
    """The stack with as many replicas of each service; the room up to `max` stays as it is."""
    if replicas is None:
        return stack
    services = {name: _of(each, replicas) for name, each in stack.services.items()}
    return replace(stack, config=stack.config.model_copy(update={"services": services}))


def _of(service: Service, replicas: int) -> Service:
    room = service.replicas.max - service.replicas.min
    wanted = service.replicas.model_copy(update={"min": replicas, "max": replicas + room})
    return service.model_copy(update={"replicas": wanted})
