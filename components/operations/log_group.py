"""What replicas on AWS write: the streams of the stack's one log group in CloudWatch, which outlives a move."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from components.operations import Deployed, Line
from components.operations.aws import Api, NotThereError

POLL = 2.0
"""Seconds between two looks. An account has ten of them a second (CloudWatch Logs quotas, FilterLogEvents)."""
LATE = 30_000
"""Milliseconds by which a line may come after a later one: replicas send what they write in batches."""
AFTER_NAME = ("/", ".")
"""What follows a service's name in the name of a stream: on ECS and Swarm, and on EKS."""


class LogGroup:
    """The log group of a stack."""

    def __init__(self, deployed: Deployed) -> None:
        self._name = f"/{deployed.stack}"
        self._logs = Api(deployed, "logs")

    def lines(self, service: str, since: datetime, follow: bool) -> Iterator[Line]:
        """What replicas of a service wrote on any orchestrator, by its time; with `follow` on and on."""
        start, seen = int(since.timestamp() * 1000), dict[str, int]()
        while True:
            for event in self._events(service, start):
                if event["eventId"] not in seen:
                    seen[event["eventId"]] = event["timestamp"]
                    yield _line(event)
            if not follow:
                return
            start = max([start, *[at - LATE for at in seen.values()]])
            seen = {event: at for event, at in seen.items() if at >= start}
            time.sleep(POLL)

    def _events(self, service: str, start: int) -> Iterator[Any]:
        """A prefix alone would also find the streams of a service whose name begins with this one's."""
        found = self._logs.every(
            "filter_log_events", "events", logGroupName=self._name, logStreamNamePrefix=service, startTime=start
        )
        return (
            event for event in found if event["logStreamName"].startswith(tuple(service + each for each in AFTER_NAME))
        )

    def stream(self, name: str) -> Stream:
        """One stream, to be read as it grows."""
        return Stream(self._logs, self._name, name)


class Stream:
    """What one container writes."""

    def __init__(self, logs: Api, group: str, name: str) -> None:
        self._logs = logs
        self._where = {"logGroupName": group, "logStreamName": name, "startFromHead": True}
        self._token: dict[str, str] = {}

    def new(self) -> Iterator[str]:
        """The lines since the last call; none as long as there is no such stream."""
        while True:
            try:
                page = self._logs("get_log_events", **self._where, **self._token)
            except NotThereError:
                return
            yield from (_line(event).text for event in page["events"])
            here, self._token = self._token, {"nextToken": page["nextForwardToken"]}
            if here == self._token:  # the same token again: that was the end (CloudWatch Logs API, GetLogEvents)
                return


def _line(event: Any) -> Line:
    return Line(datetime.fromtimestamp(event["timestamp"] / 1000, UTC), event["message"].rstrip("\n"))
