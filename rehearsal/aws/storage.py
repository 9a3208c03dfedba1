"""What is kept: objects in buckets, logs, secrets, parameters."""

from collections.abc import Iterator

from rehearsal.aws import types
from rehearsal.aws.keys import under
from rehearsal.aws.making import computed
from rehearsal.aws.resource_type import Name, Ref, ResourceType, Unique, refuses
from rehearsal.state import ACCOUNT, CloudResource, CloudState

# --- buckets


@refuses("BucketNotEmpty", "S3 API")
def _has_objects(state: CloudState, bucket: CloudResource) -> Iterator[str]:
    """S3 keeps a bucket with objects unless forced."""
    if bucket.id in state.written and not bucket.get("forceDestroy"):
        yield f"the bucket {bucket.id} is not empty: access logs are in it"


BUCKET = ResourceType(
    types.BUCKET,
    computed(
        id="{bucket}",
        arn="arn:aws:s3:::{bucket}",
        bucketDomainName="{bucket}.s3.amazonaws.com",
        bucketRegionalDomainName="{bucket}.s3.{region}.amazonaws.com",
    ),
    (2, 1, 1),
    "bucket bucketPrefix objectLockEnabled",
    Name("bucket", 63, lower=True),
    unique=Unique("bucket", taken="BucketAlreadyOwnedByYou", regional=False),
    missing="NoSuchBucket",
    deleting=(_has_objects,),
    gone=lambda state, bucket: state.written.discard(bucket.id),
)


def _bucket_part(token: str, seconds: float = 1) -> ResourceType:
    of = (Ref("bucket", types.BUCKET, holds=False),)
    return ResourceType(token, computed(id="{bucket}"), (seconds, seconds, 1), "bucket", refs=of)


BUCKET_POLICY = _bucket_part("aws:s3/bucketPolicy:BucketPolicy")
BUCKET_PUBLIC_ACCESS_BLOCK = _bucket_part("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
BUCKET_LIFECYCLE = _bucket_part("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", 30)


# --- logs


def log_control_plane(state: CloudState, cluster: CloudResource) -> None:
    """A control plane of EKS that finds no log group for what it writes makes one, without an end, and leaves it behind
    (pulumi #9296; terraform-aws-eks #920, #2763)."""
    name, region = f"/aws/eks/{cluster.get('name')}/cluster", cluster.get("region")
    there = any(each.get("region") == region for each in state.where(types.LOG_GROUP, "name", name))
    reserved = (types.LOG_GROUP, region, name) in state.reserved_names
    if cluster.all("enabledClusterLogTypes") and not there and not reserved:
        made = {"name": name, "region": region, "arn": f"arn:aws:logs:{region}:{ACCOUNT}:log-group:{name}"}
        state.add(CloudResource(types.LOG_GROUP, name, name, "", {"name": name}, made, ready=True))


def _log_group_gone(state: CloudState, group: CloudResource) -> None:
    if group.get("skipDestroy"):
        state.reserve(group, "the log group was kept when its stack was destroyed")
    for cluster in state.every(types.EKS_CLUSTER):
        log_control_plane(state, cluster)


LOG_GROUP = ResourceType(
    types.LOG_GROUP,
    computed(id="{name}", arn="arn:aws:logs:{region}:{account}:log-group:{name}"),
    replace="name namePrefix logGroupClass",
    name=Name(longest=512),
    unique=Unique("name", taken="ResourceAlreadyExistsException"),
    creating=(under("kmsKeyId"),),
    gone=_log_group_gone,
)


# --- secrets and parameters


def _secret_gone(state: CloudState, secret: CloudResource) -> None:
    if secret.get("recoveryWindowInDays", 30):
        state.reserve(secret, "a secret with this name is already scheduled for deletion")


SECRET = ResourceType(
    types.SECRET,
    computed(arn="arn:aws:secretsmanager:{region}:{account}:secret:{name}-{hex:.6}", id="{arn}"),
    replace="name namePrefix",
    name=Name(longest=512),
    unique=Unique("name", taken="ResourceExistsException"),
    missing="ResourceNotFoundException",
    creating=(under("kmsKeyId"),),
    gone=_secret_gone,
)
SECRET_VERSION = ResourceType(
    types.SECRET_VERSION,
    computed(versionId="{hex:.32}", id="{secretId}|{versionId}", arn="{secretId}", versionStages=["AWSCURRENT"]),
    replace="secretId secretString secretBinary",
    refs=(Ref("secretId", types.SECRET, holds=False),),
)
SECRET_POLICY = ResourceType(
    types.SECRET_POLICY,
    computed(id="{secretArn}"),
    replace="secretArn",
    refs=(Ref("secretArn", types.SECRET, holds=False),),
)
SSM_PARAMETER = ResourceType(
    "aws:ssm/parameter:Parameter",
    computed(id="{name}", arn="arn:aws:ssm:{region}:{account}:parameter{name}", version=1),
    replace="name",
    unique=Unique("name", taken="ParameterAlreadyExists"),
)
