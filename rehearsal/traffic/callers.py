"""Callers: Vegeta, which sends at a steady rate whatever comes back, so that a slow answer hides no other.

One part of the requests comes on connections that are kept, one on new ones. Every answer is joined with the line that
the proxy has written of it, which says whose it is.
"""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from rehearsal.traffic.starts import HOST
from rehearsal.traffic.wanted import Rule

LONGEST = 1800
"""Seconds after which callers end by themselves, whatever else goes wrong."""
TIMEOUT = 65
"""Seconds that a caller waits for an answer: longer than a load balancer."""
BODY = 4096
"""Bytes of an answer that are looked at."""
KEPT, NEW = "kept", "new"


@dataclass(frozen=True)
class Answer:
    """What came of one request."""

    at: float
    """When it was sent, in seconds since the epoch."""
    seconds: float
    """Until it was answered."""
    code: int
    """0: no answer came."""
    error: str
    path: str
    rule: str = ""
    """The rule by which it went on; empty: by none."""
    group: str = ""
    """The target group that it went to."""
    address: str = ""
    """The replica's."""

    @property
    def end(self) -> float:
        return self.at + self.seconds

    @property
    def lost(self) -> str:
        """Why it counts as lost; empty: it does not. The codes are those that its caller got."""
        if self.code:
            return "" if self.code < 400 and self.address else str(self.code)
        error = self.error.lower()
        return "timeout" if "timeout" in error or "deadline" in error else "reset"


class Callers:
    """Processes of Vegeta, from `start` to `stop`."""

    def __init__(self, program: Path, place: Path, url: str, targets: Sequence[tuple[str, str]], rate: int) -> None:
        """`targets` are paths, each with the host that is asked for (empty: none); `rate` is requests a second."""
        self._program = program
        self._place = place
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._rates = {KEPT: rate - rate // 2, NEW: rate // 2}
        lines = (f"GET {url}{path}\n" + (f"Host: {host}\n" if host else "") for path, host in targets)
        (place / "targets").write_text("\n".join(lines), encoding="utf-8")

    def start(self) -> None:
        for kind, rate in self._rates.items():
            name = f"{self._place.name}-{kind}"  # a number among the requests of one switch is another's too
            if rate:
                options: tuple[str, ...] = (
                    *("-name", name, "-rate", f"{rate}/1s", "-duration", f"{LONGEST}s", "-timeout", f"{TIMEOUT}s"),
                    *("-targets", str(self._place / "targets"), "-output", str(self._place / f"{name}.bin")),
                    *("-max-body", str(BODY), "-redirects", "-1", f"-keepalive={str(kind == KEPT).lower()}"),
                )
                self._running[name] = subprocess.Popen(
                    [str(self._program), "attack", *options], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )

    def stop(self) -> None:
        """Send no more, and wait for what is under way."""
        for each in self._running.values():
            each.send_signal(signal.SIGINT)
        for each in self._running.values():
            with suppress(subprocess.TimeoutExpired):
                each.wait(TIMEOUT + 5)
            each.kill()
            each.wait()

    def answers(self, access_log: Path) -> list[Answer]:
        """All answers since `start`, in the order in which their requests were sent; call it after `stop`."""
        with access_log.open("rb") as lines:
            seen = dict(_seen(lines))
        found = [_answer(each, seen) for name in self._running for each in self._results(name)]
        return sorted(found, key=lambda each: each.at)

    def _results(self, name: str) -> Iterator[Mapping[str, Any]]:
        encode = [str(self._program), "encode", "--to", "json", str(self._place / f"{name}.bin")]
        with subprocess.Popen(encode, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for line in process.stdout:
                yield json.loads(line)


def entry(rule: Rule) -> tuple[str, str]:
    """A path that a rule is for, and its host; empty: any."""
    path = rule.paths[0].rstrip("*") if rule.paths else "/"
    return path or "/", rule.hosts[0] if rule.hosts else ""


def status(port: int, path: str, host: str) -> int:
    """The status that a call is answered with by way of the proxy; 0: it is not."""
    connection = HTTPConnection(HOST, port, timeout=TIMEOUT)
    try:
        connection.request("GET", path, headers={"Host": host} if host else {})
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


Key = tuple[str, str]
"""The callers' name, and the request's number among theirs."""
Way = tuple[str, str, str]
"""The rule, the group and the address by which a request went."""


def _seen(lines: Iterable[bytes]) -> Iterator[tuple[Key, Way]]:
    for line in lines:
        with suppress(ValueError):  # the last line, where the proxy was ended while it wrote it
            found = json.loads(line)
            rule, group = (str(found.get(key, "")).removesuffix("@file") for key in ("RouterName", "ServiceName"))
            key = found.get("request_X-Vegeta-Attack", ""), found.get("request_X-Vegeta-Seq", "")
            yield key, (rule, group, str(found.get("ServiceAddr", "")))


def _answer(result: Mapping[str, Any], seen: Mapping[Key, Way]) -> Answer:
    rule, group, address = seen.get((result["attack"], str(result["seq"])), ("", "", ""))
    return Answer(
        at=datetime.fromisoformat(result["timestamp"]).timestamp(),
        seconds=result["latency"] / 1e9,
        code=result["code"],
        error=result["error"] or "",
        path="/" + result["url"].split("/", 3)[-1],
        rule=rule,
        group=group,
        address=address,
    )
