"""The promises themselves: a backend that breaks one is found by the test that is named for it."""

from collections.abc import Callable, Mapping
from functools import cache

import pytest

from components import backends
from components.edge import Edge
from components.orchestrator import Orchestrator
from components.service import FEATURES
from components.testing.promises import EdgePromises, OrchestratorPromises, RegistryPromises
from components.testing.promises.orchestrators import _made
from tests.conformance import broken, broken_behind_edge, broken_edges, broken_verbs

REGISTRIES = {
    broken.Stray: RegistryPromises.test_everything_it_makes_is_below_it,
    broken.Tagged: RegistryPromises.test_a_url_ends_with_the_service_and_has_no_tag,
    broken.Elsewhere: RegistryPromises.test_a_url_ends_with_the_service_and_has_no_tag,
    broken.Surprising: RegistryPromises.test_how_it_is_pulled_is_known_beforehand,
    broken.Unpushable: RegistryPromises.test_a_person_can_push,
    broken.Forgetful: RegistryPromises.test_it_has_a_repository_for_each_service_and_no_other,
    broken.Generous: RegistryPromises.test_a_role_may_pull_and_no_more,
    broken.Boundless: RegistryPromises.test_a_role_may_pull_and_no_more,
    broken.Copied: RegistryPromises.test_its_token_is_its_own_and_has_three_parts,
    broken.TwoParts: RegistryPromises.test_its_token_is_its_own_and_has_three_parts,
    broken.Unexplained: RegistryPromises.test_its_block_explains_itself,
    broken.Costless: RegistryPromises.test_it_states_what_it_costs,
    broken.Rounding: RegistryPromises.test_it_states_what_it_costs,
    broken.Helpless: RegistryPromises.test_its_example_is_right,
    broken.Loose: RegistryPromises.test_a_login_is_a_secret,
    broken.Untold: RegistryPromises.test_it_registers_the_urls,
    broken.Lucky: RegistryPromises.test_nothing_in_it_is_left_to_chance,
    broken.Misspelt: RegistryPromises.test_what_it_pulls_through_is_named,
}
ORCHESTRATORS = {
    broken.Silent: OrchestratorPromises.test_it_says_what_it_does_with_every_feature,
    broken.Curt: OrchestratorPromises.test_what_is_not_simply_honoured_is_explained,
    broken.Lenient: OrchestratorPromises.test_what_it_refuses_is_refused_before_anything_is_made,
    broken.Harsh: OrchestratorPromises.test_what_it_refuses_is_refused_before_anything_is_made,
    broken.Early: OrchestratorPromises.test_what_it_refuses_is_refused_before_anything_is_made,
    broken.Ignorant: OrchestratorPromises.test_what_it_does_not_refuse_it_does_not_ignore,
    broken.ByTag: OrchestratorPromises.test_the_image_is_named_by_digest_alone,
    broken.Open: OrchestratorPromises.test_a_secret_is_nowhere_in_plain_text,
    broken.Hasty: OrchestratorPromises.test_traffic_has_something_to_wait_for,
    broken.Possessive: OrchestratorPromises.test_nothing_that_must_outlive_it_is_below_it,
    broken.Random: OrchestratorPromises.test_nothing_in_it_is_left_to_chance,
    broken.Mute: OrchestratorPromises.test_it_registers_outputs,
    broken.Misnamed: OrchestratorPromises.test_its_key_is_its_name,
    broken.Free: OrchestratorPromises.test_it_states_what_it_costs,
    broken.Thirsty: OrchestratorPromises.test_it_pulls_at_most_once_a_replica,
    broken.RunCopied: OrchestratorPromises.test_its_token_is_its_own_and_has_three_parts,
    broken.RunUnexplained: OrchestratorPromises.test_its_block_explains_itself,
    broken.RunHelpless: OrchestratorPromises.test_its_example_is_right,
    broken.Aloof: OrchestratorPromises.test_it_can_pull_somehow,
    broken.Fussy: OrchestratorPromises.test_a_block_that_is_right_has_no_problem,
    broken.RunStray: OrchestratorPromises.test_everything_it_makes_is_below_it,
    broken.Anonymised: OrchestratorPromises.test_a_replica_is_told_who_it_is,
    broken.Boastful: OrchestratorPromises.test_it_pulls_by_each_kind_it_claims,
    broken.Neglectful: OrchestratorPromises.test_a_private_service_runs_beside_a_public_one,
    broken.Vague: OrchestratorPromises.test_it_says_where_the_logs_are,
    broken.Astray: OrchestratorPromises.test_behind_the_load_balancer_it_stands_on_aws,
    broken_verbs.Gruff: OrchestratorPromises.test_it_says_what_it_does_with_every_verb,
    broken_verbs.Cryptic: OrchestratorPromises.test_it_says_what_it_does_with_every_verb,
    broken_verbs.Slurred: OrchestratorPromises.test_it_says_what_it_does_with_every_verb,
    broken_verbs.Idle: OrchestratorPromises.test_who_does_its_verbs_is_there,
    broken_verbs.Postponed: OrchestratorPromises.test_who_does_its_verbs_is_there,
    broken_verbs.Mistaken: OrchestratorPromises.test_who_does_its_verbs_is_there,
    broken_behind_edge.Impatient: OrchestratorPromises.test_the_replicas_wait_for_their_group_and_for_the_ways_out,
    broken_behind_edge.Groupless: OrchestratorPromises.test_the_replicas_wait_for_their_group_and_for_the_ways_out,
    broken_behind_edge.Outspoken: OrchestratorPromises.test_behind_the_edge_it_has_no_url_of_its_own,
}
EDGES = {
    broken_edges.FrontMisnamed: EdgePromises.test_its_key_is_its_name,
    broken_edges.FrontCopied: EdgePromises.test_its_token_is_its_own_and_has_three_parts,
    broken_edges.Secretive: EdgePromises.test_its_block_explains_itself,
    broken_edges.Demanding: EdgePromises.test_its_example_is_right,
    broken_edges.Gratis: EdgePromises.test_it_states_what_it_costs,
    broken_edges.Reclusive: EdgePromises.test_it_takes_what_orchestrators_register,
    broken_edges.FrontStray: EdgePromises.test_everything_it_makes_is_below_it,
    broken_edges.Nowhere: EdgePromises.test_it_tells_its_url,
    broken_edges.Sharing: EdgePromises.test_each_service_has_a_target_of_its_own_on_each_orchestrator,
    broken_edges.Even: EdgePromises.test_one_resource_shares_the_requests_of_a_service_as_was_asked,
    broken_edges.Rash: EdgePromises.test_requests_wait_for_the_health_of_what_gets_them_and_of_nothing_else,
    broken_edges.Ungated: EdgePromises.test_requests_wait_for_the_gate,
    broken_edges.Entangled: EdgePromises.test_only_what_shares_waits_for_more_than_one_orchestrator,
    broken_edges.Restless: EdgePromises.test_other_weights_change_what_shares_and_nothing_else,
    broken_edges.Oblivious: EdgePromises.test_a_state_says_how_requests_are_shared,
    broken_edges.FrontLucky: EdgePromises.test_nothing_in_it_is_left_to_chance,
}


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[[type], str]:
    """Let a class join; the name it has then, one that no cache knows."""

    def add(cls: type) -> str:
        name = f"broken-{cls.__name__.lower()}"
        row = {name: f"{cls.__module__}:{cls.__qualname__}"}
        monkeypatch.setattr(backends, "third_party", cache(lambda _group: row))
        if issubclass(cls, Orchestrator | Edge) and cls not in (broken.Misnamed, broken_edges.FrontMisnamed):
            monkeypatch.setattr(cls.Options, "key", name)
        return name

    return add


