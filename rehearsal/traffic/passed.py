"""What has passed through the proxy by now, by target group and minute, as CloudWatch has it of a load balancer."""

from __future__ import annotations

import json
import math
import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from rehearsal.traffic.replica import Pace

MINUTE = 60.0
OF_THE_PROXY = (502, 504)
"""What the proxy answers itself where it gets no answer of a replica."""
SWITCHED = 101
"""The status of a connection that became a WebSocket: it lasts, which is no time to answer."""


@dataclass
class Minute:
    """What a target group did in one."""

    requests: int = 0
    failed: int = 0
    """Answered by a replica with 5xx."""
    refused: int = 0
    """Those that no replica answered."""
    seconds: list[float] = field(default_factory=list)
    """That each answer of a replica took."""

    @property
    def p99(self) -> float:
        """Seconds that 99 of 100 answers took at most; 0: there were none."""
        took = sorted(self.seconds)
        return took[math.ceil(len(took) * 0.99) - 1] if took else 0.0


class Passed:
    """Reads the proxy's access log as it grows."""

    def __init__(self, access_log: Path, pace: Pace) -> None:
        self._access_log = access_log
        self._length = pace(MINUTE)
        self._read = 0
        """Bytes of the log that are in the figures."""
        self._turn = threading.Lock()
        self._minutes: dict[str, dict[int, Minute]] = defaultdict(lambda: defaultdict(Minute))

    def between(self, group: str, start: float, end: float, now: float) -> Mapping[float, Minute]:
        """Begin of a minute -> what a group did in it; times are seconds since the epoch. One that is not over at
        `now` is not known yet, and `start` is rounded down (CloudWatch API, GetMetricData)."""
        with self._turn:
            self._catch_up()
            first = math.floor(start / self._length)
            return {
                number * self._length: minute
                for number, minute in self._minutes[group].items()
                if first <= number and number * self._length < end and (number + 1) * self._length <= now
            }

    def _catch_up(self) -> None:
        with self._access_log.open("rb") as log:
            log.seek(self._read)
            for line in log:
                if not line.endswith(b"\n"):  # it is being written
                    break
                self._read += len(line)
                self._count(json.loads(line))

    def _count(self, entry: Mapping[str, Any]) -> None:
        if not entry.get("ServiceAddr"):  # no replica was chosen, so no group has it
            return
        took, code = entry["OriginDuration"] / 1e9, entry["DownstreamStatus"]
        ended = datetime.fromisoformat(entry["StartUTC"]).timestamp() + entry["Duration"] / 1e9
        minute = self._minutes[entry["ServiceName"].removesuffix("@file")][math.floor(ended / self._length)]
        minute.requests += 1
        if code in OF_THE_PROXY:
            minute.refused += 1
            return
        minute.failed += code >= 500
        if code != SWITCHED:
            minute.seconds.append(took)
