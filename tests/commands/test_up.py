"""`yard up` where there is no Docker engine, and the small decisions on the way."""

import json
import re
import socket
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from config.stack_file import NoStack
from tests.program import ROOT
from yard import engine, image, machine
from yard.__main__ import COMMANDS
from yard.down import down, forget
from yard.local import Local
from yard.up import tell, up


def test_without_docker_the_rehearsal_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    @click.command()
    @click.option("--stack")
    @click.option("--json", "as_json", is_flag=True)
    def rehearse(stack: str, as_json: bool) -> None:
        click.echo(f"rehearsal of {stack}, json {as_json}")

    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setattr("yard.rehearse.rehearse", rehearse)
    result = CliRunner().invoke(up, ["--json"])
    assert result.exit_code == 0
    assert result.stdout == "rehearsal of dev, json True\n"
    (line,) = result.stderr.splitlines()
    assert f"no Docker engine answers at unix://{tmp_path}/none.sock: start it (sudo systemctl start docker" in line


def test_the_fingerprint_is_of_the_sources(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    source = tmp_path / "main.go"
    source.write_text("package main\n")
    first = image.fingerprint(tmp_path)
    (tmp_path / "bin/api").write_text("built")
    assert image.fingerprint(tmp_path) == first
    source.write_text("package main // changed\n")
    assert image.fingerprint(tmp_path) != first


def test_only_locks_of_killed_runs_are_taken_away(tmp_path: Path) -> None:
    locks = tmp_path / ".pulumi/locks/organization/switchyard/local"
    locks.mkdir(parents=True)
    here = {"username": "u", "hostname": socket.gethostname()}
    for name, lock in {
        "killed": {**here, "pid": 2**22 + 1},
        "another-program": {**here, "pid": 1},
        "elsewhere": {**here, "hostname": "elsewhere.example.com", "pid": 2**22 + 1},
    }.items():
        (locks / f"{name}.json").write_text(json.dumps(lock))
    assert engine.unlock(tmp_path)
    assert [file.stem for file in locks.iterdir()] == ["elsewhere"]
    assert not engine.unlock(tmp_path)


def test_the_cli_speaks_through_its_errors() -> None:
    said = " code: 255\n stdout: \n stderr: error: stack is locked\n  by someone\n"
    assert engine.plain(said) == "stack is locked"
    assert engine.plain("no marker") == "no marker"


def test_a_registry_elsewhere_is_not_started_here() -> None:
    assert machine.local_port("localhost:5001") == 5001
    with pytest.raises(machine.MachineError, match=r"no registry answers at harbor\.example\.com"):
        machine.local_port("harbor.example.com")


def test_what_to_try_next_exists(capsys: pytest.CaptureFixture[str]) -> None:
    tell({"changes": {}, "seconds": 1, "logs": "docker service logs api", "url": None})
    named = re.findall(r"\.venv/bin/yard (\w+)", capsys.readouterr().out)
    assert set(named) <= set(COMMANDS)
    assert "compare" in named


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Local:
    """A checkout, whose stack `local` is as it comes."""
    (tmp_path / "config").mkdir()
    for name in ("Pulumi.yaml", "config/Pulumi.local.yaml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    for command in ("up", "down"):
        monkeypatch.setattr(f"yard.{command}.ROOT", tmp_path)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(machine, "find", lambda host, notes, say: machine.Machine(host, None, notes, say))  # type: ignore[arg-type]
    return Local(tmp_path)


class TestConfiguration:
    def test_it_says_where_things_are(self, local: Local) -> None:
        assert local.repository == "localhost:5000/switchyard-local/api"
        assert (local.configured("port"), local.configured("digest")) == ("8080", None)
        local.check()

    def test_keys_need_no_namespace(self, local: Local) -> None:
        local.file.write_text("config: {oci: {host: 'localhost:5001', namespace: acme}}", encoding="utf-8")
        assert local.repository == "localhost:5001/acme/api"

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (b"", "has no service api, which is what `yard up` builds and runs: edit it, or put it back"),
            (b"config:", "has no service api"),
            (b"config: {services: {api: x}}", "has no service api"),
            (b"config: {services: x}", "services in .* is no map, such as {key: value}: edit it, or put it back"),
            (b"config: {swarm: x}", "swarm in .* is no map"),
            (b"config: x", "is no map with a map `config` in it"),
            (b"config: {a: caf\xe9}", "is no text in UTF-8"),
        ],
    )
    def test_up_stops_before_it_makes_anything(self, local: Local, text: bytes, said: str) -> None:
        local.file.write_bytes(text)
        result = CliRunner().invoke(up)
        assert result.exit_code == 1
        assert re.search(f"^Error: .*{said}", result.stderr)

    @pytest.mark.parametrize("text", [b"", b"config:", b"config: {services: x}", b"config: {services: {api: x}}"])
    def test_down_takes_out_only_what_is_there(self, local: Local, text: bytes) -> None:
        local.file.write_bytes(text)
        assert local.configured("digest") is None
        assert local.registry == "localhost:5000"

    def test_only_the_salt_of_no_secret_goes(self, local: Local) -> None:
        text = local.file.read_bytes() + b"  # caf\xe9\n"
        for secret, kept in ((b"", b""), (b"  a: {secure: x}\n", b"encryptionsalt: v1:x\n")):
            local.file.write_bytes(text + secret + b"encryptionsalt: v1:x\n")
            forget(local)
            assert local.file.read_bytes() == text + secret + kept

    def test_a_stack_that_is_not_there(self, local: Local) -> None:
        local.file.unlink()
        with pytest.raises(NoStack, match=r"there is no stack 'local'"):
            local.check()


class TestNotes:
    def test_they_add_up(self, local: Local) -> None:
        assert local.notes.read() == {}
        local.notes.write(swarm="x")
        local.notes.write(bridged=False)
        assert local.notes.read() == {"swarm": "x", "bridged": False}
        assert list(local.notes.directory.iterdir()) == [local.notes.file]

    def test_a_run_that_is_killed_while_it_writes_leaves_the_old_ones(
        self, local: Local, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        local.notes.write(swarm="x")

        def write_half(path: Path, text: str, encoding: str) -> None:
            path.write_bytes(text[:5].encode(encoding))
            raise OSError("No space left on device")

        with monkeypatch.context() as full:
            full.setattr(Path, "write_text", write_half)
            with pytest.raises(OSError, match="No space left"):
                local.notes.write(bridged=False)
        assert local.notes.read() == {"swarm": "x"}
        assert list(local.notes.directory.iterdir()) == [local.notes.file]

    @pytest.mark.parametrize("text", ['{"swarm": ', "[]", ""])
    @pytest.mark.parametrize("command", [up, down])
    def test_those_of_an_earlier_version_may_be_broken(
        self, local: Local, monkeypatch: pytest.MonkeyPatch, command: click.Command, text: str
    ) -> None:
        local.notes.directory.mkdir()
        local.notes.file.write_text(text, encoding="utf-8")
        monkeypatch.setattr(machine, "join_swarm", lambda here: here.notes.write(swarm="x"))
        monkeypatch.setattr(Local, "open", lambda self, say: self.notes.read())
        result = CliRunner().invoke(command)
        assert result.exit_code == 1
        assert (
            "local.json, where `yard up` notes what it makes, is broken: delete it and call this again" in result.stderr
        )
        assert "docker swarm leave --force" in result.stderr
