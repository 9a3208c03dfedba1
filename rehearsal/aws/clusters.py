"""EKS: clusters, who may enter them, and their add-ons."""

from collections.abc import Iterator

from components.model import is_example, is_public
from policy.control import values
from rehearsal.aws import types
from rehearsal.aws.data_source import Question, data_source
from rehearsal.aws.keys import ENCRYPTION, other_key, under
from rehearsal.aws.making import Facts, computed
from rehearsal.aws.resource_type import EVERYTHING, NAME, Ref, ResourceType, Start, Unique, refuses
from rehearsal.aws.storage import log_control_plane
from rehearsal.state import CloudResource, CloudState
from rehearsal.wire import Properties

ANYWHERE = "0.0.0.0/0"


def _cluster(facts: Facts) -> Properties:
    subnets = [facts.state.find(types.SUBNET, each) for each in values(facts.inputs, "vpcConfig.subnetIds")]
    vpc, digits = next((each.get("vpcId") for each in subnets if each), ""), facts.hex(32).upper()
    issuer = f"https://oidc.eks.{facts.region}.amazonaws.com/id/{digits}"
    return computed(
        id="{name}",
        arn="arn:aws:eks:{region}:{account}:cluster/{name}",
        endpoint=f"https://{digits}.gr7.{{region}}.eks.amazonaws.com",
        certificateAuthority={"data": "cmVoZWFyc2Fs"},
        certificateAuthorities=[{"data": "cmVoZWFyc2Fs"}],
        identities=[{"oidcs": [{"issuer": issuer}]}],
        platformVersion="eks.1",
        status="ACTIVE",
        version=facts.inputs.get("version", "1.34"),
        vpcConfig=facts.inputs["vpcConfig"] | {"clusterSecurityGroupId": f"sg-{facts.hex(17)}", "vpcId": vpc},
    )(facts)


@refuses("InvalidParameterException", 'EKS user guide, "Configure network access to cluster API server endpoint"')
def _private_access(_: CloudState, cluster: CloudResource) -> Iterator[str]:
    """Who may reach a cluster's API over the internet must be able to come from there: no reserved addresses. A range
    for documentation stands for a user's own here; EKS itself refuses that too."""
    blocks = [each for each in cluster.all("vpcConfig.publicAccessCidrs") if each != ANYWHERE]
    if wrong := [each for each in blocks if not is_public(each) and not is_example(each)]:
        yield f"The following CIDRs are not allowed in publicAccessCidrs: [{', '.join(wrong)}]"


def _cluster_gone(state: CloudState, cluster: CloudResource) -> None:
    for inside in [each for each in state if each.cluster == cluster.get("endpoint")]:
        state.remove(inside)


CLUSTER = ResourceType(
    types.EKS_CLUSTER,
    _cluster,
    (540, 300, 210),
    "name roleArn bootstrapSelfManagedAddons outpostConfig vpcConfig.securityGroupIds"
    " accessConfig.bootstrapClusterCreatorAdminPermissions"
    " kubernetesNetworkConfig.ipFamily kubernetesNetworkConfig.serviceIpv4Cidr",
    NAME,
    refs=(
        Ref("roleArn", types.ROLE, holds=False),
        Ref("computeConfig.nodeRoleArn", types.ROLE, holds=False),
        Ref("vpcConfig.subnetIds", types.SUBNET),
        Ref("vpcConfig.securityGroupIds", types.SECURITY_GROUP),
    ),
    unique=Unique("name", taken="ResourceInUseException"),
    missing="ResourceNotFoundException",
    brings=(Ref("vpcConfig.clusterSecurityGroupId", types.SECURITY_GROUP),),
    starts=lambda _, cluster: Start(cluster.all("vpcConfig.subnetIds"), public=True),
    creating=(_private_access, under(f"{ENCRYPTION}.provider.keyArn"), other_key),
    made=log_control_plane,
    gone=_cluster_gone,
)


