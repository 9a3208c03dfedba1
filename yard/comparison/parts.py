"""A figure that depends on many controls, taken apart into parts that add up to it wherever they stand.

All stops of seven controls together would be hundreds of thousands of estimates. So a figure is the sum of what each
group of controls adds, told from where the stack itself is (the cut-HDMR of Rabitz and Alis, J. Math. Chem. 25, 1999).
Most groups add nothing, which is found by trying. What is left is kept stop by stop, or, where each control only
multiplies it (megabytes by deployments by nodes by a price), as factors.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from itertools import combinations, product
from math import floor, prod
from random import Random
from typing import Any, Generic, TypeVar

Position = tuple[int, ...]
"""Of every control, the index of the stop where it stands."""
Cube = Position
"""The far corner of one: the corner opposite is where the stack is."""
V = TypeVar("V")
NANO = Decimal("1e-9")
"""USD. Sums of so small a unit are exact to the cent, in whole numbers that a browser holds."""
SAMPLES = 12
SAME = Decimal("1e-15")
"""What Decimal's own rounding can make of equal numbers."""


@dataclass(frozen=True)
class Table(Generic[V]):
    """Something that depends on some controls: its value for each of their stops, the last control's fastest."""

    controls: tuple[int, ...]
    values: tuple[V, ...]

    @classmethod
    def of(
        cls, what: Callable[[Position], V], controls: tuple[int, ...], stops: Sequence[int], own: Position
    ) -> Table[V]:
        """What there is where `controls` stand anywhere, and the others at their own stops."""
        return cls(controls, tuple(map(what, _anywhere(controls, stops, own))))

    def look(self, position: Position, stops: Sequence[int]) -> V:
        """The value at a position."""
        index = 0
        for control in self.controls:
            index = index * stops[control] + position[control]
        return self.values[index]

    def document(self) -> list[Any]:
        """As the page reads it."""
        return [list(self.controls), list(self.values)]


@dataclass(frozen=True)
class Product:
    """An amount in NANO that each of some controls multiplies."""

    controls: tuple[int, ...]
    amount: float
    factors: tuple[tuple[float, ...], ...]
    """Of each control, one for each of its stops."""

    def look(self, position: Position, stops: Sequence[int]) -> int:
        """The amount at a position, in the order and with the rounding of the page's script."""
        factors = (of[position[control]] for control, of in zip(self.controls, self.factors, strict=True))
        return floor(prod(factors, start=self.amount) + 0.5)

    def document(self) -> list[Any]:
        """As the page reads it."""
        return [list(self.controls), self.amount, list(map(list, self.factors))]


Part = Table[int] | Product


