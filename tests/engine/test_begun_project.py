"""The project that `yard init` writes, through the real engine."""

from pathlib import Path

import pytest

from tests.program import ROOT
from yard import files
from yard.rehearsing import Listener, rehearse
from yard.starting.files import PROGRAM, Answers
from yard.starting.services import Begun

pytestmark = pytest.mark.engine


def test_its_stack_dev_can_be_rehearsed_as_it_is(tmp_path: Path) -> None:
    services = (Begun("api", "api"), Begun("web", "web", 9000))
    answers = Answers("shop", "eu-central-1", "ecr", "ecs-fargate", services)
    (tmp_path / "config").mkdir()
    for path, text in answers.files.items():
        files.write(tmp_path / path, text)
    (tmp_path / PROGRAM).symlink_to(ROOT)
    report = rehearse(tmp_path, "dev", None, 1000, Listener())
    assert report.ok, report.reason
    assert report.url["before"] == report.url["after"]
