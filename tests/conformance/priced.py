"""A stack and a month that are priced: what the tests of costs share."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Any

from hypothesis import strategies as st

from components.estimate import Estimate
from components.service import Service
from components.testing.cloud import Cloud
from components.testing.engine import start
from components.usage import Usage
from config.estimates import Pair, Unset, of_pair, of_stack, pairs
from config.load import load
from config.settings import Settings
from tests.conformance.joining import third_party
from tests.conformance.pairs import LOGINS
from tests.program import BLOCKS, as_pulumi, config_for


def count(number: object) -> Decimal:
    return Decimal(str(number))


def estimated(config: Mapping[str, Any], secrets: tuple[str, ...] = ("services", *LOGINS)) -> Estimate:
    """What the program says that a stack of this configuration costs."""
    start(Cloud(), as_pulumi(config), tuple(f"switchyard:{key}" for key in secrets))
    return of_stack(load())


REGIONS = ("ap-northeast-1", "us-east-1")


@cache
def stack() -> tuple[Settings, tuple[Pair | Unset, ...]]:
    """A stack that has a block for every backend, and all pairs, third parties' among them."""
    with third_party():
        blocks = {**BLOCKS, "acme": {"project": "shop"}}
        start(
            Cloud(), as_pulumi(config_for("ecr", "ecs-fargate") | blocks), tuple(f"switchyard:{key}" for key in blocks)
        )
        chosen = load()
        return chosen, tuple(pairs(chosen, REGIONS[0]))


def priced(
    services: Mapping[str, Service], usage: Usage, region: str, **keys: Any
) -> Mapping[tuple[str, str], Estimate]:
    """Every pair that can be."""
    chosen, every = stack()
    asking = replace(chosen, config=chosen.config.model_copy(update={"services": services, **keys}))
    found = [of_pair(asking, pair, usage, region) for pair in every]
    return {(each.registry, each.orchestrators[0]): each for each in found if not each.refused}


def service(**fields: Any) -> Service:
    return Service.model_validate(fields)


NOTHING: Mapping[str, Any] = {"image-size": 0, "deploys": 0, "requests": 0, "response-size": 0, "logs": 0}
SERVICES = st.dictionaries(
    st.sampled_from(["api", "web", "worker"]),
    st.builds(
        service,
        cpu=st.sampled_from([0.05, 0.25, 0.5, 1.0, 2.0]),
        memory=st.sampled_from([64, 512, 1024, 3000]),
        replicas=st.one_of(
            st.integers(1, 9),
            st.builds(lambda least, more: {"min": least, "max": least + more}, st.integers(1, 4), st.integers(0, 9)),
        ),
        architecture=st.sampled_from(["x86_64", "arm64"]),
        public=st.booleans(),
        secrets=st.sampled_from([{}, {"KEY": "x"}, {"KEY": "x", "TOKEN": "y"}]),
    ),
    min_size=1,
)
QUANTITIES: Mapping[str, st.SearchStrategy[Any]] = {
    "image-size": st.integers(0, 5000),
    "deploys": st.integers(0, 1000),
    "requests": st.integers(0, 10**11),
    "response-size": st.floats(0, 1000),
    "logs": st.floats(0, 10**5),
    "audit-logs": st.floats(0, 1000),
    "flow-logs": st.floats(0, 1000),
    "hours": st.floats(0, 744),
    "load": st.floats(0, 1),
    "layer-reuse": st.floats(0, 1),
    "requests-per-connection": st.integers(1, 1000),
    "free-allowances": st.booleans(),
    "extended-support": st.booleans(),
}
SAVES = frozenset({"layer-reuse", "requests-per-connection", "free-allowances"})
"""Fields of which more costs less."""
NETWORKS = st.sampled_from(["public", "nat-single", "nat-per-az", "endpoints"])
ROUNDING = Decimal("1e-9")
"""USD that division in decimal may be off by."""
