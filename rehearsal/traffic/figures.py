"""What came of the requests that were carried through a switch, in numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from rehearsal.traffic.callers import Answer
from rehearsal.traffic.mistakes import Mistake
from rehearsal.traffic.plane import Plane, Shares
from rehearsal.traffic.sockets import Kept

DEVIATIONS = 3.0
"""Standard deviations from its weight that a share may be off: by chance it is more in 1 of 370 cases."""
NO_CHANCE = 1 / (DEVIATIONS + 1)
"""The standard deviation where a group gets all or nothing: one request is too many."""
MISTAKEN = "not of a replica"
"""Why an answer counts as lost that looks well but that nobody of ours gave."""


@dataclass(frozen=True)
class Latency:
    """Of answers, in milliseconds."""

    p50: float
    p99: float
    longest: float


@dataclass(frozen=True)
class Part:
    """A service's requests while its weights stayed the same."""

    service: str
    weights: Mapping[str, int]
    """Orchestrator -> weight."""
    requests: int
    got: Mapping[str, int]
    """Orchestrator -> requests that it got."""
    deviations: float
    """Standard deviations that the share furthest from its weight is off."""


@dataclass(frozen=True)
class Second:
    """One second of it, for a picture."""

    at: float
    """Seconds since the first request."""
    got: Mapping[str, int]
    """Orchestrator -> requests sent in this second that it answered."""
    lost: int
    p99: float


@dataclass(frozen=True)
class Bar:
    """One operation of the engine's, in real time."""

    part: str
    op: str
    type: str
    name: str
    start: float
    end: float


@dataclass(frozen=True)
class Carried:
    """Requests through one switch."""

    phase: str
    seconds: float
    """From the first request to the last."""
    requests: int
    lost: Mapping[str, int]
    """Reason -> requests."""
    parts: Sequence[Part]
    latency: Mapping[str, Latency | None]
    """`before` the switch began, and `during` it."""
    mistakes: Sequence[Mistake]
    timeline: Sequence[Second]
    began: float
    """When the switch began, in seconds since the first request."""
    ended: float
    bars: Sequence[Bar]
    """What the switch did, from and to in seconds since the first request."""
    websockets: Sequence[Kept] = ()

    @property
    def broken(self) -> str:
        """What must not be, in words; empty where all is well."""
        return "; ".join(self._broken())

    def _broken(self) -> Iterator[str]:
        if count := sum(self.lost.values()):
            yield f"{count:,} of {self.requests:,} requests were lost in {self.phase}: {told(self.lost)}"
        for kept in self.websockets:
            if kept.lost:
                yield f"WebSockets to {kept.path} were lost in {self.phase}: {told(kept.lost)}"
        if not count:
            odd = [each for each in self.parts if abs(each.deviations) > DEVIATIONS]
            yield from (f"{each.service}: {told(each.got)} by weights {told(each.weights)}" for each in odd)

    def json(self) -> dict[str, Any]:
        return asdict(self)


def carried(
    phase: str,
    answers: Sequence[Answer],
    plane: Plane,
    switch: tuple[float, float],
    mistakes: Sequence[Mistake],
    bars: Sequence[Bar],
    websockets: Sequence[Kept],
) -> Carried:
    """All of it, of a switch that began and ended at times since the epoch."""
    began, ended = switch
    first = answers[0].at if answers else began
    within = [each for each in bars if began <= each.start <= ended]
    return Carried(
        phase=phase,
        seconds=round(answers[-1].at - first, 1) if answers else 0.0,
        requests=len(answers),
        lost=lost(answers, {each.address for each in plane.replicas}),
        parts=[*parts(answers, plane.shares())],
        latency={
            "before": latency([each for each in answers if each.end < began]),
            "during": latency([each for each in answers if began <= each.at < ended]),
        },
        mistakes=mistakes,
        timeline=[*timeline(answers)],
        began=round(began - first, 2),
        ended=round(ended - first, 2),
        bars=[replace(each, start=round(each.start - first, 2), end=round(each.end - first, 2)) for each in within],
        websockets=websockets,
    )


def told(counts: Mapping[str, int]) -> str:
    """In words."""
    return ", ".join(f"{key} {count:,}" for key, count in counts.items()) or "none"


def latency(answers: Sequence[Answer]) -> Latency | None:
    """Of those that were answered; None where none was."""
    took = sorted(1000 * each.seconds for each in answers if not each.lost)
    if not took:
        return None
    p50, p99 = (took[math.ceil(len(took) * part) - 1] for part in (0.5, 0.99))
    return Latency(round(p50, 2), round(p99, 2), round(took[-1], 2))


def lost(answers: Sequence[Answer], replicas: set[str]) -> dict[str, int]:
    """Reason -> requests. `replicas` are the addresses of all that ran."""
    reasons = (each.lost or ("" if each.address in replicas else MISTAKEN) for each in answers)
    return dict(Counter(filter(None, reasons)).most_common())


def parts(answers: Sequence[Answer], shares: Sequence[Shares]) -> Iterator[Part]:
    """Shares of what was sent and answered between two changes of the weights: what was under way in a change went by
    either."""
    for each in shares:
        within = [one for one in answers if each.since <= one.at and one.end < each.until]
        for rule, weights in each.weights.items():
            of_rule = [one for one in within if one.rule == rule and one.group]
            if of_rule:
                got = Counter(one.group for one in of_rule)
                named = {name: orchestrator(rule, name) for name in dict.fromkeys([*weights, *got])}
                yield Part(
                    rule,
                    {named[name]: weight for name, weight in weights.items()},
                    len(of_rule),
                    {named[name]: count for name, count in got.items()},
                    round(_furthest(weights, got, len(of_rule)), 2),
                )


def _furthest(weights: Mapping[str, int], got: Mapping[str, int], count: int) -> float:
    """The deviation that is the largest, with its sign. What has no weight may get nothing at all."""
    whole = sum(weights.values())

    def off(name: str) -> float:
        share = weights.get(name, 0) / whole
        spread = math.sqrt(count * share * (1 - share))
        return (got.get(name, 0) - count * share) / (spread or NO_CHANCE)

    return max((off(name) for name in dict.fromkeys([*weights, *got])), key=abs)


def orchestrator(rule: str, group: str) -> str:
    """Whose group it is: the program names it after the service and the orchestrator."""
    return group.removeprefix(f"{rule}-") or group


def timeline(answers: Sequence[Answer]) -> Iterator[Second]:
    """Second by second, from the first request on."""
    if not answers:
        return
    first = answers[0].at
    by_second: dict[int, list[Answer]] = {}
    for each in answers:
        by_second.setdefault(int(each.at - first), []).append(each)
    for second in range(max(by_second) + 1):
        found = by_second.get(second, [])
        got = Counter(orchestrator(each.rule, each.group) for each in found if not each.lost)
        spread = latency(found)
        yield Second(
            second, dict(sorted(got.items())), sum(bool(each.lost) for each in found), spread.p99 if spread else 0
        )
