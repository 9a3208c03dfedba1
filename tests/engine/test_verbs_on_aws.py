"""`yard status`, `logs` and `run` on the real engine over the rehearsal cloud, on each orchestrator of AWS."""

import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from components.operations import ecs, log_group, one_pod, swarm, swarm_ec2
from rehearsal.apis.kubernetes import shipped_to
from rehearsal.aws import types
from rehearsal.tasks import Ending, stream_of
from tests import kubectl
from tests.engine.passage import Passage, passage
from tests.program import BLOCKS, DIGEST
from yard.__main__ import main

pytestmark = pytest.mark.engine

WAYS_IN = {
    "ecs-fargate": "`yard run` runs the command beside the replicas",
    "ecs-ec2": "`yard run` runs the command beside the replicas",
    "swarm-ec2": "`yard run` runs the command beside the replicas",
    "eks": "the image of api has no program sh. This starts a shell beside it",
}
"""Orchestrator -> what `yard exec` says where there is no shell."""
SERVICES = {"api": {"digest": DIGEST, "replicas": 2, "memory": 256, "secrets": {"KEY": "x"}}}
SECRETS = {"switchyard:services.api.secrets.KEY": "correct-horse-battery"}
MIGRATION = ["looking", "adding a column", "adding an index", "done"]


def ends(command: Sequence[str]) -> Ending:
    """`migrate N` ends with N; `wait` never."""
    return Ending(["waiting"], None) if command[0] == "wait" else Ending(MIGRATION, int(command[1]))


Call = Callable[..., Result]


@contextmanager
def called(
    monkeypatch: pytest.MonkeyPatch, place: Path, orchestrator: str, **cloud: Any
) -> Iterator[tuple[Passage, Call]]:
    """A stack, and who calls `yard` on it."""
    for module in (ecs, log_group, swarm):
        monkeypatch.setattr(module, "POLL", 0.01)
    monkeypatch.setattr(swarm_ec2.OnSwarmEc2, "settles", 0.01)
    monkeypatch.setattr(one_pod, "PAUSE", 0.01)
    kubectl.install(place / "bin")
    monkeypatch.setenv("PATH", str(place / "bin"), prepend=os.pathsep)
    with passage(place, orchestrator=orchestrator, services=SERVICES, secrets=SECRETS, ends=ends, **cloud) as stack:
        monkeypatch.setenv("PULUMI_BACKEND_URL", stack.state.as_uri())
        for verb in ("status", "logs", "run", "exec"):
            monkeypatch.setattr(f"yard.{verb}.ROOT", place / "stack")
        yield stack, lambda verb, *words: CliRunner().invoke(main, [verb, "--stack", "dev", *words])


@pytest.mark.parametrize("orchestrator", WAYS_IN)
def test_the_verbs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, orchestrator: str) -> None:
    with called(monkeypatch, tmp_path, orchestrator) as (stack, yard):
        assert "stack dev is not up: `pulumi up --stack dev` brings it up" in yard("status").output
        stack.up()
        found = json.loads(yard("status", "--json").output)
        on = found["services"]["api"]["on"][orchestrator]
        assert found["traffic"] == {orchestrator: 100}
        assert (on["wanted"], on["healthy"], on["failure"]) == (2, 2, "")
        assert {each["digest"] for each in on["replicas"]} == {DIGEST}

        for code in (0, 3):
            done = yard("run", "api", "--", "migrate", str(code))
            assert (done.output.splitlines(), done.exit_code) == (MIGRATION, code)
        assert not left(stack)

        with ctrl_c_at("waiting"):
            done = yard("run", "api", "--", "wait")
        assert done.exit_code == 130
        assert done.output.endswith("Stopped. The task was stopped.\n")
        assert not left(stack)

        refused = yard("exec", "api", "--", "sh")
        assert refused.exit_code == 125
        assert WAYS_IN[orchestrator] in refused.output
        assert stack.preview() == {}, "a verb has changed the stack"


