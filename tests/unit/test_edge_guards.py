"""What companies ask of a load balancer: a web ACL before it, and a TLS policy of their own."""

import re
from decimal import Decimal
from typing import Any

import pytest

from components.testing.engine import Graph
from config.problems import BadConfig
from policy import CONTROLS, control
from tests.conformance.judged import resources
from tests.program import EXISTING, config_for, run_program

ACL = "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/shop/a1b2c3d4-5678-90ab-cdef-1234567890ab"
STRICT = "ELBSecurityPolicy-TLS13-1-3-PQ-2025-09"
DOMAIN = {"name": "api.example.com", "zone": "example.com"}


def made(**keys: Any) -> Graph:
    return run_program({**config_for("ecr", "ecs-fargate"), **keys})


def broken(graph: Graph, name: str) -> list[str]:
    return [each.name for each in CONTROLS[name].broken_by(control.Graph(resources(graph)))]


def test_a_web_acl_looks_at_requests_first() -> None:
    found = made(waf=ACL)
    association = found.one("wafv2/webAclAssociation:WebAclAssociation")
    balancer = found.one("lb/loadBalancer:LoadBalancer")
    assert association.inputs["webAclArn"] == ACL
    assert balancer.urn in found.waits_for(association)
    assert association in found.under("switchyard:edge:Edge")
    assert broken(found, "ELB.16") == []
    plain, guarded = (each.export("cost") for each in (made(), found))
    assert guarded["unknown"] == plain["unknown"]
    million = Decimal("0.6")  # the smallest usage has a million requests
    assert Decimal(guarded["columns"]["load balancer"]) - Decimal(plain["columns"]["load balancer"]) == million


@pytest.mark.parametrize(("policy", "weak"), [(STRICT, []), ("ELBSecurityPolicy-2016-08", ["edge"])])
def test_https_is_of_the_policy_that_is_named(policy: str, weak: list[str]) -> None:
    """One that AWS does not recommend is taken, and told by its control."""
    found = made(**{"domain": DOMAIN, "tls-policy": policy})
    assert found.one("lb/listener:Listener", "edge").inputs["sslPolicy"] == policy
    assert broken(found, "ELB.17") == weak


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ({"waf": ACL.replace("us-east-1", "eu-west-1")}, "want a web ACL of us-east-1, the stack's region"),
        ({"waf": ACL.replace("regional", "global")}, "want the ARN of a regional web ACL"),
        ({**EXISTING, "waf": ACL}, "want nothing beside `load-balancer`"),
        ({"tls-policy": STRICT}, "want `domain` beside it"),
        ({"tls-policy": "TLS-1-3", "domain": DOMAIN}, "want the name of a security policy of Elastic Load Balancing"),
        ({**EXISTING, "tls-policy": STRICT}, "want nothing beside `load-balancer`"),
    ],
)
def test_what_means_nothing_is_refused(keys: dict[str, Any], wanted: str) -> None:
    with pytest.raises(BadConfig, match=re.escape(wanted)):
        made(**keys)


@pytest.mark.parametrize("key", ["waf", "tls-policy"])
def test_off_the_load_balancer_they_are_refused_by_name(key: str) -> None:
    with pytest.raises(BadConfig, match=f"{key} is .*want an orchestrator on AWS, not swarm"):
        run_program({**config_for("ecr-public", "swarm"), key: ACL if key == "waf" else STRICT})
