"""The record of releases: what `up` adds to it and when, how long it is, and who stands in it."""

import json
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import releases
from config.digests import GIVEN
from config.releases import ACTORS, KEPT, Change, History, Release, author, bounded
from tests.program import DIGEST, EXISTING, config_for, run_program

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def ran(*ups: Mapping[str, str], given: Mapping[str, Change] | None = None) -> dict[str, Any]:
    """A stack's outputs after these `up`s, as Pulumi hands them back: a number is one with a point. `given` is what the
    last one is told."""
    outputs: dict[str, Any] = {}
    for count, healthy in enumerate(ups, 1):
        history = History.of(outputs, (given or {}) if count == len(ups) else {})
        kept = [{**each, "number": float(each["number"])} for each in history.after(healthy)]
        outputs = {"digests": dict(healthy), "releases": json.loads(json.dumps(kept))}
    return outputs


def numbers(outputs: Mapping[str, Any]) -> list[tuple[int, list[str]]]:
    return [(each.number, list(each.changed)) for each in releases.parsed(outputs)]


def test_a_release_says_what_changed_and_all_that_ran() -> None:
    outputs = ran({"api": A, "web": A}, {"api": B, "web": A}, {"api": B, "web": A})
    assert numbers(outputs) == [(1, ["api", "web"]), (2, ["api"])]
    last = releases.parsed(outputs)[-1]
    assert last.digests == {"api": B, "web": A}
    assert abs((datetime.now(UTC) - last.time).total_seconds()) < 3600
    assert outputs["releases"][-1]["time"].endswith("Z")


def test_where_nothing_changed_the_output_is_the_same_to_the_letter() -> None:
    outputs = ran({"api": A}, {"api": B})
    assert History.of(outputs, {}).after({"api": B}) == outputs["releases"]


def test_nothing_runs_and_nothing_is_recorded() -> None:
    assert History().after({}) == []


def test_a_service_that_went_and_came_back_is_a_release() -> None:
    assert numbers(ran({"api": A, "web": A}, {"api": A}, {"api": A, "web": A})) == [(1, ["api", "web"]), (2, ["web"])]


def test_a_stack_of_an_earlier_program_has_its_first_release_with_the_next_up() -> None:
    assert History.of({"digests": {"api": A}}, {}).after({"api": A})[0]["changed"] == {"api": {"digest": A}}


def test_the_commit_is_the_one_given_or_the_one_known_of_the_image() -> None:
    told = {"api": Change(digest=B, commit="3f2c1ab"), "web": Change(digest=C, commit="of another image")}
    outputs = ran({"api": A, "web": A}, {"api": B, "web": B}, given=told)
    assert releases.parsed(outputs)[-1].changed == {"api": told["api"], "web": Change(digest=B)}
    outputs |= {"digests": {"api": A}}
    back = History.of(outputs, {"api": Change(digest=B, back_to=2)}).after({"api": B, "web": B})
    assert back[-1]["changed"]["api"] == {"digest": B, "commit": "3f2c1ab", "back_to": 2}


@given(st.lists(st.sampled_from(["api", "web", "worker"]), max_size=3 * KEPT))
def test_the_record_is_bounded_and_every_service_keeps_its_way_back(deployed: list[str]) -> None:
    digests = {"api": A, "web": A, "worker": A}
    kept: list[Release] = []
    for number, names in enumerate([[*digests], *([name] for name in deployed)], 1):
        changed = {name: Change.model_construct(digest=A) for name in names}
        new = Release.model_construct(number=number, time=NOON, by="ann", changed=changed, digests=digests)
        kept = [*bounded([*kept, new])]
    assert len(kept) <= KEPT + 2 * len(digests)
    assert [each.number for each in kept[-KEPT:]] == [*range(1, len(deployed) + 2)][-KEPT:]
    for name in digests:
        assert len([each for each in kept if name in each.changed]) >= min(2, deployed.count(name) + 1)


def test_the_program_records_what_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(GIVEN, json.dumps({"api": {"digest": B, "commit": "3f2c1ab"}}))
    monkeypatch.setenv(ACTORS[0], "ann")
    config = config_for("ecr", "ecs-fargate", api={}, worker={"public": False, "digest": DIGEST})
    graph = run_program({**config, **EXISTING})
    (release,) = graph.export("releases")
    assert (release["number"], release["by"]) == (1, "ann")
    assert release["changed"] == {"api": {"digest": B, "commit": "3f2c1ab"}, "worker": {"digest": DIGEST}}


def test_a_stack_that_waits_for_its_images_has_no_release() -> None:
    assert run_program({**config_for("ecr", "ecs-fargate", api={}), **EXISTING}).export("releases") == []


class TestAuthor:
    @pytest.fixture(autouse=True)
    def nobody(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        for variable in ACTORS:
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "none"))
        monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        monkeypatch.setenv("LOGNAME", "ann")

    def test_it_is_whom_ci_names(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("GITLAB_USER_LOGIN", "bob")
        assert author(tmp_path) == "bob"

    def test_else_who_git_says(self, tmp_path: Path) -> None:
        subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
        subprocess.run(["git", "config", "user.email", "ann@example.com"], cwd=tmp_path, check=True)
        subprocess.run(["git", "config", "user.name", "Ann Lee"], cwd=tmp_path, check=True)
        assert author(tmp_path) == "Ann Lee"

    def test_else_the_login_and_the_machine(self, tmp_path: Path) -> None:
        subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
        subprocess.run(["git", "config", "user.email", "ann@example.com"], cwd=tmp_path, check=True)
        assert author(tmp_path).startswith("ann@")
        assert author(tmp_path) != "ann@example.com"
