"""Clusters of Amazon EKS: the component of pulumi-eks, and the cluster in it where that is seen."""

from typing import Any

from policy.control import Control, Resource

CLUSTER = ("eks:index:Cluster", "aws:eks/cluster:Cluster")


def _asked(cluster: Resource, name: str, nested: str = "") -> Any:
    """An input: of the component, or where the cluster has it. The engine may not show a component's: then the cluster
    in it is looked at alone."""
    return cluster.get(name, cluster.get(f"vpcConfig.{nested or name}"))


def _hidden(cluster: Resource) -> bool:
    return cluster.type == CLUSTER[0] and not cluster.inputs


ROWS = (
    Control(
        "EKS.1",
        CLUSTER,
        "The internet does not reach its API",
        lambda it, _: _hidden(it) or _asked(it, "endpointPublicAccess") is False,
        {"endpointPublicAccess": False},
        key="eks.private-access",
        exception="Pulumi must reach it from where it runs; IAM decides, and with `protect` the ranges must be named",
    ),
    Control(
        "EKS.2",
        CLUSTER,
        "Kubernetes is of a version that AWS supports without extra charge",
        lambda it, _: _hidden(it) or it.get("upgradePolicy.supportType") == "STANDARD",
        {"upgradePolicy": {"supportType": "EXTENDED"}},
    ),
    Control(
        "EKS.3",
        CLUSTER,
        "Kubernetes secrets are encrypted with a key of the account's own",
        lambda it, _: bool(it.get("encryptionConfigKeyArn") or it.get("encryptionConfig")),
        {"encryptionConfigKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1"},
        key="kms-key",
        exception="EKS encrypts them with a key of AWS's own",
    ),
    Control(
        "EKS.8",
        CLUSTER,
        "Its API keeps an audit log",
        lambda it, _: _hidden(it) or "audit" in it.every("enabledClusterLogTypes"),
        {"enabledClusterLogTypes": ["api"]},
    ),
)
