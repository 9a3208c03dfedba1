"""What Pulumi finds in its environment when `yard` runs it."""

import os

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
