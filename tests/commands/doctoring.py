"""A stack to examine: what the tests of the doctor share."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from config.settings import Settings
from config.stack_file import StackFile
from tests.program import ROOT, config_for
from yard.checks import project
from yard.checks.project import Owned

SECURE = {"secure": "v1:abc:def"}
NOTHING = Owned(frozenset())


def stack_file(root: Path, config: Mapping[str, Any], **besides: str) -> StackFile:
    """A project with one stack, dev."""
    (root / "config").mkdir(exist_ok=True)
    (root / "Pulumi.yaml").write_bytes((ROOT / "Pulumi.yaml").read_bytes())
    values = {key if ":" in key else f"switchyard:{key}": value for key, value in config.items()}
    text = yaml.safe_dump({**besides, "config": values})
    (root / "config/Pulumi.dev.yaml").write_text(text, encoding="utf-8")
    return StackFile(root, "dev")


def settings_of(root: Path, **config: Any) -> Settings:
    """The settings of a stack on ecr and ecs-fargate, unless `config` says otherwise."""
    base = config_for("ecr", config.pop("orchestrator", "ecs-fargate"))
    settings, found = project.settings(stack_file(root, {**base, **config}))
    assert settings, found
    return settings


def program(path: Path, answer: str) -> Path:
    """An executable that answers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{answer}'\n", encoding="utf-8")
    path.chmod(0o755)
    return path
