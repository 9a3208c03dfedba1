"""`yard releases` and `yard rollback`: what the record says, and where there is no way back."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from docker.errors import APIError, NotFound
from hypothesis import given
from hypothesis import strategies as st

from components.docker_engine import SwarmError
from components.service import Service
from config.releases import Change, History, parsed
from tests.commands.doctoring import stack_file
from tests.program import config_for
from yard import deploy, here, machine, releases, rollback, state, suggest
from yard.__main__ import main
from yard.machine import MachineError, Notes, Say
from yard.rollback import Goal, Rollback, before

A, B, C, D = (f"sha256:{letter * 64}" for letter in "abcd")
SERVICES = {"api": {"path": "/api"}, "web": {}}


def ran(*ups: Mapping[str, str | Change]) -> dict[str, Any]:
    """A stack's outputs after these `up`s."""
    outputs: dict[str, Any] = {"repositories": {"api": "example.com/api", "web": "example.com/web"}}
    digests: dict[str, str] = {}
    for up in ups:
        given = {name: each if isinstance(each, Change) else Change(digest=each) for name, each in up.items()}
        digests = digests | {name: each.digest for name, each in given.items()}
        outputs |= {"releases": History.of(outputs, given).after(digests), "digests": digests}
    return outputs


def back(outputs: Mapping[str, Any], *names: str, to: int | None = None, **pins: str) -> dict[str, tuple[int, str]]:
    """Where services go back to: release and digest."""
    services = {name: Service(path=f"/{name}", digest=pins.get(name)) for name in ("api", "web")}
    found = Goal("dev", services, parsed(outputs), outputs["digests"], to).changes(names)
    return {name: (each.back_to or 0, each.digest) for name, each in found.items()}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose stack dev has two services."""
    stack_file(tmp_path, {**config_for("ecr", "ecs-fargate"), "services": SERVICES})
    for module in (deploy, releases, rollback, here):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    return tmp_path


Call = Callable[..., Result]


@pytest.fixture(autouse=True)
def on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suggest, "name", lambda: "yard")


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A Docker engine that asks registries; what it says of every image, once a test has put it there."""
    says: list[str] = []

    class Client:
        images = property(lambda self: self)

        def get_registry_data(self, image: str) -> None:
            if says == ["has nothing"]:
                raise NotFound(f"{image}: manifest unknown")
            if says:
                raise APIError("denied: requested access to the resource is denied")

        def close(self) -> None:
            pass

    def find(host: str, notes: Notes, say: Say) -> SimpleNamespace:
        if "nowhere" in host:
            raise SwarmError(f"no Docker engine answers at {host}")
        return SimpleNamespace(client=Client())

    monkeypatch.setattr(machine, "find", find)
    return says


