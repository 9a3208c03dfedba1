"""VPC, subnets, security groups."""

import re
from collections.abc import Iterable

from policy.control import PRIVATE, PRODUCTION, Control, Graph, Resource

VPC = ("aws:ec2/vpc:Vpc",)
SUBNET = ("aws:ec2/subnet:Subnet",)
INGRESS = ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",)
RULES = (*INGRESS, "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")
DESCRIPTION = re.compile(r"[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{1,255}")
"""What AWS takes as one (EC2 API, IpRange)."""
DEFAULT = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
FLOW_LOG = "aws:ec2/flowLog:FlowLog"
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"

ANYWHERE = ("0.0.0.0/0", "::/0")
RISKY = frozenset(
    {20, 21, 22, 23, 25, 110, 135, 143, 445, 1433, 1434, 3000, 3306, 3389, 4333, 5000, 5432, 5500, 5601}
    | {8080, 8088, 8888, 9200, 9300}
)
"""The ports that EC2.19 names."""


def from_anywhere(rule: Resource) -> bool:
    """Whether a rule lets in whoever asks."""
    return rule.get("cidrIpv4") in ANYWHERE or rule.get("cidrIpv6") in ANYWHERE


def web_alone(rule: Resource) -> bool:
    """Whether a rule opens nothing but HTTP or HTTPS."""
    return rule.get("fromPort") == rule.get("toPort") and rule.get("toPort") in (80, 443)


def _opens_risky(rule: Resource) -> bool:
    first, last = rule.get("fromPort", 0), rule.get("toPort", 65535)
    return from_anywhere(rule) and any(first <= port <= last for port in RISKY)


def _is_closed(vpc: Resource, graph: Graph) -> bool:
    groups = graph.users(vpc, DEFAULT)
    return bool(groups) and not any(each.every("ingress") or each.every("egress") for each in groups)


def _has_endpoint(vpc: Resource, graph: Graph, service: str) -> bool:
    endpoints = graph.users(vpc, ENDPOINT)
    return any(name.endswith(f".{service}") for each in endpoints for name in each.every("serviceName"))


def _with(vpc: Resource, graph: Graph, type_: str, **inputs: str) -> Iterable[Resource]:
    return [*graph, Resource(f"{vpc.urn}-more", type_, inputs, frozenset({vpc.urn}))]


def _endpoint(id_: str, service: str, why: str) -> Control:
    return Control(
        id_,
        VPC,
        f"It has an interface endpoint for {service}",
        lambda it, graph: _has_endpoint(it, graph, service),
        lambda it, graph: _with(it, graph, ENDPOINT, serviceName=f"com.amazonaws.us-east-1.{service}"),
        key="network" if service.startswith("ecr") else "",
        exception=why,
        wired=True,
    )


THROUGH_NAT = "it costs by the hour in each zone; `network: endpoints` makes it, the other kinds reach ECR through NAT"
NOBODY = "nothing in a stack calls it"

ROWS = (
    Control(
        "EC2.2",
        VPC,
        "Its default security group lets nothing in or out",
        _is_closed,
        DEFAULT,
        wired=True,
    ),
    Control(
        "EC2.6",
        VPC,
        "What is connected in it is logged",
        lambda it, graph: bool(graph.users(it, FLOW_LOG)),
        FLOW_LOG,
        PRODUCTION,
        key="flow-logs",
        wired=True,
    ),
    _endpoint("EC2.10", "ec2", NOBODY),
    Control(
        "EC2.15",
        SUBNET,
        "Nothing in it gets a public address by itself",
        lambda it, _: not it.on("mapPublicIpOnLaunch"),
        {"mapPublicIpOnLaunch": True},
        PRIVATE,
        key="network",
    ),
    Control(
        "EC2.18",
        INGRESS,
        "The whole internet reaches ports 80 and 443 at most",
        lambda it, _: not from_anywhere(it) or web_alone(it),
        {"cidrIpv4": "0.0.0.0/0", "fromPort": 9000, "toPort": 9000},
    ),
    Control(
        "EC2.19",
        INGRESS,
        "The whole internet reaches no port of high risk",
        lambda it, _: not _opens_risky(it),
        {"cidrIpv4": "0.0.0.0/0", "fromPort": 0, "toPort": 1024},
    ),
    Control(
        "CKV_AWS_23",
        RULES,
        "A rule of a security group says what it is for",
        lambda it, _: bool(DESCRIPTION.fullmatch(it.get("description", ""))),
        {"description": None},
    ),
    _endpoint("EC2.55", "ecr.api", THROUGH_NAT),
    _endpoint("EC2.56", "ecr.dkr", THROUGH_NAT),
    _endpoint("EC2.57", "ssm", "the nodes of `swarm-ec2` reach it through NAT; nothing else calls it"),
    _endpoint("EC2.58", "ssm-contacts", NOBODY),
    _endpoint("EC2.60", "ssm-incidents", NOBODY),
)
