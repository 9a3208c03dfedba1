"""Who reaches the API of an EKS cluster: ranges of the internet, or private ones alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_network

import pulumi

from components.model import Contradiction, is_example, is_public
from components.quotas import MOST_RANGES
from components.sdk import aws

OPEN = ("0.0.0.0/0",)
NAMED = (
    "the public address ranges that may reach the cluster's API (your office, your VPN, your CI runners), since"
    " `protect` is on (preset production). `curl https://checkip.amazonaws.com` says your own; one address ends in /32"
)
PUBLIC = "public addresses: EKS takes no reserved ones; from inside the network the API is reached anyway"
PRIVATE = "private addresses, such as the VPC's or a VPN's: the API has no other then"
HTTPS = 443


def contradictions(access: Sequence[str], private: Sequence[str], protect: bool) -> Iterator[Contradiction]:
    """What types alone cannot say of `access` and `private-access`."""
    if private and tuple(access) != OPEN:
        yield "access", [*access], "nothing beside `private-access`: the internet does not reach the API then"
    if len(access) > MOST_RANGES:
        want = f"at most {MOST_RANGES} ranges: EKS takes no more, and AWS raises it for nobody"
        yield "access", [*access], want
    for index, block in enumerate(access):
        if wanted := _wanted_instead(block, protect and not private):
            yield f"access[{index}]", block, wanted
    for index, block in enumerate(private):
        if is_public(block) or ip_network(block).version == 6 or ip_network(block).prefixlen == 0:
            yield f"private-access[{index}]", block, PRIVATE


def _wanted_instead(block: str, protect: bool) -> str | None:
    """What EKS, or `protect`, wants instead of a range that may reach the cluster's API; None: nothing."""
    network = ip_network(block)
    if network.version == 6:
        # EKS API, VpcConfigRequest: publicAccessCidrs.
        return "IPv4 addresses: EKS takes others only for clusters whose pods have IPv6 addresses"
    if network.prefixlen == 0:
        return NAMED if protect else None
    # EKS user guide, "Configure network access to cluster API server endpoint". An example that was not filled in yet
    # is warned of when it is used: it may be looked at and rehearsed.
    return None if is_public(block) or is_example(block) else PUBLIC


def let_in(
    security_group: pulumi.Input[str], private: Sequence[str], opts: pulumi.ResourceOptions
) -> list[aws.vpc.SecurityGroupIngressRule]:
    """Let private ranges reach the API: its own addresses in the VPC are behind the cluster's security group, which
    lets in nothing but what is in it (EKS user guide, "Accessing a private only API server")."""
    return [
        aws.vpc.SecurityGroupIngressRule(
            f"eks-api-{block.replace('/', '-')}",
            security_group_id=security_group,
            description="API of the cluster, from where it is administered",
            cidr_ipv4=block,
            ip_protocol="tcp",
            from_port=HTTPS,
            to_port=HTTPS,
            opts=opts,
        )
        for block in private
    ]
