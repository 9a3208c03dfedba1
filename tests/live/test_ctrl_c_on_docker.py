"""Ctrl-C in `yard up` and `yard down` for real: at once or twice, nothing stays running, and the next run goes on."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.live.conftest import HOST
from tests.live.project import Project, copy_of_project
from tests.live.test_local import settled
from tests.terminal import Terminal
from yard import suggest

LOOKS = "an earlier run was ended while it was creating api: looking at what is there"
UP, DOWN = suggest.yard("up"), suggest.yard("down")
WAITING = "service api: waiting until every replica is healthy"


@pytest.fixture
def project(tmp_path: Path, client: docker.DockerClient, vacancy: None) -> Iterator[Project]:
    """A checkout of which nothing is up. After the test, `down` leaves nothing."""
    project, engine = copy_of_project(tmp_path / "project", HOST), settled(client)
    yield project
    down = project.yard("down", "--yes")
    assert down.code == 0, down.err
    assert settled(client) == engine


def yard(project: Project, *words: str) -> Terminal:
    """A command of `yard` in a terminal."""
    return Terminal([sys.executable, "-m", "yard", *words], project.root, {"PYTHONPATH": str(project.root)})


def pending(project: Project) -> list[str]:
    """What the state says is still under way."""
    (state,) = project.local.state.glob(".pulumi/stacks/**/local.json")
    latest = json.loads(state.read_text(encoding="utf-8"))["checkpoint"]["latest"]
    return [each["type"] for each in latest.get("pending_operations") or []]


def interrupted_while_it_waits(project: Project, times: int) -> Terminal:
    """`yard up` that got Ctrl-C while it waited for the service to become healthy."""
    with yard(project, "up") as terminal:
        terminal.wait_for(WAITING)
        for _ in range(times):
            time.sleep(2)  # the service is made within that
            terminal.interrupt()
        assert terminal.end() == 130
    assert terminal.screen.rstrip().endswith(f"Stopped. What was made stays: `{UP}` goes on, `{DOWN}` removes it.")
    assert "Traceback" not in terminal.screen
    return terminal


def test_up_goes_on_after_one_interrupt_and_after_two(project: Project) -> None:
    project.configure("services", health="/not-there")
    stopped = interrupted_while_it_waits(project, times=2)
    assert "Stopping: what is under way is finished first. Ctrl-C again ends it at once." in stopped.screen
    assert pending(project) == ["creating"]

    project.configure("services", health=None)
    stopped = interrupted_while_it_waits(project, times=1)
    assert LOOKS in stopped.screen
    assert "AWS" not in stopped.screen  # the engine's own words for it
    assert not pending(project)

    up = project.yard("up", "--json")
    assert LOOKS not in up.err
    assert up.json["changes"] == {}
    assert up.json["services"]["api"]["answer"]["orchestrator"] == "swarm"


def test_down_removes_what_was_left_and_goes_on_after_an_interrupt(project: Project) -> None:
    project.configure("services", health="/not-there")
    interrupted_while_it_waits(project, times=2)
    with yard(project, "down", "--yes") as down:
        down.wait_for("deleted ")
        down.interrupt()
        assert down.end() == 130
    assert LOOKS in down.screen
    assert "removed switchyard-local-api, which an interrupted run left" in down.screen
    assert down.screen.rstrip().endswith(f"Stopped. What is not removed yet stays: `{DOWN}` goes on.")
    assert "AWS" not in down.screen
    assert "Traceback" not in down.screen
