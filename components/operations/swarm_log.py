"""What a Docker engine keeps of what the replicas of a service write."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from components.docker_engine import Engine
from components.operations import Line

STAMPED = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z) ?(.*)")
"""A line with its time. Without one is what the engine itself has to say, such as of a replica that has no log yet."""
NEVER = "1970-01-01T00:00:00Z"


def lines(engine: Engine, service: str, since: str, follow: bool) -> Iterator[Line]:
    """The lines of a service; of its replicas each in order. `since`: seconds since 1970."""
    return (Line(_time(stamp), text) for stamp, text in _stamped(engine, service, since, follow))


class ServiceLog:
    """What a service with one replica writes, to be read as it grows."""

    def __init__(self, engine: Engine, service: str) -> None:
        self._engine = engine
        self._service = service
        self._last = ""
        self._known = 0
        """How many lines of the very time `_last` were read."""

    def new(self) -> Iterator[str]:
        """The lines since the last call."""
        skip, since = self._known, _seconds(self._last) if self._last else "0"
        for stamp, text in list(_stamped(self._engine, self._service, since, follow=False)):
            if stamp == self._last and skip:
                skip -= 1
                continue
            self._known = self._known + 1 if stamp == self._last else 1
            self._last = stamp
            yield text


def _stamped(engine: Engine, service: str, since: str, follow: bool) -> Iterator[tuple[str, str]]:
    at: Any = since  # docker-py's own type has no nanoseconds; the engine takes them
    chunks = engine.service_logs(
        service, stdout=True, stderr=True, timestamps=True, since=at, follow=follow, is_tty=False
    )
    stamp = NEVER
    for chunk in chunks:
        for line in chunk.decode(errors="replace").removesuffix("\n").split("\n"):
            if found := STAMPED.fullmatch(line):
                stamp, line = found.groups()
            yield stamp, line


def _parts(stamp: str) -> tuple[datetime, str]:
    """A time as engines write it, 2026-01-31T12:00:00.123456789Z: its second, and nine digits behind the point."""
    second, _, rest = stamp.partition(".")
    digits = re.match(r"\d*", rest)
    return datetime.fromisoformat(second.rstrip("Z")).replace(tzinfo=UTC), (digits[0] if digits else "").ljust(9, "0")


def _time(stamp: str) -> datetime:
    second, nanoseconds = _parts(stamp)
    return second.replace(microsecond=int(nanoseconds[:6]))


def _seconds(stamp: str) -> str:
    second, nanoseconds = _parts(stamp)
    return f"{calendar.timegm(second.timetuple())}.{nanoseconds}"
