"""What the commands print on terminals of 60, 80 and 120 columns, as files that a person can judge: snapshots/.

Where an output changes on purpose, `make snapshots` writes them anew; the difference is then part of the change.
"""

import os
import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.commands.comparing import Project
from tests.commands.test_story import report
from tests.program import DIGEST, SERVICE
from yard import compare, doctor, status, suggest
from yard.__main__ import COMMANDS, main
from yard.checks import fail, ok, warn
from yard.differing import screen as differing
from yard.differing.result import Cost, Line, Report, Resource, StackDiff
from yard.story.screen import Screen

SNAPSHOTS = Path(__file__).with_name("snapshots")
RENEW = "SWITCHYARD_SNAPSHOTS"
"""Set to write them anew."""
WIDTHS = (60, 80, 120)
GROUPS = ("ci init", "ci check", "prices refresh", "state init", "state move", "switch", "import")
"""Commands whose help a group has, besides the groups' own."""
KEPT = click.Command.get_help_option
PASTED = re.compile(
    r"^\$ |^`[^`]+`|https?://|sha256:|^\s*(- all of it: |\w+: .*`|\w+: +)?(yard|pulumi|make|docker|aws|gh|env \w+=)\b"
    r"|^Usage: |^\[\d+\] "
)
"""What is not broken over lines, for then it could not be pasted; and sources, which are as long as they are."""


class Today(date):
    """A day that does not change."""

    @classmethod
    def today(cls) -> "Today":
        return cls(2026, 11, 24)


@pytest.fixture(params=WIDTHS)
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """A terminal of so many columns."""
    monkeypatch.setenv("COLUMNS", str(request.param))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(suggest, "name", lambda: "yard")
    monkeypatch.setattr(compare, "date", Today)
    monkeypatch.setattr(click.Command, "get_help_option", help_option)
    return int(request.param)


def help_option(command: click.Command, context: click.Context) -> click.Option | None:
    """Made anew: click keeps a command's first, and a test that calls it past `yard` has another."""
    command._help_option = None
    return KEPT(command, context)


def call(width: int, *words: str) -> str:
    """A command with what it prints."""
    done = CliRunner().invoke(main, words, prog_name="yard", terminal_width=min(width, 80))
    return f"$ yard {' '.join(words)}\n{done.output}"


def held(name: str, width: int, shown: str) -> None:
    """That it is what the file says, and no wider than the terminal."""
    text = "".join(f"{line.rstrip()}\n" for line in shown.splitlines())
    wide = [line for line in text.splitlines() if len(line) > width and not PASTED.search(line)]
    assert not wide
    file = SNAPSHOTS / f"{name}-{width}.txt"
    if os.environ.get(RENEW):
        SNAPSHOTS.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8"), f"`make snapshots` writes {file.name} anew"


def test_help(width: int) -> None:
    own = [name for name in COMMANDS if name != "pulumi"]  # whose help is Pulumi's, by the CLI itself
    every = [["--help"], *([name, "--help"] for name in own), *([*name.split(), "--help"] for name in GROUPS)]
    held("help", width, "\n".join(call(width, *words) for words in every))


def test_compare(width: int, project: Project) -> None:
    project(services={"api": {**SERVICE, "replicas": 2, "cpu": 0.5}, "web": {**SERVICE, "path": "/web"}})
    ways: tuple[list[str], ...] = ([], ["--budget", "30"], ["--all"], ["--by-line", "--pair", "ghcr+eks"])
    held("compare", width, "\n".join(call(width, "compare", "--stack", "dev", *each) for each in ways))


def test_mistakes(width: int, project: Project) -> None:
    project(
        services={"api": {**SERVICE, "port": 80, "replicas": {"min": 3, "max": 2}, "env": {"PORT": "80"}}}, netwrok=1
    )
    ways = (
        ["compare", "--stack", "dev"],
        ["compare", "--stack", "nope"],
        ["compare", "--json", "--csv"],
        ["rehearse", "--stack", "nope"],
        ["rehearse", "--to", "esk"],
        ["swich", "eks"],
        ["help", "nope"],
        ["ci", "chek"],
        ["prices", "refesh"],
        ["state", "zzz"],
        ["compare", "--stack", "dev", "--regoin", "us-east-1"],
    )
    held("mistakes", width, "\n".join(call(width, *each) for each in ways))


FINDINGS = (
    ok("config", "Pulumi.dev.yaml is valid"),
    fail(
        "state",
        "nobody is logged in to Pulumi, so there is nowhere to keep the state",
        "pulumi login; or, with the state in a directory: pulumi login file://$HOME",
    ),
    warn(
        "quota",
        "the account may run 5 vCPU on demand (L-1216C47A), and the stack needs 4, at the most 16, when it scales",
        "aws service-quotas request-service-quota-increase --service-code ec2 --quota-code L-1216C4 --desired-value 9",
    ),
)


def test_doctor(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        doctor.report("dev", iter(FINDINGS), as_json=False)
    held("doctor", width, capsys.readouterr().out)


def test_rehearse(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    for verbose, found in ((False, report()), (True, report()), (False, report(ok=False, reason="AWS refuses it"))):
        screen = Screen(verbose)
        tell = screen.listener()
        tell.note("api has no image yet: a placeholder digest stands for it")
        for phase in found.changes:
            tell.phase(phase, f"what {phase} is for, in words that need some room on a line")
            for step in found.steps:
                if step.phase == phase:
                    tell.step(step)
            tell.done(phase, found)
        screen.end(found)
    held("rehearse", width, capsys.readouterr().out)


REPLICA = {"name": "api.1.x7f", "state": "running", "healthy": True, "digest": DIGEST, "why": ""}
STATUS = {
    "traffic": {"ecs-fargate": 90, "eks": 10},
    "usd_a_month": "62.42",
    "services": {
        "api": {
            "url": "http://lb-1234567890.us-east-1.elb.amazonaws.com/api",
            "digest": DIGEST,
            "on": {
                "ecs-fargate": {"wanted": 2, "healthy": 2, "failure": "", "replicas": [REPLICA, REPLICA]},
                "eks": {
                    "wanted": 2,
                    "healthy": 1,
                    "failure": "exit code 3",
                    "replicas": [REPLICA, {**REPLICA, "healthy": False, "state": "pending", "why": "no room"}],
                },
            },
        },
        "worker": {"url": None, "digest": DIGEST, "on": {"eks": {"error": "the token has expired"}}},
        "new": {"url": None, "digest": None, "on": {}},
    },
}


def test_status(width: int) -> None:
    held("status", width, "\n".join(status.told("dev", STATUS)))


def test_diff(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        Line("compute: api: memory", Decimal("3.24"), Decimal("6.48")),
        Line("total", Decimal(46), Decimal("49.74")),
    ]
    resources = [
        Resource("created", "aws:ecs/service:Service", "web"),
        Resource("replaced", "aws:lb/targetGroup:TargetGroup", "api-ecs-fargate", ("port", "vpcId")),
    ]
    cost = Cost(Decimal(46), Decimal("49.74"), lines, ["responses: there is no price for it"])
    changed = StackDiff("dev", "changed", resources=resources, cost=cost)
    differing.show(Report("main", "the working tree", [changed, StackDiff("prod", "unchanged")]))
    held("diff", width, capsys.readouterr().out)