@data_source("aws:eks/getCluster:getCluster")
def get_cluster(ask: Question) -> Properties:
    cluster = ask.found(types.EKS_CLUSTER, "name", "ResourceNotFoundException")
    return cluster.plain | {"id": cluster.id}


@data_source("aws:eks/getClusterAuth:getClusterAuth")
def get_cluster_auth(ask: Question) -> Properties:
    cluster = ask.found(types.EKS_CLUSTER, "name", "ResourceNotFoundException")
    return {"id": cluster.id, "name": cluster.id, "token": "k8s-aws-v1.rehearsal"}


# --- what a cluster has

ARN = "arn:aws:eks:{region}:{account}"
OF_CLUSTER = (Ref("clusterName", types.EKS_CLUSTER, holds=False),)


ADDON = ResourceType(
    "aws:eks/addon:Addon",
    computed(id="{clusterName}:{addonName}", arn=f"{ARN}:addon/{{clusterName}}/{{addonName}}/{{hex:.8}}"),
    (45, 60, 20),
    "clusterName addonName",
    refs=OF_CLUSTER,
    unique=Unique("clusterName addonName", taken="ResourceInUseException"),
)


@data_source("aws:eks/getAddonVersion:getAddonVersion")
def get_addon_version(ask: Question) -> Properties:
    name, kubernetes = ask.args["addonName"], ask.args["kubernetesVersion"]
    return {"id": name, "addonName": name, "kubernetesVersion": kubernetes, "version": "v1.0.0-eksbuild.1"}


@refuses("InvalidParameterException", "EKS user guide, trust policy required by EKS Pod Identity")
def _wrong_trust(state: CloudState, association: CloudResource) -> Iterator[str]:
    """A role that does not trust EKS for pods, or not to tag its sessions, gives pods nothing."""
    role = state.find(types.ROLE, association.get("roleArn", ""))
    trusted = role.get("assumeRolePolicy", "") if role else ""
    if role and not all(each in trusted for each in ("pods.eks.amazonaws.com", "sts:AssumeRole", "sts:TagSession")):
        yield f"{role.name} must trust pods.eks.amazonaws.com with sts:AssumeRole and sts:TagSession"


POD_IDENTITY = ResourceType(
    types.POD_IDENTITY,
    computed(
        id="{clusterName}:{serviceAccount}",
        associationArn=f"{ARN}:podidentityassociation/{{clusterName}}/a-{{hex:.17}}",
    ),
    (2, 2, 1),
    "clusterName namespace serviceAccount",
    refs=(*OF_CLUSTER, Ref("roleArn", types.ROLE, holds=False)),
    creating=(_wrong_trust,),
    unique=Unique("clusterName namespace serviceAccount", taken="ResourceInUseException"),
)
ACCESS_ENTRY = ResourceType(
    types.ACCESS_ENTRY,
    computed(id="{clusterName}:{principalArn}", accessEntryArn=f"{ARN}:access-entry/{{clusterName}}/{{hex:.8}}"),
    replace="clusterName principalArn type",
    refs=OF_CLUSTER,
    unique=Unique("clusterName principalArn", taken="ResourceInUseException"),
)


@refuses("ResourceNotFoundException", "EKS API, AssociateAccessPolicy")
def _no_entry(state: CloudState, policy: CloudResource) -> Iterator[str]:
    """A policy is given to an access entry of the cluster, not to a role."""
    cluster, principal = policy.get("clusterName"), policy.get("principalArn")
    entries = state.where(types.ACCESS_ENTRY, "principalArn", principal)
    if not any(each.get("clusterName") == cluster for each in entries):
        yield f"{policy.name}: {principal} has no access entry in the cluster {cluster}"


ACCESS_POLICY = ResourceType(
    types.ACCESS_POLICY,
    computed(id="{clusterName}#{principalArn}#{policyArn}"),
    replace=EVERYTHING,
    refs=OF_CLUSTER,
    creating=(_no_entry,),
)
