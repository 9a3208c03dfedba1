"""The daily verbs on Docker Swarm, on an engine given by host."""

from __future__ import annotations

import subprocess
import sys
import time
from abc import abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar, Protocol

from components.docker_engine import Engine, SwarmError, explain
from components.operations import End, Line, OperationError, Operations, Replica, Running
from components.operations.swarm_log import ServiceLog, lines
from components.orchestrator import Of
from components.orchestrator.swarm import SwarmOptions
from components.orchestrator.swarm_engine import remove_job, unique
from components.orchestrator.swarm_parts.connection import connection
from components.orchestrator.swarm_parts.job import once
from components.orchestrator.swarm_parts.rollout import PATIENCE, is_over
from components.shell import command as quoted

POLL = 0.5
"""Seconds between two looks at a task."""
SERVICE = "pulumi-python:dynamic/swarm:Service"
WENT_BACK = ("paused", "rollback_paused", "rollback_completed")
"""How the engine calls an update that failed."""
READABLE = ("running", "complete", "failed")
"""States of a task that has a log; of another the engine tells why it has none, as if the task had written it."""

Task = dict[str, Any]


class Log(Protocol):
    """What a task writes."""

    def new(self) -> Iterator[str]:
        """The lines since the last call."""


class OnAnySwarm(Operations[Of]):
    """The verbs on a swarm, whoever keeps it."""

    settles: ClassVar[float] = 0.0
    """Seconds after a task's end in which its last lines may come."""

    def status(self, service: str) -> Running:
        with self._engine(service) as (engine, name):
            live, tasks = engine.service(name), engine.tasks_of(name)
        wanted = [each for each in tasks if each["DesiredState"] == "running" and not is_over(each)]
        replicas = int(live["Spec"]["Mode"]["Replicated"]["Replicas"])
        return Running(replicas, [_replica(each) for each in wanted], _failure(live, tasks))

    def ended(self, service: str, since: datetime) -> Sequence[End]:
        with self._engine(service) as (engine, name):
            found = [(_ended(each), each) for each in _failed(engine.tasks_of(name))]
        return [End(each["ID"], at, _last_words(each["Status"])) for at, each in found if at >= since]

    def run(self, service: str, command: Sequence[str]) -> Generator[str | int, None, None]:
        with self._engine(service) as (engine, name):
            job = unique(f"{name}-run")
            try:
                engine.new_service(once(engine.service(name)["Spec"], job, command), self._made(service).get("login"))
                yield from self._until_over(engine, service, job)
            finally:
                remove_job(engine, job)

    @abstractmethod
    def log_of(self, engine: Engine, service: str, job: str, task: Task) -> Log:
        """What a task of `job`, which is run for a service, writes."""

    def _until_over(self, engine: Engine, service: str, job: str) -> Iterator[str | int]:
        log: Log | None = None
        patience = time.monotonic() + PATIENCE
        while True:
            task = next(iter(engine.tasks_of(job)), None)
            if task and time.monotonic() > patience:
                _check_home(task)
            if task and task["Status"]["State"] in READABLE:
                log = log or self.log_of(engine, service, job, task)
                yield from log.new()
            if task and is_over(task):
                time.sleep(self.settles)
                yield from log.new() if log else ()
                yield _exit_code(task)
                return
            time.sleep(POLL)

    def _made(self, service: str) -> Any:
        return self.deployed.outputs(SERVICE, service, self.options.key)

    @contextmanager
    def _engine(self, service: str) -> Iterator[tuple[Engine, str]]:
        """The swarm's engine, and the name of a service there."""
        made = self._made(service)
        try:
            with connection(made["host"]) as engine:
                yield engine, made["name"]
        except SwarmError as error:
            raise OperationError(str(error)) from error


class OnSwarm(OnAnySwarm[SwarmOptions]):
    """The verbs where the engine itself is reached, and keeps the logs."""

    def logs(self, service: str, since: datetime, follow: bool) -> Iterator[Line]:
        with self._engine(service) as (engine, name):
            found = lines(engine, name, str(since.timestamp()), follow)
            yield from found if follow else sorted(found, key=lambda line: line.at)

    def log_of(self, engine: Engine, service: str, job: str, task: Task) -> Log:
        return ServiceLog(engine, job)

    def exec(self, service: str, command: Sequence[str]) -> int:
        host = self._made(service)["host"]
        with self._engine(service) as (engine, name):
            label = f"com.docker.swarm.service.name={name}"
            found = engine.containers(filters={"label": label, "status": "running"})
        if not found:
            look = quoted("docker", "-H", host, "service", "ps", name)
            raise OperationError(
                f"no replica of {service} runs on the node whose engine is at {host}: `{look}` says on which nodes they"
                " are, whose engines have them; or use `yard run`"
            )
        terminal = ["--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else []
        words = ["docker", "--host", host, "exec", "--interactive", *terminal, found[0]["Id"], *command]
        try:
            return subprocess.run(words, check=False).returncode
        except FileNotFoundError as error:
            raise OperationError(
                "there is no command `docker` on this machine, which `yard exec` uses: install Docker's CLI"
            ) from error


def _check_home(task: Task) -> None:
    """What no node can take stays pending for ever."""
    status = task["Status"]
    if status["State"] == "pending" and status.get("Err"):
        raise OperationError(f"the task has found no node: {explain(status['Err'])}")


def _replica(task: Task) -> Replica:
    status = task["Status"]
    why = explain(status["Err"]) if status.get("Err") else status.get("Message", "")
    running = status["State"] == "running"  # with a HEALTHCHECK only once that has passed
    return Replica(task["ID"], status["State"], running, _digest(task), "" if running else why)


def _digest(task: Task) -> str | None:
    return task["Spec"]["ContainerSpec"]["Image"].partition("@")[2] or None


def _failure(live: Any, tasks: Sequence[Task]) -> str:
    update = live.get("UpdateStatus") or {}
    if update.get("State") in WENT_BACK:
        return explain(update.get("Message", ""))
    failed = _failed(tasks)
    if not failed:
        return ""
    last = max(failed, key=_ended)["Status"]
    return f"{_last_words(last)} ({last['Timestamp'][:19]} UTC)"


def _failed(tasks: Sequence[Task]) -> list[Task]:
    return [each for each in tasks if each["Status"]["State"] in ("failed", "rejected")]


def _ended(task: Task) -> datetime:
    """When; the engine tells it to the nanosecond."""
    return datetime.fromisoformat(f"{task['Status']['Timestamp'][:19]}+00:00")


def _last_words(status: Mapping[str, Any]) -> str:
    return explain(status.get("Err") or status.get("Message", ""))


def _exit_code(task: Task) -> int:
    status = task["Status"]
    code = int(status.get("ContainerStatus", {}).get("ExitCode", 0))
    if status["State"] == "complete" or code:
        return code
    raise OperationError(
        f"the task ended before its command ran: {explain(status.get('Err') or status.get('Message', ''))}"
    )
