"""`make bench-rehearsal`: real requests through `yard switch` from each orchestrator on AWS to each other one.

SWITCHYARD_REQUESTS says how many in each switch, SWITCHYARD_RATE how many a second; the figures go to
benchmarks/README.md by hand, with the machine's load. It takes an hour, so pytest does not find it by its name.
"""

import os
from itertools import combinations
from pathlib import Path

import pytest

from rehearsal.traffic.figures import Carried, Latency
from tests.engine.passage import GATE, passage
from tests.engine.test_program import WORKLOAD
from tests.program import ROOT, SERVICE
from yard.carrying import Carrier, Load, Programs
from yard.switch import Switch

REQUESTS = int(os.environ.get("SWITCHYARD_REQUESTS", "100000"))
RATE = int(os.environ.get("SWITCHYARD_RATE", "500"))
PACE = float(os.environ.get("SWITCHYARD_PACE", "1"))
BAKE = 10.0
"""Seconds that each step is watched for, in which the shares are counted."""
SCALE = 1 / 500
PAIRS = [*combinations(WORKLOAD, 2)]


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=["-and-".join(each) for each in PAIRS])
def test_no_request_is_lost_there_and_back(tmp_path: Path, one: str, other: str) -> None:
    load = Load(rate=RATE, requests=REQUESTS, pace=PACE)
    (tmp_path / "load").mkdir()
    carrier = Carrier(load, Programs.built(), tmp_path / "load")
    gate = {**GATE, "timeout": 120, **{"settle": carrier.waits({}, {})["gate.settle"]}}
    more = {"gate": gate, "network": "nat-single", "swarm-ec2": {"instance-type": "t3.medium", "workers": 1}}
    found: list[Carried] = []
    services = {"api": {**SERVICE, "replicas": 2}}
    with passage(
        tmp_path, orchestrator=one, services=services, more=more, scale=SCALE, plane=carrier.plane, on_call=carrier.saw
    ) as stack:
        stack.up()
        for here, there in ((one, other), (other, one)):
            with carrier.through(f"{here} to {there}", found):
                Switch.of(stack.stack, ROOT, print, BAKE * PACE).run(there)
        carrier.plane.stop()
    print(f"\nload of the machine: {os.getloadavg()}")
    for each in found:
        print(row(each), *each.mistakes, sep="\n")
    assert not [each.broken for each in found if each.broken]


def row(carried: Carried) -> str:
    """For a table."""
    furthest = max((each.deviations for each in carried.parts), key=abs)
    lost = sum(carried.lost.values())
    before, during = (told(carried.latency[key]) for key in ("before", "during"))
    return f"| {carried.phase} | {carried.requests:,} | {lost} | {furthest:+.2f} | {before} | {during} |"


def told(latency: Latency | None) -> str:
    return f"{latency.p50:g}, {latency.p99:g}, {latency.longest:g}" if latency else "-"
