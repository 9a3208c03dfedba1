"""What came of the requests in a rehearsal, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rehearsal.traffic.figures import Carried, Latency, Part, told
from rehearsal.traffic.sockets import Kept

SIMULATED = (
    "The requests are real: they go through a proxy on this machine that stands for the load balancer, to replicas that"
    " run here. What callers would feel takes its real time; new replicas are asked for their health every second."
)


def story(load: Sequence[Carried]) -> Iterator[str]:
    """All switches, and what was real about their requests; nothing where there were none."""
    if load:
        yield SIMULATED
    for each in load:
        yield from lines(each)


def lines(carried: Carried) -> Iterator[str]:
    """A switch, in a few lines."""
    outcome = _outcome(carried.lost)
    yield f"{carried.phase}: {carried.requests:,} requests in {carried.seconds:.0f} s, {outcome}"
    for each in carried.parts:
        yield f"  {_part(each)}"
    before, during = carried.latency["before"], carried.latency["during"]
    if before and during:
        yield f"  before the switch {_latency(before)}; while it ran {_latency(during)}"
    for kept in carried.websockets:
        yield f"  {_kept(kept)}"
    for mistake in carried.mistakes:
        yield f"  {mistake}"


def _outcome(lost: Mapping[str, int]) -> str:
    count = sum(lost.values())
    return f"{count:,} {'was' if count == 1 else 'were'} lost ({told(lost)})" if count else "none was lost"


def _part(part: Part) -> str:
    whole = sum(part.weights.values())
    shares = ", ".join(f"{key} {100 * weight / whole:.0f} %" for key, weight in part.weights.items())
    return f"{part.service} by weights {shares}: {told(part.got)} of {part.requests:,} requests"


def _latency(latency: Latency) -> str:
    return f"half took {latency.p50:g} ms at most, 99 of 100 {latency.p99:g} ms, the longest {latency.longest:g} ms"


def _kept(kept: Kept) -> str:
    cut = sum(kept.cut.values())
    ended = f"{cut:,} ended with their replica ({told(kept.cut)})" if cut else "none ended with its replica"
    again = f", and another was open within {kept.again:g} s" if kept.again else ""
    return f"WebSockets to {kept.path}: of {kept.opened:,} that were opened {ended}{again}; {_outcome(kept.lost)}"
