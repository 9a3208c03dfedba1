"""The account, and the roles in it."""

from collections.abc import Iterator

from rehearsal.aws import types
from rehearsal.aws.data_source import Question, data_source
from rehearsal.aws.making import Facts, Make, computed
from rehearsal.aws.resource_type import Name, Ref, ResourceType, Unique, refuses
from rehearsal.state import ACCOUNT, CloudResource, CloudState
from rehearsal.wire import Properties


@data_source("aws:index/getCallerIdentity:getCallerIdentity")
def get_caller(_: Question) -> Properties:
    arn = f"arn:aws:iam::{ACCOUNT}:user/rehearsal"
    return {"id": ACCOUNT, "accountId": ACCOUNT, "arn": arn, "userId": "AIDAREHEARSAL"}


@data_source("aws:index/getRegion:getRegion")
def get_region(ask: Question) -> Properties:
    endpoint = f"ec2.{ask.region}.amazonaws.com"
    return {"id": ask.region, "name": ask.region, "endpoint": endpoint, "description": ask.region}


@data_source("aws:index/getPartition:getPartition")
def get_partition(_: Question) -> Properties:
    return {"id": "aws", "partition": "aws", "dnsSuffix": "amazonaws.com", "reverseDnsPrefix": "com.amazonaws"}


def _principal(kind: str) -> Make:
    def make(facts: Facts) -> Properties:
        path = facts.inputs.get("path", "/")
        arn = f"arn:aws:iam::{{account}}:{kind}{path}{{name}}"
        return computed(id="{name}", arn=arn, uniqueId=f"A{facts.hex(20).upper()}", path=path)(facts)

    return make


def _managed(facts: Facts) -> Properties:
    """The id of a policy is its ARN."""
    made = _principal("policy")(facts)
    return made | {"id": made["arn"]}


def _identity_provider(facts: Facts) -> Properties:
    arn = _arn_of_provider(facts.inputs["url"])
    return {"id": arn, "arn": arn}


def _arn_of_provider(url: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:oidc-provider/{url.removeprefix('https://')}"


OIDC_PROVIDER = ResourceType(
    types.OIDC_PROVIDER,
    _identity_provider,
    replace="url",
    unique=Unique("url", taken="EntityAlreadyExists", regional=False),
)


@data_source("aws:iam/getOpenIdConnectProvider:getOpenIdConnectProvider")
def get_identity_provider(ask: Question) -> Properties:
    """One that someone else made: what the stack's configuration names is taken to exist."""
    arn = _arn_of_provider(ask.args["url"])
    return {"id": arn, "arn": arn, "clientIdLists": ["sts.amazonaws.com"], "thumbprintLists": [], "tags": {}}


MANAGED = 6_144
"""Characters of a managed policy, without white space; AWS raises it for nobody."""


@refuses("LimitExceeded", 'IAM user guide, "IAM and AWS STS quotas"; IAM API, CreatePolicy')
def _too_long(_: CloudState, policy: CloudResource) -> Iterator[str]:
    """A managed policy has room for so much."""
    if len("".join(policy.get("policy", "").split())) > MANAGED:
        yield f"Cannot exceed quota for PolicySize: {MANAGED}"


@refuses("DeleteConflict", "IAM API, DeletePolicy")
def _attached(state: CloudState, policy: CloudResource) -> Iterator[str]:
    """A policy that a role has, or that is the boundary of one, stays."""
    arn = policy.get("arn")
    attached = state.where(types.ROLE_POLICY_ATTACHMENT, "policyArn", arn)
    for each in (*attached, *state.where(types.ROLE, "permissionsBoundary", arn)):
        yield f"Cannot delete a policy attached to entities: {each.name}"


POLICY = ResourceType(
    types.POLICY,
    _managed,
    replace="name namePrefix path description",
    name=Name(longest=128),
    unique=Unique("name", taken="EntityAlreadyExists", regional=False),
    missing="NoSuchEntity",
    creating=(_too_long,),
    deleting=(_attached,),
)
ROLE = ResourceType(
    types.ROLE,
    _principal("role"),
    replace="name namePrefix path",
    name=Name(longest=64),
    refs=(Ref("permissionsBoundary", types.POLICY, holds=False),),
    unique=Unique("name", taken="EntityAlreadyExists", regional=False),
    missing="NoSuchEntity",
    in_use="DeleteConflict",
)
INSTANCE_PROFILE = ResourceType(
    types.INSTANCE_PROFILE,
    _principal("instance-profile"),
    (7, 1, 1),
    "name namePrefix path",
    Name(longest=128),
    refs=(Ref("role", types.ROLE),),
    unique=Unique("name", taken="EntityAlreadyExists", regional=False),
)

OF_ROLE = Ref("role", types.ROLE, unless="forceDetachPolicies")
INLINE = 10_240
"""Characters of all inline policies of a role together, without white space; AWS raises it for nobody."""


@refuses("LimitExceeded", 'IAM user guide, "IAM and AWS STS quotas"; IAM API, PutRolePolicy')
def _too_long_policies(state: CloudState, policy: CloudResource) -> Iterator[str]:
    """A role has room for so much."""
    role = policy.get("role")
    beside = [each for each in state.where(types.ROLE_POLICY, "role", role) if not each.same(policy)]
    if sum(len("".join(each.get("policy", "").split())) for each in (policy, *beside)) > INLINE:
        yield f"Maximum policy size of {INLINE} bytes exceeded for role {role}"


ROLE_POLICY = ResourceType(
    types.ROLE_POLICY,
    computed(id="{role}:{name}"),
    replace="role name namePrefix",
    name=Name(longest=128),
    refs=(OF_ROLE,),
    creating=(_too_long_policies,),
)


@refuses("RuntimeCutOff", "pulumi-eks: the cluster depends on its roles' policies")
def _cluster_needs_policy(state: CloudState, attachment: CloudResource) -> Iterator[str]:
    """An EKS cluster whose role has lost its policies cannot take its own nodes and interfaces away."""
    policy, role = attachment.get("policyArn", ""), state.find(types.ROLE, attachment.get("role", ""))
    attached = state.where(types.ROLE_POLICY_ATTACHMENT, "role", attachment.get("role"))
    twins = [each for each in attached if each is not attachment and each.get("policyArn") == policy]
    for cluster in state.every(types.EKS_CLUSTER):
        roles = (cluster.get("roleArn"), cluster.get("computeConfig.nodeRoleArn"))
        if role and role.get("arn") in roles and not twins:
            yield f"the cluster {cluster.id} is alive and needs {policy.rsplit('/', 1)[-1]} while it is deleted"


ROLE_POLICY_ATTACHMENT = ResourceType(
    types.ROLE_POLICY_ATTACHMENT,
    computed(id="{role}-{hex:.17}"),
    replace="role policyArn",
    refs=(OF_ROLE,),
    deleting=(_cluster_needs_policy,),
)


def allows(state: CloudState, role: CloudResource, text: str, *managed: str) -> bool:
    """Whether an inline policy of a role has a text in it, or it has a managed policy with one of these in its name."""
    inline = state.where(types.ROLE_POLICY, "role", *role.handles)
    attached = state.where(types.ROLE_POLICY_ATTACHMENT, "role", *role.handles)
    return any(text in each.get("policy", "") for each in inline) or any(
        name in each.get("policyArn", "") for each in attached for name in managed
    )
