"""What a user says about the network and the edge. Apart from them, for a stack off AWS does not load AWS's package."""

from typing import Literal

from pydantic import Field

from components.model import Model
from components.service import Host

Kind = Literal["public", "nat-single", "nat-per-az", "endpoints"]
"""How replicas reach the outside: by public addresses, one NAT gateway, one a zone, or VPC endpoints alone."""


class ExistingVpc(Model):
    """A VPC that someone else made; Switchyard only uses it."""

    id: str
    """Its id, vpc-..."""
    public_subnets: tuple[str, ...] = Field(min_length=2)
    """For the load balancer: at least two, in different zones."""
    private_subnets: tuple[str, ...] = ()
    """For the replicas; empty: they run in the public ones, with public addresses."""


class Domain(Model):
    """Where the URL is, with HTTPS."""

    name: Host
    """The host name that callers use."""
    zone: Host
    """The Route 53 public zone it is in, which must exist in this account."""


class ExistingLoadBalancer(Model):
    """A load balancer that someone else made; Switchyard only adds target groups and rules to its listener."""

    listener: str
    """ARN of the listener."""
    security_group: str
    """Id of the load balancer's security group: the replicas let it in."""
    url: str
    """What callers type."""
