"""The whole day of an app that is not ours on a real cluster: `yard init` in its folder, `yard deploy`, and on."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from rehearsal.server import Server
from rehearsal.traffic.replica import free_port
from tests.live.apply import ApplyServicer
from tests.live.load import Load
from tests.live.login_registry import PASSWORD, USER, login_registry
from tests.live.on_cluster import exposed, namespaces, settled
from tests.live.own_app import Shop, whole_day
from tools.kube.api import Api


class OnCluster(Shop):
    """Stack `dev`, whose state is in a directory."""

    stack = "dev"
    init_options = ("--registry", "oci", "--orchestrator", "kubernetes")
    deploys = ("deploy", "--stack", "dev")
    removes = ("pulumi", "destroy", "--stack", "dev", "--yes")
    proof = "stack dev: not rehearsed"  # the cloud of a rehearsal is AWS

    def __init__(self, place: Path, api: Api, registry: str, provider: int) -> None:
        state = place / "state"
        state.mkdir()
        super().__init__(
            place,
            PULUMI_BACKEND_URL=state.as_uri(),
            PULUMI_CONFIG_PASSPHRASE="ours",
            PULUMI_DEBUG_PROVIDERS=f"kubernetes:{provider}",
            DOCKER_CONFIG=str(place / "docker"),
        )
        self._api = api
        self._registry = registry
        self.repositories = f"{registry}/acme"

    def begin(self) -> None:
        """`yard init`, and what only they know: it says what."""
        said = self.init()
        assert "config/Pulumi.dev.yaml needs what only you know" in said
        assert "oci.host" in said
        assert "kubernetes.context" in said
        oci = {"host": self._registry, "namespace": "acme", "username": USER}
        self.configure(oci=oci, kubernetes=exposed("nodeport"))
        self.yard("pulumi", "stack", "init", "dev")
        self.yard("pulumi", "config", "set", "--secret", "--path", "oci.password", PASSWORD, "--stack", "dev")
        login = ["docker", "login", "--username", USER, "--password-stdin", self._registry]
        subprocess.run(login, input=PASSWORD, text=True, check=True, capture_output=True, env=self.environment)

    def check(self, load: Load) -> None:
        settled(self._api, "hello", "shop-dev")  # the old replicas have drained and are gone
        load.check()


@pytest.fixture
def shop(tmp_path: Path, api: Api, client: docker.DockerClient, provider: ApplyServicer) -> Iterator[OnCluster]:
    server, registry, before = Server(provider), f"localhost:{free_port()}", namespaces(api)
    with login_registry(tmp_path / "registry", registry):
        client.login(USER, PASSWORD, registry=registry, reauth=True)
        shop = OnCluster(tmp_path, api, registry, server.port)
        yield shop
        if namespaces(api) != before:
            shop.yard(*shop.removes)
    server.stop()
    for each in client.images.list():
        if any(tag.startswith(f"{registry}/") for tag in each.tags):
            client.images.remove(str(each.id), force=True)


def test_an_app_of_ones_own_from_an_empty_folder_to_nothing_left(
    shop: OnCluster, client: docker.DockerClient, api: Api
) -> None:
    before, start = namespaces(api), time.monotonic()
    shop.begin()
    whole_day(shop, client)
    shop.yard(*shop.removes)
    assert namespaces(api) == before
    print(f"the day took {time.monotonic() - start:.0f} s")
