"""Requests over time, as SVG: who answered how many, what was lost, how long it took, and on the same axis what the
switch did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from rehearsal.traffic.figures import Carried, Second
from yard.story.lanes import HEAD, WIDTH, Axis, lanes, marks

HIGH, LOW = 100, 60
"""Pixels of the requests and of their latency."""
COLOURS = ("old", "new", "third")
"""Classes of those who answer, in the order in which they do."""


def orchestrators(carried: Carried) -> list[str]:
    """Those who answered, in the order in which they did."""
    return list(dict.fromkeys(key for second in carried.timeline for key in second.got))[: len(COLOURS)]


def picture(carried: Carried) -> str:
    """One switch; empty where nobody called."""
    if not carried.timeline:
        return ""
    end = max(carried.seconds + 1, carried.ended)
    axis = Axis(0, end)
    below = HEAD + HIGH + LOW + 2 * HEAD
    rows, height = lanes(carried.bars, axis, below)
    inside = [
        *marks(axis, end, height),
        *_requests(carried.timeline, orchestrators(carried), axis),
        *_latency(carried.timeline, axis),
        *rows,
    ]
    label = f"{carried.phase}: {carried.requests} requests, {sum(carried.lost.values())} lost"
    return f'<svg viewBox="0 0 {WIDTH} {height + 24}" role="img" aria-label="{escape(label)}">{"".join(inside)}</svg>'


def _requests(timeline: Sequence[Second], keys: Sequence[str], axis: Axis) -> Iterator[str]:
    """A column for each second: those who answered on each other, and what was lost on top of them."""
    most = max(sum(each.got.values()) + each.lost for each in timeline) or 1
    yield from _named("requests", f"to {most} a second", HEAD)
    for key in keys:
        yield f'<text x="{axis.at(_serves(timeline, key)):.1f}" y="15">{escape(key)}</text>'
    for each in timeline:
        stack = [*((COLOURS[n], key, each.got.get(key, 0)) for n, key in enumerate(keys)), ("lost", "lost", each.lost)]
        y = float(HEAD + HIGH)
        for kind, key, count in stack:
            if count:
                y -= count / most * HIGH
                yield _column(each.at, axis, y, count / most * HIGH, kind, f"second {each.at:.0f}: {key} {count}")


def _serves(timeline: Sequence[Second], key: str) -> float:
    """From when on it answers half of them; where it never does, at all."""
    answered = [each for each in timeline if each.got.get(key)]
    half = (each.at for each in answered if 2 * each.got[key] >= sum(each.got.values()))
    return next(half, answered[0].at)


def _named(name: str, scale: str, top: int) -> Iterator[str]:
    yield f'<text x="4" y="{top + 11}">{name}</text><text x="4" y="{top + 26}" class="who">{scale}</text>'


def _column(at: float, axis: Axis, y: float, height: float, kind: str, told: str) -> str:
    x, end = axis.at(at), axis.at(at + 1)
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{end - x:.1f}" height="{height:.1f}">'
        f"<title>{escape(told)}</title></rect>"
    )


def _latency(timeline: Sequence[Second], axis: Axis) -> Iterator[str]:
    """How long 99 of 100 took at most, in each second."""
    most = max(each.p99 for each in timeline) or 1
    foot = HEAD + HIGH + HEAD + LOW
    points = " ".join(f"{axis.at(each.at + 0.5):.1f},{foot - each.p99 / most * LOW:.1f}" for each in timeline)
    yield from _named("p99", f"to {most:.0f} ms", foot - LOW)
    yield f'<polyline class="latency" points="{points}"/>'
