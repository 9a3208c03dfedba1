"""One task of a service's own, for one command: what ECS is asked, by a person's `yard run` and by a release."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Ask = Callable[..., Any]
"""(action, arguments) -> what ECS answers."""


class NotStarted(Exception):
    """ECS starts no task; the message says why."""


def start(ask: Ask, container: str, command: Sequence[str], **how: Any) -> str:
    """Start a task in which the container runs this command in place of its own; its ARN. `how` goes to RunTask."""
    overrides = {"containerOverrides": [{"name": container, "command": list(command)}]}
    answer = ask("run_task", overrides=overrides, **how)
    for failure in answer["failures"]:
        raise NotStarted(f"{failure.get('reason')} {failure.get('detail', '')}".rstrip())
    return str(answer["tasks"][0]["taskArn"])


def look(ask: Ask, cluster: str, task: str) -> Mapping[str, Any]:
    """How a task stands. Of one that has just begun, ECS may know nothing yet (ECS API, DescribeTasks)."""
    found = ask("describe_tasks", cluster=cluster, tasks=[task])["tasks"]
    return dict(found[0]) if found else {"lastStatus": "PENDING"}
