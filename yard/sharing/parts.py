"""What keeps a team's state on AWS, as data: each part with the call that reads it and the one that sets it.

Pulumi's backend for S3 needs a bucket and nothing else; `awskms` needs a key by its alias
(https://www.pulumi.com/docs/iac/concepts/state-and-backends/ and .../secrets/).
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore import xform_name

from components.shell import Shell, command, quoted

KEY = "<key>"
"""Stands in a request for the ARN of the key, which is known once it is made."""
BLOCKED = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)


@dataclass(frozen=True)
class Request:
    """A call to AWS, in boto3's words."""

    service: str
    method: str
    asked: Mapping[str, Any]

    def with_key(self, arn: str) -> "Request":
        """The same once the key is known."""
        asked = json.loads(json.dumps(self.asked).replace(KEY, arn))
        return Request(self.service, self.method, asked)

    def as_command(self, *options: str) -> str:
        """The same as a command of the AWS CLI, for a shell that has the key's ARN in `key`."""
        program = "s3api" if self.service == "s3" else self.service
        words = ["aws", program, self.method.replace("_", "-")]
        for name, value in self.asked.items():
            words += [f"--{xform_name(name, '-')}", _argument(value)]
        return command(*words, *options)


def _argument(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return Shell('"$key"'.join(quoted(each) if each else "" for each in text.split(KEY))) if KEY in text else text


@dataclass(frozen=True)
class Part:
    """Something that the bucket or the key has to have."""

    says: str
    read: Request
    is_right: Callable[[Any], bool]
    """Asked of the answer, where there is one."""
    set: Request


@dataclass(frozen=True)
class Home:
    """Where a team's state is to be."""

    partition: str
    account: str
    region: str
    bucket: str
    alias: str

    @property
    def backend(self) -> str:
        """For `pulumi login`."""
        return f"s3://{self.bucket}?region={self.region}"

    @property
    def secrets_provider(self) -> str:
        """For `--secrets-provider`."""
        return f"awskms://{self.alias}?region={self.region}"

    @property
    def make_key(self) -> Request:
        """The key, of the kind that encrypts, without an alias yet. By its policy the account says who may use it."""
        return Request("kms", "create_key", {"Description": f"State of Pulumi and its secrets, in {self.bucket}"})

    @property
    def name_key(self) -> Request:
        """Its alias."""
        return Request("kms", "create_alias", {"AliasName": self.alias, "TargetKeyId": KEY})

    @property
    def make_bucket(self) -> Request:
        """The bucket. us-east-1 is the one region that must not be said (S3 API, CreateBucket)."""
        place = {"CreateBucketConfiguration": {"LocationConstraint": self.region}}
        return self._s3("create_bucket", **({} if self.region == "us-east-1" else place))

    def of_key(self, key: str) -> Sequence[Part]:
        """What the key, by its ARN or KEY, has to have."""
        which = {"KeyId": key}
        return [
            Part(
                "another key material every year",
                Request("kms", "get_key_rotation_status", which),
                lambda found: bool(found["KeyRotationEnabled"]),
                Request("kms", "enable_key_rotation", which),
            )
        ]

    def of_bucket(self, key: str) -> Sequence[Part]:
        """What the bucket has to have, besides a policy."""
        return [self._private, self._owned, self._encrypted(key), self._versions]

    def policy(self, found: Mapping[str, Any]) -> Request | None:
        """What sets the bucket's policy so that it refuses what it has to, beside the statements of others that it has;
        None: it does."""
        statements, ours = found.get("Statement", []), list(self._refused())
        if all(each in statements for each in ours):
            return None
        names = [each["Sid"] for each in ours]
        theirs = [each for each in statements if each.get("Sid") not in names]
        policy = {"Version": "2012-10-17", **found, "Statement": [*theirs, *ours]}
        return self._s3("put_bucket_policy", Policy=json.dumps(policy))

    def _refused(self) -> Iterator[Mapping[str, Any]]:
        arn = f"arn:{self.partition}:s3:::{self.bucket}"
        everything = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [arn, f"{arn}/*"]}
        yield {"Sid": "TlsOnly", **everything, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
        others = {"StringNotEquals": {"aws:PrincipalAccount": self.account}}
        yield {"Sid": "ThisAccountOnly", **everything, "Condition": others}

    def _s3(self, method: str, **asked: Any) -> Request:
        return Request("s3", method, {"Bucket": self.bucket, **asked})

    @property
    def _private(self) -> Part:
        return Part(
            "private",
            self._s3("get_public_access_block"),
            lambda found: bool(found["PublicAccessBlockConfiguration"] == BLOCKED),
            self._s3("put_public_access_block", PublicAccessBlockConfiguration=BLOCKED),
        )

    @property
    def _owned(self) -> Part:
        rules = [{"ObjectOwnership": "BucketOwnerEnforced"}]
        return Part(
            "without access control lists",
            self._s3("get_bucket_ownership_controls"),
            lambda found: bool(found["OwnershipControls"]["Rules"] == rules),
            self._s3("put_bucket_ownership_controls", OwnershipControls={"Rules": rules}),
        )

    def _encrypted(self, key: str) -> Part:
        by = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
        # With a key of the bucket's own KMS is not asked, and paid, for each object (S3, "S3 Bucket Keys").
        rules = [{"ApplyServerSideEncryptionByDefault": by, "BucketKeyEnabled": True}]
        return Part(
            "encrypted with the key",
            self._s3("get_bucket_encryption"),
            lambda found: [each["ApplyServerSideEncryptionByDefault"] for each in _rules(found)] == [by],
            self._s3("put_bucket_encryption", ServerSideEncryptionConfiguration={"Rules": rules}),
        )

    @property
    def _versions(self) -> Part:
        return Part(
            "with versions",
            self._s3("get_bucket_versioning"),
            lambda found: bool(found.get("Status") == "Enabled"),
            self._s3("put_bucket_versioning", VersioningConfiguration={"Status": "Enabled"}),
        )


def _rules(found: Any) -> Sequence[Any]:
    rules: Sequence[Any] = found["ServerSideEncryptionConfiguration"]["Rules"]
    return rules
