"""What a service does that costs its callers something in a switch, in words and with the fix."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rehearsal.traffic.callers import Answer
from rehearsal.traffic.replica import Life, Pace, Replica
from rehearsal.traffic.wanted import Workload

UNHANDLED = (-signal.SIGTERM, 128 + signal.SIGTERM)
"""How a process ends that does not handle SIGTERM, by itself or below a shell."""
YOUNG = 60.0
"""Seconds after it was healthy in which what a replica answers wrongly is taken for its start."""
SLOW = 30.0
"""Seconds that a replica may take to be healthy before it is worth a word."""


@dataclass(frozen=True)
class Mistake:
    """Something to put right in a service."""

    service: str
    what: str
    fix: str
    lost: int
    """Requests that it cost here; 0: it can cost some."""

    def __str__(self) -> str:
        cost = f" {self.lost:,} requests were lost by it." if self.lost else ""
        return f"{self.service}: {self.what}.{cost} {self.fix}."


def mistakes(answers: Sequence[Answer], replicas: Sequence[Replica], idle: float, pace: Pace) -> list[Mistake]:
    """All that is to be seen in the answers and in the lives of the replicas."""
    of: dict[str, list[Answer]] = {}
    for each in answers:
        if each.lost and each.address:
            of.setdefault(each.address, []).append(each)
    found: dict[tuple[str, str, str], int] = Counter()
    for replica in replicas:
        for mistake in _of_one(replica, of.get(replica.address, []), idle, pace):
            found[mistake.service, mistake.what, mistake.fix] += mistake.lost
    return [Mistake(*key, count) for key, count in found.items()]


def _of_one(replica: Replica, lost: Sequence[Answer], idle: float, pace: Pace) -> Iterator[Mistake]:
    life, workload = replica.life, replica.workload
    long = [each for each in lost if _outlasts(each, life, pace(workload.drain))]
    by_phase = Counter(life.phase(each.end) for each in lost if each not in long)
    cut = by_phase["after SIGTERM"] + by_phase["after it had ended"]
    if long:
        yield Mistake(
            workload.service,
            f"a request was under way for longer than the {workload.drain:g} s for which a replica on"
            f" {workload.orchestrator} drains",
            "Make it shorter, or let its caller ask again: it is cut whenever a replica goes",
            len(long),
        )
    yield from _stopping(workload, life, cut, by_phase["after it was killed"])
    yield from _keeping(workload, life, idle)
    yield from _starting(workload, life, lost, pace)


def _outlasts(answer: Answer, life: Life, drain: float) -> bool:
    """Whether a request was under way when its replica left, and still when that had drained."""
    return bool(life.told and drain) and answer.at <= life.left and answer.end - life.left >= drain


def _stopping(workload: Workload, life: Life, cut: int, killed: int) -> Iterator[Mistake]:
    where = f"{workload.service} on {workload.orchestrator}"
    if life.died:
        yield Mistake(
            where,
            f"a replica ended by itself, with exit code {life.code}",
            "See its log; a replica runs until it gets SIGTERM",
            0,
        )
    elif life.told and life.code in UNHANDLED:
        yield Mistake(
            where,
            "it does not handle SIGTERM, and dies of it with whatever is under way",
            "On SIGTERM take no new connections, finish the requests that you have, and end then",
            cut,
        )
    elif life.killed:
        yield Mistake(
            where,
            f"{workload.grace:g} s after SIGTERM it still ran, and was killed",
            f"End within {workload.grace:g} s of SIGTERM: close idle connections, and give long requests an end",
            killed,
        )
    elif cut:
        yield Mistake(
            where,
            f"it ended with requests under way, {life.ended - life.told:.1f} s after SIGTERM",
            "Wait for the requests that you have before you end, and answer them with `Connection: close`",
            cut,
        )


def _keeping(workload: Workload, life: Life, idle: float) -> Iterator[Mistake]:
    if life.idle is not None and life.idle < idle:
        yield Mistake(
            workload.service,
            f"it closes an idle connection after {max(round(life.idle), 1)} s, and the load balancer keeps it for"
            f" {idle:g} s: a request that is sent in that moment is answered 502",
            f"Keep idle connections for longer than {idle:g} s (Node.js: server.keepAliveTimeout ="
            f" {1000 * (idle + 5):g}; gunicorn: --keep-alive {idle + 5:g}; uvicorn: --timeout-keep-alive {idle + 5:g})",
            0,
        )


def _starting(workload: Workload, life: Life, lost: Sequence[Answer], pace: Pace) -> Iterator[Mistake]:
    took = (life.healthy or life.ended or 0) - life.started
    if life.healthy and took > pace(SLOW):
        yield Mistake(
            workload.service,
            f"a replica took {took:.0f} s until it answered its health path",
            f"Start faster, or every switch and release takes longer; {workload.orchestrator} gives it"
            f" {workload.patience:g} s",
            0,
        )
    young = [each for each in lost if each.code >= 500 and life.healthy <= each.at < life.healthy + YOUNG]
    served = [each for each in young if life.phase(each.end) == "while it served"]
    if life.healthy and served and not life.died:
        yield Mistake(
            workload.service,
            f"for {max(each.end for each in served) - life.healthy:.1f} s after its health path was well a new replica"
            f" answered {_codes(served)}",
            "Answer the health path with 200 only when everything that a request needs is there",
            len(served),
        )


def _codes(answers: Sequence[Answer]) -> str:
    counts: Mapping[str, int] = Counter(str(each.code) for each in answers)
    return ", ".join(counts)
