"""Which stack a command is about when nobody says it."""

from pathlib import Path

import click
import pytest

from yard import here
from yard.choice import VARIABLE, chosen, usual


@pytest.mark.parametrize(
    ("known", "stack"),
    [
        (["local", "staging"], "staging"),
        (["dev", "local", "prod"], "dev"),
        (["local"], "local"),
        (["prod"], "prod"),
    ],
)
def test_the_one_that_is_meant(known: list[str], stack: str) -> None:
    assert chosen(known) == stack


def test_of_several_one_has_to_be_said() -> None:
    with pytest.raises(click.UsageError, match=r"say which stack, as in `--stack prod`: config/ has local, prod, test"):
        chosen(["local", "prod", "test"])
    with pytest.raises(click.UsageError, match="there is no stack"):
        chosen([])


def test_the_environment_says_it_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/Pulumi.staging.yaml").touch()
    monkeypatch.setattr(here, "ROOT", tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    assert usual() == "staging"
    monkeypatch.setenv(VARIABLE, "prod")
    assert usual() == "prod"
