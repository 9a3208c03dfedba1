"""Services with one mistake each: a message names it, the guard takes the newcomer back, or no caller notices."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import Request

import pytest

from components.direct import open_directly
from components.edge import WARM_UP_HEADER
from tests.engine.conftest import abandoned_programs_are_over  # noqa: F401 - its programs are run by the SDK too
from tests.live.behind_the_proxy import proxy, stack, swarm  # noqa: F401 - fixtures
from tests.live.load import Load
from tests.live.misbehaving import image_of
from tests.live.on_cluster import Images
from tests.program import ROOT
from tests.stack import Stack
from yard import engine, switch
from yard.switch import Switch, TakenBack

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
REFUSED = {
    "port": ("wrong port", r"the traffic of port stays where it is: .*/healthz answers 502"),
    "lost": ("health path 404", r"the traffic of lost stays where it is: .*/healthz answers 404"),
    "ends": (
        "exits after start",  # a busy machine may see it run for long enough: then the gate does not let it in
        r"(?s)its replicas do not stay up: .*non-zero exit \(2\).*cannot reach the database|the traffic of ends stays",
    ),
}
"""Service -> its mistake, on any orchestrator, and what `up` says of it."""
TAKEN_BACK = {
    "fails": ("500 after health", r"fails: [\d.]+ % of \d+ requests to kubernetes failed"),
    "early": ("healthy before ready", r"early: [\d.]+ % of \d+ requests to kubernetes failed"),
    "slow": ("slow", r"slow: 99 of 100 requests to kubernetes take"),
}
"""Service -> the mistake that it makes on Kubernetes, and what the guard says of it."""
UNNOTICED = {"late": "slow to start", "closes": "closes kept connections early", "abrupt": "dies at SIGTERM"}
"""Service -> the mistake that it makes on Kubernetes, which costs nobody a request in a switch."""
CUT = {"long": "needs longer than the drain"}
"""Service -> the mistake that costs those requests that are under way when its replicas go, and no other."""
KEYS = ("swarm", "kubernetes")
MISTAKES = {name: mistake for name, (mistake, _) in TAKEN_BACK.items()} | UNNOTICED
UNDER_WAY, LONGER = "20s", "120s"
"""How long an answer takes that a replica has time for before it goes, and one that it has not."""


@pytest.fixture
def digest(images: Images, tmp_path: Path) -> str:
    """The service that makes mistakes, in the registry."""
    (tmp_path / "image").mkdir()
    return image_of(images, tmp_path / "image", [*REFUSED, *MISTAKES, *CUT])


def service(name: str, digest: str, mistake: str, on: str = "") -> dict[str, Any]:
    """One of them, behind the proxy by its path."""
    env = {"MISTAKE": mistake, "ON": on}
    return {"digest": digest, "cpu": 0.05, "memory": 32, "path": f"/{name}", "env": env}


@pytest.fixture
def wrong(stack: Stack, digest: str) -> Stack:  # noqa: F811
    """Not up yet: ten services, of which those that are refused are wrong on Swarm already."""
    services = {name: service(name, digest, mistake) for name, (mistake, _) in REFUSED.items()}
    services |= {name: service(name, digest, mistake, "kubernetes") for name, mistake in MISTAKES.items()}
    services |= {name: service(name, digest, mistake) for name, mistake in CUT.items()}
    gate = {"polls": 2, "interval": 0.5, "timeout": 10, "settle": 1}
    stack.set(services=services, gate=gate, guard={"samples": 5, "patience": 0})
    return stack


def test_each_mistake_is_told_or_costs_nobody_a_request(wrong: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(engine.EngineError) as refused:
        engine.Watch().run(wrong.stack.up, continue_on_error=True)
    for _, says in REFUSED.values():
        assert re.search(says, str(refused.value))
    wrong.set(services={name: each for name in [*MISTAKES, *CUT] for each in [wrong.service(name)]})
    wrong.up()

    monkeypatch.setattr(switch, "SHARES", (10, 100))  # at 1 % there are too few requests to tell
    url, start = wrong.outputs["url"], datetime.now(UTC)
    with ExitStack() as block:
        loads = {name: block.enter_context(Load(f"{url}/{name}", callers=0, kept=4)) for name in MISTAKES}
        time.sleep(3)  # what the old one is like
        with pytest.raises(TakenBack) as taken_back:
            Switch.of(wrong.stack, ROOT, print, 10).run("kubernetes")
        back = datetime.now(UTC)
        time.sleep(1)
    for _, says in TAKEN_BACK.values():
        assert re.search(says, taken_back.value.message)
    watch = Switch.of(wrong.stack, ROOT, print, 0).guard.watch()
    assert watch is not None
    seen = watch.seen(start, datetime.now(UTC))
    for name, load in loads.items():
        assert seen[name]["swarm"].errors == 0
        assert len(load.failed) == seen[name]["kubernetes"].errors
        assert bool(load.failed) == (name in ("fails", "early")), name
    assert not any("kubernetes" in of for of in watch.seen(back, datetime.now(UTC)).values())
    assert answers(wrong, url) == {(name, key): name != "long" for name in ("late", "long") for key in KEYS}


def answers(stack: Stack, url: str) -> dict[tuple[str, str], bool]:  # noqa: F811
    """Service, orchestrator -> whether it was answered what was under way when all went."""

    def ask(name: str, key: str) -> bool:
        asked = Request(f"{url}/{name}?for={LONGER if name in CUT else UNDER_WAY}", headers={WARM_UP_HEADER: key})
        with suppress(OSError):
            return bool(open_directly(asked, timeout=150).status == 200)
        return False

    with ThreadPoolExecutor() as callers:
        asked = {(name, key): callers.submit(ask, name, key) for name in ("late", *CUT) for key in KEYS}
        stack.destroy()
        return {each: answer.result() for each, answer in asked.items()}