def promises(kind: type) -> list[Callable[..., None]]:
    """Every promise of a kind."""
    return [each for name, each in vars(kind).items() if name.startswith("test_")]


@pytest.mark.parametrize(("cls", "promise"), REGISTRIES.items(), ids=lambda each: each.__name__)
def test_a_broken_registry_is_found(cls: type, promise: Callable[..., None], install: Callable[[type], str]) -> None:
    name = install(cls)
    with pytest.raises(AssertionError):
        promise(RegistryPromises(), name, {})


@pytest.mark.parametrize(("cls", "promise"), ORCHESTRATORS.items(), ids=lambda each: each.__name__)
def test_a_broken_orchestrator_is_found(
    cls: type, promise: Callable[..., None], install: Callable[[type], str]
) -> None:
    name = install(cls)
    with pytest.raises(AssertionError):
        promise(OrchestratorPromises(), name, {})


@pytest.mark.parametrize(("cls", "promise"), EDGES.items(), ids=lambda each: each.__name__)
def test_a_broken_edge_is_found(cls: type, promise: Callable[..., None], install: Callable[[type], str]) -> None:
    name = install(cls)
    with pytest.raises(AssertionError):
        promise(EdgePromises(), name, {})


@pytest.mark.parametrize("feature", FEATURES)
def test_whatever_is_ignored_is_named(
    feature: str, install: Callable[[type], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = install(broken.Ignorant)
    monkeypatch.setattr(broken.Ignorant, "ignored", feature)
    _made.cache_clear()
    with pytest.raises(AssertionError, match=rf"whatever a service says of (.+, )?{feature}(, |$)"):
        OrchestratorPromises().test_what_it_does_not_refuse_it_does_not_ignore(name, {})


@pytest.mark.parametrize("promise", promises(RegistryPromises), ids=lambda each: each.__name__)
def test_a_good_registry_passes(promise: Callable[..., None], install: Callable[[type], str]) -> None:
    promise(RegistryPromises(), install(broken.Good), {})


@pytest.mark.parametrize(
    "cls", [broken.GoodRun, broken_behind_edge.GoodEdge, broken_verbs.Dutiful], ids=lambda each: each.__name__
)
@pytest.mark.parametrize("promise", promises(OrchestratorPromises), ids=lambda each: each.__name__)
def test_a_good_orchestrator_passes(cls: type, promise: Callable[..., None], install: Callable[[type], str]) -> None:
    promise(OrchestratorPromises(), install(cls), {})


@pytest.mark.parametrize("promise", promises(EdgePromises), ids=lambda each: each.__name__)
def test_a_good_edge_passes(promise: Callable[..., None], install: Callable[[type], str]) -> None:
    promise(EdgePromises(), install(broken_edges.GoodFront), {})


@pytest.mark.parametrize(
    ("kind", "broken_by"),
    [(RegistryPromises, REGISTRIES), (OrchestratorPromises, ORCHESTRATORS), (EdgePromises, EDGES)],
)
def test_every_promise_is_broken_by_one(kind: type, broken_by: Mapping[type, Callable[..., None]]) -> None:
    """A promise that nothing can break would not be one."""
    assert not [each.__name__ for each in promises(kind) if each not in broken_by.values()]
