"""What Pulumi finds in its environment when `yard` runs it."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from yard import engine


@pytest.mark.parametrize(
    ("cores", "own", "at_once"), [(2, None, "32"), (16, None, "64"), (None, None, "32"), (2, "5", "5"), (16, "1", "1")]
)
def test_a_small_machine_waits_for_as_much_at_once_as_a_larger_one(
    monkeypatch: pytest.MonkeyPatch, cores: int | None, own: str | None, at_once: str
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    monkeypatch.delenv(engine.PARALLEL, raising=False)
    if own:
        monkeypatch.setenv(engine.PARALLEL, own)
    assert engine.environment(None)[engine.PARALLEL] == at_once


def test_a_state_under_a_known_passphrase_is_its_owners_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "HOME", tmp_path)
    monkeypatch.setattr(engine, "_command", lambda _: None)
    monkeypatch.setattr(engine, "auto", SimpleNamespace(LocalWorkspace=lambda **_: None))
    (tmp_path / ".tools/bin").mkdir(parents=True)
    (tmp_path / ".tools/bin/pulumi").touch()
    state = tmp_path / "state"
    state.mkdir(mode=0o755)
    engine.workspace(tmp_path, state=state, program=lambda: None)
    assert state.stat().st_mode & 0o777 == 0o700
