"""What the verbs print that look at a stack that is up, as test_snapshots.py holds it."""

from pathlib import Path

import pytest

from components.operations import OperationError, Replica, Running
from tests.commands.test_snapshots import call, held, width  # noqa: F401
from tests.commands.test_verbs import OTHER, Pretend, project  # noqa: F401
from tests.program import DIGEST
from yard import state

WROTE = {
    "api": [
        (1, "listening on 8080"),
        (4, "GET http://lb-1234567890.us-east-1.elb.amazonaws.com/api/orders?of=2026-01-31&sort=total 200 in 0.012 s"),
        (5, ""),
    ],
    "web": [(2, "listening on 3000"), (3, "  the cache is empty")],
}
"""A line that is longer than a terminal is the service's own, and stays as it is."""


def test_logs(width: int, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(Pretend, "wrote", WROTE)
    ways: tuple[list[str], ...] = ([], ["web"], ["wbe"], ["new"], ["--since", "yesterday"])
    shown = [call(width, "logs", "--stack", "dev", *each) for each in ways]
    monkeypatch.setattr(Pretend, "wrote", {"api": [], "web": []})
    shown += [call(width, "logs", "--stack", "dev", "web")]
    monkeypatch.setattr(state, "resources", lambda root, stack, state=None: [])
    shown += [call(width, "logs", "--stack", "dev")]
    held("logs", width, "\n".join(shown))


def test_run_and_exec(width: int, project: Path) -> None:  # noqa: F811
    shown = []
    no_task = OperationError("the task was not started: RESOURCE:MEMORY, there is no room for 4096 MiB on any instance")
    ends: tuple[list[str | int | BaseException], ...]
    ends = (["3 migrations to do", "done", 0], ["3 migrations to do", KeyboardInterrupt()], [no_task])
    for each in ends:
        Pretend.ends = each
        shown.append(call(width, "run", "--stack", "dev", "api", "--", "migrate", "--now"))
    wrong = (["run", "apy"], ["run", "new"], ["exec", "api"])
    shown += [call(width, verb, "--stack", "dev", service, "--", "sh") for verb, service in wrong]
    held("run", width, "\n".join(shown))


def test_open(width: int, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr("click.launch", lambda _: None)
    ways: tuple[list[str], ...] = (["api"], [], ["new"])
    held("open", width, "\n".join(call(width, "open", "--stack", "dev", *each) for each in ways))


def test_the_status_of_a_stack(
    width: int,  # noqa: F811
    project: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replicas = [
        Replica("one", "running", True, DIGEST),
        Replica("two", "running", True, OTHER),
        Replica("three", "pending", False, None, "no room"),
    ]
    shown = []
    for says in (
        Running(4, replicas, "the task ended with exit code 3: the database at db.internal:5432 does not answer"),
        OperationError("the token has expired, and `aws sso login` asks for another in the browser"),
    ):
        monkeypatch.setattr(Pretend, "says", says, raising=False)
        shown.append(call(width, "status", "--stack", "dev"))
    held("status-of-a-stack", width, "\n".join(shown))
