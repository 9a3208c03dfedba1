"""A second registry of this machine, under a name of its own: a stack's images move to it by the key `registry`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from components.registry import REGISTRIES, Registry
from components.registry.oci import Oci, OciOptions
from rehearsal.traffic.replica import free_port
from tests.live.login_registry import PASSWORD, USER, login_registry
from tests.live.on_cluster import Images
from tests.stack import Stack

KEY = "second"


class SecondOptions(OciOptions):
    """As `oci`."""

    key = KEY


class Second(Registry[SecondOptions]):
    """As `Oci`, beside it."""

    token = "switchyard:registry:Second"
    build = Oci.build


@contextmanager
def second_registry(place: Path) -> Iterator[str]:
    """Its host, while it runs and can be named in a configuration."""
    host = f"localhost:{free_port()}"
    with pytest.MonkeyPatch.context() as patch, login_registry(place, host):
        patch.setitem(REGISTRIES, KEY, f"{__name__}:Second")
        yield host


def move(stack: Stack, images: Images, host: str) -> None:
    """In the two steps of docs/registries.md: the new one beside the old, a push, and replicas pull from that."""
    stack.keep_secret(f"switchyard:{KEY}.password", PASSWORD)
    block = {"host": host, "namespace": "acme", "username": USER}
    stack.set(registry=KEY, pull_from="oci", **{KEY: block})
    stack.up()
    digest = images.at(host)
    stack.set(pull_from=None, services={"api": {**stack.service("api"), "digest": digest}})
    stack.up()
    assert f"{host}/acme/api@{digest}" in stack.saved()
