"""The whole day of an app that is not ours on this machine's Docker: `yard init` in its folder, `yard up`, and on."""

import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from rehearsal.traffic.replica import free_port
from tests.live.conftest import HOST
from tests.live.load import Load, meshed
from tests.live.own_app import Shop, whole_day
from tests.live.test_local import settled


class OnSwarm(Shop):
    """Stack `local`."""

    stack = "local"
    deploys = ("up",)
    removes = ("down", "--yes")
    proof = "stack dev: 0 replaced, 0 deleted"

    def __init__(self, place: Path, client: docker.DockerClient) -> None:
        super().__init__(place)
        self._client = client
        self._registry = f"localhost:{free_port()}"
        self.repositories = f"{self._registry}/shop-local"

    def begin(self) -> None:
        """`yard init`, and ports that nobody has."""
        self.init()
        swarm = {"host": HOST, "ports": {"hello": free_port()}, "timeout": 120}
        self.configure(oci={"host": self._registry}, swarm=swarm)

    def check(self, load: Load) -> None:
        load.check(meshed(self._client, "shop-local"))


@pytest.fixture
def shop(tmp_path: Path, client: docker.DockerClient, vacancy: None) -> Iterator[OnSwarm]:
    before = settled(client)
    shop = OnSwarm(tmp_path, client)
    yield shop
    if (shop.root / ".switchyard").exists():
        shop.yard(*shop.removes)
    assert settled(client) == before, "something is left on the engine"


def test_an_app_of_ones_own_from_an_empty_folder_to_nothing_left(shop: OnSwarm, client: docker.DockerClient) -> None:
    start = time.monotonic()
    shop.begin()
    whole_day(shop, client)
    assert "nothing of it is left" in shop.yard(*shop.removes)
    assert not (shop.root / ".state").exists()
    print(f"the day took {time.monotonic() - start:.0f} s")
