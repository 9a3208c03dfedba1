"""Configurations that are wrong in ways nobody thought of: always words, never a traceback, and nothing is made."""

import runpy
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from components.service import Service
from components.testing.cloud import Cloud
from components.testing.engine import deploy, start
from config.problems import BadConfig
from config.reader import own_keys
from tests.program import ROOT, as_pulumi, config_for

WORDS = st.text(max_size=8).map("x{}".format)  # never a number, true or null when it is read as JSON
SCALARS = WORDS | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, min_size=1, max_size=2),
    max_leaves=4,
)


def but(*right: type) -> st.SearchStrategy[Any]:
    """Values of every type but these."""
    return ANYTHING.filter(lambda value: type(value) not in right)


def number(least: float, most: float) -> st.SearchStrategy[Any]:
    """No whole number from least to most."""
    beyond = st.integers(max_value=int(least) - 1) | st.integers(min_value=int(most) + 1)
    return beyond | st.floats(least, most).filter(lambda value: value != int(value)) | but(int, float)


FLAG, TEXT, LIST = but(bool), but(str), but(list)
ONE = ("services", "api")
WRONG: Mapping[tuple[str, ...], st.SearchStrategy[Any]] = {
    ("registry",): WORDS,
    ("orchestrator",): WORDS,
    ("preset",): WORDS,
    ("network",): WORDS,
    ("services",): but(dict),
    ("traffic",): but(dict),
    ("traffic", "ecs-fargate"): number(0, 999),
    ("domain",): but(dict),
    ("vpc",): but(dict),
    ("load-balancer",): but(dict),
    ("zones",): number(2, 3),
    ("log-days",): WORDS | st.integers(max_value=0),
    ("protect",): FLAG,
    ("access-logs",): FLAG,
    ("strict",): FLAG,
    ("gate",): but(dict),
    ("gate", "polls"): number(1, 20),
    ("gate", "interval"): but(int, float) | st.floats(min_value=60.5, allow_infinity=False),
    ("ecr",): but(dict),
    ("ecr", "keep"): number(2, 1000),
    ("ecr", "repositories"): but(dict),
    ("ecs-fargate",): but(dict),
    ("ecs-fargate", "spot"): FLAG,
    ("ecs-fargate", "cluster"): TEXT,
    (*ONE,): but(dict),
    (*ONE, "port"): number(1024, 65535),
    (*ONE, "cpu"): but(int, float)
    | st.floats(min_value=16.5, allow_infinity=False)
    | st.floats(max_value=0.04, allow_infinity=False),
    (*ONE, "memory"): number(32, 122880),
    (*ONE, "replicas"): but(int, dict) | st.integers(max_value=0) | st.integers(min_value=1001),
    (*ONE, "health"): TEXT | WORDS,
    (*ONE, "env"): but(dict),
    (*ONE, "env", "KEY"): but(str, int, float),
    (*ONE, "secrets"): but(dict),
    (*ONE, "secrets", "KEY"): TEXT,
    (*ONE, "command"): LIST,
    (*ONE, "path"): TEXT | WORDS,
    (*ONE, "host"): TEXT | st.integers().map("x{}".format),
    (*ONE, "public"): FLAG,
    (*ONE, "digest"): TEXT | WORDS,
    (*ONE, "architecture"): ANYTHING,
    (*ONE, "user"): number(1, 65535),
    (*ONE, "writable"): LIST | st.lists(WORDS, min_size=1),
    (*ONE, "permissions"): LIST,
    (*ONE, "release"): LIST,
    (*ONE, "jobs"): ANYTHING.filter(bool),
}
"""Path of a key -> values that it may not have."""


def put(config: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """The configuration with a value at a path."""
    head, *rest = path
    inner = config.get(head)
    return config | {
        head: put(dict(inner) if isinstance(inner, Mapping) else {}, tuple(rest), value) if rest else value
    }


def complaint(config: Mapping[str, Any]) -> str:
    """What the program says; it raises nothing but `BadConfig`, and registers nothing."""
    engine = start(Cloud(), as_pulumi(config), ("switchyard:services", "switchyard:oci"))
    with pytest.raises(BadConfig) as error:
        deploy(lambda: runpy.run_path(str(ROOT / "__main__.py")) and None)
    assert isinstance(error.value, pulumi.RunError)  # which Pulumi prints without a stack trace
    assert len(engine.graph) == 0
    return str(error.value)


def changed(path: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    return WRONG[path].map(lambda value: put(config_for("ecr", "ecs-fargate"), path, value))


BLOCK_OF = {"registry": "ecr", "orchestrator": "ecs-fargate"}
SETTINGS = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


@pytest.mark.parametrize("path", WRONG, ids=".".join)
@settings(SETTINGS, max_examples=8)
@given(st.data())
def test_a_wrong_value_is_told_by_its_key(path: tuple[str, ...], data: st.DataObject) -> None:
    assert f"\n  switchyard:{'.'.join(path)}" in complaint(data.draw(changed(path)))


@pytest.mark.parametrize("where", [(), ONE, ("gate",), ("ecr",), ("ecs-fargate",), (*ONE, "replicas")], ids=".".join)
@settings(SETTINGS, max_examples=8)
@given(key=st.from_regex(r"[a-z][a-z_-]{0,12}", fullmatch=True), value=ANYTHING)
def test_an_unknown_key_is_told_by_its_name(where: tuple[str, ...], key: str, value: Any) -> None:
    known = {*own_keys(), *Service.model_fields, "oci", "eks", "swarm", "ecr", "ecr-public", "ecs-fargate"}
    assume(key not in known | {"min", "max", "keep", "repositories", "spot", "cluster"})
    assume(key not in {"polls", "interval", "timeout", "settle"})
    config = put(config_for("ecr", "ecs-fargate"), (*where, key), value)
    assert f"\n  switchyard:{'.'.join((*where, key))} is unknown" in complaint(config)


@settings(SETTINGS, max_examples=50)
@given(st.lists(st.sampled_from(sorted(WRONG)), min_size=2, max_size=4, unique_by=lambda path: path[:1]), st.data())
def test_several_wrong_values_are_all_told(paths: list[tuple[str, ...]], data: st.DataObject) -> None:
    config = config_for("ecr", "ecs-fargate")
    for path in paths:
        config = put(config, path, data.draw(WRONG[path]))
    said = complaint(config)
    unread = {BLOCK_OF[path[0]] for path in paths if path[0] in BLOCK_OF}  # of a backend that is not chosen any more
    for path in paths:
        assert path[0] in unread or f"\n  switchyard:{'.'.join(path)}" in said
