"""What a cloud, an engine or Linux would refuse by its form, in the middle of an `up`, is refused at its key before."""

from collections.abc import Mapping
from typing import Any

import pytest

from components.regions import regions
from tests.program import config_for
from tests.unit.test_mistakes import FILE, contradiction, only
from tests.unit.test_settings import BASE, ONE, api, complaint, load

CLUSTER = config_for("oci", "kubernetes")["kubernetes"]
NUL = "text without a NUL character, at which it would end for the process"
FORMS = {
    "a region that AWS has not": (
        {"aws:region": "us-esat-1"},
        only(
            "aws:region",
            "is 'us-esat-1'",
            "a region that AWS has; did you mean us-east-1?",
            "pulumi config set aws:region us-east-1",
        ),
    ),
    "a NUL in a variable": (api(env={"A": "x\0y"}), only(f"{ONE}.env.A", r"is 'x\x00y'", NUL)),
    "a NUL in an argument": (api(command=["a\0b"]), only(f"{ONE}.command[0]", r"is 'a\x00b'", NUL)),
    "a NUL in a release command": (api(release=["a\0b"]), only(f"{ONE}.release[0]", r"is 'a\x00b'", NUL)),
    "a key of AWS in the clear": (
        api(env={"AWS_SECRET_ACCESS_KEY": "x"}),
        contradiction(
            ONE,
            "AWS_SECRET_ACCESS_KEY is in env, in the clear: take it out, and give the service a role"
            " by `permissions`; where that is refused, put it into `secrets`",
        ),
    ),
    "a path twice": (
        api(writable=["/tmp", "/tmp"]),
        contradiction(ONE, "writable has /tmp twice: name it once"),
    ),
    "a path of the system": (
        api(writable=["/proc/x"]),
        only(
            f"{ONE}.writable[0]",
            "is '/proc/x'",
            "a path that is not in /proc, /sys, /dev, /run/secrets: these are the system's",
        ),
    ),
    "a path with steps": (
        api(writable=["/tmp/../etc"]),
        only(
            f"{ONE}.writable[0]",
            "is '/tmp/../etc'",
            "an absolute path without the steps . and .., such as /tmp",
        ),
    ),
    "a label of a host that DNS has no room for": (
        api(host=f"{'a' * 64}.example.com"),
        only(
            f"{ONE}.host",
            f"is '{'a' * 64}.example.com'",
            "a host name with at most 63 characters between two dots: DNS knows no longer ones",
        ),
    ),
    "a name that ACM certifies not": (
        {"domain": {"name": f"{'a' * 60}.example.com", "zone": "example.com"}},
        only(
            "switchyard:domain.name",
            f"is '{'a' * 60}.example.com'",
            "at most 64 characters: ACM makes no certificate for a longer name",
        ),
    ),
    "a port that no host has": (
        {**config_for("oci", "swarm"), "oci": {"host": "registry.example.com:99999"}},
        only(
            "switchyard:oci.host",
            "is 'registry.example.com:99999'",
            "a host, and its port after a colon, such as localhost:5000; a port is from 1 to 65535",
        ),
    ),
    "a cluster without its ARN": (
        {"ecs-fargate": {"cluster": "shared"}},
        only(
            "switchyard:ecs-fargate.cluster",
            "is 'shared'",
            "the ARN of an ECS cluster, such as arn:aws:ecs:us-east-1:123456789012:cluster/shared",
        ),
    ),
    "an empty id": (
        {"vpc": {"id": "", "public-subnets": ["subnet-1", "subnet-2"]}},
        only("switchyard:vpc.id", "is ''", "the id of a VPC, such as vpc-0abc1234"),
    ),
    "any role as an admin": (
        {**config_for("ecr", "eks"), "eks": {"admins": ["arn:aws:iam::123456789012:role/*"]}},
        only(
            "switchyard:eks.admins[0]",
            "is 'arn:aws:iam::123456789012:role/*'",
            "an IAM role's ARN, such as arn:aws:iam::123456789012:role/ci",
        ),
    ),
    "a key of two lines": (
        {**config_for("oci", "kubernetes"), "kubernetes": {**CLUSTER, "annotations": {"a\nb": "c"}}},
        only(
            r"switchyard:kubernetes.annotations.a\nb",
            r"is 'a\nb'",
            "the key of an annotation, such as service.beta.kubernetes.io/aws-load-balancer-type; did you mean a-b?",
            rf"rename switchyard:kubernetes.annotations.a\nb to a-b{FILE}",
        ),
    ),
}


@pytest.mark.parametrize(("change", "message"), FORMS.values(), ids=FORMS)
def test_it_is_refused_at_its_key(change: Mapping[str, Any], message: str) -> None:
    assert complaint({**BASE, **change}) == message


def test_a_variable_longer_than_linux_passes_on() -> None:
    assert "want at most 131071 bytes" in complaint({**BASE, **api(env={"A": "x" * 131_072})})
    longest = {**config_for("ecr", "eks"), **api(env={"A": "x" * 131_071})}  # ECS takes no more than 64 KiB of all
    assert load(longest).services["api"].env["A"]


@pytest.mark.parametrize("orchestrator", ["ecs-fargate", "ecs-ec2"])
def test_more_text_than_a_task_definition_has_room_for(orchestrator: str) -> None:
    many = {f"KEY_{each}": "x" * 10_000 for each in range(7)}
    told = complaint({**config_for("ecr", orchestrator), **api(env=many)})
    assert f"{ONE}.env is a map with KEY_0, KEY_1" in told
    assert "want at most 65536 bytes with the arguments, as JSON, not 70" in told
    assert load({**config_for("ecr", "eks"), **api(env=many)}).services["api"].env == many


def test_more_ranges_than_eks_takes() -> None:
    ranges = [f"9.9.{each}.0/24" for each in range(41)]
    told = complaint({**config_for("ecr", "eks"), "eks": {"access": ranges}})
    assert "want at most 40 ranges: EKS takes no more, and AWS raises it for nobody" in told
    assert load({**config_for("ecr", "eks"), "eks": {"access": ranges[1:]}})


@pytest.mark.parametrize("length", [0, 65_537])
def test_a_secret_of_a_size_that_no_store_takes(length: int) -> None:
    told = complaint({**BASE, **api(secrets={"A": "x" * length})}, ("services",))
    assert f"the secret A has {length} bytes: 1 to 65536 is what a store of secrets takes" in told


def test_the_regions_are_those_of_all_partitions() -> None:
    assert {"us-east-1", "ap-northeast-1", "eu-central-1", "cn-north-1", "us-gov-west-1"} <= regions()
    assert not [each for each in regions() if each.endswith("-global")]
