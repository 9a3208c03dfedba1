"""The proxy on the swarm's own instance, on the real engine: up, changed, broken and gone."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from components.edge import proxy_ec2
from components.edge.traefik import ROUTES
from components.orchestrator.swarm_proxy import status
from rehearsal.aws import types
from rehearsal.state import Swarm
from rehearsal.swarm import _Manager
from tests.engine.passage import GATE, Passage, passage
from tests.program import DIGEST, DOMAIN
from yard.engine import EngineError

pytestmark = pytest.mark.engine

SERVICES = {"api": {"digest": DIGEST, "memory": 128}}
HOBBY: dict[str, Any] = {
    "edge": "proxy-ec2",
    "network": "public",
    "swarm-ec2": {"instance-type": "t3.micro", "disk": 8},
}
HTTPS: dict[str, Any] = {"domain": DOMAIN, "proxy-ec2": {"acme": {"email": "ops@example.com"}}}


def answers(stack: Passage, service: str = "api", path: str = "/healthz") -> str:
    """What the instance is answered that asks the proxy for a service."""
    scheme = stack.outputs["url"].partition(":")[0]
    headers = {"x-switchyard-to": "swarm-ec2", "x-switchyard-service": service}
    return status("ssm://us-east-1/switchyard-dev", None, f"{scheme}://127.0.0.1{path}", headers)


def dialled(swarm: Swarm) -> set[str]:
    """The addresses to which the proxy sends requests for the service."""
    files = swarm.volumes.get("switchyard-dev-edge", {})
    services = json.loads(files.get(ROUTES, b"{}")).get("api/swarm-ec2", {"services": {}})["services"].values()
    return {server["url"] for each in services for server in each["loadBalancer"]["servers"]}


def test_a_stack_without_a_load_balancer_comes_changes_and_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rolled: list[set[str]] = []
    """The same each time that the engine is told of a service."""
    real = _Manager._may_run

    def may_run(manager: _Manager, spec: Any, identity: str) -> None:
        rolled.append(dialled(manager.swarm))
        real(manager, spec, identity)

    monkeypatch.setattr(_Manager, "_may_run", may_run)
    with passage(tmp_path, orchestrator="swarm-ec2", services=SERVICES, more={**HOBBY, **HTTPS}) as stack:
        stack.up()
        assert stack.outputs["url"] == "https://www.example.com"
        assert answers(stack) == "200"
        assert stack.preview() == {}

        changed = {"replicas": 2, "path": "/shop", "health": "/up", "port": 9090}
        stack.set(services={"api": {**SERVICES["api"], **changed}})
        stack.up()
        old, new = (f"http://tasks.switchyard-dev-api:{port}" for port in (8080, 9090))
        assert rolled[-1] == {old, new}, "replicas change from the one port to the other, one by one"
        assert [dialled(each) for each in stack.cloud.state.swarms.values()] == [{new}]
        assert (answers(stack), answers(stack, path="/up")) == ("404", "200")
        assert stack.preview() == {}

        stack.destroy()
        assert len(stack.cloud.state) == 0
        assert not any(each.services or each.volumes for each in stack.cloud.state.swarms.values())


def test_it_moves_to_a_load_balancer_under_its_name_and_a_failed_move_leaves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy_ec2, "TTL", 1)
    with passage(tmp_path, orchestrator="swarm-ec2", services=SERVICES, more={**HOBBY, **HTTPS}) as stack:
        state = stack.cloud.state
        stack.up()
        (swarm,) = state.swarms.values()
        before = {each["Spec"]["Name"]: deepcopy(each) for each in swarm.services.values()}

        stack.set(edge="alb", proxy_ec2=None, gate={**GATE, "timeout": 0.1})
        state.unhealthy_groups.add("api-swarm-ec2")
        with pytest.raises(EngineError, match="the traffic of api stays where it is"):
            stack.up()
        state.unhealthy_groups.clear()
        assert answers(stack) == "200"
        assert [each.get("ttl") for each in state.where(types.RECORD, "type", "A")] == [1]

        mark = len(stack.cloud.calls)
        stack.up()
        order = [f"{call.op} {call.name}" for call in stack.since(mark)]
        moved = order.index("update edge-www.example.com")
        assert order.index("create api") < moved < order.index("delete edge--443")
        assert not [each for each in order if each.endswith("edge-www.example.com")][1:]
        (record,) = state.where(types.RECORD, "type", "A")
        assert (record.get("aliases.evaluateTargetHealth"), record.get("records")) == (True, None)
        (api,) = swarm.services.values()
        assert api == before["switchyard-dev-api"], "a replica was started anew"
        assert not swarm.volumes
        assert stack.serving() == ["swarm-ec2"]
        assert stack.preview() == {}
        stack.destroy()
        assert len(state) == 0
