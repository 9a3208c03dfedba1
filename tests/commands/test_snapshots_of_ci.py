"""What `yard ci` prints, as test_snapshots.py holds it."""

import shutil
from importlib import import_module
from pathlib import Path

import pytest

from components.shell import command
from tests.commands.test_ci_check import GitHub, github, project  # noqa: F401
from tests.commands.test_snapshots import call, held, width  # noqa: F401
from tests.program import DIGEST
from tools.workflows import ARM, SERVICE, Project
from yard import state

INIT = ("ci", "init", "--stack", "dev")
CHECK = ("ci", "check", "--stack", "dev")


@pytest.fixture
def anywhere(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:  # noqa: F811
    """The same, with a folder in its commands whose name has the same length on every machine."""

    def shorter(*words: str) -> str:
        return command(*(each.replace(str(project.top), "/home/ann/shop") for each in words))

    monkeypatch.setattr(import_module("yard.ci.init"), "command", shorter)
    return project


def test_ci_init(width: int, anywhere: Project) -> None:  # noqa: F811
    deploy = anywhere.top / ".github/workflows/deploy.yml"
    for each in (anywhere.top / ".github").rglob("*.yml"):
        each.unlink()
    shown = [call(width, *INIT)]
    assert anywhere.files("ecr", "ecs-fargate", services={"api": SERVICE, "web": ARM})
    shown += [call(width, *INIT)]
    deploy.write_text("# ours\n", encoding="utf-8")
    shown += [call(width, *INIT), call(width, *INIT, "--force")]
    assert anywhere.files("oci", "swarm")
    shown += [call(width, *INIT)]
    anywhere.files("ecr", "ecs-fargate", services={"api": {"digest": DIGEST}})
    shown += [call(width, *INIT)]
    held("ci-init", width, "\n".join(shown))


def test_ci_check(
    width: int,  # noqa: F811
    anywhere: Project,
    github: GitHub,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = [call(width, *CHECK)]
    (anywhere.top / ".github/workflows/check.yml").unlink()
    (anywhere.top / ".github/workflows/switch.yml").write_text("# ours\n", encoding="utf-8")
    github.answer(
        actions__variables={"variables": [{"name": "AWS_PUSH_ROLE", "value": "arn:old"}]},
        actions__oidc__customization__sub={"use_default": False, "include_claim_keys": ["repo", "context"]},
    )
    monkeypatch.setenv("PULUMI_BACKEND_URL", "file:///home/ann")
    shown += [call(width, *CHECK)]
    held("ci-check", width, "\n".join(shown))


def test_ci_check_without_a_stack_or_github(
    width: int,  # noqa: F811
    anywhere: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none/git").symlink_to(shutil.which("git") or "git")
    monkeypatch.setenv("PATH", str(tmp_path / "none"))  # no gh in it
    monkeypatch.setattr(state, "outputs", lambda *_: {})
    held("ci-check-alone", width, call(width, *CHECK))
