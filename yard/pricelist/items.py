"""What is looked up in AWS's price lists: one table, from the key of a price to how AWS lists it.

To add a price: a row here, then `yard prices refresh` for each region. Usage types and families are those that
Infracost filters by (internal/resources/aws) and that records of the lists name; where AWS spells one differently
somewhere, both are given.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from components.aws.fleet import INSTANCE_TYPES

PREFIX = re.compile(r"(?:EU|[A-Z]{3,4}\d{1,2})-")
"""What a usage type begins with outside us-east-1, and for some services there too: APN1-, EUC1-, EU-, USE1-."""
FAMILIES = ("t3", "t4g", "m6i", "m7g", "m7i")
"""Of EC2: all their sizes that are known here."""


@dataclass(frozen=True)
class Item:
    """How AWS lists what one key stands for."""

    service: str
    """The code of the service, which has a price list of its own."""
    usages: tuple[str, ...]
    """Usage types without the region's prefix: the one there is, in the spellings there are."""
    unit: str
    """Ours. That AWS charges by the same is checked with UNITS."""
    where: Mapping[str, str] = field(default_factory=dict)
    """Attributes that tell the product from others of the same usage type."""
    factor: Decimal = Decimal(1)
    """How many of AWS's units make one of ours."""
    plus: str | None = None
    """The key of a price that this one is charged on top of: the two are added up."""
    instance: str | None = None
    """The EC2 type it is for. Not every region has every type."""
    note: str | None = None


UNITS = {
    "hour": r"(.*-)?(hrs?|hours?)",
    "GB": r"gb",
    "GB-month": r"gb-mo(nths?)?",
    "secret-month": r"secrets?",
    "10k calls": r"(api )?requests?",
}
"""Our units, or the last part of them, to a pattern for what AWS writes (in either case; it varies)."""


def bare(usage: str) -> str:
    """A usage type without its region's prefix."""
    prefix = PREFIX.match(usage)
    return usage[prefix.end() :] if prefix else usage


def _ec2(name: str) -> Item:
    linux = {
        "productFamily": "Compute Instance",
        "instanceType": name,
        "operatingSystem": "Linux",
        "operation": "RunInstances",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
    }
    return Item("AmazonEC2", (f"BoxUsage:{name}",), "hour", linux, instance=name, note="Linux on-demand, shared")


def _auto(name: str) -> Item:
    return Item("AmazonEKS", (f"EKS-Auto:{name}-management-hours",), "instance-hour", instance=name)


def _types() -> Iterator[str]:
    yield from (name for family in FAMILIES for name in INSTANCE_TYPES if name.startswith(f"{family}."))
    yield "c6i.large"


NODES = re.compile(r"m7[gi]\.\d*x?large")
"""What an estimate takes the nodes of EKS to be."""
ALB = {"productFamily": "Load Balancer-Application", "operation": "LoadBalancing:Application"}
NLB = {"productFamily": "Load Balancer-Network", "operation": "LoadBalancing:Network"}
NAT = {"productFamily": "NAT Gateway", "operation": "NatGateway"}
GP3 = {"productFamily": "Storage", "volumeApiName": "gp3"}
BOTH = "same rate on ECS and EKS"

ITEMS: Mapping[str, Item] = {
    "alb.hour": Item("AWSELB", ("LoadBalancerUsage",), "hour", ALB),
    "alb.lcu": Item("AWSELB", ("LCUUsage",), "LCU-hour", ALB),
    "ebs.gp3": Item("AmazonEC2", ("EBS:VolumeUsage.gp3",), "GB-month", GP3),
    **{f"ec2.{name}": _ec2(name) for name in _types()},
    "ecr.storage": Item(
        "AmazonECR", ("TimedStorage-ByteHrs",), "GB-month", {"productFamily": "EC2 Container Registry"}
    ),
    "eks.cluster": Item("AmazonEKS", ("AmazonEKS-Hours:perCluster",), "cluster-hour"),
    "eks.cluster-extended": Item(
        "AmazonEKS", ("AmazonEKS-Hours:extendedSupport",), "cluster-hour", plus="eks.cluster", note="both fees together"
    ),
    **{f"eks.auto.{name}": _auto(name) for name in _types() if NODES.fullmatch(name)},
    "endpoint.hour": Item("AmazonVPC", ("VpcEndpoint-Hours",), "endpoint-AZ-hour"),
    "endpoint.data": Item("AmazonVPC", ("VpcEndpoint-Bytes",), "GB"),
    "fargate.x86_64.vcpu": Item("AmazonECS", ("Fargate-vCPU-Hours:perCPU",), "vCPU-hour", note=BOTH),
    "fargate.x86_64.memory": Item("AmazonECS", ("Fargate-GB-Hours",), "GB-hour", note=BOTH),
    "fargate.arm64.vcpu": Item("AmazonECS", ("Fargate-ARM-vCPU-Hours:perCPU",), "vCPU-hour", note="arm64: ECS only"),
    "fargate.arm64.memory": Item("AmazonECS", ("Fargate-ARM-GB-Hours",), "GB-hour", note="arm64: ECS only"),
    "fargate.storage": Item("AmazonECS", ("Fargate-EphemeralStorage-GB-Hours",), "GB-hour", note="over 20 GB"),
    "ipv4.hour": Item("AmazonVPC", ("PublicIPv4:InUseAddress",), "address-hour"),
    "logs.ingest": Item("AmazonCloudWatch", ("DataProcessing-Bytes",), "GB", {"productFamily": "Data Payload"}),
    "logs.storage": Item(
        "AmazonCloudWatch", ("TimedStorage-ByteHrs",), "GB-month", {"productFamily": "Storage Snapshot"}
    ),
    "nat.hour": Item("AmazonEC2", ("NatGateway-Hours",), "hour", NAT),
    "nat.data": Item("AmazonEC2", ("NatGateway-Bytes",), "GB", NAT),
    "nlb.hour": Item("AWSELB", ("LoadBalancerUsage",), "hour", NLB),
    "nlb.lcu": Item("AWSELB", ("LCUUsage",), "NLCU-hour", NLB),
    "secrets.secret": Item(
        "AWSSecretsManager", ("AWSSecretsManager-Secrets", "AWSSecretsManager-Secret"), "secret-month"
    ),
    "secrets.calls": Item(
        "AWSSecretsManager",
        ("AWSSecretsManagerAPIRequest", "AWSSecretsManager-APIRequests"),
        "10k calls",
        factor=Decimal(10_000),
    ),
    "transfer.internet": Item(
        "AWSDataTransfer", ("DataTransfer-Out-Bytes",), "GB", {"transferType": "AWS Outbound", "toLocation": "External"}
    ),
}

SERVICES = sorted({item.service for item in ITEMS.values()}, key=lambda code: (code == "AmazonEC2", code))
"""Whose lists are read; the one of several hundred MB last."""
