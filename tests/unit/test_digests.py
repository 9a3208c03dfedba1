"""Which image a service runs: the configuration's, else this run's, else the last `up`'s."""

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.service import Service
from config import digests
from config.digests import GIVEN, Given, recorded, resolved
from config.problems import BadConfig
from tests.program import DIGEST, EXISTING, config_for, run_program

OTHER = f"sha256:{'b' * 64}"
PUBLIC = {"image": f"quay.io/acme/web@{DIGEST}", "path": "/web"}
DIGESTS = st.sampled_from([f"sha256:{letter * 64}" for letter in "abcd"])
SOME = st.dictionaries(st.sampled_from(["api", "web", "worker"]), DIGESTS)


def services(pins: Mapping[str, str]) -> dict[str, Service]:
    return {name: Service(digest=pins.get(name)) for name in ("api", "web", "worker")}


@given(SOME, SOME, SOME)
def test_a_pin_wins_then_this_run_then_the_record(
    pins: dict[str, str], now: dict[str, str], record: dict[str, str]
) -> None:
    found = {name: each.digest for name, each in resolved(services(pins), now, record).items()}
    assert found == {name: pins.get(name) or now.get(name) or record.get(name) for name in found}


def test_what_is_given_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(GIVEN, json.dumps({"api": OTHER}))
    graph = run_program({**config_for("ecr", "ecs-fargate", api={}), **EXISTING})
    assert graph.export("digests") == {"api": OTHER}
    assert OTHER in json.dumps(graph.one("ecs/taskDefinition:TaskDefinition").inputs)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"api": "latest"}', f"{GIVEN} is .* want service -> digest as JSON"),
        ("{", f"{GIVEN} is '{{'"),
        (json.dumps({"shop": OTHER}), rf"{GIVEN}\.shop .* want the name of a service: api"),
        (json.dumps({"web": OTHER}), rf"{GIVEN}\.web .* want no entry: web runs `image`, which someone else built"),
        (json.dumps({"api": OTHER}), r"switchyard:services\.api\.digest .* a digest in the configuration is a pin"),
    ],
)
def test_what_says_nothing_to_the_stack_is_refused(monkeypatch: pytest.MonkeyPatch, text: str, words: str) -> None:
    monkeypatch.setenv(GIVEN, text)
    with pytest.raises(BadConfig, match=words):
        run_program({**config_for("ecr", "ecs-fargate", api={"digest": DIGEST}, web=PUBLIC), **EXISTING})


def test_what_a_run_is_given_may_be_the_pin_itself() -> None:
    given_ = Given(json.dumps({"api": DIGEST}))
    assert not list(given_.problems({"api": Service(digest=DIGEST)}))


class TestRecord:
    def answers(self, monkeypatch: pytest.MonkeyPatch, *answers: Any) -> None:
        """What the engine says, time after time."""
        following = iter(answers)

        def invoke(*_: Any) -> Any:
            answer = next(following)
            if isinstance(answer, Exception):
                raise answer
            return SimpleNamespace(value=answer)

        monkeypatch.setattr(pulumi.runtime, "invoke", invoke)
        monkeypatch.setattr(digests, "PAUSE", 0)

    def test_a_state_that_is_just_being_written_is_asked_for_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        written = Exception(
            "invocation of pulumi:pulumi:readStackOutputs returned an error: failed to load checkpoint: EOF"
        )
        self.answers(monkeypatch, written, written, {"outputs": {"digests": {"api": DIGEST}}})
        assert recorded() == {"digests": {"api": DIGEST}}

    def test_what_else_goes_wrong_is_raised_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers(monkeypatch, Exception("failed to load checkpoint: incorrect passphrase"), {})
        with pytest.raises(Exception, match="incorrect passphrase"):
            recorded()
