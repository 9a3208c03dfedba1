"""Callers who never stop, for as long as a `with` block runs."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from http.client import HTTPConnection
from typing import Any, Self
from urllib.parse import urlsplit

import docker

from tests.live.calling import call

PAUSE = 0.02
"""Seconds between the requests of one caller."""


class Load:
    """Calls a service all the time, and notes when there was no answer. Each of `callers` opens a connection for each
    request, each of `kept` keeps the one that it has."""

    def __init__(self, url: str, callers: int = 1, kept: int = 0, pause: float = PAUSE) -> None:
        self.pause = pause
        self.good = 0
        self.failed: list[float] = []
        self.hosts: set[str] = set()
        """The replicas that answered."""
        self._stop = threading.Event()
        self._noting = threading.Lock()
        parts = urlsplit(url)
        self._kept = [HTTPConnection(parts.netloc, timeout=10) for _ in range(kept)]
        asking = [partial(call, url)] * callers + [partial(ask_on, each, parts.path or "/") for each in self._kept]
        self._threads = [threading.Thread(target=self._run, args=[ask]) for ask in asking]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        for connection in self._kept:
            connection.close()

    def _run(self, ask: Callable[[], Any]) -> None:
        while not self._stop.wait(self.pause):
            began = time.monotonic()
            answer = self._answer(ask)
            with self._noting:
                self.note(answer, began)

    def note(self, answer: Mapping[str, Any] | None, began: float) -> None:
        """What came of a request; None: nobody answered."""
        if answer:
            self.good += 1
            self.hosts.add(str(answer["host"]))
        else:
            self.failed.append(time.monotonic())

    def _answer(self, ask: Callable[[], Any]) -> Mapping[str, Any] | None:
        with suppress(OSError):
            answer = ask()
            return answer if isinstance(answer, dict) else None
        return None

    def check(self, meshed: bool = True) -> None:
        """Fail where a request was lost; without a mesh, where nobody answered for long."""
        measured = f"{len(self.failed)} requests failed within {self.gap:.2f} s, {self.good} did not"
        print(measured)
        if meshed:
            assert not self.failed, measured
        else:  # one replica that holds the node's port must go before the next can have it
            assert self.gap <= 5, measured

    @property
    def gap(self) -> float:
        """Seconds from the first request without an answer to the last: 0 where only one was lost, so no proof that
        none was. For that look at `failed`."""
        return max(self.failed) - min(self.failed) if self.failed else 0.0


def ask_on(connection: HTTPConnection, path: str) -> Any:
    """What a service answers at a path, on a connection that stays for as long as it works."""
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        text = response.read()
    except OSError:
        connection.close()  # the next request opens it anew
        raise
    return json.loads(text) if response.status == 200 else None


def meshed(client: docker.DockerClient, stack: str) -> bool:
    """Whether this kernel has the routing mesh, so that two replicas on a node can share a port."""
    services = client.services.list(filters={"label": f"switchyard.stack={stack}"})
    modes = {port["PublishMode"] for each in services for port in each.attrs["Spec"]["EndpointSpec"]["Ports"]}
    return modes == {"ingress"}
