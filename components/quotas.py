"""How many there may be of a thing: what AWS allows an account, and what Swarm's networks have room for.

One table, read by the checks of a configuration, by `yard doctor` and by docs/scale.md. How much of it a stack needs,
those say that make it: an edge, an orchestrator, the network (`needs.Quota`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A quota. The fields of AWS are empty where it is not AWS's."""

    name: str
    """The doctor's check: `quota-...`."""
    what: str
    """What is counted, in the plural."""
    allowed: float
    """What every account starts with."""
    ceiling: float = math.inf
    """What it can be raised to; the same: nobody raises it."""
    source: str
    """Where that is written."""
    way: str = ""
    """What to do instead, where it is not raised any further."""
    service: str = ""
    code: str = ""
    """The quota's, of Service Quotas."""
    of_account: bool = False
    """It is the account's, and not one of each region."""
    made_of: str = ""
    """Pulumi's type of what counts; what the stack has of it already is not needed once more."""

    @property
    def is_raised(self) -> bool:
        """Whether AWS raises it for whoever asks."""
        return self.ceiling > self.allowed


ALB = "ELB user guide, Quotas for your Application Load Balancers"
ANOTHER_STACK = "divide the services among several stacks, each with a load balancer of its own"
TARGET_GROUPS = Limit(
    name="quota-target-groups",
    what="target groups on a load balancer",
    allowed=100,
    ceiling=100,
    service="elasticloadbalancing",
    code="L-822D1B1B",
    source=ALB,
    way=ANOTHER_STACK,
)
LISTENER_RULES = Limit(
    name="quota-listener-rules",
    what="rules on a load balancer",
    allowed=100,
    service="elasticloadbalancing",
    code="L-7EED9B64",
    source=ALB,
)
TARGETS = Limit(
    name="quota-targets",
    what="targets of a load balancer",
    allowed=1000,
    service="elasticloadbalancing",
    code="L-7E6692B2",
    source=ALB,
)
CERTIFICATE_NAMES = Limit(
    name="quota-certificate-names",
    what="names on a certificate",
    allowed=10,
    ceiling=100,
    service="acm",
    code="L-FB94F0B0",
    source="ACM user guide, Quotas",
    way="fewer services with a `host` of their own, or another stack",
)
GROUPS_OF_WORKERS = Limit(
    name="quota-groups-of-workers",
    what="target groups of an Auto Scaling group",
    allowed=50,
    ceiling=50,
    service="autoscaling",
    code="L-05CB8B12",
    source="EC2 Auto Scaling user guide, Quotas",
    way="`swarm-ec2.workers` 0, and larger managers",
)
ROLES = Limit(
    name="quota-roles",
    what="IAM roles",
    allowed=1000,
    service="iam",
    code="L-FE177D64",
    of_account=True,
    made_of="aws:iam/role:Role",
    source="IAM user guide, IAM and AWS STS quotas",
)
VPCS = Limit(
    name="quota-vpcs",
    what="VPCs",
    allowed=5,
    service="vpc",
    code="L-F678F1CE",
    made_of="aws:ec2/vpc:Vpc",
    source="VPC user guide, Amazon VPC quotas",
)
ADDRESSES = Limit(
    name="quota-elastic-ips",
    what="Elastic IP addresses",
    allowed=5,
    service="ec2",
    code="L-0263D0A3",
    made_of="aws:ec2/eip:Eip",
    source="VPC user guide, Amazon VPC quotas",
)
INSTANCE_VCPU = Limit(
    name="quota-instance-vcpu",
    what="vCPU of On-Demand instances",
    allowed=5,
    service="ec2",
    code="L-1216C47A",
    source="EC2 user guide, On-Demand Instance quotas: a new account's, which AWS raises by use",
)
FARGATE_VCPU = Limit(
    name="quota-fargate-vcpu",
    what="Fargate On-Demand vCPU",
    allowed=6,
    service="fargate",
    code="L-3032A538",
    source="ECS developer guide, service quotas: a new account's, which AWS raises by use",
)
FARGATE_SPOT_VCPU = Limit(
    name="quota-fargate-vcpu",
    what="Fargate Spot vCPU",
    allowed=6,
    service="fargate",
    code="L-36FBB829",
    source="ECS developer guide, service quotas: a new account's, which AWS raises by use",
)
OVERLAY_ADDRESSES = Limit(
    name="quota-overlay-addresses",
    what="addresses of the swarm's overlay network",
    allowed=253,
    ceiling=253,
    source="Docker, overlay networks: blocks of /24; the gateway takes one address",
    way="fewer services or replicas on one swarm, or an orchestrator other than Swarm",
)
LIMITS = (
    TARGET_GROUPS,
    LISTENER_RULES,
    TARGETS,
    CERTIFICATE_NAMES,
    GROUPS_OF_WORKERS,
    ROLES,
    VPCS,
    ADDRESSES,
    INSTANCE_VCPU,
    FARGATE_VCPU,
    FARGATE_SPOT_VCPU,
    OVERLAY_ADDRESSES,
)
MOST_RANGES = 40
"""Ranges that may reach the API of an EKS cluster; AWS raises it for nobody (EKS user guide, Amazon EKS service
quotas, "Public endpoint access CIDR ranges per cluster")."""
