"""What callers lose when something goes wrong while requests flow: `make bench-load`.

A service with one mistake, of which the environment says which, is switched from a real Swarm to a real Kubernetes
behind the proxy. A table says how many requests were lost, and how many of those the faulty newcomer answered itself.
"""

import os
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import docker
import pytest

from components.direct import open_directly
from tests.engine.conftest import abandoned_programs_are_over  # noqa: F401 - its programs are run by the SDK too
from tests.live.attack import Attack
from tests.live.behind_the_proxy import proxy, stack, swarm  # noqa: F401 - fixtures
from tests.live.misbehaving import image_of
from tests.live.on_cluster import SPACE, Images, listed
from tests.program import ROOT
from tests.stack import Stack
from tools.kube.api import Api
from yard import engine
from yard.switch import Switch

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
RATE = int(os.environ.get("SWITCHYARD_RATE", "200"))
LONGEST = 400.0
BAKE = 10.0
GUARD = {"samples": 50, "patience": 0}


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and what comes of the switch."""

    mistake: str = ""
    """The newcomer's own."""
    meanwhile: Callable[["Running"], Any] = lambda _: nullcontext()
    """What happens besides, for as long as the block runs."""
    says: str = ""
    """What ends the switch; empty: nothing does."""
    guard: Mapping[str, Any] = field(default_factory=dict)
    cut: bool = False
    """It cuts requests itself: what it kills had them under way, or is what callers connect to."""


@dataclass(frozen=True)
class Running:
    """What there is to break."""

    client: docker.DockerClient
    api: Api


@contextmanager
def repeated(what: Callable[[], None], every: float, first: float = 0.0) -> Iterator[None]:
    """Do something again and again in a block."""
    over = threading.Event()

    def go_on() -> None:
        wait = first or every
        while not over.wait(wait):
            with suppress(Exception):  # what is to be broken may be gone by itself
                what()
            wait = every

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def killed(running: Running) -> Any:
    """Every 5 seconds a replica of each orchestrator is gone without a word."""

    def kill() -> None:
        label: dict[str, Any] = {"label": "com.docker.swarm.service.name=switchyard-dev-api"}
        for container in running.client.containers.list(filters=label)[:1]:
            container.kill()
        for name in [*listed(running.api, "api/v1/pods")][:1]:
            path = f"/api/v1/namespaces/{SPACE}/pods/{name}"
            running.api.call("DELETE", path, gracePeriodSeconds="0")

    return repeated(kill, 5)


def restarted(running: Running) -> Any:
    """The proxy is restarted once, in the middle."""
    return repeated(lambda: running.client.containers.get("switchyard-dev-edge").restart(), LONGEST, first=25)


@contextmanager
def unheard(_: Running) -> Iterator[None]:
    """Each second question of the gate gets no answer in time."""
    asked, ask = [0], open_directly

    def answer(*args: Any, **more: Any) -> Any:
        asked[0] += 1
        if asked[0] % 2:
            raise TimeoutError("timed out")
        return ask(*args, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("components.edge.proxy.open_directly", answer)
        yield


FAULTS = {
    "nothing": Fault(),
    "a replica of each is killed every 5 s": Fault(meanwhile=killed, guard={"restarts": 1000}, cut=True),
    "the proxy is restarted": Fault(meanwhile=restarted, cut=True),
    "each second question of the gate times out": Fault(meanwhile=unheard),
    "the newcomer never becomes healthy": Fault("health path 404", says="is not ready|timed out"),
    "its health path does not answer": Fault("health hangs", says="is not ready|timed out"),
    "it listens on another port": Fault("wrong port", says="is not ready|timed out"),
    "it ends a second after its start": Fault("exits after start", says="ended by itself|exit code 2|timed out"),
    "it answers 500 to each fifth request": Fault(
        "500 after health", says=r"% of [\d,]+ requests to kubernetes failed"
    ),
    "it is healthy long before it is ready": Fault("healthy before ready", says="requests to kubernetes failed"),
    "it is ten times slower": Fault("slow", says="99 of 100 requests to kubernetes take"),
    "it needs 6 s to start": Fault("slow to start"),
    "it closes kept connections early": Fault("closes kept connections early"),
    "it dies at SIGTERM": Fault("dies at SIGTERM"),
}


@pytest.fixture(scope="module")
def digest(images: Images, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The service that makes mistakes, in the registry."""
    return image_of(images, tmp_path_factory.mktemp("misbehaving"), ["api"])


def test_callers_lose_what_the_faulty_newcomer_answers(
    stack: Stack,  # noqa: F811
    digest: str,
    api: Api,
    client: docker.DockerClient,
    tmp_path: Path,
) -> None:
    rows = [f"{name} | {measured(fault, stack, digest, Running(client, api), tmp_path)}" for name, fault in chosen()]
    print("\n" + "\n".join(rows), f"load of the machine: {os.getloadavg()}", sep="\n")


def chosen() -> list[tuple[str, Fault]]:
    """All, or those with SWITCHYARD_FAULT in their name."""
    return [each for each in FAULTS.items() if os.environ.get("SWITCHYARD_FAULT", "") in each[0]]


def measured(fault: Fault, stack: Stack, digest: str, running: Running, place: Path) -> str:  # noqa: F811
    """A row of the table."""
    env = {"MISTAKE": fault.mistake, "ON": "kubernetes"}
    services = {"api": {**stack.service("api"), "digest": digest, "env": env}}
    stack.set(services=services, orchestrator="swarm", traffic=None, guard={**GUARD, **fault.guard})
    stack.up()
    said = ""
    with ExitStack() as block:
        attack = block.enter_context(Attack(stack.outputs["url"], place, RATE))
        block.enter_context(fault.meanwhile(running))
        try:
            Switch.of(stack.stack, ROOT, print, BAKE).run("kubernetes")
        except (click.ClickException, engine.EngineError) as error:
            said = error.message if isinstance(error, click.ClickException) else str(error)
    lost = Counter(each.who or "nobody" for each in attack.lost)
    assert bool(said) == bool(fault.says), said
    assert re.search(fault.says, said), said
    assert fault.cut or lost.keys() <= ({"kubernetes"} if fault.mistake else set()), lost
    return f"{len(attack.all)} | {sum(lost.values())} | {lost['kubernetes']} | {attack.latency()} | {said}"
