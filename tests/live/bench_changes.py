"""What callers lose while a service changes and stays where it is, behind the proxy: `make bench-faults`.

The rows go to benchmarks/faults.md by hand, with the machine's load.
"""

import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import abandoned_programs_are_over  # noqa: F401 - its programs are run by the SDK too
from tests.live.attack import Attack
from tests.live.behind_the_proxy import from_elsewhere, proxy, stack, swarm  # noqa: F401 - fixtures
from tests.live.on_cluster import DRAIN, SPACE, Images
from tests.live.test_cluster import until_count
from tests.stack import Stack
from tools.kube.api import Api

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
RATE = int(os.environ.get("SWITCHYARD_RATE", "200"))
BEFORE, AFTER = 3.0, 2.0 * DRAIN
"""Seconds of requests before each change, and after it, in which what goes drains."""
AUTOSCALED = {"min": 2, "max": 6}

GAPS = {("swarm", "another port")}
"""Where requests are lost: the proxy has one port for all replicas (docs/proxy.md)."""


def changes(home: str, images: Images) -> Iterator[tuple[str, dict[str, Any]]]:
    """What changes, one after the other."""
    yield "another digest", {"digest": images.with_line("LABEL release=another")}
    yield "4 replicas in place of 2", {"replicas": 4}
    yield "2 replicas in place of 4", {"replicas": 2}
    if home == "kubernetes":
        yield "an autoscaler, which goes to 5 replicas", {"replicas": AUTOSCALED}
    yield "another port", {"port": 9090}


@pytest.mark.parametrize("home", ["swarm", "kubernetes"])
def test_a_change_costs_nobody_a_request(
    home: str,
    stack: Stack,  # noqa: F811
    api: Api,
    images: Images,
    tmp_path: Path,
) -> None:
    stack.set(orchestrator=home)
    stack.up()
    lost = {}
    for name, fields in changes(home, images):
        with Attack(from_elsewhere(stack), tmp_path, RATE) as attack:
            time.sleep(BEFORE)
            stack.set(services={"api": {**stack.service("api"), **fields}})
            stack.up()
            if fields.get("replicas") == AUTOSCALED:
                scale_out(api, 5)
            time.sleep(AFTER)
        figures = (f"{len(attack.all):,}", len(attack.lost), attack.latency(), f"{os.getloadavg()[1]:.0f}")
        print(" | ".join(map(str, ("", home, name, *figures, ""))))
        if attack.lost and (home, name) not in GAPS:
            lost[name] = Counter((each.code, each.error) for each in attack.lost)
    assert lost == {}


def scale_out(api: Api, replicas: int) -> None:
    """Let the autoscaler go to so many: nothing measures the CPU here, so by the least that it may have."""
    scaler = f"/apis/autoscaling/v2/namespaces/{SPACE}/horizontalpodautoscalers/api"
    api.call("PATCH", scaler, {"spec": {"minReplicas": replicas}}, "application/merge-patch+json")
    until_count(api, replicas)
