"""What a configuration says exists is asked for before anything is made, and told in words where it is not there."""

import runpy
from collections.abc import Callable, Mapping
from typing import Any

import grpc  # type: ignore[import-untyped]
import pulumi
import pytest

from components.lookup import said
from components.testing.cloud import Cloud
from components.testing.engine import deploy, start
from config.problems import BadConfig
from tests.program import DOMAIN, EXISTING, ROOT, as_pulumi, config_for

ERROR = "invocation of aws:x returned an error: invoking aws:x: 1 error occurred:\n\t* {}\n\n"
ZONES = "aws:index/getAvailabilityZones:getAvailabilityZones"
GITHUB = {
    "repository": "acme/shop",
    "repository-id": 1,
    "owner-id": 2,
    "provider": "existing",
    "environment": "production",
}


class Refused(grpc.RpcError):  # type: ignore[misc]
    """An error as the engine hands it on."""

    def __init__(self, words: str) -> None:
        self.words = words

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        return ERROR.format(self.words)


def says(words: str) -> Callable[[Any], Any]:
    """An answer that is an error."""

    def answer(_: Any) -> Any:
        raise Refused(words)

    return answer


def run(config: Mapping[str, Any], answers: Mapping[str, Callable[[Any], Any]]) -> tuple[pulumi.RunError, int]:
    """What the program says, and how many resources it made."""
    engine = start(Cloud(answers=answers), as_pulumi({**config_for("ecr", "ecs-fargate"), **config}))
    with pytest.raises(pulumi.RunError) as error:
        deploy(lambda: runpy.run_path(str(ROOT / "__main__.py")) and None)
    return error.value, len(engine.graph)


def test_all_that_is_not_there_is_told_at_once_by_its_key() -> None:
    config = {"ecr": {"repositories": {"api": "typo"}}, "domain": DOMAIN, "github": GITHUB}
    answers = {
        "aws:ecr/getRepository:getRepository": says("reading ECR Repository (typo): couldn't find resource"),
        "aws:route53/getZone:getZone": says("no matching Route 53 Hosted Zone found"),
        "aws:iam/getOpenIdConnectProvider:getOpenIdConnectProvider": says("finding IAM OIDC Provider: not found"),
    }
    error, made = run(config, answers)
    assert isinstance(error, BadConfig)
    assert [each.key for each in error.problems] == [
        "switchyard:domain.zone",
        "switchyard:github.provider",
        "switchyard:ecr.repositories.api",
    ]
    assert str(error.problems[2]) == (
        "  switchyard:ecr.repositories.api is 'typo'; want the name of a repository in ECR, in the stack's region; AWS"
        " says: reading ECR Repository (typo): couldn't find resource\n"
        "      pulumi config set --path switchyard:ecr.repositories.api <value>"
    )
    assert made == 0


def test_a_vpc_that_is_not_there() -> None:
    error, made = run(EXISTING, {"aws:ec2/getVpc:getVpc": says("no matching EC2 VPC found")})
    assert "switchyard:vpc.id is 'vpc-1'; want the id of a VPC in the stack's region" in str(error)
    assert made == 0


@pytest.mark.parametrize(
    ("config", "token", "about"),
    [(EXISTING, "aws:ec2/getVpc:getVpc", "vpc.id"), ({}, ZONES, "zones")],
    ids=["a look-up", "the zones"],
)
def test_no_answer_is_no_mistake_of_the_configuration(config: Mapping[str, Any], token: str, about: str) -> None:
    error, made = run(config, {token: says("api error ExpiredToken: the security token has expired")})
    assert not isinstance(error, BadConfig)
    assert str(error) == (
        f"{about}: AWS does not answer, so nothing was made: api error ExpiredToken: the security token has expired"
    )
    assert made <= 1  # the component of the network, which is nothing in the account


def test_an_error_in_other_words_stays_as_it_is() -> None:
    assert said(ValueError("one\n two")) == "one two"