@pytest.mark.parametrize("to", ["ecs-ec2", "swarm-ec2", "eks"])
def test_in_a_move_all_that_are_up_are_told_and_the_lines_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str
) -> None:
    with called(monkeypatch, tmp_path, "ecs-fargate", more={to: BLOCKS[to]}) as (stack, yard):
        stack.up()
        write(stack, "from the old one")
        stack.set(traffic={"ecs-fargate": 100, to: 0})
        stack.up()
        stack.set(traffic={"ecs-fargate": 90, to: 10})
        stack.up()
        found = json.loads(yard("status", "--json").output)
        assert found["traffic"] == {"ecs-fargate": 90, to: 10}
        on = found["services"]["api"]["on"]
        assert {key: (each["wanted"], each["healthy"]) for key, each in on.items()} == {
            "ecs-fargate": (2, 2),
            to: (2, 2),
        }
        assert len({each["name"] for one in on.values() for each in one["replicas"]}) == 4
        assert yard("logs", "api").output == "from the old one\n"

        stack.set(orchestrator=to, traffic=None)
        stack.up()
        write(stack, *(f"from the new one: {number}" for number in range(9)))
        lines = yard("logs", "api").output.splitlines()
        assert lines[0] == "from the old one"
        assert sorted(lines[1:]) == [f"from the new one: {number}" for number in range(9)]


def test_an_orchestrator_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with called(monkeypatch, tmp_path, "ecs-fargate", more={"swarm-ec2": BLOCKS["swarm-ec2"]}) as (stack, yard):
        stack.set(traffic={"ecs-fargate": 100, "swarm-ec2": 0})
        stack.up()
        monkeypatch.setenv("AWS_ENDPOINT_URL_ECS", "http://127.0.0.1:9")
        done = yard("status", "--json")
        on = json.loads(done.stdout)["services"]["api"]["on"]
        assert done.exit_code == 1
        assert "AWS (ecs in us-east-1) does not answer" in on["ecs-fargate"]["error"]
        assert on["swarm-ec2"]["healthy"] == 2


def test_targets_that_fail_their_checks_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with called(monkeypatch, tmp_path, "ecs-fargate") as (stack, yard):
        stack.up()
        stack.cloud.state.unhealthy_groups.add("api-ecs-fargate")
        told = yard("status").output
        assert "ecs-fargate: 0 of 2 replicas healthy" in told
        assert "running: the load balancer finds it unhealthy: Health checks failed with these codes: [500]" in told


def test_on_eks_the_load_balancer_s_gate_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with called(monkeypatch, tmp_path, "eks") as (stack, yard):
        stack.up()
        assert yard("exec", "api", "--", "true").exit_code == 0
        stack.cloud.state.unhealthy_groups.add("api-eks")
        told = yard("status").output
        assert "eks: 0 of 2 replicas healthy" in told
        assert "running: Health checks failed with these codes: [500]" in told


def left(stack: Passage) -> list[str]:
    """What `yard run` has left running."""
    state = stack.cloud.state
    jobs = [each["Spec"]["Name"] for one in state.swarms.values() for each in one.services.values()]
    return [
        *(each.arn for each in state.tasks.once.values() if each.status != "STOPPED"),
        *(name for name in jobs if "-run-" in name),
        *state.tasks.jobs,
    ]


def write(stack: Passage, *lines: str) -> None:
    """Have a replica of each service write lines to where the engine was told that they belong."""
    state = stack.cloud.state
    with state.lock:
        for service in state.every(types.ECS_SERVICE):
            definition = state.find(types.TASK_DEFINITION, service.get("taskDefinition"))
            assert definition
            (container,) = json.loads(definition.get("containerDefinitions"))
            state.tasks.write(*stream_of(container, "one"), lines)
        for cluster in state.every(types.EKS_CLUSTER):
            for group in shipped_to(state, cluster.id):
                state.tasks.write(group, "api.eks.one", lines)
        for one in state.swarms.values():
            for each in one.services.values():
                options = each["Spec"]["TaskTemplate"]["LogDriver"]["Options"]
                state.tasks.write(options["awslogs-group"], options["tag"].replace("{{.ID}}", "one"), lines)


@contextmanager
def ctrl_c_at(line: str) -> Iterator[None]:
    """Press Ctrl-C as a line is shown."""
    echo = click.echo

    def show(text: Any = None, **how: Any) -> None:
        echo(text, **how)
        if text == line:
            signal.raise_signal(signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(click, "echo", show)
        yield
