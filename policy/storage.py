"""Buckets and secrets."""

from collections.abc import Iterable, Mapping
from typing import Any

from policy.control import PRODUCTION, Control, Graph, Resource, is_list

BUCKET = ("aws:s3/bucket:Bucket",)
BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
POLICY = "aws:s3/bucketPolicy:BucketPolicy"
LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
ACL = "aws:s3/bucketAcl:BucketAcl"
LOGGING = "aws:s3/bucketLogging:BucketLogging"
ROTATION = "aws:secretsmanager/secretRotation:SecretRotation"
SECRET = ("aws:secretsmanager/secret:Secret",)


def _blocked(*flags: str) -> Any:
    """A test of a bucket: what blocks the public from it has all of these."""
    return lambda it, graph: any(all(each.on(flag) for flag in flags) for each in graph.users(it, BLOCK))


def statements(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The statements of a policy: one may stand without a list."""
    found = document.get("Statement", [])
    return list(found) if is_list(found) else [found]


def _refuses_plain(statement: Mapping[str, Any]) -> bool:
    secure = statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")
    return statement.get("Effect") == "Deny" and str(secure).lower() == "false"


def _takes_tls_alone(bucket: Resource, graph: Graph) -> bool:
    return any(
        _refuses_plain(one) for each in graph.users(bucket, POLICY) for one in statements(each.document("policy"))
    )


def _with(it: Resource, graph: Graph, type_: str) -> Iterable[Resource]:
    return [*graph, Resource(f"{it.urn}-more", type_, {}, frozenset({it.urn}))]


KEYED: Mapping[str, str] = {
    "aws:cloudwatch/logGroup:LogGroup": "kmsKeyId",
    "aws:ecr/repository:Repository": "encryptionConfigurations.kmsKey",
    "aws:eks/cluster:Cluster": "encryptionConfig.provider.keyArn",
    SECRET[0]: "kmsKeyId",
}
"""What can be under a KMS key of one's own -> where it says which."""


def _as_the_others(it: Resource, graph: Graph) -> bool:
    """A login of ECR's cache is under AWS's own key, for ECR takes no other there."""
    keys = {each.get(path) for type_, path in KEYED.items() for each in graph.of(type_)} - {None}
    return it.get(KEYED[it.type]) in (keys or {None}) or it.get("namePrefix", "").startswith("ecr-pullthroughcache/")


ROTATED = "it is a value of the service's own, which AWS cannot change: `pulumi config set --secret` gives a new one"

ROWS = (
    Control(
        "S3.2", BUCKET, "The public cannot read it", _blocked("blockPublicAcls", "ignorePublicAcls"), BLOCK, wired=True
    ),
    Control("S3.3", BUCKET, "The public cannot write to it", _blocked("blockPublicPolicy"), BLOCK, wired=True),
    Control("S3.5", BUCKET, "It takes TLS alone", _takes_tls_alone, POLICY, wired=True),
    Control(
        "S3.8",
        BUCKET,
        "All public access is blocked",
        _blocked("blockPublicAcls", "ignorePublicAcls", "blockPublicPolicy", "restrictPublicBuckets"),
        BLOCK,
        wired=True,
    ),
    Control(
        "S3.9",
        BUCKET,
        "Who reads it is logged",
        lambda it, graph: bool(graph.users(it, LOGGING)),
        lambda it, graph: _with(it, graph, LOGGING),
        exception="it holds logs: it would log itself",
        wired=True,
    ),
    Control(
        "S3.12",
        BUCKET,
        "No access control list says who reads it",
        lambda it, graph: it.get("acl", "private") == "private" and not graph.users(it, ACL),
        {"acl": "public-read"},
        wired=True,
    ),
    Control(
        "S3.13",
        BUCKET,
        "What is old is removed",
        lambda it, graph: bool(graph.users(it, LIFECYCLE)),
        LIFECYCLE,
        wired=True,
    ),
    Control(
        "SecretsManager.1",
        SECRET,
        "It is changed by itself",
        lambda it, graph: bool(graph.users(it, ROTATION)),
        lambda it, graph: _with(it, graph, ROTATION),
        exception=ROTATED,
        wired=True,
    ),
    Control(
        "SecretsManager.4",
        SECRET,
        "It is changed within 90 days",
        lambda it, graph: bool(graph.users(it, ROTATION)),
        lambda it, graph: _with(it, graph, ROTATION),
        exception=ROTATED,
        wired=True,
    ),
    Control(
        "one-key",
        tuple(KEYED),
        "Where a KMS key of one's own encrypts anything, it encrypts all that takes one",
        _as_the_others,
        lambda it, graph: [*graph, Resource(f"{it.urn}-more", SECRET[0], {KEYED[SECRET[0]]: "arn:aws:kms:another"})],
        key="kms-key",
        wired=True,
    ),
    Control(
        "secrets-kept",
        SECRET,
        "A deleted secret can be recovered for a week",
        lambda it, _: it.get("recoveryWindowInDays", 30) >= 7,
        {"recoveryWindowInDays": 0},
        PRODUCTION,
        key="protect",
    ),
)
