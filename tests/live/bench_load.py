"""Requests without a pause through one switch after the other, and what the proxy costs: `make bench-load`.

SWITCHYARD_REQUESTS says how many; the figures go to benchmarks/README.md by hand, with the machine's load.
"""

import os
import re
import statistics
import time
from collections.abc import Mapping
from math import sqrt
from typing import Any

from tests.live.load import Load
from tests.live.test_cluster_behind_the_proxy import proxy, stack, swarm  # noqa: F401 - fixtures
from tests.program import ROOT
from tests.stack import Stack
from tools.kube import node
from tools.kube.api import Api
from yard.switch import Switch

REQUESTS = int(os.environ.get("SWITCHYARD_REQUESTS", "100000"))
BAKE = 5.0
"""Seconds that each step is watched for, in which the shares are counted."""
TURN = 10.0
"""Seconds for which the service is called with and without the proxy."""


class Measured(Load):
    """Notes when each answer came, how long it took and whose it was."""

    def __init__(self, url: str, callers: int = 1, kept: int = 0) -> None:
        super().__init__(url, callers, kept, pause=0)
        self.answers: list[tuple[float, float, str]] = []

    def note(self, answer: Mapping[str, Any] | None, began: float) -> None:
        """As the other, and the three."""
        super().note(answer, began)
        if answer:
            now = time.monotonic()
            self.answers.append((now, now - began, answer["orchestrator"]))

    def latency(self) -> str:
        """For a table."""
        cuts = statistics.quantiles([seconds for _, seconds, _ in self.answers], n=100)
        longest = max(seconds for _, seconds, _ in self.answers)
        return f"{1000 * cuts[49]:.1f} | {1000 * cuts[98]:.1f} | {1000 * longest:.0f}"


class Steps:
    """Listens to a switch: in which time who had how much."""

    def __init__(self) -> None:
        self.found: list[tuple[float, float, str, int]] = []
        self._open: tuple[float, str, int] | None = None

    def __call__(self, text: str) -> None:
        if self._open:
            began, key, share = self._open
            self.found.append((began, time.monotonic(), key, share))
        step = re.match(r" +(\S+) has (\d+) %; watching", text)
        self._open = (time.monotonic(), step[1], int(step[2])) if step else None


def off(load: Measured, began: float, ended: float, key: str, share: int) -> tuple[int, int, float]:
    """Answers within a step, those of `key`, and how many standard deviations they are from its share."""
    # A request that was under way as the step began went by the weights before it.
    within = [who for now, took, who in load.answers if began < now - took and now < ended]
    count, part = len(within), share / 100
    have = sum(who == key for who in within)
    spread = sqrt(count * part * (1 - part)) or 1
    return count, have, (have - count * part) / spread


def test_no_request_is_lost_however_many_there_are(stack: Stack, api: Api) -> None:  # noqa: F811
    stack.up()
    url, steps, switches = stack.outputs["url"], Steps(), 0
    start = time.monotonic()
    with Measured(url, callers=2, kept=2) as load:
        while load.good < REQUESTS:
            for to in ("kubernetes", "swarm"):
                Switch.of(stack.stack, ROOT, steps, BAKE).run(to)
                switches += 1
    seconds = time.monotonic() - start
    print(f"\n{load.good} answered, {len(load.failed)} lost, {switches} switches, {seconds:.0f} s")
    print(f"{load.good / seconds:.0f} a second; ms: {load.latency()}; load of the machine: {os.getloadavg()}")
    shares = [(key, share, *off(load, began, ended, key, share)) for began, ended, key, share in steps.found]
    for each in shares:
        print("{} | {} % | {} | {} | {:+.2f}".format(*each))
    load.check()
    assert all(abs(deviations) <= 3 for *_, deviations in shares)
    Switch.of(stack.stack, ROOT, steps, 1).run("kubernetes")
    without(url, node_port(api))


def node_port(api: Api) -> str:
    """Where the service answers without the proxy."""
    services = api.get("/api/v1/services")["items"]
    (port,) = [port["nodePort"] for each in services for port in each["spec"]["ports"] if port.get("nodePort")]
    return f"http://{node.address()}:{port}"


def without(proxied: str, direct: str) -> None:
    """The same callers by way of the proxy, and past it, in turn."""
    for kept in (0, 4):
        for name, url in (("past it", direct), ("proxy", proxied)) * 2:
            with Measured(url, callers=4 - kept, kept=kept) as load:
                time.sleep(TURN)
            print(f"{'kept' if kept else 'new'} | {name} | {load.good / TURN:.0f} | {load.latency()}")
            assert not load.failed
