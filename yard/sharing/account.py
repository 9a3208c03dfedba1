"""The account that a team's state is kept in: what is there, and making what is not."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import boto3
import click
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from components.shell import command
from yard.sharing.parts import KEY, Home, Part, Request

SOON = Config(connect_timeout=10, read_timeout=30, retries={"mode": "standard", "max_attempts": 4})
PATIENCE, PAUSE = 20.0, 1.0
"""Seconds in which what was just made is known everywhere, and between two tries."""
ABSENT = {
    "404",
    "NotFoundException",
    "NoSuchBucketPolicy",
    "NoSuchPublicAccessBlockConfiguration",
    "OwnershipControlsNotFoundError",
    "ServerSideEncryptionConfigurationNotFoundError",
}
"""AWS's codes for what is not there."""
THEIRS = {"403", "BucketAlreadyExists"}
"""Its codes for a bucket of another account. The names of buckets are everybody's."""

Client = Callable[[str], Any]
"""Makes a boto3 client of a service."""


class Refused(click.ClickException):
    """AWS said no, or what is there is not what is wanted; says what to do."""


class _Absent(Exception):
    """There is no such thing yet."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


@dataclass(frozen=True)
class Row:
    """Something that is wanted, and what is to be done for it; nothing where it is there."""

    says: str
    to_do: Sequence[Request] = ()


@dataclass(frozen=True)
class Found:
    """What is there, and what is missing."""

    rows: Sequence[Row]
    key: str | None
    """The key's ARN."""

    @property
    def to_do(self) -> Sequence[Request]:
        """Everything that is missing, in its order."""
        return [each for row in self.rows for each in row.to_do]


@dataclass
class Account:
    """An account on AWS, with the credentials of whoever calls."""

    client: Client
    region: str
    _clients: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, region: str, profile: str | None) -> "Account":
        """That of a profile, or of the environment; nothing is asked yet."""
        try:
            session: Any = boto3.Session(region_name=region, profile_name=profile)
        except BotoCoreError as error:
            raise Refused(
                f"{error}: `{command('aws', 'configure', 'list-profiles')}` lists those that there are"
            ) from error
        return cls(lambda service: session.client(service, config=SOON), region)

    def home(self, bucket: str | None, alias: str, project: str) -> Home:
        """Where the state is to be; a bucket without a name is called by the project and the account."""
        who = self._call(Request("sts", "get_caller_identity", {}))
        partition = who["Arn"].split(":")[1]
        return Home(partition, who["Account"], self.region, bucket or f"{project}-state-{who['Account']}", alias)

    def look(self, home: Home) -> Found:
        """What is there. Raises `Refused` where the bucket or the key cannot be what is wanted."""
        key = self._key(home)
        arn = key or KEY
        has_bucket = self._has_bucket(home)
        policy = self._policy(home) if has_bucket else {}
        return Found(
            [
                Row(f"key {home.alias}", () if key else (home.make_key, home.name_key)),
                *self._rows(home.of_key(arn), there=bool(key)),
                Row(f"bucket {home.bucket}", () if has_bucket else (home.make_bucket,)),
                *self._rows(home.of_bucket(arn), there=has_bucket),
                Row("  TLS only, this account only", [*filter(None, [home.policy(policy)])]),
            ],
            key,
        )

    def make(self, home: Home, found: Found) -> None:
        """Whatever is missing."""
        key = found.key or KEY
        for request in found.to_do:
            answer = self._make(request.with_key(key))
            if request == home.make_key:
                key = answer["KeyMetadata"]["Arn"]

    def _make(self, request: Request) -> Any:
        """KMS may know a new key only some seconds later (its guide, "eventual consistency")."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self._call(request)
            except _Absent as absent:
                if time.monotonic() > deadline:
                    raise Refused(_explained(request, "", absent.error)) from absent
                time.sleep(PAUSE)

    def _key(self, home: Home) -> str | None:
        try:
            found = self._call(Request("kms", "describe_key", {"KeyId": home.alias}))["KeyMetadata"]
        except _Absent:
            return None
        if (key_state := found["KeyState"]) != "Enabled":
            mended = "enable-key" if key_state == "Disabled" else "cancel-key-deletion"
            way = command("aws", "kms", mended, "--key-id", found["Arn"], "--region", home.region)
            raise Refused(
                f"the key {home.alias} is there, and is {key_state}: `{way}` helps, or name another with --key"
            )
        if (found["KeyUsage"], found["KeySpec"]) != ("ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT"):
            raise Refused(
                f"the key {home.alias} is there, and is for {found['KeyUsage']} with {found['KeySpec']}; want"
                " ENCRYPT_DECRYPT with SYMMETRIC_DEFAULT: name another with --key"
            )
        return str(found["Arn"])

    def _has_bucket(self, home: Home) -> bool:
        asked = {"Bucket": home.bucket, "ExpectedBucketOwner": home.account}
        try:
            found = self._call(Request("s3", "head_bucket", asked))
        except _Absent:
            return False
        if (region := found.get("BucketRegion", home.region)) != home.region:
            raise Refused(
                f"the bucket {home.bucket} is there, in {region}, not in {home.region}: give --region {region}, or name"
                " another with --bucket"
            )
        return True

    def _policy(self, home: Home) -> Mapping[str, Any]:
        try:
            answer = self._call(Request("s3", "get_bucket_policy", {"Bucket": home.bucket}))
        except _Absent:
            return {}
        found: Mapping[str, Any] = json.loads(answer["Policy"])
        return found

    def _rows(self, parts: Sequence[Part], *, there: bool) -> Iterator[Row]:
        for part in parts:
            yield Row(f"  {part.says}", () if there and self._is_right(part) else (part.set,))

    def _is_right(self, part: Part) -> bool:
        try:
            return part.is_right(self._call(part.read))
        except _Absent:
            return False

    def _call(self, request: Request) -> Any:
        client = self._clients.get(request.service) or self._clients.setdefault(
            request.service, self.client(request.service)
        )
        try:
            return getattr(client, request.method)(**request.asked)
        except (BotoCoreError, ClientError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
            if code in ABSENT:
                raise _Absent(error) from error
            raise Refused(_explained(request, code, error)) from error


def _explained(request: Request, code: str, error: Exception) -> str:
    if code in THEIRS and request.method in ("head_bucket", "create_bucket"):
        return (
            f"the bucket {request.asked['Bucket']} is there, and it is another account's, or these credentials may not"
            " look at it: name another with --bucket, or use credentials that may"
        )
    if isinstance(error, NoCredentialsError):
        return "there are no credentials for AWS here: `aws configure` or `aws sso login`, or AWS_PROFILE names others"
    return f"AWS was asked for {request.service} {request.method}: {error}"
