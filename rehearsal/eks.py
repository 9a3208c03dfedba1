"""The component `eks:index:Cluster` in Auto Mode, with the children that the real one makes (pulumi-eks 4.4).

What else the real component can do is refused by name.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes
from pulumi.provider import ConstructResult, Provider

CLUSTER = "eks:index:Cluster"
CLUSTER_POLICIES = (
    "AmazonEKSClusterPolicy",
    "AmazonEKSComputePolicy",
    "AmazonEKSBlockStoragePolicy",
    "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSNetworkingPolicy",
)
NODE_POLICIES = ("AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly")
UNDERSTOOD = frozenset(
    {
        *("name", "version", "tags", "clusterTags", "authenticationMode", "autoMode", "enabledClusterLogTypes"),
        *("vpcId", "subnetIds", "publicSubnetIds", "privateSubnetIds", "upgradePolicy", "deletionProtection"),
        *("endpointPrivateAccess", "endpointPublicAccess", "publicAccessCidrs", "encryptionConfigKeyArn"),
        *("createInstanceRole", "skipDefaultNodeGroup", "skipDefaultSecurityGroups", "corednsAddonOptions"),
        "accessEntries",
    }
)
"""Inputs that the rehearsal's component honours."""


class EksComponents(Provider):
    """The component provider of package eks."""

    def __init__(self) -> None:
        super().__init__(version="4.4.0")

    def construct(
        self, name: str, resource_type: str, inputs: Mapping[str, Any], options: pulumi.ResourceOptions | None = None
    ) -> ConstructResult:
        """Make the component and its children."""
        if resource_type != CLUSTER:
            raise ValueError(f"the rehearsal does not know {resource_type}")
        _refuse(name, inputs)
        cluster = Cluster(name, inputs, options)
        return ConstructResult(cluster.urn, cluster.state)


def _refuse(name: str, inputs: Mapping[str, Any]) -> None:
    if unknown := sorted(inputs.keys() - UNDERSTOOD):
        raise ValueError(f"the rehearsal does not know {', '.join(unknown)} of {CLUSTER} {name}")
    wanted = {
        "auto_mode={'enabled': True}": (inputs.get("autoMode") or {}).get("enabled") is True,
        "create_instance_role=False": inputs.get("createInstanceRole") is False,
        "skip_default_node_group=True": inputs.get("skipDefaultNodeGroup") is True,
        "coredns_addon_options={'enabled': False}": (inputs.get("corednsAddonOptions") or {}).get("enabled") is False,
    }
    if missing := [option for option, given in wanted.items() if not given]:
        raise ValueError(f"the rehearsal knows {CLUSTER} only with {', '.join(missing)}")


class ServiceRole(pulumi.ComponentResource):
    """A role that an AWS service takes, with managed policies."""

    def __init__(
        self, name: str, service: str, actions: list[str], policies: tuple[str, ...], tags: Any, parent: pulumi.Resource
    ) -> None:
        super().__init__("eks:index:ServiceRole", name, None, pulumi.ResourceOptions(parent=parent))
        child = pulumi.ResourceOptions(parent=self)
        trust = {"Action": actions, "Effect": "Allow", "Principal": {"Service": [service]}}
        self.role = aws.iam.Role(
            f"{name}-role",
            assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
            tags=tags,
            opts=child,
        )
        self.attached: list[pulumi.Resource] = [
            aws.iam.RolePolicyAttachment(f"{name}-{_hash(arn)}", policy_arn=arn, role=self.role.name, opts=child)
            for arn in (f"arn:aws:iam::aws:policy/{policy}" for policy in policies)
        ]
        self.register_outputs({"role": self.role})


def _hash(text: str) -> str:
    # The real component names the attachments so; nothing is protected by it.
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:8]


