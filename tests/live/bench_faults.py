"""What callers lose when something goes wrong while requests flow through a switch: `make bench-faults`.

The service of tests/live/misbehaving, of which the environment says what it does wrong and where, goes from one real
orchestrator to another behind the proxy by `yard switch`. A row each: how many requests there were, how many the
newcomer got, how many were lost by its own answers, and how many because nobody answered. The rows go to
benchmarks/faults.md by hand, with the machine's load.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path
from typing import Any

import docker
import pytest

from rehearsal.traffic.replica import free_port
from tests.engine.conftest import abandoned_programs_are_over  # noqa: F401 - its programs are run by the SDK too
from tests.live import breaking
from tests.live.attack import Attack
from tests.live.behind_the_proxy import from_elsewhere, proxy, stack, swarm  # noqa: F401 - fixtures
from tests.live.breaking import Breaking, Running
from tests.live.misbehaving import image_of
from tests.live.on_cluster import Images
from tests.stack import Stack
from tools.kube.api import Api

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
RATE = int(os.environ.get("SWITCHYARD_RATE", "200"))
BAKE = 5.0
"""Seconds that each step is watched for."""
GATE = {"polls": 2, "interval": 0.5, "timeout": 20, "settle": 2}
GUARD = {"patience": 60, "latency": 100}
"""At 1 % it takes a while until there are samples enough; and two slow ones among these are a busy machine's."""
UNHEALTHY = "stays where it is|did not become|is not ready|timed out|do not stay up"
"""What `up` says of a newcomer that is not healthy."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and what comes of the switch."""

    mistake: str = ""
    """The newcomer's own."""
    meanwhile: Breaking = lambda _: nullcontext()
    """What is broken besides, for as long as it switches."""
    switch: Callable[[Running], str] = Running.switch
    says: str = ""
    """What ends the switch; empty: nothing does."""
    guard: Mapping[str, float] = field(default_factory=dict)
    """Its limits, where they are not the usual ones."""
    loses: frozenset[str] = frozenset()
    """Whose requests are lost: `newcomer`, by answers of its own, and `nobody`, those that were under way to what was
    killed, or came when the proxy was not there."""


NEWCOMER, NOBODY = frozenset({"newcomer"}), frozenset({"nobody"})
FAULTS = {
    "nothing": Fault(),
    "the engine is killed after every operation": Fault(
        switch=breaking.killed_between_operations, says=r"^killed \d+ times$"
    ),
    "a replica of each is killed every 5 s": Fault(
        meanwhile=breaking.replicas_killed,
        guard={"errors": 100},  # it would rightly find that the newcomer answers less, and the switch would not go on
        loses=NOBODY,
    ),
    "the proxy is restarted every 20 s": Fault(meanwhile=breaking.proxy_restarted, loses=NOBODY),
    "of five questions of the gate one times out, one is throttled": Fault(meanwhile=breaking.unheard),
    "it is never healthy": Fault("health path 404", says=UNHEALTHY),
    "it listens on another port": Fault("wrong port", says=UNHEALTHY),
    "it ends after its start": Fault("exits after start", says=UNHEALTHY),
    "it answers 500 once it has 10 %": Fault("500 under load", says=r"requests to \w+ failed", loses=NEWCOMER),
    "it answers 500 to each fifth request": Fault("500 after health", says=r"requests to \w+ failed", loses=NEWCOMER),
    "it answers 500 to each fifth request, in one `up`": Fault(
        "500 after health", switch=Running.at_once, says="so nothing is removed", loses=NEWCOMER
    ),
    "it is healthy long before it is ready": Fault(
        "healthy before ready", says=r"requests to \w+ failed", loses=NEWCOMER
    ),
    "it is ten times slower": Fault("slow", guard={"latency": 2}, says=r"99 of 100 requests to \w+ take"),
    "it needs 6 s to start": Fault("slow to start"),
    "it closes kept connections early": Fault("closes kept connections early"),
    "it dies at SIGTERM": Fault("dies at SIGTERM"),
}


@pytest.fixture(scope="module")
def digest(images: Images, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The service that makes mistakes, in the registry."""
    return image_of(images, tmp_path_factory.mktemp("misbehaving"), ["api"])


@pytest.fixture(scope="module")
def table() -> Iterator[list[str]]:
    """Its rows are printed when all is done."""
    rows: list[str] = []
    yield rows
    print("\n" + "\n".join(rows))


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize(("home", "to"), [*permutations(("swarm", "kubernetes"), 2)])
def test_callers_lose_what_the_faulty_newcomer_answers(
    home: str,
    to: str,
    name: str,
    stack: Stack,  # noqa: F811
    proxy: dict[str, Any],  # noqa: F811
    digest: str,
    api: Api,
    client: docker.DockerClient,
    table: list[str],
    tmp_path: Path,
) -> None:
    fault = FAULTS[name]
    services = {"api": {**stack.service("api"), "digest": digest, "env": {"MISTAKE": fault.mistake, "ON": to}}}
    stack.set(services=services, orchestrator=home, guard={**GUARD, **fault.guard}, gate=GATE)
    stack.set(proxy={**proxy, "ports": {"http": free_port()}})  # somebody may have the last one's by now
    stack.up()
    running = Running(client, api, stack, to, BAKE)
    with ExitStack() as block:
        attack = block.enter_context(Attack(from_elsewhere(stack), tmp_path, RATE))
        block.enter_context(fault.meanwhile(running))
        said = fault.switch(running)
    lost = Counter("newcomer" if each.who == to else each.who or "nobody" for each in attack.lost)
    table.append(row(f"{home} to {to}", name, attack, to, lost, said))
    print(table[-1], Counter((each.who, each.code, each.error) for each in attack.lost), sep="\n")
    assert re.search(fault.says or "^$", said), said
    assert lost.keys() == fault.loses


def row(way: str, name: str, attack: Attack, to: str, lost: Counter[str], said: str) -> str:
    """One of the table."""
    had = sum(each.who == to for each in attack.all)
    figures = (f"{len(attack.all):,}", f"{had:,}", lost["newcomer"], lost["nobody"], attack.latency())
    load = f"{os.getloadavg()[1]:.0f}"
    return " | ".join(map(str, ("", way, name, *figures, load, said.partition("\n")[2].strip(" -\n") or said, "")))
