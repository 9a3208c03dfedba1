"""What the pods of a service write: merged by time, and followed through a rollout."""

from __future__ import annotations

import heapq
import json
import queue
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from components.operations import Line, OperationError, pods
from components.operations.kubectl import Kubectl, Refused

Stamped = tuple[str, str]
"""The node's time, and the text."""
Came = queue.SimpleQueue[Line | OperationError]
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\S+$")
GONE = ("NotFound", "BadRequest")
"""What the API says of a container that is no more, or whose lines are no more."""


class PodLogs:
    """The lines of one service's container, in each pod that a selector finds."""

    def __init__(self, kubectl: Kubectl, namespace: str, service: str, selector: str) -> None:
        self._kubectl = kubectl
        self._path = f"/api/v1/namespaces/{namespace}/pods"
        self._service, self._selector = service, selector

    def written(self, since: datetime, last: dict[str, str] | None = None) -> Iterator[Line]:
        """What has been written since then, by time. `last` gets the node's time of each pod's last line."""
        found = self._kubectl.get(self._path, labelSelector=self._selector)["items"]
        known = {} if last is None else last
        return heapq.merge(*(self._of(pod, since, known) for pod in found), key=lambda line: line.at)

    def followed(self, since: datetime) -> Iterator[Line]:
        """The same and all that comes, also of pods that come, until it is closed."""
        came: Came = queue.SimpleQueue()
        last: dict[str, str] = {}
        yield from self.written(since, last)
        threading.Thread(target=self._watch, args=(since, last, came), daemon=True).start()
        while True:
            each = came.get()
            if isinstance(each, OperationError):
                raise each
            yield each

    def of_one(self, pod: str, container: str, since: datetime, after: str = "") -> Iterator[Line]:
        """What one container, by its id, writes, until it ends. `after`: the node's time of the last line that is
        known."""
        running = True
        while running:
            for stamp, text in self._stream(pod, since, after, follow="true"):
                after = stamp
                yield _line(stamp, text)
            status = self._status(pod)
            running = "running" in status.get("state", {}) and status["containerID"] == container
            since = datetime.fromisoformat(after) if after else since

    def _of(self, pod: Any, since: datetime, last: dict[str, str]) -> Iterator[Line]:
        name, status = pod["metadata"]["name"], pods.status_of(self._service, pod)
        if status.get("restartCount") and "waiting" not in status["state"]:
            # Why it was started again is in the last lines of the container before.
            yield from (_line(*each) for each in self._stream(name, since, previous="true"))
        if status.get("containerID"):
            for stamp, text in self._stream(name, since):
                last[name] = stamp
                yield _line(stamp, text)

    def _stream(self, pod: str, since: datetime, after: str = "", **query: str) -> Iterator[Stamped]:
        # The API counts from whole seconds.
        then = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        query |= {"container": self._service, "sinceTime": then, "timestamps": "true"}
        try:
            for line in self._unbroken(self._kubectl.lines(f"{self._path}/{pod}/log", **query)):
                stamp, _, text = line.partition(" ")
                # The times of one node are all of one length. Where it has lost the lines it says so, without a time.
                if STAMP.match(stamp) and stamp > after:
                    yield stamp, text
        except Refused as error:
            if error.reason not in GONE:
                raise

    def _unbroken(self, lines: Iterator[str]) -> Iterator[str]:
        """Lines until the connection ends, in order or not, unless nobody answers any more."""
        try:
            yield from lines
        except Refused:
            raise
        except OperationError:
            self._kubectl.get(self._path, labelSelector=self._selector)

    def _watch(self, since: datetime, last: dict[str, str], came: Came) -> None:
        """Read every container from when it runs."""
        known: set[str] = set()
        try:
            while True:  # the server ends a watch after some minutes
                for pod in self._events():
                    name, container = pod["metadata"]["name"], pods.status_of(self._service, pod).get("containerID")
                    if container and container not in known:
                        known.add(container)
                        reading = (name, container, since, last.get(name, ""), came)
                        threading.Thread(target=self._read, args=reading, daemon=True).start()
        except OperationError as error:
            came.put(error)

    def _events(self) -> Iterator[Any]:
        for line in self._unbroken(self._kubectl.lines(self._path, labelSelector=self._selector, watch="true")):
            event = json.loads(line)
            if event["type"] in ("ADDED", "MODIFIED"):
                yield event["object"]

    def _read(self, pod: str, container: str, since: datetime, after: str, came: Came) -> None:
        try:
            for line in self.of_one(pod, container, since, after):
                came.put(line)
        except OperationError as error:
            came.put(error)

    def _status(self, pod: str) -> Any:
        try:
            return pods.status_of(self._service, self._kubectl.get(f"{self._path}/{pod}"))
        except Refused as error:
            if error.reason not in GONE:
                raise
            return {}


def _line(stamp: str, text: str) -> Line:
    return Line(datetime.fromisoformat(stamp), text)