@dataclass(frozen=True)
class Space:
    """The controls: how many stops each has, and where the stack's own are."""

    stops: Sequence[int]
    own: Position
    sliders: frozenset[int] = frozenset()
    """The controls whose stops have an order."""

    def others(self, control: int) -> list[int]:
        """The stops at which a control is tried: every one of a few, of many the ends, or an end and the middle."""
        last = self.stops[control] - 1
        tried = range(last + 1) if last <= 3 else (0, last)
        found = [each for each in tried if each != self.own[control]]
        if last > 3 and len(found) == 1:
            found.insert(0, last // 2)
        return found or [self.own[control]]

    @cached_property
    def cubes(self) -> list[Cube]:
        """For each control another stop than its own: corners are where some stand there, and the others at their own.
        Sliders stand at the same end, with each of the choices at both."""
        others = [self.others(control) for control, _ in enumerate(self.stops)]
        choices = max((len(of) for control, of in enumerate(others) if control not in self.sliders), default=1)
        return [
            tuple(of[(end if control in self.sliders else choice) % len(of)] for control, of in enumerate(others))
            for choice, end in product(range(choices), (-1, 0))
        ]

    @cached_property
    def samples(self) -> list[Position]:
        """Anywhere: what was found is held against these."""
        random = Random(0)  # the same page for the same stack
        return [tuple(map(random.randrange, self.stops)) for _ in range(SAMPLES)]

    @cached_property
    def trials(self) -> list[Position]:
        """Where it is tried what makes a difference: each control moved alone; each cube's far corner, and each control
        there moved back; and for what happens above some sum alone the sliders' ends and own stops, each with each."""
        controls = range(len(self.stops))
        steps = (moved(self.own, [each], [cube[each]]) for cube in self.cubes for each in controls)
        back = (moved(cube, [each], [self.own[each]]) for cube in self.cubes for each in controls)
        levels = [(own, *self.others(each)) if each in self.sliders else (own,) for each, own in enumerate(self.own)]
        return list(dict.fromkeys((self.own, *steps, *self.cubes, *back, *product(*levels))))

    def dependence(self, what: Callable[[Position], object]) -> tuple[int, ...]:
        """The controls that make a difference."""
        tried = {position: what(position) for position in self.trials}
        found = {
            control
            for position, got in tried.items()
            for control, own in enumerate(self.own)
            if tried.get(moved(position, [control], [own]), got) != got
        }
        for sample in self.samples:
            at = _of(sample, found, self.own)
            if what(at) != what(sample):
                found |= set(_on_the_way(what, at, sample))
        return tuple(sorted(found))

    def parts(self, usd: Callable[[Position], Decimal]) -> list[Part]:
        """An amount as parts, in NANO. Where they do not add up, a cube to there tells what is missing."""
        active, cubes = self.dependence(usd), list(self.cubes)
        while True:
            found = list(self._parts(usd, active, cubes))
            wrong = (each for each in self.samples if each not in cubes and not self._adds_up(found, usd, each))
            if (at := next(wrong, None)) is None:
                return found
            cubes.append(at)

    def _adds_up(self, found: Sequence[Part], usd: Callable[[Position], Decimal], at: Position) -> bool:
        shown = sum(each.look(at, self.stops) for each in found) * NANO
        return abs(shown - usd(at)) <= NANO * len(found)

    def _parts(
        self, usd: Callable[[Position], Decimal], active: Sequence[int], cubes: Sequence[Cube]
    ) -> Iterator[Part]:
        yield Table((), (_nano(usd(self.own)),))
        for group in self._groups(usd, active, cubes):
            more = _added(usd, group, self.own)
            yield self._product(more, group, cubes) or Table.of(_in_nano(more), group, self.stops, self.own)

    def _groups(
        self, usd: Callable[[Position], Decimal], active: Sequence[int], cubes: Sequence[Cube]
    ) -> list[tuple[int, ...]]:
        """The groups of controls that add something together: at every corner, what it is beyond those before it."""
        found: set[tuple[int, ...]] = set()
        for cube in cubes:
            corners = product(*((self.own[each], cube[each]) for each in active))
            added = [usd(moved(self.own, active, each)) for each in corners]
            most = max((Decimal(1), *map(abs, added)))
            for bit in (1 << each for each in range(len(active))):
                added = [each - added[at ^ bit] if at & bit else each for at, each in enumerate(added)]
            found |= {_group(at, active) for at, each in enumerate(added) if at and abs(each) > SAME * most}
        return sorted(found, key=lambda group: (len(group), group))

    def _product(
        self, more: Callable[[Position], Decimal], group: tuple[int, ...], cubes: Sequence[Cube]
    ) -> Product | None:
        """What a group of three or more adds, if each control only multiplies it; None: it does something else."""
        if len(group) < 3:
            return None
        tried = list(product(*({cube[each] for cube in cubes} - {self.own[each]} for each in group)))
        at = next((each for each in tried if more(moved(self.own, group, each))), None)
        if at is None:
            return None
        corner = moved(self.own, group, at)
        amount = more(corner)
        factors = [
            [more(moved(corner, [control], [stop])) / amount for stop in range(self.stops[control])]
            for control in group
        ]
        for each in tried:
            wanted = prod((of[stop] for of, stop in zip(factors, each, strict=True)), start=amount)
            if abs(more(moved(self.own, group, each)) - wanted) > NANO / 10:
                return None
        return Product(group, float(amount / NANO), tuple(tuple(map(float, of)) for of in factors))


def _of(position: Position, controls: Collection[int], own: Position) -> Position:
    """The position with all but some controls at their own stops."""
    return tuple(stop if control in controls else own[control] for control, stop in enumerate(position))


def _on_the_way(what: Callable[[Position], object], at: Position, to: Position) -> Iterator[int]:
    """The controls that make a difference where one after the other is moved."""
    for control, stop in enumerate(to):
        further = moved(at, [control], [stop])
        if what(further) != what(at):
            yield control
        at = further


def moved(position: Position, controls: Sequence[int], to: Sequence[int]) -> Position:
    """A position with some controls moved."""
    new = list(position)
    for control, stop in zip(controls, to, strict=True):
        new[control] = stop
    return tuple(new)


def _anywhere(controls: tuple[int, ...], stops: Sequence[int], own: Position) -> Iterator[Position]:
    places = product(*(range(stops[each]) for each in controls))
    return (moved(own, controls, place) for place in places)


def _group(at: int, active: Sequence[int]) -> tuple[int, ...]:
    """The controls that are moved at a corner; the last one's stop changes fastest."""
    last = len(active) - 1
    return tuple(control for place, control in enumerate(active) if at >> (last - place) & 1)


def _added(usd: Callable[[Position], Decimal], group: tuple[int, ...], own: Position) -> Callable[[Position], Decimal]:
    """What the controls of a group add together, beyond what fewer of them do."""
    fewer = [each for size in range(len(group) + 1) for each in combinations(group, size)]

    def more(position: Position) -> Decimal:
        return sum(
            (
                usd(moved(own, each, [position[control] for control in each])) * (-1) ** (len(group) - len(each))
                for each in fewer
            ),
            Decimal(0),
        )

    return more


def _in_nano(usd: Callable[[Position], Decimal]) -> Callable[[Position], int]:
    return lambda position: _nano(usd(position))


def _nano(usd: Decimal) -> int:
    return int((usd / NANO).to_integral_value(ROUND_HALF_UP))
