"""What is broken on purpose while requests flow through a switch: replicas, proxy, engine, the gate's questions."""

import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import click
import docker
import pytest
from pulumi import automation as auto

from components.direct import open_unverified
from tests.engine.killing import kill_engine
from tests.live.on_cluster import listed
from tests.program import ROOT
from tests.stack import Stack
from tools.kube.api import Api
from yard import engine
from yard.switch import Switch

OPERATION = re.compile(r"  (?:created|updated|deleted)\D* \w+ \S+")
"""What `yard switch` says when an operation of the engine is done, without the time that it took."""
EACH = 5.0
"""Seconds after which another replica is killed."""
RESTARTS = 20.0
"""Seconds after which the proxy is restarted again."""


@dataclass(frozen=True)
class Running:
    """What there is to break."""

    client: docker.DockerClient
    api: Api
    stack: Stack
    to: str
    bake: float

    def switch(self, say: Callable[[str], None] = print) -> str:
        """Call `yard switch`; what it says when it fails, empty when it does not."""
        try:
            Switch.of(self.stack.stack, ROOT, say, self.bake).run(self.to)
        except (click.ClickException, engine.EngineError, auto.CommandError) as error:
            return error.message if isinstance(error, click.ClickException) else str(error)
        return ""

    def at_once(self) -> str:
        """Switch in one `up`; what it says when it fails, after which one more goes back."""
        home = self.stack.stack.get_config("orchestrator").value
        self.stack.set(orchestrator=self.to)
        try:
            self.stack.up()
        except (engine.EngineError, auto.CommandError) as error:
            self.stack.set(orchestrator=home)
            self.stack.up()
            return str(error)
        return ""


Breaking = Callable[[Running], AbstractContextManager[object]]
"""Breaks something for as long as a block runs."""


@contextmanager
def repeated(what: Callable[[], None], every: float) -> Iterator[None]:
    """Do something again and again in a block."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(every):
            with suppress(OSError, docker.errors.DockerException):  # what was to be broken went by itself
                what()

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def replicas_killed(running: Running) -> AbstractContextManager[None]:
    """Every 5 seconds the oldest replica of each orchestrator ends without a word, in the middle of what it does."""

    def kill() -> None:
        label: dict[str, Any] = {"label": "com.docker.swarm.service.name=switchyard-dev-api"}
        for container in running.client.containers.list(filters=label)[-1:]:  # the newest comes first
            container.kill()
        pods = [each["metadata"] for each in listed(running.api, "api/v1/pods").values()]
        alive = sorted(
            (each for each in pods if "deletionTimestamp" not in each), key=lambda of: of["creationTimestamp"]
        )
        for pod in alive[:1]:
            _kill_processes(pod["uid"])
            path = f"/api/v1/namespaces/{pod['namespace']}/pods/{pod['name']}"
            running.api.call("DELETE", path, gracePeriodSeconds="0")

    return repeated(kill, EACH)


def _kill_processes(pod: str) -> None:
    """Those of a pod, which the cgroup of each names; but for the one that holds its address, which goes with it."""
    for cgroup in Path("/proc").glob("[0-9]*/cgroup"):
        with suppress(OSError):
            name = (cgroup.parent / "comm").read_text(encoding="utf-8").strip()
            if f"pod{pod}/" in cgroup.read_text(encoding="utf-8") and name != "pause":
                os.kill(int(cgroup.parent.name), signal.SIGKILL)


def proxy_restarted(running: Running) -> AbstractContextManager[None]:
    """Its container, again and again."""
    return repeated(lambda: running.client.containers.get("switchyard-dev-edge").restart(), RESTARTS)


@contextmanager
def unheard(_: Running) -> Iterator[None]:
    """Of each five questions of the gate one is not answered in time, and one is one too many."""
    asked = [0]

    def answer(request: Any, timeout: float) -> Any:
        asked[0] += 1
        if asked[0] % 5 == 1:
            raise TimeoutError("timed out")
        if asked[0] % 5 == 2:
            raise HTTPError(request.full_url, 429, "too many requests", Message(), None)
        return open_unverified(request, timeout=timeout)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("components.edge.proxy.open_unverified", answer)
        yield
    assert asked[0] > 5, "the gate asks by another way"


class Killer:
    """Listens to a switch, and kills the engine after each operation, once."""

    def __init__(self) -> None:
        self.after: set[tuple[str, str]] = set()
        self._at = ""

    def __call__(self, text: str) -> None:
        print(text)
        if text[:1] != " ":
            self._at = text.partition(",")[0]
        elif (done := OPERATION.match(text)) and (self._at, done[0]) not in self.after:
            self.after.add((self._at, done[0]))
            kill_engine()


def killed_between_operations(running: Running) -> str:
    """Switch, and after each kill do what docs/how-a-switch-works.md says, and switch again."""
    killer, stack = Killer(), running.stack
    workspace, env = stack.stack.workspace, stack.stack.workspace.env_vars
    workspace.env_vars = {**env, engine.SKIP_CHECKPOINTS: "false"}  # it saves with every step, as for users
    try:
        for kills in range(100):
            said = running.switch(killer)
            if len(killer.after) == kills:
                return said or f"killed {kills} times"
            engine.unlock(stack.state)
            stack.stack.refresh(clear_pending_creates=True)
    finally:
        workspace.env_vars = env
    raise AssertionError("it never ends")