@pytest.fixture
def yard(project: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call `yard` on a stack with these outputs."""

    def call(*words: str, outputs: Mapping[str, Any]) -> Result:
        monkeypatch.setattr(state, "outputs", lambda root, stack: outputs)
        return CliRunner().invoke(main, words)

    return call


class TestWhereTo:
    def test_what_the_last_release_changed_goes_back(self) -> None:
        outputs = ran({"api": A, "web": A}, {"web": B}, {"api": B})
        assert back(outputs) == {"api": (2, A)}

    def test_a_service_that_is_named_goes_back_to_what_it_ran_before(self) -> None:
        outputs = ran({"api": A, "web": A}, {"web": B}, {"api": B})
        assert back(outputs, "web") == {"web": (1, A)}
        assert back(outputs, "api", "web") == {"api": (2, A), "web": (1, A)}

    def test_a_number_names_the_release(self) -> None:
        outputs = ran({"api": A, "web": A}, {"api": B}, {"api": C, "web": C})
        assert back(outputs, to=1) == {"api": (1, A), "web": (1, A)}
        assert back(outputs, "api", to=2) == {"api": (2, B)}

    def test_after_a_rollback_the_way_leads_further_back(self) -> None:
        outputs = ran({"api": A}, {"api": B}, {"api": C}, {"api": Change(digest=B, back_to=2)})
        assert back(outputs, "api") == {"api": (1, A)}
        outputs = ran({"api": A}, {"api": B}, {"api": C}, {"api": Change(digest=A, back_to=1)}, {"api": D})
        assert back(outputs) == {"api": (4, A)}

    def test_the_first_release_has_none_before_it_after_a_rollback_neither(self) -> None:
        for outputs in (ran({"api": A}), ran({"api": A}, {"api": B}, {"api": Change(digest=A, back_to=1)})):
            with pytest.raises(MachineError, match="api has no earlier release: `yard releases api --stack dev`"):
                back(outputs, "api")

    @given(st.lists(st.one_of(st.sampled_from([A, B, C, D]), st.integers(1, 9)), max_size=9))
    def test_rollbacks_end_at_an_image_that_ran_and_never_turn_in_a_circle(self, ups: list[str | int]) -> None:
        outputs = ran({"api": A})
        for up in ups:
            if isinstance(up, int):
                known = {each.number: each.digests["api"] for each in parsed(outputs)}
                outputs = outputs | (_then(outputs, Change(digest=known[up], back_to=up)) if up in known else {})
            else:
                outputs = outputs | _then(outputs, Change(digest=up))
        numbers = [len(parsed(outputs)) + 1]
        while found := before(parsed(outputs), "api", outputs["digests"]["api"]):
            assert found.digests["api"] != outputs["digests"]["api"]
            numbers.append(found.number)
            outputs = outputs | _then(outputs, Change(digest=found.digests["api"], back_to=found.number))
        assert numbers == sorted(numbers, reverse=True)
        assert len(numbers) == len({*numbers})


def _then(outputs: Mapping[str, Any], change: Change) -> dict[str, Any]:
    after = {"api": change.digest}
    return {"releases": History.of(outputs, {"api": change}).after(after), "digests": after}


class TestNoWayBack:
    def test_everything_wrong_is_told_at_once(self) -> None:
        with pytest.raises(MachineError) as error:
            back(ran({"api": A}, {"api": B}), "apy", "web", to=7)
        assert str(error.value).splitlines() == [
            "there is no release 7 of stack dev: `yard releases --stack dev` shows those that there are",
            "there is no service 'apy': use one of api, web; did you mean api?",
        ]
        with pytest.raises(MachineError) as error:
            back(ran({"api": A}, {"api": B}), "api", "web", to=1, api=B)
        assert str(error.value).splitlines() == [
            f"api is pinned to {B} in the configuration, so nothing else can run: set services.api.digest in"
            f" config/Pulumi.dev.yaml to {A}, or take it out",
            "web does not run on stack dev yet, so there is nothing to go back to",
        ]

    def test_nothing_ran_yet(self) -> None:
        with pytest.raises(MachineError, match="stack dev has no releases yet"):
            back({"digests": {}})

    def test_a_release_before_the_service(self) -> None:
        with pytest.raises(MachineError, match="web has no image in release 1: `yard releases web --stack dev`"):
            back(ran({"api": A}, {"web": A}), "web", to=1)

    def test_what_runs_already(self) -> None:
        with pytest.raises(MachineError, match="api runs the image of release 2 already"):
            back(ran({"api": A}, {"api": B}), "api", to=2)
        with pytest.raises(MachineError, match="nothing to go back: it is what runs on stack dev"):
            back(ran({"api": A}, {"api": B}), to=2)

    def test_an_image_that_the_registry_lost(
        self, project: Path, monkeypatch: pytest.MonkeyPatch, engine: list[str]
    ) -> None:
        monkeypatch.setattr(state, "outputs", lambda root, stack: ran({"api": A}, {"api": B}))
        engine.append("has nothing")
        with pytest.raises(MachineError, match=f"api: example.com/api no longer has {A}, the image of release 1"):
            Rollback.of(project, "dev", [], None)
        engine[:] = ["denies access"]
        assert Rollback.of(project, "dev", [], None).running == {"api": B}

    def test_without_an_engine_the_registry_is_believed_to_have_it(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(state, "outputs", lambda root, stack: ran({"api": A}, {"api": B}))
        monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
        assert Rollback.of(project, "dev", [], None).deployment.pushed["api"].digest == A


class TestReleases:
    OUTPUTS = ran(
        {"api": A, "web": A},
        {"api": Change(digest=B, commit="3f2c1ab")},
        {"api": Change(digest=A, back_to=1)},
    )

    def test_the_newest_is_first_and_what_runs_is_marked(self, yard: Call) -> None:
        told = yard("releases", "--stack", "dev", outputs=self.OUTPUTS).output.splitlines()
        assert told[0].split() == ["release", "time", "(UTC)", "service", "digest", "commit", "by"]
        assert [(line.split()[0], *line.split()[3:6]) for line in told[1:]] == [
            ("3", "api", f"sha256:{'a' * 12}", "-"),
            ("2", "api", f"sha256:{'b' * 12}", "3f2c1ab"),
            ("1", "api", f"sha256:{'a' * 12}", "-"),
            ("1", "web", f"sha256:{'a' * 12}", "-"),
        ]
        assert told[1].endswith("rollback to 1, runs now")
        assert [line.endswith("runs now") for line in told[1:]] == [True, False, False, True]

    def test_one_service_in_json(self, yard: Call) -> None:
        (row,) = json.loads(yard("releases", "web", "--stack", "dev", "--json", outputs=self.OUTPUTS).output)
        assert (row["number"], row["service"], row["digest"], row["runs"]) == (1, "web", A, True)

    def test_a_service_that_never_ran(self, yard: Call) -> None:
        result = yard("releases", "apy", outputs=self.OUTPUTS)
        assert result.exit_code == 1
        assert "apy has no releases on stack dev: use one of api, web; did you mean api?" in result.output

    @pytest.mark.parametrize(("stack", "first"), [("dev", "yard deploy --stack dev"), ("local", "yard up")])
    def test_before_the_first(self, yard: Call, project: Path, stack: str, first: str) -> None:
        (project / f"config/Pulumi.{stack}.yaml").touch()
        told = yard("releases", "--stack", stack, outputs={}).output
        assert told == f"stack {stack} has no releases yet: `{first}` makes the first\n"


class TestRollback:
    def test_it_asks_first_and_says_what_goes_where(self, yard: Call) -> None:
        outputs = ran({"api": Change(digest=A, commit="3f2c1ab")}, {"api": B})
        result = yard("rollback", outputs=outputs)
        assert result.exit_code == 2
        assert f"api: from sha256:{'b' * 12} back to release 1, sha256:{'a' * 12}, commit 3f2c1ab" in result.output
        assert "Roll back stack dev? There is no terminal to answer at: give --yes" in result.output

    def test_the_deployment_is_the_one_of_deploy(self, yard: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        done: list[deploy.Deployment] = []

        def run(self: deploy.Deployment, say: Say) -> dict[str, Any]:
            done.append(self)
            return {"services": {}}

        monkeypatch.setattr(deploy.Deployment, "run", run)
        result = yard("rollback", "--yes", "--json", outputs=ran({"api": A}, {"api": B}))
        assert json.loads(result.stdout) == {"services": {}}
        (one,) = done
        assert (one.stack, list(one.build), one.pushed) == ("dev", [], {"api": Change(digest=A, back_to=1)})
