"""What a shell completes."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from components import orchestrator, registry
from tests.program import ROOT
from yard.__main__ import COMMANDS, main
from yard.completion import SHELLS


def completed(words: str) -> list[str]:
    """What follows words, of which the last is begun."""
    *before, word = words.split(" ")
    return [each.value for each in BashComplete(main, {}, "yard", "_YARD_COMPLETE").get_completions(before, word)]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("", list(COMMANDS)),
        ("sw", ["switch"]),
        ("switch ", orchestrator.names()),
        ("rehearse --to ecs", ["ecs-ec2", "ecs-fargate"]),
        ("switch --stack ", ["dev", "local", "prod"]),
        ("init --registry ecr", ["ecr", "ecr-public"]),
        ("logs --stack dev a", ["api"]),
        ("deploy ", ["api"]),
        ("compare --region us", ["us-east-1"]),
        ("compare --usage ", ["small", "medium", "large"]),
        ("compare --pair ecr+e", ["ecr+ecs-ec2", "ecr+ecs-fargate", "ecr+eks"]),
        ("state m", ["move"]),
        ("completion ", list(SHELLS)),
    ],
)
def test_the_names_that_there_are(words: str, names: list[str]) -> None:
    assert completed(words) == names


def test_where_there_is_no_such_stack_there_are_no_services(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_STACK", "nope")
    assert completed("rollback ") == []


def test_every_pair_is_known() -> None:
    assert len(completed("compare --pair ")) == len(registry.names()) * len(orchestrator.names())


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_has_its_script(shell: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    assert f"_YARD_COMPLETE={shell}_complete" in result.stdout


def test_in_bash_itself_and_outside_of_any_project(tmp_path: Path) -> None:
    yard = f"{sys.prefix}/bin/yard"
    script = (
        f'source <({yard} completion bash); cd "$1"; COMP_WORDS=(yard switch ek) COMP_CWORD=2;'
        f' _yard_completion {yard}; echo "${{COMPREPLY[*]}}"'
    )
    for folder, found in ((ROOT, "eks"), (tmp_path, "")):
        done = subprocess.run(["bash", "-c", script, "bash", str(folder)], cwd=ROOT, capture_output=True, text=True)
        assert (done.stdout.strip(), done.stderr) == (found, "")
