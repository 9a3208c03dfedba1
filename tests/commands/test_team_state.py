"""`yard state init`: a bucket and a key for a team's state, by requests that AWS's own models take."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import yaml
from botocore.exceptions import NoCredentialsError
from botocore.stub import Stubber
from click.testing import CliRunner, Result

from yard import state_
from yard.__main__ import main
from yard.sharing import account
from yard.sharing.account import Account

ACCOUNT, REGION = "123456789012", "eu-central-1"
ARN = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"
BUCKET, KEY = f"shop-state-{ACCOUNT}", "alias/shop-state"
LOOKED = {"Bucket": BUCKET, "ExpectedBucketOwner": ACCOUNT}
PRIVATE = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
OWNED = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
ENCRYPTED = {
    "Rules": [
        {
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": ARN},
            "BucketKeyEnabled": True,
        }
    ]
}
EVERYTHING = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
}
REFUSED = [
    {"Sid": "TlsOnly", **EVERYTHING, "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
    {"Sid": "ThisAccountOnly", **EVERYTHING, "Condition": {"StringNotEquals": {"aws:PrincipalAccount": ACCOUNT}}},
]
THEIRS = {
    "Sid": "Audit",
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/audit"},
    "Action": "s3:ListBucket",
    "Resource": f"arn:aws:s3:::{BUCKET}",
}


def policy(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


@cache
def client(service: str) -> Any:
    """boto3 takes a while for each."""
    any_service: Any = boto3.client
    return any_service(service, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test")


class Aws:
    """Answers as it was told, in that order, and takes no request that it was not told of."""

    def __init__(self) -> None:
        self._stubs = {name: Stubber(client(name)) for name in ("sts", "kms", "s3")}
        for stub in self._stubs.values():
            stub.activate()
        arn = f"arn:aws:iam::{ACCOUNT}:user/ann"
        self.takes("sts", "get_caller_identity", {}, {"Account": ACCOUNT, "Arn": arn, "UserId": "A"})

    def __call__(self, service: str) -> Any:
        return client(service)

    def takes(self, service: str, method: str, asked: Mapping[str, Any], answer: Mapping[str, Any] = {}) -> None:
        self._stubs[service].add_response(method, dict(answer), dict(asked))

    def refuses(self, service: str, method: str, code: str, asked: Mapping[str, Any]) -> None:
        self._stubs[service].add_client_error(method, code, expected_params=dict(asked))

    def has_key(self, **changed: str) -> None:
        found = {"KeyId": "1", "Arn": ARN, "KeyState": "Enabled", "KeyUsage": "ENCRYPT_DECRYPT"}
        answer = {"KeyMetadata": {**found, "KeySpec": "SYMMETRIC_DEFAULT", **changed}}
        self.takes("kms", "describe_key", {"KeyId": KEY}, answer)

    def has_bucket(self, *statements: Mapping[str, Any], versions: str = "Enabled") -> None:
        which = {"Bucket": BUCKET}
        self.takes("s3", "head_bucket", LOOKED, {"BucketRegion": REGION})
        self.takes("s3", "get_bucket_policy", which, {"Policy": policy(*statements)})
        self.takes("s3", "get_public_access_block", which, {"PublicAccessBlockConfiguration": PRIVATE})
        self.takes("s3", "get_bucket_ownership_controls", which, {"OwnershipControls": OWNED})
        self.takes("s3", "get_bucket_encryption", which, {"ServerSideEncryptionConfiguration": ENCRYPTED})
        self.takes("s3", "get_bucket_versioning", which, {"Status": versions})

    def rotates(self) -> None:
        self.takes("kms", "get_key_rotation_status", {"KeyId": ARN}, {"KeyRotationEnabled": True})

    def has_nothing(self) -> None:
        self.refuses("kms", "describe_key", "NotFoundException", {"KeyId": KEY})
        self.refuses("s3", "head_bucket", "404", LOOKED)

    def makes_all(self) -> None:
        which = {"Bucket": BUCKET}
        description = {"Description": f"State of Pulumi and its secrets, in {BUCKET}"}
        self.takes("kms", "create_key", description, {"KeyMetadata": {"KeyId": "1", "Arn": ARN}})
        self.takes("kms", "create_alias", {"AliasName": KEY, "TargetKeyId": ARN})
        self.takes("kms", "enable_key_rotation", {"KeyId": ARN})
        place = {"CreateBucketConfiguration": {"LocationConstraint": REGION}}
        self.takes("s3", "create_bucket", {**which, **place})
        self.takes("s3", "put_public_access_block", {**which, "PublicAccessBlockConfiguration": PRIVATE})
        self.takes("s3", "put_bucket_ownership_controls", {**which, "OwnershipControls": OWNED})
        self.takes("s3", "put_bucket_encryption", {**which, "ServerSideEncryptionConfiguration": ENCRYPTED})
        self.takes("s3", "put_bucket_versioning", {**which, "VersioningConfiguration": {"Status": "Enabled"}})
        self.takes("s3", "put_bucket_policy", {**which, "Policy": policy(*REFUSED)})

    def was_asked_all(self) -> None:
        for stub in self._stubs.values():
            stub.deactivate()
            stub.assert_no_pending_responses()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "config").mkdir()
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: python\nstackConfigDir: config\n", encoding="utf-8")
    config = yaml.safe_dump({"config": {"aws:region": REGION}})
    (tmp_path / "config/Pulumi.dev.yaml").write_text(config, encoding="utf-8")
    monkeypatch.setattr("yard.here.ROOT", tmp_path)
    monkeypatch.setattr(state_, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def aws(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    aws = Aws()
    monkeypatch.setattr(Account, "of", lambda region, profile: Account(aws, region))
    yield aws
    aws.was_asked_all()


def init(*words: str, code: int = 0) -> Result:
    found = CliRunner().invoke(main, ["state", "init", *words])
    assert found.exit_code == code, found.output
    return found


def test_all_of_it_is_made_and_said_how_to_use(aws: Aws) -> None:
    aws.has_nothing()
    aws.makes_all()
    outcome = json.loads(init("--yes", "--json").stdout)
    assert outcome["backend"] == f"s3://{BUCKET}?region={REGION}"
    assert outcome["secrets_provider"] == f"awskms://{KEY}?region={REGION}"
    assert len(outcome["parts"]) == 8
    assert all(each["made"] for each in outcome["parts"])


@pytest.mark.parametrize("patience", [20, -1])
def test_a_key_that_is_not_known_everywhere_yet_is_asked_for_again(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, patience: float
) -> None:
    monkeypatch.setattr(account, "PATIENCE", patience)
    monkeypatch.setattr(account, "PAUSE", 0)
    aws.has_key()
    aws.takes("kms", "get_key_rotation_status", {"KeyId": ARN}, {"KeyRotationEnabled": False})
    aws.has_bucket(*REFUSED)
    aws.refuses("kms", "enable_key_rotation", "NotFoundException", {"KeyId": ARN})
    if patience < 0:
        assert "AWS was asked for kms enable_key_rotation" in init("--yes", code=1).stderr
        return
    aws.takes("kms", "enable_key_rotation", {"KeyId": ARN})
    assert "another key material every year: made" in init("--yes").stdout


def test_what_is_there_is_said_and_left(aws: Aws) -> None:
    aws.has_key()
    aws.rotates()
    aws.has_bucket(*REFUSED)
    said = init().stdout  # nothing is to be made, so nobody is asked
    assert said.count(": there") == 8
    assert f"pulumi login 's3://{BUCKET}?region={REGION}'" in said
    by = f"--secrets-provider 'awskms://{KEY}?region={REGION}'"
    assert f"yard state move --stack dev --to 's3://{BUCKET}?region={REGION}' {by}" in said
    assert f"pulumi stack init dev {by}" in said


def test_only_what_is_missing_is_set_and_others_statements_stay(aws: Aws) -> None:
    aws.has_key()
    aws.rotates()
    aws.has_bucket(THEIRS, REFUSED[0], versions="Suspended")
    versions = {"Bucket": BUCKET, "VersioningConfiguration": {"Status": "Enabled"}}
    aws.takes("s3", "put_bucket_versioning", versions)
    aws.takes("s3", "put_bucket_policy", {"Bucket": BUCKET, "Policy": policy(THEIRS, *REFUSED)})
    made = [each["what"] for each in json.loads(init("--yes", "--json").stdout)["parts"] if each["made"]]
    assert made == ["with versions", "TLS only, this account only"]


def test_it_asks_before_it_makes_anything(aws: Aws) -> None:
    aws.has_nothing()
    assert "give --yes" in init(code=2).stderr


@pytest.mark.parametrize("given", [["--region", "eu-mars-1"], []])
def test_a_region_that_aws_does_not_have_is_refused_before_anything_is_asked(project: Path, given: list[str]) -> None:
    config = yaml.safe_dump({"config": {"aws:region": REGION if given else "eu-mars-1"}})
    (project / "config/Pulumi.dev.yaml").write_text(config, encoding="utf-8")
    said = init("--yes", *given, code=2).stderr
    assert said.startswith(f"Error: {'--region:' if given else 'aws:region of stack dev is'}")
    assert all(part in said for part in ("want a region that AWS has, such as eu-central-1", "'eu-mars-1'"))


def test_without_credentials_it_says_how_to_get_some(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(**_: object) -> None:
        raise NoCredentialsError

    anyone = SimpleNamespace(get_caller_identity=nobody)
    monkeypatch.setattr(Account, "of", lambda region, profile: Account(lambda service: anyone, region))
    said = "there are no credentials for AWS here: `aws configure` or `aws sso login`, or AWS_PROFILE names others"
    assert init("--yes", code=1).stderr == f"Error: {said}\n"


@pytest.mark.parametrize("method", ["head_bucket", "create_bucket"])
def test_a_bucket_of_somebody_else_is_refused(aws: Aws, method: str) -> None:
    aws.has_key()
    if method == "head_bucket":
        aws.refuses("s3", "head_bucket", "403", LOOKED)
    else:
        aws.rotates()
        aws.refuses("s3", "head_bucket", "404", LOOKED)
        place = {"CreateBucketConfiguration": {"LocationConstraint": REGION}}
        aws.refuses("s3", "create_bucket", "BucketAlreadyExists", {"Bucket": BUCKET, **place})
    said = init("--yes", code=1).stderr
    assert f"the bucket {BUCKET} is there, and it is another account's" in said
    assert "--bucket" in said


def test_a_bucket_in_another_region_is_refused(aws: Aws) -> None:
    aws.has_key()
    aws.takes("s3", "head_bucket", LOOKED, {"BucketRegion": "us-east-1"})
    assert "is there, in us-east-1, not in eu-central-1: give --region us-east-1" in init("--yes", code=1).stderr


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"KeyState": "PendingDeletion"},
            f"is PendingDeletion: `aws kms cancel-key-deletion --key-id {ARN} --region {REGION}`",
        ),
        ({"KeyState": "Disabled"}, f"is Disabled: `aws kms enable-key --key-id {ARN} --region {REGION}`"),
        ({"KeyUsage": "SIGN_VERIFY", "KeySpec": "RSA_2048"}, "is for SIGN_VERIFY with RSA_2048; want"),
    ],
)
def test_a_key_that_cannot_be_used_is_refused(aws: Aws, changed: Mapping[str, str], said: str) -> None:
    aws.has_key(**changed)
    assert said in init("--yes", code=1).stderr


def test_who_may_not_is_told_so(aws: Aws) -> None:
    aws.refuses("kms", "describe_key", "AccessDeniedException", {"KeyId": KEY})
    assert (
        "AWS was asked for kms describe_key: An error occurred (AccessDeniedException)" in init("--yes", code=1).stderr
    )


FAKE = """\
#!/usr/bin/env bash
printf '%s\\0' "$@" >>"$CALLS"; printf '\\n' >>"$CALLS"
[[ $2 != create-key ]] || echo ARN
"""


def test_printed_commands_ask_the_same_of_aws(aws: Aws, tmp_path: Path) -> None:
    aws.has_nothing()
    script = init("--print", "--profile", "ann").stdout
    (tmp_path / "aws").write_text(FAKE.replace("ARN", ARN), encoding="utf-8")
    (tmp_path / "aws").chmod(0o755)
    env = {"CALLS": str(tmp_path / "calls"), "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(["bash", "-eu"], input=script, text=True, check=True, env=env)
    calls = [line.split("\0")[:-1] for line in (tmp_path / "calls").read_text(encoding="utf-8").splitlines()]
    assert [each[1] for each in calls] == [
        "create-key",
        "create-alias",
        "enable-key-rotation",
        "create-bucket",
        "put-public-access-block",
        "put-bucket-ownership-controls",
        "put-bucket-encryption",
        "put-bucket-versioning",
        "put-bucket-policy",
    ]
    given = [dict(zip(each[2::2], each[3::2], strict=True)) for each in calls]
    assert all((each["--region"], each["--profile"]) == (REGION, "ann") for each in given)
    assert given[1]["--target-key-id"] == ARN
    assert json.loads(given[6]["--server-side-encryption-configuration"]) == ENCRYPTED
    assert json.loads(given[8]["--policy"]) == json.loads(policy(*REFUSED))


@pytest.mark.parametrize(
    ("stack", "to", "said"),
    [
        ("local", "s3://shop?region=eu-central-1", "it is in .state/ and stays there"),
        ("dev", "file:///laptop", "the state of stack dev is at file:///laptop already: name another with --to"),
    ],
)
def test_what_cannot_be_moved_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, stack: str, to: str, said: str
) -> None:
    (project / "config/Pulumi.local.yaml").write_text("config: {}\n", encoding="utf-8")
    monkeypatch.setenv("PULUMI_BACKEND_URL", "file:///laptop")
    words = ["--stack", stack, "--to", to, "--secrets-provider", "passphrase", "--yes"]
    found = CliRunner().invoke(main, ["state", "move", *words])
    assert (found.exit_code, found.stdout) == (2, "")
    assert said in found.stderr
