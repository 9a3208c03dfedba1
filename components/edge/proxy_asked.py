"""What a proxy's callers got, by its access log: it is read by way of the engine, so no port is open for it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from components.edge.proxy_engine import engine_at
from components.guard import Seen, SeenOf

FILE, HEALTHY = "@file", "/healthy"
"""What the log adds to each name, and what the name of a group that answers its health path ends with."""


@dataclass(frozen=True)
class AccessLog:
    """That of a proxy's container."""

    host: str
    server: str
    services: frozenset[str] = frozenset()
    """Those whose requests it shares; one that had none is in what was seen too."""

    def seen(self, start: datetime, end: datetime) -> SeenOf:
        """What callers got whose requests ended in a time."""
        with engine_at(self.host) as engine:
            lines = engine.logs(self.server, stream=True, follow=False, since=start.timestamp(), until=end.timestamp())
            found = count(read(b"".join(lines).splitlines()))
        return {**{name: {} for name in self.services}, **found}


def read(lines: Iterable[bytes]) -> Iterator[Mapping[str, Any]]:
    """The requests in a log, in which other lines may stand as well."""
    for line in lines:
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and "DownstreamStatus" in found:
            yield found


def count(requests: Iterable[Mapping[str, Any]]) -> SeenOf:
    """By service and orchestrator. Requests of the gate, and of who tries the newcomer, are nobody's."""
    statuses: dict[str, dict[str, list[tuple[bool, float]]]] = {}
    for each in requests:
        service = str(each.get("RouterName", "")).removesuffix(FILE)
        group = str(each.get("ServiceName", "")).removesuffix(FILE).removesuffix(HEALTHY)
        name, _, orchestrator = group.partition("/")
        if name == service and orchestrator:
            answer = (int(each["DownstreamStatus"]) >= 500, int(each["Duration"]) / 1e9)
            statuses.setdefault(name, {}).setdefault(orchestrator, []).append(answer)
    return {
        name: {key: Seen(len(all_), sum(failed for failed, _ in all_), p99(all_)) for key, all_ in of.items()}
        for name, of in statuses.items()
    }


def p99(answers: list[tuple[bool, float]]) -> float:
    """Seconds that 99 of 100 took at most."""
    return sorted(seconds for _, seconds in answers)[math.ceil(len(answers) * 0.99) - 1]
