"""Requests without a pause through one switch after the other, and what the proxy costs: `make bench-load`.

SWITCHYARD_REQUESTS says how many, SWITCHYARD_RATE how many a second. The figures go to benchmarks/README.md by hand,
with the machine's load.
"""

import os
import re
import time
from collections import Counter
from collections.abc import Mapping
from math import sqrt
from pathlib import Path

import pytest

from rehearsal.traffic.callers import LONGEST
from tests.engine.conftest import abandoned_programs_are_over  # noqa: F401 - its programs are run by the SDK too
from tests.live.attack import Attack
from tests.live.behind_the_proxy import from_elsewhere, proxy, stack, swarm  # noqa: F401 - fixtures
from tests.program import ROOT
from tests.stack import Stack
from tools.kube import node
from tools.kube.api import Api
from yard.switch import Switch

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
REQUESTS = int(os.environ.get("SWITCHYARD_REQUESTS", "100000"))
RATE = int(os.environ.get("SWITCHYARD_RATE", "500"))
BAKE = 5.0
"""Seconds that each step is watched for, in which the shares are counted."""
THERE_AND_BACK = ("kubernetes", "swarm")
TURN = 10.0
"""Seconds for which the service is called with and without the proxy."""
LAST = 15
"""The priority of the engine and the program: elsewhere they share no machine with callers, proxy and service."""
SHORT = {"samples": 50, "patience": 0, "latency": 100}
"""A guard that waits for nobody: this bench has requests enough, or tells how few there were. It judges no p99: the
engine and the callers share two processors."""


class Steps:
    """Listens to a switch: in which time who had how much."""

    def __init__(self) -> None:
        self.found: list[tuple[float, float, str, int]] = []
        self._open: tuple[float, str, int] | None = None

    def __call__(self, text: str) -> None:
        if self._open:
            began, key, share = self._open
            self.found.append((began, time.time(), key, share))
        step = re.match(r" +(\S+) has (\d+) %; watching", text)
        self._open = (time.time(), step[1], int(step[2])) if step else None


def off(attack: Attack, began: float, ended: float, key: str, share: int) -> tuple[int, int, float]:
    """Answers within a step, those of `key`, and how many standard deviations they are from its share."""
    within = [each.who for each in attack.all if began < each.at and each.at + each.seconds < ended]
    count, part = len(within), share / 100
    have = within.count(key)
    spread = sqrt(count * part * (1 - part)) or 1
    return count, have, (have - count * part) / spread


def test_no_request_is_lost_however_many_there_are(stack: Stack, api: Api, tmp_path: Path) -> None:  # noqa: F811
    if REQUESTS > RATE * LONGEST:
        pytest.fail(f"{RATE} a second are {RATE * LONGEST:,} in the {LONGEST} s for which requests are sent")
    stack.set(guard=SHORT, services={"api": {**stack.service("api"), "cpu": 0.5}})
    stack.up()
    url, steps, rounds = from_elsewhere(stack), Steps(), 0
    with Attack(url, tmp_path, RATE) as attack:
        os.nice(LAST)
        while attack.sent < REQUESTS:
            for to in THERE_AND_BACK:
                Switch.of(stack.stack, ROOT, steps, BAKE).run(to)
            for to in THERE_AND_BACK:
                stack.set(orchestrator=to)
                stack.up()
            rounds += 1
    answered, times = len(attack.all) - len(attack.lost), len(THERE_AND_BACK) * rounds
    print(f"\n{answered} answered, {len(attack.lost)} lost, {times} switches in steps and {times} in one `up`")
    print(f"{RATE} a second; ms: {attack.latency()}; load of the machine: {os.getloadavg()}")
    shares = [(key, share, *off(attack, began, ended, key, share)) for began, ended, key, share in steps.found]
    for each in shares:
        print("{} | {} % | {} | {} | {:+.2f}".format(*each))
    assert not attack.lost, why(attack)
    assert all(abs(deviations) <= 3 for *_, deviations in shares)
    Switch.of(stack.stack, ROOT, steps, 1).run("kubernetes")
    without(url, node_port(api), tmp_path)


def why(attack: Attack) -> Mapping[tuple[str, int, str], int]:
    """What came of requests that got no good answer, and of how many."""
    return Counter((each.who, each.code, each.error) for each in attack.lost)


def node_port(api: Api) -> str:
    """Where the service answers without the proxy."""
    services = api.get("/api/v1/services")["items"]
    (port,) = [port["nodePort"] for each in services for port in each["spec"]["ports"] if port.get("nodePort")]
    return f"http://{node.address()}:{port}"


def without(proxied: str, direct: str, place: Path) -> None:
    """The same callers by way of the proxy, and past it, in turn."""
    for name, url in (("past it", direct), ("proxy", proxied)) * 2:
        with Attack(url, place, RATE) as attack:
            time.sleep(TURN)
        print(f"{name} | {attack.latency()}")
        assert not attack.lost, why(attack)
