"""A service's own mistakes, made by real processes behind the real proxy, and found in what their callers get."""

import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rehearsal.aws import types
from rehearsal.state import CloudResource
from rehearsal.traffic.balancer import Balancer
from rehearsal.traffic.callers import Answer, Callers, Request, ways
from rehearsal.traffic.mistakes import mistakes
from rehearsal.traffic.plane import Plane
from rehearsal.traffic.replica import Pace
from rehearsal.traffic.sockets import EACH, Kept, Sockets, kept
from rehearsal.traffic.starts import process
from tests import misbehaving
from tests.engine.test_rehearse_load import programs  # noqa: F401 - a fixture
from tests.land import Land
from yard.carrying import Programs

pytestmark = pytest.mark.engine

PACE = Pace(0.1)
POST = Request("/well/echo", body=b"hello", expects=("you said hello",))
Found = tuple[Plane, list[Answer], list[Kept]]
MISTAKES = {
    "well": "",
    "dies": "it does not handle SIGTERM",
    "cuts": "it ended with requests under way",
    "lingers": "s after SIGTERM it still ran",
    "idle": "it closes an idle connection after 1 s",
    "unready": "after its health path was well a new replica answered 500",
    "slow": "until it answered its health path",
    "crashes": "ended by itself, with exit code 3",
}
SLOW_START = MISTAKES["slow"]


class Town(Land):
    """A service for each mistake, with a path of its own. Their pods get SIGTERM at once."""

    def __init__(self) -> None:
        super().__init__()
        self.deployments = [self.settle(name, number) for number, name in enumerate(MISTAKES, 1)]

    def settle(self, name: str, number: int) -> CloudResource:
        asked = {"path": "/healthz", "matcher": "200", "interval": 10, "healthyThreshold": 1}
        self.make(types.TARGET_GROUP, f"{name}-eks", healthCheck=asked, port=8080)
        conditions = [{"pathPattern": {"values": [f"/{name}/*"]}}]
        actions = [{"forward": {"targetGroups": [{"arn": f"{name}-eks", "weight": 1}]}}]
        rule: dict[str, Any] = {"listenerArn": "http", "priority": number, "conditions": conditions, "actions": actions}
        self.make(types.LISTENER_RULE, name, **rule)
        return self.pods(name, self.template(name, "first"), f"{name}-eks")

    @staticmethod
    def template(name: str, image: str) -> dict[str, object]:
        said = {"SWITCHYARD_ORCHESTRATOR": "eks", "SWITCHYARD_SERVICE": name, "MISTAKE": name}
        env = [{"name": key, "value": value} for key, value in said.items()]
        container = {"image": image, "env": env, "ports": [{"containerPort": 8080}]}
        return {"containers": [container], "terminationGracePeriodSeconds": 40}

    def release(self, plane: Plane) -> None:
        """Another image for each."""
        with self.state.lock:
            for each in self.deployments:
                template = {"metadata": {"labels": {"app": each.name}}, "spec": self.template(each.name, "second")}
                outputs = each.outputs | {"spec": {"replicas": 1, "template": template}}
                self.state.change(each, {}, outputs)
        plane.look()


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Found]:
    """What was, after a release under load."""
    place = tmp_path_factory.mktemp("plane")
    town, built = Town(), Programs.built()
    command = [sys.executable, misbehaving.__file__]
    plane = Plane(Balancer(built.proxy, place), partial(process, command), place, PACE)
    plane.start(town.state)
    try:
        until(lambda: len({each.key for each in plane.replicas if each.life.healthy}) == len(MISTAKES))
        plane.felt(town.state.every(types.LISTENER)[0], lambda: False)  # the proxy knows it too
        targets = [Request(f"/{name}/{path}") for name in MISTAKES for path in ("", "1")]
        (place / "calls").mkdir()
        callers = Callers(built.callers, place / "calls", plane.balancer.url, [*targets, POST], rate=80)
        sockets = Sockets("sockets", plane.balancer.port, [Request("/well/ws")])
        callers.start()
        sockets.start()
        try:
            time.sleep(1.5)
            town.release(plane)
            until(lambda: all(each.over for each in plane.replicas if each.workload.container.image == "first"))
            time.sleep(1)
        finally:
            sockets.stop()
            callers.stop()
        log = plane.balancer.access_log
        yield plane, callers.answers(log), [*kept(sockets, ways(log), plane.replicas)]
    finally:
        plane.stop()


def until(so: object) -> None:
    """Wait for it, a minute at most."""
    assert callable(so)
    deadline = time.monotonic() + 60
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("name", MISTAKES)
def test_it_is_found_and_no_other(plane: Found, name: str) -> None:
    ran, answers, _ = plane
    replicas = [each for each in ran.replicas if each.workload.service == name]
    mine = [each for each in answers if each.rule == name]
    found = mistakes(mine, replicas, ran.idle, PACE)
    # A machine that is busy makes others slow to start too.
    told = {each.what for each in found if SLOW_START not in each.what or name == "slow"}
    assert all(MISTAKES[name] in each for each in told), told
    assert bool(told) == (name != "well")
    if name in ("well", "idle", "slow"):
        assert not [each for each in mine if each.lost]
    if name in ("dies", "cuts", "unready"):
        assert sum(each.lost for each in found) > 0


def test_what_is_sent_arrives_and_websockets_end_with_their_replica_alone(plane: Found) -> None:
    _, answers, (sockets,) = plane
    sent = [each for each in answers if each.path == POST.path]
    assert sent
    assert all(each.right for each in sent)
    assert (sum(sockets.cut.values()), sockets.lost, sockets.opened) == (EACH, {}, 2 * EACH)


def test_replicas_that_are_never_well_are_said(tmp_path: Path) -> None:
    land, built = Land(), Programs.built()
    land.rule(old=1)
    command = ["env", "MISTAKE=sick", sys.executable, misbehaving.__file__]
    plane = Plane(Balancer(built.proxy, tmp_path), partial(process, command), tmp_path, Pace(0.01))
    plane.start(land.state)
    try:
        service = land.task(1)
        assert "ecs: a replica does not answer its health path well; it still runs" in plane.felt(
            service, lambda: False
        )
        assert plane.asked("api-old", service.urn, 0) == "unhealthy"
        service.ready = False
        assert plane.felt(service, lambda: False) == ""
        assert all(each.over for each in plane.replicas)
    finally:
        plane.stop()
