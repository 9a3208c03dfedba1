"""The proxy on the swarm's own instance, on the real engine: up, changed, broken and gone."""

from pathlib import Path
from typing import Any

import pytest

from components.orchestrator.swarm_proxy import status
from tests.engine.passage import Passage, passage
from tests.program import DIGEST, DOMAIN

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


def test_a_stack_without_a_load_balancer_comes_changes_and_goes(tmp_path: Path) -> None:
    with passage(tmp_path, orchestrator="swarm-ec2", services=SERVICES, more={**HOBBY, **HTTPS}) as stack:
        stack.up()
        assert stack.outputs["url"] == "https://www.example.com"
        assert answers(stack) == "200"
        assert stack.preview() == {}

        stack.set(services={"api": {**SERVICES["api"], "replicas": 2, "path": "/shop", "health": "/up"}})
        stack.up()
        assert (answers(stack), answers(stack, path="/up")) == ("404", "200")
        assert stack.preview() == {}

        stack.destroy()
        assert len(stack.cloud.state) == 0
        assert not any(each.services or each.volumes for each in stack.cloud.state.swarms.values())
