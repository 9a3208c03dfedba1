"""Who may do all in a cluster of EKS: those that are named, and whoever deploys."""

from __future__ import annotations

from collections.abc import Iterable

import pulumi

from components.sdk import aws, eks

ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
CLUSTER = "aws:eks/cluster:Cluster"
DEPLOYER = "github-deploy"
"""The key of the deployer's entry, as its ARN is not known beforehand."""


def entries(named: Iterable[str], deployer: aws.iam.Role | None) -> dict[str, eks.AccessEntryArgs] | None:
    """An entry for each; None: there is none."""
    found = {each: _admin(each) for each in named}
    if deployer:
        found[DEPLOYER] = _admin(deployer.arn)
    return found or None


def _admin(role: pulumi.Input[str]) -> eks.AccessEntryArgs:
    """May do all in the cluster, as whoever made it may."""
    everywhere = aws.eks.AccessPolicyAssociationAccessScopeArgs(type="cluster")
    policy = eks.AccessPolicyAssociationArgs(policy_arn=ADMIN, access_scope=everywhere)
    return eks.AccessEntryArgs(principal_arn=role, access_policies={"admin": policy})


def creator_by_entry(deployer: aws.iam.Role, parent: pulumi.Resource) -> pulumi.ResourceTransform:
    """What keeps EKS from an entry of its own for the deployer, where it is the deployer that makes the cluster: it has
    ours, and a second one is an error (EKS API, CreateAccessEntry, ResourceInUseException). Anyone else who makes the
    cluster needs EKS's. Once a cluster is there, pulumi-eks ignores the field, whoever changes it."""
    caller = aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(parent=parent))
    by_another = pulumi.Output.all(caller.arn, deployer.name).apply(
        lambda known: f":assumed-role/{known[1]}/" not in known[0]
    )

    def change(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        if args.type_ != CLUSTER:
            return None
        access = pulumi.Output.all(args.props["accessConfig"], by_another).apply(
            lambda known: {**known[0], "bootstrapClusterCreatorAdminPermissions": known[1]}
        )
        return pulumi.ResourceTransformResult({**args.props, "accessConfig": access}, args.opts)

    return change