class Cluster(pulumi.ComponentResource):
    """`eks.Cluster` with `auto_mode` on."""

    state: dict[str, Any]

    def __init__(self, name: str, inputs: Mapping[str, Any], opts: pulumi.ResourceOptions | None) -> None:
        super().__init__(CLUSTER, name, None, opts)
        tags = inputs.get("tags")
        control = ServiceRole(
            f"{name}-eksRole", "eks.amazonaws.com", ["sts:AssumeRole", "sts:TagSession"], CLUSTER_POLICIES, tags, self
        )
        nodes = ServiceRole(f"{name}-nodeRole", "ec2.amazonaws.com", ["sts:AssumeRole"], NODE_POLICIES, tags, self)
        subnets = _subnets(inputs)
        cluster = self._cluster(name, inputs, subnets, control, nodes)
        for key, entry in (inputs.get("accessEntries") or {}).items():
            self._admit(f"{name}-{key}", cluster, entry)
        kubeconfig = pulumi.Output.all(
            cluster.name, cluster.endpoint, cluster.certificate_authority.data, cluster.region
        ).apply(lambda parts: _kubeconfig(*parts))
        provider = kubernetes.Provider(
            f"{name}-eks-k8s", kubeconfig=pulumi.Output.json_dumps(kubeconfig), opts=pulumi.ResourceOptions(parent=self)
        )
        core = {
            "cluster": cluster,
            "clusterIamRole": control.role,
            "endpoint": cluster.endpoint,
            "provider": provider,
            "kubeconfig": kubeconfig,
            "instanceRoles": [],
            "nodeGroupOptions": {},
            "subnetIds": subnets,
            "vpcId": cluster.vpc_config.vpc_id,
        }
        self.state = {**_outputs(cluster, kubeconfig), "autoModeNodeRoleName": nodes.role.name, "core": core}
        self.register_outputs(self.state)

    def _cluster(
        self, name: str, inputs: Mapping[str, Any], subnets: Any, control: ServiceRole, nodes: ServiceRole
    ) -> aws.eks.Cluster:
        compute = {"enabled": True, "node_role_arn": nodes.role.arn, "node_pools": ["general-purpose", "system"]}
        if configured := (inputs["autoMode"].get("computeConfig") or {}).get("nodePools"):
            compute["node_pools"] = configured
        options: dict[str, Any] = {
            "name": inputs.get("name"),
            "role_arn": control.role.arn,
            "compute_config": compute,
            "storage_config": {"block_storage": {"enabled": True}},
            "kubernetes_network_config": {"ip_family": "ipv4", "elastic_load_balancing": {"enabled": True}},
            "bootstrap_self_managed_addons": False,
            "vpc_config": {
                "subnet_ids": subnets,
                "endpoint_private_access": inputs.get("endpointPrivateAccess"),
                "endpoint_public_access": inputs.get("endpointPublicAccess"),
                "public_access_cidrs": inputs.get("publicAccessCidrs"),
            },
            "version": inputs.get("version"),
            "enabled_cluster_log_types": inputs.get("enabledClusterLogTypes"),
            "access_config": {
                "authentication_mode": inputs.get("authenticationMode"),
                "bootstrap_cluster_creator_admin_permissions": True,
            },
            "deletion_protection": inputs.get("deletionProtection"),
            "tags": {"Name": f"{name}-eksCluster", **(inputs.get("clusterTags") or {}), **(inputs.get("tags") or {})},
        }
        if policy := inputs.get("upgradePolicy"):
            options["upgrade_policy"] = {"support_type": policy["supportType"]}
        if key := inputs.get("encryptionConfigKeyArn"):
            options["encryption_config"] = {"provider": {"key_arn": key}, "resources": ["secrets"]}
        return aws.eks.Cluster(
            f"{name}-eksCluster",
            **options,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*control.attached, *nodes.attached],
                ignore_changes=["accessConfig.bootstrapClusterCreatorAdminPermissions", "bootstrapSelfManagedAddons"],
            ),
        )

    def _admit(self, name: str, cluster: aws.eks.Cluster, entry: Mapping[str, Any]) -> None:
        """Let an IAM principal in, with its policies."""
        admitted = aws.eks.AccessEntry(
            name,
            cluster_name=cluster.name,
            principal_arn=entry["principalArn"],
            kubernetes_groups=entry.get("kubernetesGroups"),
            type=entry.get("type"),
            user_name=entry.get("username"),
            tags=entry.get("tags"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        for key, policy in (entry.get("accessPolicies") or {}).items():
            aws.eks.AccessPolicyAssociation(
                f"{name}-{key}",
                cluster_name=cluster.name,
                principal_arn=entry["principalArn"],
                policy_arn=policy["policyArn"],
                access_scope=policy["accessScope"],
                opts=pulumi.ResourceOptions(parent=admitted, depends_on=[admitted]),
            )


def _outputs(cluster: aws.eks.Cluster, kubeconfig: pulumi.Output[dict[str, Any]]) -> dict[str, Any]:
    group, issuer = cluster.vpc_config.cluster_security_group_id, cluster.identities[0].oidcs[0].issuer
    of_other_modes = ("clusterIngressRuleId", "defaultNodeGroupAsgName", "fargateProfileId", "fargateProfileStatus")
    return {
        "eksCluster": cluster,
        "kubeconfig": kubeconfig,
        "kubeconfigJson": pulumi.Output.json_dumps(kubeconfig),
        "clusterSecurityGroupId": group,
        "nodeSecurityGroupId": group,
        "instanceRoles": [],
        "oidcIssuer": issuer,
        "oidcProviderUrl": issuer,
        "oidcProviderArn": "",
        **dict.fromkeys(of_other_modes, ""),
    }


def _subnets(inputs: Mapping[str, Any]) -> Any:
    if inputs.get("subnetIds") is not None:
        return inputs["subnetIds"]
    parts = pulumi.Output.all(inputs.get("publicSubnetIds") or [], inputs.get("privateSubnetIds") or [])
    return parts.apply(lambda lists: [*lists[0], *lists[1]])


def _kubeconfig(name: str, endpoint: str, authority: str, region: str) -> dict[str, Any]:
    login = ["--region", region, "eks", "get-token", "--cluster-name", name, "--output", "json"]
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "aws", "args": login}}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "kubernetes", "cluster": {"server": endpoint, "certificate-authority-data": authority}}],
        "contexts": [{"name": "aws", "context": {"cluster": "kubernetes", "user": "aws"}}],
        "current-context": "aws",
        "users": [{"name": "aws", "user": user}],
    }
