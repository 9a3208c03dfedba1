"""Fixtures that several files of these tests share."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components import prices
from tests.commands.accounts import Aws
from tests.commands.comparing import Project
from tests.commands.offers_made import OFFERS, OLD, TOKYO
from tests.program import ROOT, SERVICE, config_for
from yard import compare
from yard import prices as command
from yard.pricelist import fetch as fetching


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Price files of the test's own: one for Tokyo, none for Virginia."""
    directory = tmp_path / "prices"
    (directory / "aws").mkdir(parents=True)
    (directory / f"aws/{TOKYO}.json").write_text(OLD, encoding="utf-8")
    monkeypatch.setattr(command, "HERE", directory)
    monkeypatch.setattr(prices, "HERE", directory)
    monkeypatch.setattr(fetching, "PAUSE", 0)
    return directory


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    """A copy of the price lists, to be spoilt."""
    return Path(shutil.copytree(OFFERS, tmp_path / "offers"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project of the test's own; `project(...)` writes its stack dev."""
    (tmp_path / "config").mkdir()
    (tmp_path / "Pulumi.yaml").write_bytes((ROOT / "Pulumi.yaml").read_bytes())
    monkeypatch.setattr(compare, "ROOT", tmp_path)
    monkeypatch.setattr("yard.state.HOME", tmp_path)

    def write(registry: str = "ecr", orchestrator: str = "ecs-fargate", **config: Any) -> Path:
        services = config.pop("services", {"api": SERVICE})
        values = {**config_for(registry, orchestrator, **services), **config}
        values = {key if ":" in key else f"switchyard:{key}": value for key, value in values.items()}
        file = tmp_path / "config/Pulumi.dev.yaml"
        file.write_text(yaml.safe_dump({"config": values}), encoding="utf-8")
        return file

    return write


@pytest.fixture
def cloud() -> Iterator[Aws]:
    """Nothing is answered that a test does not write down."""
    cloud = Aws()
    yield cloud
    cloud.close()
