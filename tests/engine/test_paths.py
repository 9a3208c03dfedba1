"""The way to a value, as messages write it, is the way that Pulumi takes."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.stack_file import Steps, dotted
from tests.program import ROOT

WAYS: list[Steps] = [
    ("switchyard:services", "api", "secrets", "A_B-C"),
    ("switchyard:services", "api", "command", 0),
    ("switchyard:kubernetes", "annotations", "example.com/a b[0]"),
    ("switchyard:kubernetes", "annotations", 'quo"te.d'),
    ("switchyard:kubernetes", "annotations", "back\\slash.d$x`y"),
    ("switchyard:kubernetes", "annotations", 'not "dotted\\" at; all]'),
    ("switchyard:kubernetes", "annotations", ""),
]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_pulumi_sets_what_a_message_names(way: Steps, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("{name: switchyard, runtime: python}")
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text("{}")
    env = {**os.environ, "PULUMI_BACKEND_URL": tmp_path.as_uri(), "PULUMI_CONFIG_PASSPHRASE": "x"}
    for words in (["stack", "init", "dev"], ["config", "set", "--stack", "dev", "--path", dotted(way), "found"]):
        subprocess.run([ROOT / ".tools/bin/pulumi", *words], cwd=tmp_path, env=env, check=True, capture_output=True)
    found: Any = yaml.safe_load(file.read_text())["config"]
    for step in way:
        found = found[step]
    assert found == "found"
