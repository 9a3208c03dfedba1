"""Registries whose images come to AWS by way of a cache, on the real engine."""

from pathlib import Path
from typing import Any

import pytest

from rehearsal.aws import types
from tests.engine.passage import passage

pytestmark = pytest.mark.engine

TOKEN = "ghp_correct-horse-battery"
HOSTED = {"ghcr": {"owner": "acme", "username": "robot"}, "dockerhub": {"namespace": "acme", "username": "robot"}}


def block(name: str) -> dict[str, Any]:
    """What stands in the stack's file beside the encrypted password."""
    return {"more": {name: HOSTED[name]}, "secrets": {f"switchyard:{name}.password": TOKEN}}


@pytest.mark.parametrize(
    ("name", "first", "second"), [("ghcr", "ecs-fargate", "eks"), ("dockerhub", "eks", "ecs-fargate")]
)
def test_a_cache_outlives_every_orchestrator_and_leaves_nothing(
    tmp_path: Path, name: str, first: str, second: str
) -> None:
    with passage(tmp_path, name, first, **block(name)) as stack:
        stack.up()
        assert stack.preview() == {}
        edge = stack.edge()
        cached = {types.ECR_CACHE_RULE, types.ECR_REPOSITORY, types.SECRET, types.SECRET_VERSION}
        for new in (second, first):
            mark = len(stack.cloud.calls)
            stack.set(orchestrator=new)
            stack.up()
            assert stack.serving() == [new]
            assert not [call for call in stack.since(mark) if call.type in cached]
        assert stack.edge() == edge  # there and straight back: P11
        # The login is in one place, and the state hides it.
        assert [each.type for each in stack.cloud.state if TOKEN in str(each.plain)] == [types.SECRET_VERSION]
        assert TOKEN not in stack.saved()

        stack.destroy()
        assert len(stack.cloud.state) == 0
        stack.up()  # nothing of the first life is in the way of a second
