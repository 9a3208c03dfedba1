"""Another registry under a stack that serves, on the real engine."""

from itertools import pairwise
from pathlib import Path

import pytest

from rehearsal import Call
from rehearsal.aws import types
from tests.engine.passage import Passage, passage

pytestmark = pytest.mark.engine

NEXT = f"sha256:{'b' * 64}"
"""The image as the new registry has it: what is pushed anew may have another digest."""
ROLLED = {"ecs-fargate": types.ECS_SERVICE, "eks": "kubernetes:apps/v1:Deployment"}
REPOSITORIES = {types.ECR_REPOSITORY, types.ECR_PUBLIC_REPOSITORY, types.ECR_CACHE_RULE}


def gone(calls: list[Call]) -> list[Call]:
    return [call for call in calls if call.op == "delete" and call.type in REPOSITORIES]


def rolled(calls: list[Call], key: str) -> Call:
    (found,) = [call for call in calls if (call.op, call.type) == ("update", ROLLED[key])]
    return found


def move(stack: Passage, old: str, new: str, key: str) -> None:
    """Both steps, and what must be so after each."""
    url, edge = stack.outputs["url"], stack.edge()
    stack.set(registry=new, pull_from=old)
    assert set(stack.up()) == {"create"}
    assert stack.preview() == {}

    stack.push(NEXT)
    mark = len(stack.cloud.calls)
    stack.set(pull_from=None, services={"api": {**stack.service("api"), "digest": NEXT}})
    stack.up()
    calls = stack.since(mark)
    update = rolled(calls, key)
    assert gone(calls)
    assert all(update.done is not None and update.done < call.begun for call in gone(calls))
    assert stack.serving() == [key]
    assert (stack.outputs["url"], stack.edge()) == (url, edge)
    assert stack.preview() == {}


@pytest.mark.parametrize(
    ("key", "way", "left"),
    [
        ("ecs-fargate", ["ecr", "ghcr", "ecr-public"], types.ECR_PUBLIC_REPOSITORY),
        ("eks", ["ecr-public", "ecr"], types.ECR_REPOSITORY),
    ],
)
def test_replicas_run_on_until_their_images_are_in_the_new_registry(
    tmp_path: Path, key: str, way: list[str], left: str
) -> None:
    hosted = {"ghcr": {"owner": "acme", "username": "robot"}}
    login = {"switchyard:ghcr.password": "ghp_correct-horse-battery"}
    with passage(tmp_path, way[0], key, more=hosted, secrets=login) as stack:
        stack.up()
        for old, new in pairwise(way):
            move(stack, old, new, key)
        assert {each.type for each in stack.cloud.state} & REPOSITORIES == {left}
        stack.destroy()
        assert len(stack.cloud.state) == 0
