"""`yard up` where there is no Docker engine, and the small decisions on the way."""

import json
import re
import socket
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from yard import engine, image, machine
from yard.__main__ import COMMANDS
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
    said = " code: 255\n stdout: \n stderr: error: stack is locked\n  by somebody\n"
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
