"""What callers lose while a service changes and stays where it is, behind the proxy: `make bench-faults`.

The rows go to benchmarks/faults.md by hand, with the machine's load.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from tests.engine.conftest import abandoned_programs_are_over  # noqa: F401 - its programs are run by the SDK too
from tests.live.attack import Attack
from tests.live.behind_the_proxy import from_elsewhere, proxy, stack, swarm  # noqa: F401 - fixtures
from tests.live.on_cluster import DRAIN, SPACE, Images
from tests.live.second_registry import move, second_registry
from tests.live.test_cluster import until_count
from tests.stack import Stack
from tools.kube.api import Api

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
RATE = int(os.environ.get("SWITCHYARD_RATE", "200"))
BEFORE, AFTER = 3.0, 2.0 * DRAIN
"""Seconds of requests before each change, and after it, in which what goes drains."""
AUTOSCALED = {"min": 2, "max": 6}

Change = Callable[[Stack], None]


def changes(home: str, api: Api, images: Images, other: str) -> Iterator[tuple[str, Change]]:
    """What changes, one after the other. `other` is another registry's host."""
    yield "another digest", partial(have, digest=images.with_line("LABEL release=another"))
    yield "4 replicas in place of 2", partial(have, replicas=4)
    yield "2 replicas in place of 4", partial(have, replicas=2)
    if home == "kubernetes":
        yield "an autoscaler, which goes to 5 replicas", partial(scale_out, api=api, replicas=5)
    yield "another port", partial(have, port=9090)
    yield "another registry, in two steps", partial(move, images=images, host=other)


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
    with second_registry(tmp_path / "second") as other:
        lost = {name: cost(home, name, change, stack, tmp_path) for name, change in changes(home, api, images, other)}
    assert not any(lost.values()), lost


def cost(home: str, name: str, change: Change, stack: Stack, place: Path) -> Mapping[tuple[int, str], int]:  # noqa: F811
    """Print the row of one change; what became of requests that got no good answer, and of how many."""
    with Attack(from_elsewhere(stack), place, RATE) as attack:
        time.sleep(BEFORE)
        change(stack)
        time.sleep(AFTER)
    figures = (f"{len(attack.all):,}", len(attack.lost), attack.latency(), f"{os.getloadavg()[1]:.0f}")
    print(" | ".join(map(str, ("", home, name, *figures, ""))))
    return Counter((each.code, each.error) for each in attack.lost)


def have(stack: Stack, **fields: object) -> None:  # noqa: F811
    """Bring the service up with these fields."""
    stack.set(services={"api": {**stack.service("api"), **fields}})
    stack.up()


def scale_out(stack: Stack, api: Api, replicas: int) -> None:  # noqa: F811
    """Let the autoscaler go to so many: nothing measures the CPU here, so by the least that it may have."""
    have(stack, replicas=AUTOSCALED)
    scaler = f"/apis/autoscaling/v2/namespaces/{SPACE}/horizontalpodautoscalers/api"
    api.call("PATCH", scaler, {"spec": {"minReplicas": replicas}}, "application/merge-patch+json")
    until_count(api, replicas)
