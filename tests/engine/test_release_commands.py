"""Release commands on the real engine: before the replicas of a new image, and on one orchestrator of a stack alone."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import pytest

from rehearsal.aws import types
from rehearsal.tasks import Ending
from tests.engine.passage import Passage, passage
from tests.program import BLOCKS, DIGEST, ROOT
from yard import engine
from yard.engine import EngineError
from yard.switch import Switch

pytestmark = pytest.mark.engine

OTHER = f"sha256:{'b' * 64}"
JOB = "kubernetes:batch/v1:Job"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
MIGRATE = ["migrate", "--all"]


def api(digest: str = DIGEST, **more: Any) -> dict[str, Any]:
    return {"api": {"digest": digest, "release": MIGRATE, **more}}


class Runs:
    """Every run of a release command, wherever it is; `code` is how the next ones end."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.code = 0

    def __call__(self, command: Sequence[str]) -> Ending:
        self.commands.append(list(command))
        return Ending(("relation users is locked",), self.code)


def running(stack: Passage, key: str) -> str:
    """What the replicas of `api` are made from."""
    state = stack.cloud.state
    if key == "eks":
        return json.dumps([each.get("spec.template") for each in state.every(DEPLOYMENT)])
    if key == "swarm-ec2":
        specs = [each["Spec"] for swarm in state.swarms.values() for each in swarm.services.values()]
        return json.dumps([each["TaskTemplate"]["ContainerSpec"]["Image"] for each in specs])
    return json.dumps([each.get("taskDefinition") for each in state.every(types.ECS_SERVICE)])


@pytest.mark.parametrize("key", ["ecs-fargate", "eks", "swarm-ec2"])
def test_it_runs_once_for_an_image_and_where_it_fails_the_old_replicas_serve_on(tmp_path: Path, key: str) -> None:
    runs = Runs()
    with passage(tmp_path, orchestrator=key, services=api(), ends=runs) as stack:
        stack.up()
        assert runs.commands
        assert all(command == MIGRATE for command in runs.commands)
        assert stack.outputs["released"]["api"]["on"] == key
        assert stack.preview() == {}

        runs.commands.clear()
        stack.set(services=api(env={"LOG_LEVEL": "info"}))
        stack.up()
        assert not runs.commands, "the image is the same"
        assert stack.preview() == {}

        runs.code, before = 3, running(stack, key)
        stack.push(OTHER)
        stack.set(services=api(OTHER))
        with pytest.raises(EngineError, match=r"exit code 3"):
            stack.up()
        assert runs.commands
        assert running(stack, key) == before
        assert stack.serving() == [key]
        assert stack.outputs["digests"] == {"api": DIGEST}

        runs.code = 0
        stack.up()
        assert running(stack, key) != before
        assert stack.outputs["digests"] == {"api": OTHER}
        assert stack.preview() == {}


def test_an_image_that_someone_else_built_has_one_too(tmp_path: Path) -> None:
    def nginx(digest: str) -> dict[str, Any]:
        return {"api": {"image": f"docker.io/library/nginx@{digest}", "release": MIGRATE}}

    runs = Runs()
    with passage(tmp_path, services=nginx(DIGEST), ends=runs) as stack:
        stack.up()
        assert runs.commands == [MIGRATE]
        assert stack.outputs["released"]["api"]["on"] == "ecs-fargate"
        assert stack.preview() == {}
        stack.set(services=nginx(OTHER))
        stack.up()
        assert runs.commands == [MIGRATE, MIGRATE]


def test_an_error_has_the_last_lines_of_its_log(tmp_path: Path) -> None:
    runs = Runs()
    runs.code = 1
    with passage(tmp_path, services=api(), ends=runs) as stack, pytest.raises(EngineError) as error:
        stack.up()
    assert "the release command of api ended with exit code 1. The service is as it was before" in str(error.value)
    assert "| relation users is locked" in str(error.value)


def started(stack: Passage) -> int:
    """Release commands that have run on ECS and on EKS, as tasks and as jobs."""
    jobs = [call for call in stack.cloud.calls if (call.op, call.type) == ("create", JOB) and call.ok]
    return len(stack.cloud.state.tasks.once) + len(jobs)


@pytest.mark.parametrize(("home", "to"), [("ecs-fargate", "eks"), ("eks", "ecs-fargate")])
def test_during_a_move_it_runs_on_the_stacks_own_orchestrator_alone(tmp_path: Path, home: str, to: str) -> None:
    with passage(tmp_path, orchestrator=home, services=api(), more={"eks": BLOCKS["eks"]}) as stack:
        stack.up()
        assert started(stack) == 1
        stack.set(traffic={home: 50, to: 50})
        stack.up()
        assert started(stack) == 1, "the newcomer has the same image"
        stack.push(OTHER)
        stack.set(services=api(OTHER))
        stack.up()
        assert started(stack) == 2
        assert stack.outputs["digests"] == {"api": OTHER}
        switch = Switch.of(stack.stack, ROOT, lambda _: None, 60)
        switch.guard.sleep = lambda _: None
        switch.run(to)
        assert started(stack) == 2, "it has run for this image, before the move"
        assert stack.outputs["released"]["api"]["on"] == ""
        assert stack.preview() == {}


def test_nobody_switches_in_the_middle_of_one(tmp_path: Path) -> None:
    told: list[str] = []

    def asks(_: Sequence[str]) -> Ending:
        try:
            Switch.of(stack.stack, ROOT, lambda _: None, 60).check("eks")
        except click.ClickException as error:
            told.append(error.message)
        return Ending()

    with passage(tmp_path, services=api(), ends=asks) as stack:
        workspace = stack.stack.workspace
        workspace.env_vars = {**workspace.env_vars, engine.SKIP_CHECKPOINTS: "false"}
        stack.up()
    assert "an earlier run was ended while it was creating api" in told[0]
