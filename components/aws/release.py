"""Release commands on ECS: a resource hook runs one task of the new image before the service is made or changed."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from typing import Any

import pulumi

from components.aws import ecs_task
from components.hooks import INTERRUPTED, waiting
from components.release import PATIENCE

TAG = "switchyard:release"
"""Tag of a service with a release command: which run its replicas are of."""
LINES = 20
"""The last lines of its log that an error has."""

Ask = Callable[..., Any]
"""(AWS service, action, arguments) -> AWS's answer."""


class ReleaseFailed(Exception):
    """The service is not changed; the message says what became of its release command."""


@dataclass(frozen=True)
class Releases:
    """Runs the release commands of the services of one cluster."""

    orchestrator: str
    log_group: str
    interval: float
    """Seconds between two looks at a task."""
    ask: Ask
    sleep: Callable[[float], object] = INTERRUPTED.wait
    clock: Callable[[], float] = time.monotonic
    commands: dict[str, Sequence[str]] = field(default_factory=dict)
    """Service -> its command."""

    @cached_property
    def binding(self) -> pulumi.ResourceHookBinding:
        """The hook to bind to an ECS service whose command is due."""
        hook = waiting(f"release-{self.orchestrator}", self._before)
        return pulumi.ResourceHookBinding(before_create=[hook], before_update=[hook])

    def _before(self, args: pulumi.ResourceHookArgs) -> None:
        before, after = ((each or {}).get("tags") or {} for each in (args.old_inputs, args.new_inputs))
        if before.get(TAG) != after.get(TAG):
            self.run(args.name, args.new_inputs or {})

    def run(self, name: str, service: Mapping[str, Any]) -> None:
        """Return once the command has ended well; `service` is the ECS service as it will be."""
        cluster, task, ecs = service["cluster"], self._start(name, service), partial(self.ask, "ecs")
        deadline = self.clock() + PATIENCE
        while (found := ecs_task.look(ecs, cluster, task))["lastStatus"] != "STOPPED":
            if INTERRUPTED.is_set() or self.clock() >= deadline:
                why = "this run was interrupted" if INTERRUPTED.is_set() else f"it took longer than {PATIENCE} s"
                ecs("stop_task", cluster=cluster, task=task, reason=why)
                raise ReleaseFailed(f"the release command of {name} was stopped: {why}. {KEPT}")
            self.sleep(self.interval)
        if why := _why(found, name):
            told = f"the release command of {name} {why}. {KEPT}"
            raise ReleaseFailed("\n    | ".join([told, *self._tail(name, task)]))

    def _start(self, name: str, service: Mapping[str, Any]) -> str:
        network = service["networkConfiguration"]
        try:
            return ecs_task.start(
                partial(self.ask, "ecs"),
                name,
                self.commands[name],
                cluster=service["cluster"],
                taskDefinition=service["taskDefinition"],
                capacityProviderStrategy=[*map(_strategy, service["capacityProviderStrategies"])],
                networkConfiguration={
                    "awsvpcConfiguration": {
                        "subnets": network["subnets"],
                        "securityGroups": network["securityGroups"],
                        "assignPublicIp": "ENABLED" if network.get("assignPublicIp") else "DISABLED",
                    }
                },
                startedBy="switchyard-release",
                enableECSManagedTags=True,
                propagateTags="TASK_DEFINITION",
            )
        except ecs_task.NotStarted as why:
            raise ReleaseFailed(f"the release command of {name} did not start: {why}. {KEPT}") from why

    def _tail(self, name: str, task: str) -> list[str]:
        """The last lines that it wrote, as far as there are any."""
        from botocore.exceptions import BotoCoreError, ClientError  # with boto3: only who asks AWS needs it

        stream = f"{name}/{self.orchestrator}/{name}/{task.rpartition('/')[2]}"
        try:
            answer = self.ask("logs", "get_log_events", logGroupName=self.log_group, logStreamName=stream, limit=LINES)
        except (BotoCoreError, ClientError):
            return []
        return [str(each["message"]).rstrip("\n") for each in answer["events"]]


KEPT = "The service is as it was before"


def _strategy(strategy: Mapping[str, Any]) -> dict[str, Any]:
    """As RunTask wants it: on their way through Pulumi numbers became floating."""
    return {key: value if key == "capacityProvider" else int(value) for key, value in strategy.items()}


def _why(task: Mapping[str, Any], container: str) -> str:
    """Why it did not end well; empty: it did."""
    code = next((each.get("exitCode") for each in task["containers"] if each["name"] == container), None)
    if code is None:
        return f"did not run: {task.get('stoppedReason', 'ECS does not say why')}"
    return f"ended with exit code {code}" if code else ""


def aws_api(region: str, profile: str | None) -> Ask:
    """Ask AWS, with the credentials that `pulumi up` runs with."""

    @cache
    def client(service: Any) -> Any:
        import boto3  # half a second to import, and only an `up` that releases needs it

        return boto3.Session(region_name=region, profile_name=profile).client(service)

    return lambda service, action, **asked: getattr(client(service), action)(**asked)
