"""Fixed ports of the nodes on a cluster that exists: each is one Service's in the whole cluster."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from rehearsal.apis import kms
from rehearsal.aws.health import SERVICE
from tests.engine.record_states import KUBECONFIG, NAMESPACE, Case, Sky
from tests.program import SERVICE as RUNS
from tests.stack import Stack
from yard import engine
from yard.rehearsing import environment

pytestmark = pytest.mark.engine


def block(ports: Mapping[str, int], namespace: str | None = None) -> dict[str, Any]:
    """The block of the orchestrator."""
    found: dict[str, Any] = {
        "context": "prod",
        "exposure": "nodeport",
        "address": "nodes.example.com",
        "node-ports": ports,
    }
    return found if namespace is None else {**found, "namespace": namespace}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Sky, Stack]]:
    """Two services on fixed ports in a namespace of the stack's own, and the cloud."""
    config: Mapping[str, Any] = {
        "registry": "oci",
        "oci": {"host": "registry.example.com"},
        "orchestrator": "kubernetes",
        "kubernetes": block({"api": 30080, "web": 30081}),
        "services": {"api": dict(RUNS), "web": dict(RUNS)},
    }
    secrets = {"switchyard:kubernetes.kubeconfig": KUBECONFIG}
    with Sky(Case(("oci",), ("kubernetes",))) as sky, environment(sky):
        stack = Stack(tmp_path / "stack", sky.env, config, secrets, kms.SECRETS_PROVIDER)
        stack.up()
        yield sky, stack


def ports(sky: Sky) -> dict[str, int]:
    """Service -> its port of the nodes."""
    every = sky.state.every(SERVICE)
    return {each.id: each.get("spec.ports.nodePort") for each in every if each.get("spec.ports.nodePort")}


def test_one_moves_to_another_namespace(running: tuple[Sky, Stack]) -> None:
    sky, stack = running
    stack.set(kubernetes=block({"api": 30080, "web": 30081}, NAMESPACE))
    stack.up()
    assert ports(sky) == {f"{NAMESPACE}/api--public": 30080, f"{NAMESPACE}/web--public": 30081}


def test_two_are_swapped_by_way_of_a_third(running: tuple[Sky, Stack]) -> None:
    """As docs/kubernetes.md says: at once it cannot be."""
    sky, stack = running
    stack.set(kubernetes=block({"api": 30081, "web": 30080}))
    with pytest.raises(engine.EngineError, match="provided port is already allocated"):
        stack.up()
    for step in ({"api": 30082, "web": 30081}, {"api": 30082, "web": 30080}, {"api": 30081, "web": 30080}):
        stack.set(kubernetes=block(step))
        stack.up()
    assert sorted(ports(sky).values()) == [30080, 30081]
    assert ports(sky)["switchyard-dev/api--public"] == 30081
