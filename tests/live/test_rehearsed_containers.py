"""Replicas of a rehearsed cloud as containers on a real Docker engine: started, called, drained, stopped, gone."""

import io
import tarfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import docker
import pytest

from rehearsal.aws import types
from rehearsal.traffic.balancer import Balancer
from rehearsal.traffic.callers import Request, ask
from rehearsal.traffic.mistakes import mistakes
from rehearsal.traffic.plane import Plane
from rehearsal.traffic.replica import Pace
from rehearsal.traffic.starts import container
from tests.land import Land
from tools.proxy.__main__ import kept
from yard.carrying import Load, Programs, check

pytestmark = pytest.mark.live

DOCKERFILE = b'FROM scratch\nCOPY api /api\nENV SWITCHYARD_DRAIN=50ms\nENTRYPOINT ["/api"]\n'
TAG = "switchyard-test-rehearsed:1"


@pytest.fixture
def programs(client: docker.DockerClient) -> Iterator[Programs]:
    """The image is there, and whatever a test leaves of it goes."""
    if not kept().exists():
        pytest.skip("no Traefik: run `make load`")
    built, context = Programs.built(), io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        archive.add(built.example, "api")
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(DOCKERFILE)
        archive.addfile(entry, io.BytesIO(DOCKERFILE))
    context.seek(0)
    client.images.build(fileobj=context, custom_context=True, tag=TAG, rm=True)
    yield built
    client.images.remove(TAG, force=True)


def test_it_lives_and_ends_as_a_process_does(programs: Programs, client: docker.DockerClient, tmp_path: Path) -> None:
    assert [*check(Load(images={"api": TAG}), {"api": {"health": "/up"}})] == []
    (missing,) = check(Load(images={"api": "switchyard-test-none:1"}), {"api": {}})
    assert missing.startswith("--image: switchyard-test-none:1 is not on the Docker engine here")
    land = Land("/healthz")
    land.rule(old=1)
    plane = Plane(Balancer(programs.proxy, tmp_path), partial(container, TAG), tmp_path, Pace(0.1))
    plane.start(land.state)
    try:
        service = land.task(2)
        assert plane.felt(service, lambda: False) == ""
        assert plane.felt(land.state.every(types.LISTENER)[0], lambda: False) == ""
        assert ask(plane.balancer.port, Request("/"))[0] == 200
        assert len(client.containers.list(filters={"ancestor": TAG})) == 2
        service.ready = False
        assert plane.felt(service, lambda: False) == ""
        assert [each.life.code for each in plane.replicas] == [0, 0]
        assert mistakes([], plane.replicas, 60, plane.pace) == []
        until(lambda: not client.containers.list(all=True, filters={"ancestor": TAG}))
        service.ready = True
        assert plane.felt(service, lambda: False) == ""
    finally:
        plane.stop()
    until(lambda: not client.containers.list(all=True, filters={"ancestor": TAG}))


def until(so: Callable[[], bool]) -> None:
    """Wait for it, half a minute at most."""
    deadline = time.monotonic() + 30
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.1)
