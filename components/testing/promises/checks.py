"""What all kinds of promises are made of: a service, a month, and checks of what was made."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import ValidationError

from components.cost import COLUMNS, Column, Demand, Line, Note
from components.edge import Edge
from components.estimate import charge
from components.model import Model
from components.options import Options
from components.orchestrator import Orchestrator
from components.pull import Pull
from components.registry import Registry
from components.service import Service
from components.testing.cloud import REGION
from components.testing.engine import Graph, Node
from components.usage import Usage

PROJECT = "shop"
STACK = "shop-dev"
DIGEST = f"sha256:{'1' * 64}"
URL = "registry.example.com/shop/api"
PASSWORD = "correct-horse-battery-staple"
Block = Mapping[str, Any]
B = TypeVar("B", bound=Options)


def month(pull: type[Pull], on_aws: bool) -> Demand:
    """A month in which everything happens."""
    services: dict[str, dict[str, Any]] = {
        "api": {"replicas": 2, "secrets": {"DB_PASSWORD": PASSWORD}},
        "web": {"architecture": "arm64"},
    }
    return Demand(
        services={name: service_of(fields) for name, fields in services.items()},
        usage=Usage.model_validate({"preset": "medium"}),
        on_aws=on_aws,
        network="public",
        public_ip=True,
        zones=2,
        log_days=7,
        protect=True,
        access_logs=True,
        domain=True,
        own_network=True,
        own_load_balancer=True,
        endpoints=frozenset(),
        pull=pull,
        pulls=dict.fromkeys(services, Decimal(1)),
    )


def service_of(fields: Mapping[str, Any]) -> Service:
    return Service.model_validate_json(json.dumps(fields))


def options_of(model: type[B], block: Block) -> B:
    return model.model_validate_json(json.dumps(block))


def text_below(graph: Graph, token: str) -> str:
    """Everything below a component, as one text; JSON inside of JSON is laid open."""
    return json.dumps([each.inputs for each in graph.under(token)]).replace("\\", "")


def component_of(graph: Graph, token: str) -> Node:
    return graph.one(token)


def check_token(name: str, all_: list[str], token: str) -> None:
    assert len(token.split(":")) == 3
    assert all(token.split(":"))
    assert all_.count(token) == 1, f"the token of {name} is another's too"


def check_block(model: type[Options]) -> None:
    assert issubclass(model, Model)
    assert not [field for field, info in model.model_fields.items() if not info.description]


def check_example(cls: type[Registry[Any]] | type[Orchestrator[Any]] | type[Edge[Any]]) -> None:
    for region in (REGION, "ap-northeast-1"):
        try:
            options_of(cls.Options, cls.Options.example(region))
        except ValidationError as error:
            raise AssertionError(f"its example for {region} is no block of its own: {error}") from error


def check_stated(column: Column, options: Options, demand: Demand) -> None:
    """Lines or words: something is said of its column, amounts are exact, and units are those of the prices."""
    stated = list(options.costs(demand))
    assert [each for each in stated if not isinstance(each, Note) and each.column == column], f"nothing on {column}"
    for each in stated:
        if isinstance(each, Line):
            assert each.column in COLUMNS
            assert isinstance(each.quantity, Decimal), f"{each.what}: {each.quantity!r} is no Decimal"
            assert each.quantity >= 0
            charge(each, demand, REGION)


def check_below(graph: Graph, token: str, *others: str) -> None:
    """Everything is a component of ours or below one."""
    tops = {token, *others}
    stray = [
        each.urn
        for each in graph
        if each.type not in tops and not any(parent.type in tops for parent in graph.parents(each))
    ]
    assert not stray


def check_same(one: Graph, two: Graph) -> None:
    assert {urn: node.inputs for urn, node in one.nodes.items()} == {
        urn: node.inputs for urn, node in two.nodes.items()
    }
