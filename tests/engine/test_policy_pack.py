"""The controls as a policy pack, run by Pulumi's own command line with its own SDK, over the rehearsal cloud."""

import json
import re
from pathlib import Path

import pulumi
import pulumi_aws as aws
import pytest
from pulumi import automation as auto

from components.aws.boundary import ROLE, bounding
from tests.engine.conftest import MakeLab
from tests.engine.passage import passage
from tests.program import ROOT

pytestmark = pytest.mark.engine
PACK = str(ROOT / "policy")


@pytest.fixture(autouse=True, scope="module")
def is_set_up() -> None:
    assert (ROOT / "policy/.venv/ready").exists(), "make pack"


def said(output: str) -> dict[str, set[str]]:
    """Level -> the controls that are broken."""
    found = re.findall(r"\[(advisory|mandatory)\] +(\S+)", output)
    return {level: {each for one, each in found if one == level} for level, _ in found}


BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"


def test_production_is_stopped_until_it_says_why(tmp_path: Path) -> None:
    with passage(
        tmp_path,
        preset="production",
        more={"access-logs": False, "permissions-boundary": BOUNDARY},
        existing=[BOUNDARY],
    ) as stack:
        with pytest.raises(auto.CommandError) as refused:
            stack.stack.preview(policy_packs=[PACK])
        assert said(str(refused.value)) == {"mandatory": {"ELB.5"}}
        stack.set(exceptions={"ELB.5": "a trial of production"})
        assert said(stack.stack.up(policy_packs=[PACK]).stdout) == {}
        made = json.loads(stack.saved())["checkpoint"]["latest"]["resources"]
        bounded = [each["inputs"].get("permissionsBoundary") for each in made if each["type"] == ROLE]
        assert len(bounded) > 1
        assert {*bounded} == {BOUNDARY}


def test_elsewhere_it_is_said_and_goes_on(make_lab: MakeLab) -> None:
    """A resource is looked at by itself, and by what stands beside it."""

    def program() -> None:
        aws.ecr.Repository("images", name="images")

    lab = make_lab()
    outputs: list[str] = []
    lab.up(program, policy_packs=[PACK], on_output=outputs.append)
    assert said("\n".join(outputs)) == {"advisory": {"ECR.1", "ECR.2", "ECR.3"}}
    assert lab.resource("images")


def test_a_role_that_is_limited_stays_so() -> None:
    """As those of a stack with `github`, which has a boundary of its own for all roles but the workflows'."""
    opts = pulumi.ResourceOptions()
    bound = bounding(BOUNDARY)
    assert bound(ROLE, "api", {"permissionsBoundary": "arn:aws:iam::1:policy/other"}, opts) is None
    assert bound(ROLE, "github-deploy", {}, opts) == ({"permissionsBoundary": BOUNDARY}, opts)
    assert bound("aws:ec2/vpc:Vpc", "network", {}, opts) is None
