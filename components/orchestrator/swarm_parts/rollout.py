"""Waiting for a Swarm service: until every wanted replica is healthy, or it is clear that it never will be."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.error import HTTPError

from docker.errors import DockerException

from components.direct import open_directly
from components.docker_engine import Engine, SwarmError, explain

REVISION = "switchyard.revision"
"""Label of each replica: which spec it was made from."""

POLL = 0.5
SETTLE = 2.0
"""Seconds a replica must run: without a HEALTHCHECK it counts as running before it has read its settings."""
TRIES = 3
"""Replicas that may fail where the engine does not watch: one may lose a race, three are a fault."""
PATIENCE = 45.0
"""Seconds a replica may be without a node. Longer than the grace of one that must make room first."""
PROBE_TIMEOUT = 30.0

Task = dict[str, Any]


class RolledBackError(SwarmError):
    """The engine itself went back to the spec before."""


class Rollout:
    """One passage to a spec. Made before the engine is told, so that it knows which failures are older. `health` is
    where replicas say how they do, if this machine can ask."""

    def __init__(self, engine: Engine, service: str | None = None, health: str = "") -> None:
        self.engine = engine
        self.health = health
        self.answer = ""
        self.before = {task["ID"] for task in engine.tasks_of(service)} if service else set()
        self.seen: dict[tuple[str, str], float] = {}

    def wait(self, service: str, revision: str, replicas: int, timeout: float) -> None:
        """Return when `replicas` healthy replicas of `revision` run; `SwarmError` says why they do not."""
        deadline = time.monotonic() + timeout
        while not self._done(service, revision, replicas):
            if time.monotonic() > deadline:
                raise SwarmError(self._unfinished(service, revision, replicas, timeout))
            time.sleep(POLL)

    def wait_back(self, service: str) -> None:
        """After a failure: until the replicas of the spec before run again, if they do."""
        spec = self.engine.service(service)["Spec"]
        revision = spec["TaskTemplate"]["ContainerSpec"]["Labels"].get(REVISION, "")
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            running = [task for task in self._tasks(service, revision) if task["Status"]["State"] == "running"]
            if len(running) >= spec["Mode"]["Replicated"]["Replicas"]:
                return
            time.sleep(POLL)

    def _done(self, service: str, revision: str, replicas: int) -> bool:
        update = self.engine.service(service).get("UpdateStatus", {}).get("State")
        tasks = self._tasks(service, revision)
        failed = [task for task in tasks if is_over(task) and task["ID"] not in self.before]
        if update in ("rollback_completed", "rollback_paused", "paused"):
            raise RolledBackError(f"the new version failed: {self._why(service, failed)}")
        if update is None and len(failed) >= TRIES:
            raise SwarmError(f"its replicas do not stay up: {self._why(service, failed)}")
        wanted = [task for task in tasks if task["DesiredState"] == "running" and not is_over(task)]
        self._check_homes(wanted)
        if self.health and any(task["Status"]["State"] in ("starting", "running") for task in wanted):
            self.answer = ask(self.health)
        ready = [task for task in wanted if self._age(task, "running") >= SETTLE]
        return len(ready) == len(wanted) == replicas and update in (None, "completed")

    def _tasks(self, service: str, revision: str) -> list[Task]:
        """The replicas of `revision`, oldest first."""
        labelled = [
            task
            for task in self.engine.tasks_of(service)
            if task["Spec"]["ContainerSpec"].get("Labels", {}).get(REVISION) == revision
        ]
        return sorted(labelled, key=lambda task: str(task["CreatedAt"]))

    def _check_homes(self, tasks: list[Task]) -> None:
        """A replica that no node can take stays pending for ever, and the engine calls that progress."""
        for task in tasks:
            if task["Status"].get("Err") and self._age(task, "pending") > PATIENCE:
                raise SwarmError(explain(task["Status"]["Err"]))

    def _age(self, task: Task, state: str) -> float:
        """Seconds since the task was first seen in `state`, by our own clock; below 0 when it is in another."""
        if task["Status"]["State"] != state:
            return -1.0
        now = time.monotonic()
        return now - self.seen.setdefault((task["ID"], state), now)

    def _why(self, service: str, failed: list[Task]) -> str:
        """What became of the last replica that failed, and what it wrote."""
        if not failed:
            return "a replica failed; see docker service ps --no-trunc"
        task = failed[-1]
        status = task["Status"]
        error = status.get("Err") or self._ending(status.get("ContainerStatus", {}))
        with suppress(DockerException):  # a replica that never started has no log
            if lines := self.engine.log_tail(service, task["ID"]):
                return "\n    | ".join([f"{explain(error)}\n  its last lines:", *lines])
        return explain(error)

    def _ending(self, container: Mapping[str, Any]) -> str:
        """Why a replica ended without an error. One that the engine stops as unhealthy, and that then ends in order, is
        not told as such (moby, daemon/cluster/executor/container/controller.go, Wait)."""
        with suppress(DockerException):  # it is on another node, or gone
            found = self.engine.inspect_container(container.get("ContainerID", ""))["State"].get("Health") or {}
            if found.get("Status") == "unhealthy":
                wrote = str((found.get("Log") or [{}])[-1].get("Output", "")).strip()
                answered = f"; {self.health} answered {self.answer}, and 200 is wanted" if self.answer else ""
                return f"unhealthy container{answered}" + (f" (HEALTHCHECK wrote: {wrote})" if wrote else "")
        return f"the process ended by itself (exit code {container.get('ExitCode', 0)})"

    def _unfinished(self, service: str, revision: str, replicas: int, timeout: float) -> str:
        states = [task["Status"] for task in self._tasks(service, revision) if not is_over(task)]
        listed = ", ".join(f"{each['State']} ({each.get('Err') or each.get('Message')})" for each in states)
        return (
            f"not healthy after {timeout:.0f} s (swarm.timeout): {replicas} wanted, the replicas are: "
            f"{listed or 'none'}"
        )


def is_over(task: Task) -> bool:
    """Whether the replica ended without being told to."""
    return task["Status"]["State"] in ("failed", "rejected", "complete")


def probe(url: str) -> None:
    """Return when `url` answers 200; `SwarmError` says what it does instead."""
    deadline = time.monotonic() + PROBE_TIMEOUT
    while (answer := ask(url)) != "200":
        if time.monotonic() > deadline:
            raise SwarmError(
                f"its replicas run, but {url} answers {answer} and not 200: check the service's port and health, "
                "and with publish mode ingress that the kernel has IPVS"
            )
        time.sleep(POLL)


def ask(url: str) -> str:
    """The status of one request, or why there was none."""
    try:
        with open_directly(url, timeout=5) as response:
            return str(response.status)
    except HTTPError as error:
        return str(error.code)
    except OSError as error:  # URLError and time-outs are of its kind
        return f"nothing ({getattr(error, 'reason', error)})"
