"""`yard pulumi`: the CLI finds stack local, which nobody is logged in to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.program import ROOT
from yard.starting.files import PROGRAM, Answers
from yard.starting.services import Begun

pytestmark = pytest.mark.engine


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    answers = Answers("shop", "eu-west-1", "ecr", "ecs-fargate", (Begun("api", "api"),))
    for path, text in answers.files.items():
        (tmp_path / path).write_text(text, encoding="utf-8")
    (tmp_path / PROGRAM).symlink_to(ROOT)
    return tmp_path


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    outside = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
    env = {**outside, "PYTHONPATH": str(ROOT), "PULUMI_HOME": str(root / "home")}
    return subprocess.run(
        [sys.executable, "-m", "yard", "pulumi", *arguments],
        cwd=root,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_messages_suggest_for_stack_local_runs_as_printed(shop: Path) -> None:
    done = run(shop, "config", "set", "--path", "oci.host", "localhost:5001", "--stack", "local")
    assert done.returncode == 0, done.stderr
    written = yaml.safe_load((shop / "config/Pulumi.local.yaml").read_text())
    assert "encryptionsalt" not in written
    host = {**written["config"].get("oci", {}), **written["config"].get("shop:oci", {})}["host"]
    assert host == "localhost:5001"
    assert "shop-local" not in run(shop, "config", "rm", "zones", "--stack=local").stderr


def test_what_yard_does_itself_is_told(shop: Path) -> None:
    done = run(shop, "up", "--stack", "local")
    assert done.returncode == 1
    assert "yard up`, so that is what brings it up; `" in done.stderr
