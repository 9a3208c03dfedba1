"""From every registry to every other: the new one beside the old, from which replicas pull until it has images."""

from functools import cache
from itertools import permutations
from typing import Any

import pytest

from components import orchestrator, registry
from components.pulling import cell
from components.registry import REGISTRIES
from components.testing.engine import Graph, Node
from tests.program import BLOCKS, EXISTING, config_for, registry_options, run_program, runtime_options


def can_pull(name: str, key: str) -> bool:
    return cell(registry_options(name), runtime_options(key)).how != "refused"


MOVES = [
    (old, new, key)
    # One on AWS and one elsewhere: a registry knows no more of an orchestrator than that.
    for key in ("ecs-fargate", "kubernetes")
    for old, new in permutations([name for name in REGISTRIES if can_pull(name, key)], 2)
]


@cache
def graph(name: str, key: str, pull_from: str = "") -> Graph:
    """A stack with a registry, and with the one that images still come from."""
    blocks = {each: BLOCKS[each] for each in (name, pull_from) if each in BLOCKS}
    there: Any = EXISTING if orchestrator.load(key).Options.platform == "aws" else {}
    return run_program({**config_for(name, key), **there, **blocks, "pull-from": pull_from})


def nodes(found: Graph) -> dict[str, Node]:
    return {each.urn: each for each in found}


def of(found: Graph, name: str) -> dict[str, Node]:
    """The registry's component, and all under it."""
    token = registry.load(name).token
    return {each.urn: each for each in found if token in each.urn.split("::")[2].split("$")}


@pytest.mark.parametrize(("old", "new", "key"), MOVES)
class TestEveryMove:
    def test_at_first_nothing_changes_but_that_the_new_repositories_are_there(
        self, old: str, new: str, key: str
    ) -> None:
        before, moving = nodes(graph(old, key)), graph(new, key, old)
        assert {urn: nodes(moving).get(urn) for urn in before} == before
        assert nodes(moving).keys() - before.keys() == of(moving, new).keys()

    def test_at_last_the_old_ones_go_and_the_new_ones_stay_as_they_are(self, old: str, new: str, key: str) -> None:
        moving, after = graph(new, key, old), graph(new, key)
        assert of(moving, new) == of(after, new)
        assert of(moving, old)
        assert not of(after, old)

    def test_meanwhile_pushes_go_to_the_new_one_and_the_output_says_what_to_do(
        self, old: str, new: str, key: str
    ) -> None:
        moving, after = graph(new, key, old), graph(new, key)
        assert moving.export("push") == after.export("push")
        assert any(f"images still come from {old}" in each for each in moving.export("next"))
        assert not any("images still come from" in each for each in after.exports().get("next", []))
