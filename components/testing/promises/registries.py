"""What every registry promises."""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pulumi

from components import registry
from components.pull import AwsRole, Login, Pull
from components.registry import RegistryArgs, Repository
from components.testing.cloud import Cloud
from components.testing.engine import Graph, deploy, start
from components.testing.promises.checks import (
    PASSWORD,
    PROJECT,
    STACK,
    Block,
    check_below,
    check_block,
    check_example,
    check_same,
    check_stated,
    check_token,
    component_of,
    month,
    options_of,
)

PULLING = frozenset(
    {
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:BatchImportUpstreamImage",
        "ecr:GetDownloadUrlForLayer",
    }
)
"""All that a puller may be allowed on a repository: to read it, and to have a cache fetch what it has not yet (ECR user
guide, "Repository policy examples" and "IAM permissions required to sync an upstream registry")."""


class RegistryPromises:
    """What a registry promises; parametrise a subclass with `name` and `block`."""

    def test_its_token_is_its_own_and_has_three_parts(self, name: str, block: Block) -> None:
        check_token(name, [registry.load(each).token for each in registry.names()], registry.load(name).token)

    def test_its_block_explains_itself(self, name: str, block: Block) -> None:
        check_block(registry.load(name).Options)

    def test_it_has_a_repository_for_each_service_and_no_other(self, name: str, block: Block) -> None:
        assert set(_registry(name, json.dumps(block)).urls) == {"api", "web"}

    def test_a_url_ends_with_the_service_and_has_no_tag(self, name: str, block: Block) -> None:
        for service, url in _registry(name, json.dumps(block)).urls.items():
            host, *path = url.split("/")
            assert re.fullmatch(rf"(.+-)?{service}", path[-1])
            assert not re.search("[:@]", "/".join(path))
            assert "://" not in host

    def test_how_it_is_pulled_is_known_beforehand(self, name: str, block: Block) -> None:
        cls = registry.load(name)
        made = _registry(name, json.dumps(block))
        assert {type(each) for each in made.pulls} == {options_of(cls.Options, block).pulled_by(True)}

    def test_a_person_can_push(self, name: str, block: Block) -> None:
        made = _registry(name, json.dumps(block))
        for service, commands in made.push.items():
            assert made.urls[service] in commands
            assert PASSWORD not in commands

    def test_a_login_is_a_secret(self, name: str, block: Block) -> None:
        for pull in _registry(name, json.dumps(block)).pulls:
            if isinstance(pull, Login):
                assert asyncio.run(_is_secret(pull.password))

    def test_a_role_may_pull_and_no_more(self, name: str, block: Block) -> None:
        for pull in _registry(name, json.dumps(block)).pulls:
            if isinstance(pull, AwsRole):
                assert pull.arns
                assert set(pull.actions) <= PULLING

    def test_everything_it_makes_is_below_it(self, name: str, block: Block) -> None:
        check_below(_registry(name, json.dumps(block)).graph, registry.load(name).token)

    def test_it_registers_the_urls(self, name: str, block: Block) -> None:
        made = _registry(name, json.dumps(block))
        assert made.graph.outputs[component_of(made.graph, registry.load(name).token).urn] == {
            "repositories": made.urls
        }

    def test_nothing_in_it_is_left_to_chance(self, name: str, block: Block) -> None:
        first = _registry(name, json.dumps(block)).graph
        _registry.cache_clear()
        check_same(first, _registry(name, json.dumps(block)).graph)

    def test_its_example_is_right(self, name: str, block: Block) -> None:
        check_example(registry.load(name))

    def test_it_states_what_it_costs(self, name: str, block: Block) -> None:
        cls = registry.load(name)
        options = options_of(cls.Options, block)
        for on_aws in (True, False):
            check_stated("registry", options, month(options.pulled_by(on_aws), on_aws))

    def test_what_it_pulls_through_is_named(self, name: str, block: Block) -> None:
        assert all(re.fullmatch(r"[a-z0-9.-]+", each) for each in registry.load(name).Options.vpc_endpoints)


@dataclass(frozen=True)
class _Kept:
    graph: Graph
    urls: Mapping[str, str]
    push: Mapping[str, str]
    pulls: list[Pull]


@cache
def _registry(name: str, block: str) -> _Kept:
    """The registry with two services, and all that it says."""
    cls = registry.load(name)
    engine = start(Cloud(), project=PROJECT)
    options = options_of(cls.Options, json.loads(block))
    args: RegistryArgs[Any] = RegistryArgs(
        services=("api", "web"), namespace=STACK, protect=False, on_aws=True, options=options
    )
    kept: dict[str, Repository] = {}

    def program() -> dict[str, Any]:
        kept.update(cls("registry", args).repositories)
        return {key: {"url": each.url, "push": each.push} for key, each in kept.items()}

    answer = deploy(program)
    return _Kept(
        engine.graph,
        {key: each["url"] for key, each in answer.items()},
        {key: each["push"] for key, each in answer.items()},
        [each.pull for each in kept.values()],
    )


async def _is_secret(output: pulumi.Output[Any]) -> bool:
    return await output.is_secret()
