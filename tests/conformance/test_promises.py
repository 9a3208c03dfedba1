"""Every registry, every orchestrator and every edge keeps its promises; a third party's is held to them by joining."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pulumi
import pytest

from components import edge, orchestrator, registry
from components.service import ASKED_BY
from components.testing.cloud import REGION, Cloud
from components.testing.engine import Graph, deploy, start
from components.testing.promises import ASKING, PASSWORD, PROJECT, EdgePromises, OrchestratorPromises, RegistryPromises
from components.usage import Usage
from config.estimates import every_pair
from config.load import load
from config.problems import BadConfig
from tests.conformance.joining import third_party
from tests.program import BLOCKS as PROGRAM
from tests.program import DIGEST, as_pulumi, config_for, run_program

BLOCKS: Mapping[str, list[Mapping[str, Any]]] = {
    "ecr": [{}, {"keep": 5, "repositories": {"api": "acme/api"}}],
    "artifact-registry": [
        {"project": "acme", "location": "us", "repository": "images"},
        {"project": "acme", "location": "us", "repository": "images", "service-account-key": PASSWORD},
    ],
    "dockerhub": [
        {"namespace": "acme", "public": True},
        {"namespace": "acme", "username": "robot", "password": PASSWORD},
    ],
    "ghcr": [
        {"owner": "acme", "public": True},
        {"owner": "acme", "username": "robot", "password": PASSWORD},
        {"owner": "acme", "username": "robot", "password": PASSWORD, "login": "direct"},
    ],
    "oci": [
        {"host": "localhost:5000"},
        {"host": "harbor.example.com", "namespace": "acme/web", "username": "robot", "password": PASSWORD},
    ],
    "ecs-ec2": [
        {"instance-types": ["t3.small", "t4g.small"]},
        {"instance-types": ["m7g.large", "m6g.large", "m7i.large"], "min": 2, "max": 6, "disk": 50},
    ],
    "ecs-fargate": [{}, {"spot": True}, {"cluster": "arn:aws:ecs:us-east-1:123456789012:cluster/shared"}],
    "kubernetes": [
        {**PROGRAM["kubernetes"], "exposure": "ingress", "ingress-host": "example.com"},
        {
            **PROGRAM["kubernetes"],
            "exposure": "ingress",
            "ingress-tls": "tls",
            "namespace": "shop",
            "ingress-class": "x",
        },
    ],
    "swarm-ec2": [
        {"instance-type": "t4g.large"},
        {"instance-type": "m7g.large", "managers": 3, "workers": 2, "ports": {"api": 8080}},
    ],
    "acme": [{"project": "shop"}],
}
"""Blocks to try; a backend that is not here is tried with an empty one."""

with third_party():
    REGISTRIES = [(name, block) for name in registry.names() for block in BLOCKS.get(name, [{}])]
    ORCHESTRATORS = [(name, block) for name in orchestrator.names() for block in BLOCKS.get(name, [{}])]
    EDGES = [(name, block) for name in edge.names() for block in BLOCKS.get(name, [{}])]


def title(value: object) -> str:
    """A backend's name and the keys of its block."""
    return ",".join(value) if isinstance(value, Mapping) else str(value)


@pytest.mark.parametrize(("name", "block"), REGISTRIES, ids=title)
class TestEveryRegistry(RegistryPromises): ...


@pytest.mark.parametrize(("name", "block"), EDGES, ids=title)
class TestEveryEdge(EdgePromises): ...


@pytest.mark.parametrize(("name", "block"), ORCHESTRATORS, ids=title)
class TestEveryOrchestrator(OrchestratorPromises):
    def test_what_it_refuses_is_told_before_anything_is_made(self, name: str, block: Mapping[str, Any]) -> None:
        """The same by way of the configuration."""
        for feature, support in orchestrator.load(name).Options.capabilities.items():
            said, graph = complaint(name, block, ASKING[feature])
            key = f"services.api.{ASKED_BY.get(feature, feature)} "
            if support.how == "refused":
                assert key in said, f"{feature} is not refused"
                assert support.why in said
                assert not len(graph)
            else:
                assert key not in said


@pytest.mark.parametrize("name", orchestrator.ORCHESTRATORS)
def test_ours_leave_no_verb_unsaid(name: str) -> None:
    """A third party's may: what it does not name is refused."""
    assert set(orchestrator.load(name).Options.verbs) == set(orchestrator.VERBS)


