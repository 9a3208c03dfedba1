"""The pull table: every cell as it is computed, and what is on the graph of each pair because of it."""

import pytest

from components import registry
from components.orchestrator import ORCHESTRATORS
from components.pull import Anonymous, AwsRole, Login, NodeIdentity, Pull
from components.pulling import cell
from components.registry import RegistryOptions
from tests.conformance.broken import GoodRunOptions
from tests.program import registry_options, runtime_options
from tests.pulling import (
    BLOCKS,
    CELLS,
    ECR,
    PAIRS,
    PULL,
    TABLE,
    TOKEN,
    WhatIsGiven,
    WhoReadsTheLogin,
    cells,
    graph,
    statements,
)


def of(case: str) -> RegistryOptions:
    name, block = BLOCKS[case]
    return registry.load(name).Options.model_validate(block)


def test_the_table_has_every_cell() -> None:
    assert set(TABLE) == set(BLOCKS)
    assert all(set(ORCHESTRATORS) <= set(cells) for cells in TABLE.values())


@pytest.mark.parametrize(("case", "key"), CELLS)
def test_a_cell_is_what_it_must_be(case: str, key: str) -> None:
    found = cell(of(case), runtime_options(key))
    assert found.how == TABLE[case][key]
    assert bool(found.why) == (found.how == "refused")


@pytest.mark.parametrize(
    ("case", "key"), cells("anonymous", "native role", "cache", "secret", among=PAIRS), scope="class"
)
class TestWhatIsGiven(WhatIsGiven):
    """Of each pair."""


@pytest.mark.parametrize(("case", "key"), cells("secret", among=PAIRS))
class TestWhoReadsTheLogin(WhoReadsTheLogin):
    """Of each pair."""


@pytest.mark.parametrize(("case", "key"), cells("refresher"))
def test_whoever_renews_ecrs_login_may_pull_from_the_stacks_repositories_and_no_more(case: str, key: str) -> None:
    name = BLOCKS[case][0]
    below = "switchyard-dev/*" if name == "ecr" else f"switchyard-dev/{name}/*"
    allowed = PULL if name == "ecr" else [*PULL, "ecr:BatchImportUpstreamImage"]
    assert list(statements(graph(case, key), "ecr")) == [
        (["ecr:GetAuthorizationToken"], ["*"]),
        (allowed, [f"{ECR}{below}"]),
    ]


class Elsewhere(GoodRunOptions):
    """It has no role on AWS, and helps itself."""

    pulls_by = (AwsRole,)
    renews = True


class Nothing(GoodRunOptions):
    pulls_by = ()


class TestOffAws:
    @pytest.mark.parametrize("login", [None, "direct"])
    def test_a_login_is_no_role(self, login: str | None) -> None:
        assert cell(hosted(login), Elsewhere()).how == "refused"

    def test_a_cache_is_filled_by_whoever_renews_ecrs_login(self) -> None:
        assert cell(hosted("cache"), Elsewhere()).how == "refresher"

    def test_ecr_is_pulled_with_a_login_that_is_renewed(self) -> None:
        assert cell(registry_options("ecr"), Elsewhere()).how == "refresher"

    @pytest.mark.parametrize("kind", [Anonymous, AwsRole, NodeIdentity, Login])
    def test_every_kind_has_a_reason_to_be_refused(self, kind: type[Pull]) -> None:
        class Given(RegistryOptions):
            key = "given"

            def pulled_by(self, on_aws: bool) -> type[Pull]:
                return kind

        assert len(cell(Given(), Nothing()).why.split()) > 3


def hosted(login: str | None) -> RegistryOptions:
    block = {"owner": "acme", "username": "robot", "password": TOKEN, "login": login}
    return registry.load("ghcr").Options.model_validate(block)
