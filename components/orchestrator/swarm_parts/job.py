"""Services that run one task and end with it.

They are not in mode `replicated-job`: of a service in that mode an engine 20.10 keeps the container when the service is
removed, and lets it run on where it runs (tried)."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from docker.errors import DockerException

from components.docker_engine import Engine, SwarmError, explain
from components.orchestrator.swarm_parts.rollout import POLL, is_over

LINES = 20
"""The last lines of its log that an error has."""

Task = dict[str, Any]


def once(live: Any, name: str, command: Sequence[str]) -> dict[str, Any]:
    """A service that runs one task as `live` does, and ends with it. It publishes no port, has no name that others call
    the service by, and no health check of a server that it is not."""
    task = copy.deepcopy(live["TaskTemplate"])
    task["ContainerSpec"] |= {"Args": list(command), "Healthcheck": {"Test": ["NONE"]}}
    task["RestartPolicy"] = {"Condition": "none"}
    task["Networks"] = [{"Target": each["Target"]} for each in task.get("Networks", [])]
    return {"Name": name, "Labels": live["Labels"], "TaskTemplate": task, "Mode": {"Replicated": {"Replicas": 1}}}


def wait_until_over(engine: Engine, job: str, timeout: float) -> None:
    """Return when the task of `job` has ended well; `SwarmError` says how it ended otherwise."""
    deadline = time.monotonic() + timeout
    while not (task := next(iter(engine.tasks_of(job)), None)) or not is_over(task):
        if time.monotonic() > deadline:
            status = task["Status"] if task else {}
            told = status.get("Err") or status.get("Message") or "no node has taken it"
            raise SwarmError(f"it was not over after {timeout:.0f} s: {explain(told)}")
        time.sleep(POLL)
    if task["Status"]["State"] != "complete":
        raise SwarmError("\n    | ".join([_why(task), *_tail(engine, job, task)]))


def _why(task: Task) -> str:
    status = task["Status"]
    if code := int(status.get("ContainerStatus", {}).get("ExitCode", 0)):
        return f"it ended with exit code {code}"
    return f"it did not run: {explain(status.get('Err') or status.get('Message', ''))}"


def _tail(engine: Engine, job: str, task: Task) -> list[str]:
    with suppress(DockerException):  # one that never started has no log, and a driver may keep none to be read
        return engine.log_tail(job, task["ID"], LINES)
    return []