def complaint(name: str, block: Mapping[str, Any], fields: Mapping[str, Any]) -> tuple[str, Graph]:
    """What a stack is told that has such a service on this orchestrator, and what has been made by then."""
    config = {
        "aws:region": REGION,
        f"{PROJECT}:registry": "oci",
        f"{PROJECT}:oci": json.dumps({"host": "registry.example.com"}),
        f"{PROJECT}:orchestrator": name,
        f"{PROJECT}:{name}": json.dumps(block),
        f"{PROJECT}:preset": "trial",
        f"{PROJECT}:services": json.dumps({"api": fields}),
    }
    engine = start(Cloud(), config, (f"{PROJECT}:services", f"{PROJECT}:{name}"), PROJECT)
    try:
        deploy(lambda: load() and None)
    except BadConfig as problems:
        return str(problems), engine.graph
    return "", engine.graph


class TestThirdParty:
    def test_it_joins_by_its_entry_points(self) -> None:
        assert "acme" in registry.names()
        assert "acme-run" in orchestrator.names()

    def test_the_program_runs_on_it(self) -> None:
        config = config_for("acme", "acme-run") | {"acme": {"project": "shop"}}
        graph = run_program(config)
        app = graph.one("acme:index:App")
        assert app.inputs["image"] == f"acme.example/shop/api@{DIGEST}"
        assert graph.export("url") == {"api": "https://api.acme.example"}

    def test_an_orchestrator_on_aws_may_stand_off_the_load_balancer(self) -> None:
        config = config_for("ecr", "acme-aws", api={"digest": DIGEST, "secrets": {"KEY": PASSWORD}})
        graph = run_program(config, ("services",))
        assert graph.one("switchyard:network:Network")
        assert graph.one("acme:index:Space").inputs["logs"] == graph.one("cloudwatch/logGroup:LogGroup").inputs["name"]
        assert not [each.type for each in graph if each.type.startswith(("switchyard:edge:", "aws:lb/"))]
        assert graph.export("url") == {"api": "https://api.acme.example"}
        assert "next" not in graph.exports()  # no word of a load balancer's plain HTTP

    def test_what_only_the_load_balancer_reads_is_refused_beside_it(self) -> None:
        domain = {"domain": {"name": "api.example.com", "zone": "example.com"}}
        with pytest.raises(BadConfig, match=r"switchyard:domain .*want an orchestrator behind the load balancer"):
            run_program(config_for("ecr", "acme-aws") | domain)
        with pytest.raises(BadConfig, match=r"switchyard:traffic.acme-aws .*want orchestrators behind the load"):
            run_program(config_for("ecr", "ecs-fargate") | {"traffic": {"ecs-fargate": 1, "acme-aws": 1}})

    def test_on_aws_off_the_load_balancer_it_pays_for_a_network_and_for_no_load_balancer(self) -> None:
        pulumi.runtime.configure(pulumi.runtime.Settings(project="switchyard", stack="dev"))
        config = config_for("ecr", "ecs-fargate", "standard")
        pulumi.runtime.set_all_config(as_pulumi(config))
        month = Usage.model_validate({"image-size": 100, "deploys": 5})
        found = {(each.registry, *each.orchestrators): each for each in every_pair(load(), month, "us-east-1")}
        columns = {each.line.column for each in found["ecr", "acme-aws"].charges}
        assert {"network", "logs"} <= columns
        assert "load balancer" not in columns
        assert "load balancer" in {each.line.column for each in found["ecr", "ecs-fargate"].charges}

    def test_its_lines_are_compared_at_its_own_prices(self) -> None:
        pulumi.runtime.configure(pulumi.runtime.Settings(project="switchyard", stack="dev"))
        pulumi.runtime.set_all_config(as_pulumi(config_for("ecr", "ecs-fargate")))
        month = Usage.model_validate({"image-size": 100, "deploys": 5})
        found = {(each.registry, *each.orchestrators): each for each in every_pair(load(), month, "us-east-1")}
        theirs = found["acme", "acme-run"]
        assert {each.line.what: each.line.quantity for each in theirs.charges} == {
            "images at Acme": Decimal(6),  # a year's 60, of 100 MB
            "apps at Acme": Decimal(730),
        }
        assert theirs.amount().usd == Decimal("7.6")  # 6 x 0.05 and 730 x 0.01
        assert found["acme", "ecs-fargate"].amount().whole
        assert found["acme", "ecs-fargate"].amount("compute") == found["ecr", "ecs-fargate"].amount("compute")
