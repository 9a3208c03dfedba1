"""Names in a zone of Route 53, which edges on AWS make records in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pulumi

from components.model import Contradiction
from components.network_options import Domain
from components.sdk import aws


def in_zone(domain: Domain | None, hosts: Mapping[str, str]) -> Iterator[Contradiction]:
    """What is not in the zone that `domain` names. `hosts` are those of services, by the path of their keys."""
    if domain is None:
        return
    if domain.zone is None:
        yield "domain.zone", None, "the public zone in Route 53 that the name is in, such as example.com"
        return
    for path, host in {"domain.name": domain.name, **hosts}.items():
        if host != domain.zone and not host.endswith(f".{domain.zone}"):
            want = f"a name in the zone {domain.zone}, where its DNS record and certificate proof go"
            yield path, host, want


def zone_id(parent: pulumi.Resource, domain: Domain) -> pulumi.Output[str]:
    """The id of the zone, asked for below `parent`."""
    if domain.zone is None:
        raise TypeError("the domain of an edge on AWS has a zone")
    return aws.route53.get_zone_output(
        name=domain.zone, private_zone=False, opts=pulumi.InvokeOutputOptions(parent=parent)
    ).zone_id
