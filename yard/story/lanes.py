"""Lanes over time, as SVG: a lane for each part of the stack, a bar for each operation, and above them who serves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from math import ceil
from typing import Protocol

from yard.rehearsing import Served
from yard.story import Phase, clock

WIDTH, LEFT, ROW, HEAD = 1000, 130, 9, 22
"""Pixels of the picture: in all, for the lanes' names, of one bar, and of a lane's head."""
MARKS = (15, 30, 60, 120, 300, 600, 1200, 3600)
"""Seconds that may lie between two marks of the time."""
MOST_MARKS = 12


def picture(phases: Sequence[Phase], label: str) -> str:
    """The phases beside each other, on one axis of time."""
    steps = [step for phase in phases for step in phase.steps]
    if not steps:
        return ""
    start, end = min(each.start for each in steps), max(each.end for each in steps)
    axis = Axis(start, max(end - start, 1))
    rows, height = lanes(steps, axis)
    inside = [*marks(axis, end, height), *_twice(phases, axis, height), *_serving(phases, axis, end), *rows]
    return (
        f'<svg viewBox="0 0 {WIDTH} {height + 24}" role="img" aria-label="{escape(label)}:'
        f' {clock(end - start)} minutes, {len(steps)} operations">{"".join(inside)}</svg>'
    )


class Bar(Protocol):
    """What is drawn in a lane: a step in the rehearsal's time, or an operation in real time."""

    @property
    def part(self) -> str: ...
    @property
    def op(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...


class Axis:
    """Where a time is."""

    def __init__(self, start: float, seconds: float) -> None:
        self.start = start
        self.seconds = seconds

    def at(self, time: float) -> float:
        return LEFT + (time - self.start) / self.seconds * (WIDTH - LEFT - 8)


def lanes(steps: Sequence[Bar], axis: Axis, top: int = 2 * HEAD) -> tuple[list[str], int]:
    """The lanes, one below the other from `top` on, and how far down they reach."""
    drawn: list[str] = []
    for part in dict.fromkeys(each.part for each in sorted(steps, key=lambda each: each.start)):
        rows = _rows(sorted((each for each in steps if each.part == part), key=lambda each: each.start))
        drawn.append(f'<text x="4" y="{top + 11}">{escape(part)}</text>')
        for number, row in enumerate(rows):
            drawn += [_bar(each, axis, top + number * ROW) for each in row]
        top += max(len(rows) * ROW, 14) + 8
        drawn.append(f'<line x1="0" x2="{WIDTH}" y1="{top - 4}" y2="{top - 4}" class="lane"/>')
    return drawn, top


def _rows(steps: Sequence[Bar]) -> list[list[Bar]]:
    """Rows in which no two overlap."""
    rows: list[list[Bar]] = []
    for step in steps:
        free = next((row for row in rows if row[-1].end <= step.start), None)
        if free is None:
            rows.append([step])
        else:
            free.append(step)
    return rows


def _bar(step: Bar, axis: Axis, y: int) -> str:
    x, end = axis.at(step.start), axis.at(step.end)
    told = f"{step.op} {step.name} ({step.type}), {clock(step.start)} to {clock(step.end)}"
    return (
        f'<rect class="{step.op}" x="{x:.1f}" y="{y}" width="{max(end - x, 1.5):.1f}" height="{ROW - 2}">'
        f"<title>{escape(told)}</title></rect>"
    )


def marks(axis: Axis, end: float, height: int) -> Iterator[str]:
    """The time, below it all."""
    every = next((each for each in MARKS if axis.seconds / each <= MOST_MARKS), MARKS[-1])
    for number in range(ceil(axis.start / every), int(end // every) + 1):
        x = axis.at(number * every)
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{HEAD}" y2="{height}" class="mark"/>'
        yield f'<text x="{x:.1f}" y="{height + 16}" class="time">{clock(number * every)}</text>'


def _twice(phases: Sequence[Phase], axis: Axis, height: int) -> Iterator[str]:
    """The time in which two orchestrators stand, behind all else."""
    for both in filter(None, (phase.twice() for phase in phases)):
        x, end = axis.at(both.start), axis.at(both.end)
        yield f'<rect class="both" x="{x:.1f}" y="{HEAD}" width="{end - x:.1f}" height="{height - HEAD}">'
        yield f"<title>both cost for {clock(both.end - both.start)} minutes</title></rect>"


def _serving(phases: Sequence[Phase], axis: Axis, end: float) -> Iterator[str]:
    """Who serves the most services, as a band at the top."""
    yield '<text x="4" y="15" class="who">serves</text>'
    served = phases[0].report.served
    moves = _changes(served)
    for (at, shares), (until, _) in zip(moves, [*moves[1:], (end, "")], strict=True):
        x, to = axis.at(max(at, axis.start)), axis.at(min(until, end))
        if shares and to > x:
            yield f'<rect class="serves" x="{x:.1f}" y="2" width="{to - x - 1:.1f}" height="{HEAD - 4}"/>'
            yield f'<text x="{x + 5:.1f}" y="15" class="on">{escape(shares)}</text>'


def _changes(served: Sequence[Served]) -> list[tuple[float, str]]:
    """When who serves changes, the services that move together taken as one."""
    found: list[tuple[float, str]] = []
    for each in served:
        if not found or found[-1][1] != each.shares:
            found.append((each.at, each.shares))
    return found
