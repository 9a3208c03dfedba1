"""Release commands: when one is due, and what ECS is asked for it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pulumi
import pytest

from components.aws.release import TAG, ReleaseFailed, Releases
from components.hooks import INTERRUPTED
from components.release import PATIENCE, fingerprint
from components.testing.engine import Graph
from config import release_commands
from tests.program import DIGEST, EXISTING, config_for, run_program
from tests.unit.test_settings import BASE, api, load

RUN = fingerprint(("migrate",), DIGEST)
SERVICE = {
    "cluster": "cluster-arn",
    "taskDefinition": "task-definition:2",
    "capacityProviderStrategies": [{"capacityProvider": "FARGATE", "base": 1.0, "weight": 1.0}],
    "networkConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": True},
    "tags": {TAG: RUN},
}


class Ecs:
    """ECS and its log; `looks` are the answers about the task, one after the other."""

    def __init__(self, *looks: Mapping[str, Any], failures: tuple[Mapping[str, str], ...] = ()) -> None:
        self.looks = list(looks)
        self.failures = failures
        self.asked: dict[str, Any] = {}

    def __call__(self, _service: str, action: str, **asked: Any) -> Any:
        self.asked[action] = asked
        if action == "run_task":
            return {"tasks": [{"taskArn": "arn/task/1"}], "failures": self.failures}
        if action == "describe_tasks":
            look = self.looks.pop(0)
            return {"tasks": [look] if look else []}
        return {"events": [{"message": "relation users is locked\n"}]}


def stopped(code: int | None, **more: str) -> Mapping[str, Any]:
    container = {"name": "api"} if code is None else {"name": "api", "exitCode": code}
    return {"lastStatus": "STOPPED", "containers": [container], **more}


def runner(ecs: Ecs, **how: Any) -> Releases:
    made = Releases("ecs-fargate", "/shop-dev", 5, ecs, sleep=lambda _: None, commands={"api": ("migrate",)})
    return replace(made, **how)


def test_it_runs_the_new_image_where_the_service_runs() -> None:
    ecs = Ecs({}, {"lastStatus": "PENDING"}, stopped(0))
    runner(ecs).run("api", SERVICE)
    asked = ecs.asked["run_task"]
    assert (asked["cluster"], asked["taskDefinition"]) == ("cluster-arn", "task-definition:2")
    assert asked["capacityProviderStrategy"] == [{"capacityProvider": "FARGATE", "base": 1, "weight": 1}]
    network = {"subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": "ENABLED"}
    assert asked["networkConfiguration"] == {"awsvpcConfiguration": network}
    assert asked["overrides"] == {"containerOverrides": [{"name": "api", "command": ["migrate"]}]}


def test_one_that_fails_says_what_it_wrote() -> None:
    ecs = Ecs(stopped(3))
    with pytest.raises(ReleaseFailed, match=r"api ended with exit code 3\. .*as it was before\n    \| relation users"):
        runner(ecs).run("api", SERVICE)
    log = ecs.asked["get_log_events"]
    assert (log["logGroupName"], log["logStreamName"]) == ("/shop-dev", "api/ecs-fargate/api/1")


def test_one_that_never_ran_says_why() -> None:
    with pytest.raises(ReleaseFailed, match="api did not run: CannotPullContainerError"):
        runner(Ecs(stopped(None, stoppedReason="CannotPullContainerError"))).run("api", SERVICE)
    full = Ecs(failures=({"reason": "RESOURCE:ENI"},))
    with pytest.raises(ReleaseFailed, match="api did not start: RESOURCE:ENI"):
        runner(full).run("api", SERVICE)


def test_one_that_does_not_end_is_stopped() -> None:
    times = iter([0.0, 1.0, PATIENCE])
    ecs = Ecs(*[{"lastStatus": "RUNNING"}] * 2)
    with pytest.raises(ReleaseFailed, match="was stopped: it took longer than 1800 s"):
        runner(ecs, clock=lambda: next(times)).run("api", SERVICE)
    assert ecs.asked["stop_task"]["task"] == "arn/task/1"


def test_an_interrupt_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ecs = Ecs({"lastStatus": "RUNNING"})
    monkeypatch.setattr(INTERRUPTED, "is_set", lambda: True)
    with pytest.raises(ReleaseFailed, match="was stopped: this run was interrupted"):
        runner(ecs).run("api", SERVICE)
    assert "stop_task" in ecs.asked


@pytest.mark.parametrize(("before", "runs"), [(None, 1), ({"tags": {TAG: "older"}}, 1), ({"tags": {TAG: RUN}}, 0)])
def test_a_service_that_changes_for_another_reason_runs_none(before: Any, runs: int) -> None:
    ecs = Ecs(stopped(0))
    args = pulumi.ResourceHookArgs(
        urn="urn", id="", name="api", type="aws:ecs/service:Service", new_inputs=SERVICE, old_inputs=before
    )
    runner(ecs)._before(args)
    assert len(ecs.asked) == 2 * runs


SETTINGS = load({**BASE, **api(digest=DIGEST, release=["migrate"])})


@pytest.mark.parametrize(
    ("record", "orchestrator", "standing", "on"),
    [
        ({}, "ecs-fargate", "due", "ecs-fargate"),
        ({"run": "older", "on": "eks"}, "ecs-fargate", "due", "ecs-fargate"),
        ({"run": RUN, "on": "ecs-fargate"}, "ecs-fargate", "done", "ecs-fargate"),
        ({"run": RUN, "on": "eks"}, "ecs-fargate", "elsewhere", ""),
        ({"run": RUN, "on": ""}, "ecs-fargate", "elsewhere", ""),
        ({}, "eks", None, "ecs-fargate"),
    ],
)
def test_how_a_command_stands(record: Mapping[str, str], orchestrator: str, standing: str | None, on: str) -> None:
    settings = replace(SETTINGS, released={"api": record})
    assert release_commands.standings(settings, orchestrator).get("api") == standing
    assert release_commands.record(settings) == {"api": {"run": RUN, "on": on}}


def program(orchestrator: str, **more: Any) -> Graph:
    service = {"digest": DIGEST, **more}
    return run_program({**config_for("ecr", orchestrator, api=service), **EXISTING}, ("services",))


def test_on_kubernetes_it_is_a_job_that_gets_no_requests_and_comes_first() -> None:
    graph = program("eks", release=["migrate"], secrets={"DB_PASSWORD": "hunter2"}, writable=["/tmp"])
    job, deployment = graph.one("batch/v1:Job"), graph.one("apps/v1:Deployment", "api")
    assert job.urn in graph.waits_for(deployment)
    spec, template = job.inputs["spec"], job.inputs["spec"]["template"]
    assert spec["backoffLimit"] == 0
    (container,) = template["spec"]["containers"]
    (server,) = deployment.inputs["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["migrate"]
    assert {key: container[key] for key in ("image", "env", "securityContext", "volumeMounts")} == {
        key: server[key] for key in ("image", "env", "securityContext", "volumeMounts")
    }
    assert not {"ports", "readinessProbe", "livenessProbe", "startupProbe", "lifecycle"} & container.keys()
    selector = deployment.inputs["spec"]["selector"]["matchLabels"]
    assert not selector.items() <= template["metadata"]["labels"].items()
    assert template["metadata"]["labels"]["app.kubernetes.io/part-of"] == "switchyard-dev"


def test_a_service_without_one_has_no_tag_and_no_job() -> None:
    assert "tags" not in program("ecs-fargate").one("ecs/service:Service", "api").inputs
    assert program("ecs-fargate", release=["migrate"]).one("ecs/service:Service", "api").inputs["tags"] == {TAG: RUN}
    assert not program("eks").of("batch/v1:Job")
