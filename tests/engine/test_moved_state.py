"""`yard state move`: a stack's state from one backend to another, by Pulumi's own CLI; nothing is lost on the way."""

import json
import os
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from click.testing import CliRunner, Result
from pulumi import automation as auto

from config.place import HOME
from rehearsal.apis import kms
from tests.program import ROOT
from yard import engine, state_
from yard.__main__ import main
from yard.sharing.moving import Kept, Move

pytestmark = pytest.mark.engine

OURS, SECRET = "of the team", "correct horse battery staple"
AWSKMS = "awskms://alias/shop-state?region=eu-central-1"


def program() -> None:
    """Something with a secret in the state, and one from the stack's file."""
    pulumi.export("releases", [{"number": 1, "digests": {"api": "sha256:1"}}])
    pulumi.export("login", pulumi.Output.secret({"password": SECRET}))
    pulumi.export(
        "password", pulumi.Config("switchyard").require_secret_object("oci").apply(lambda oci: oci["password"])
    )


class Team:
    """A project whose stack dev is up, with its state in a directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        engine.borrow(ROOT, root)
        self.file = root / "config/Pulumi.dev.yaml"
        self.file.write_text(yaml.safe_dump({"config": {"aws:region": "eu-central-1"}}), encoding="utf-8")
        stack = engine.stack("dev", root, state=root / "laptop", program=program)
        secret = auto.ConfigValue(SECRET, secret=True)
        stack.set_config("switchyard:oci.password", secret, path=True)
        engine.Watch().run(stack.up)

    def at(self, place: str) -> str:
        """The URL of a backend; made, as a bucket would be."""
        (self.root / place).mkdir(exist_ok=True)
        return (self.root / place).as_uri()

    def saved(self, place: str) -> Path:
        """The state as it lies there."""
        return self.root / place / ".pulumi/stacks/switchyard/dev.json"

    def move(self, to: str, provider: str, code: int = 0) -> Result:
        words = ["--stack", "dev", "--to", self.at(to), "--secrets-provider", provider, "--yes"]
        found = CliRunner().invoke(main, ["state", "move", *words])
        assert found.exit_code == code, found.output
        return found

    def pulumi(self, place: str, *words: str, typed: str = "", code: int = 0) -> str:
        """The CLI's answer, logged in to a place."""
        env = {**os.environ, **engine.environment(None), "PULUMI_BACKEND_URL": self.at(place)}
        command = [str(HOME / ".tools/bin/pulumi"), *words, "--non-interactive"]
        done = subprocess.run(command, cwd=self.root, env=env, input=typed, capture_output=True, text=True)
        assert (done.returncode == 0) == (code == 0), done.stderr
        return done.stdout

    def outputs(self, place: str) -> Any:
        return json.loads(self.pulumi(place, "stack", "output", "--json", "--show-secrets", "--stack", "dev"))


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", OURS)
    monkeypatch.setattr("yard.here.ROOT", tmp_path / "project")
    monkeypatch.setattr(state_, "ROOT", tmp_path / "project")
    team = Team(tmp_path / "project")
    monkeypatch.setenv("PULUMI_BACKEND_URL", team.at("laptop"))
    return team


def test_nothing_is_lost_on_the_way(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    before, file = team.outputs("laptop"), yaml.safe_load(team.file.read_text(encoding="utf-8"))
    assert (before["login"]["password"], before["password"]) == (SECRET, SECRET)
    left = team.saved("laptop").read_text(encoding="utf-8")

    said = team.move("shared", "passphrase").stdout
    removal = said.strip().splitlines()[-1]
    assert f"is at {team.at('shared')}: 1 resources, 2 secrets in it, the same as before" in said
    assert team.outputs("shared") == before
    assert team.saved("laptop").read_text(encoding="utf-8") == left
    moved = yaml.safe_load(team.file.read_text(encoding="utf-8"))
    assert moved["config"]["switchyard:oci"] != file["config"]["switchyard:oci"], "not encrypted anew"

    # What was left goes by the command that was printed; the stack's file stays.
    env = {**os.environ, **engine.environment(None)}
    subprocess.run(f"{removal} --yes", shell=True, cwd=team.root, env=env, check=True, capture_output=True)
    assert not team.saved("laptop").exists()
    assert yaml.safe_load(team.file.read_text(encoding="utf-8")) == moved

    # Another passphrase, as docs/team-state.md has it: the one of before opens nothing any more.
    team.pulumi("shared", "stack", "change-secrets-provider", "passphrase", "--stack", "dev", typed="another\n")
    team.pulumi("shared", "stack", "output", "--json", "--show-secrets", "--stack", "dev", code=255)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "another")
    assert team.outputs("shared") == before

    # And to a key of KMS, over the rehearsal's.
    monkeypatch.setenv("PULUMI_BACKEND_URL", team.at("shared"))
    with closing(kms.serve()) as key:
        for name, value in {
            "AWS_ENDPOINT_URL_KMS": key.url,
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
        }.items():
            monkeypatch.setenv(name, value)
        team.move("bucket", AWSKMS)
        monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE")
        assert team.outputs("bucket") == before
    document = yaml.safe_load(team.file.read_text(encoding="utf-8"))
    assert document["secretsprovider"] == AWSKMS
    assert "encryptionsalt" not in document
    assert SECRET not in team.saved("bucket").read_text(encoding="utf-8")


def test_what_would_be_lost_is_refused(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a killed run had under way, and another stack of that name; both places and the stack's file stay."""
    saved = team.saved("laptop")
    state = json.loads(saved.read_text(encoding="utf-8"))
    latest, file = state["checkpoint"]["latest"], team.file.read_text(encoding="utf-8")
    urn = "urn:pulumi:dev::switchyard::aws:ec2/vpc:Vpc::net"
    resource = {"urn": urn, "type": "aws:ec2/vpc:Vpc", "custom": True}
    latest["pending_operations"] = [{"type": "creating", "resource": resource}]
    saved.write_text(json.dumps(state), encoding="utf-8")
    said = team.move("shared", "passphrase", code=1).stderr
    assert "a run of stack dev was ended while it was creating net, which a move would forget" in said
    assert not team.saved("shared").exists()

    del latest["pending_operations"]
    saved.write_text(json.dumps(state), encoding="utf-8")
    team.pulumi("shared", "stack", "init", "dev")
    other = team.saved("shared").read_text(encoding="utf-8")
    assert "already exists" in team.move("shared", "passphrase", code=1).stderr
    assert team.saved("shared").read_text(encoding="utf-8") == other
    assert team.file.read_text(encoding="utf-8") == file

    found = Move._at

    def differs(move: Move, backend: str) -> Kept:
        kept = found(move, backend)
        return Kept(kept.resources, {}, []) if backend == move.target else kept

    monkeypatch.setattr(Move, "_at", differs)
    said = team.move("third", "passphrase", code=1).stderr
    assert f"{team.at('third')} does not have the same config of stack dev as {team.at('laptop')}" in said
