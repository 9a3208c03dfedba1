"""Callers: Vegeta, which sends at a steady rate whatever comes back, so that a slow answer hides no other.

One part of the requests comes on connections that are kept, one on new ones. Every answer is joined with the line that
the proxy has written of it, which says whose it is.
"""

from __future__ import annotations

import base64
import hashlib
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
UNEXPECTED = "not what is expected"
"""Why an answer counts as lost that looks well and says something else."""


@dataclass(frozen=True)
class Request:
    """What is asked for again and again."""

    path: str
    host: str = ""
    """That is asked for; empty: none in particular."""
    body: bytes | None = None
    """What is sent by POST; None: it is a GET."""
    kind: str = ""
    """The media type of that."""
    expects: tuple[str, ...] = ()
    """What an answer must have in it, among its first `BODY` bytes."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}{f' of {self.host}' if self.host else ''}"

    @property
    def method(self) -> str:
        return "GET" if self.body is None else "POST"

    @property
    def headers(self) -> dict[str, str]:
        found = {"Host": self.host, "Content-Type": self.kind}
        return {name: value for name, value in found.items() if value}

    def misses(self, answer: bytes) -> list[str]:
        """What is expected of an answer and is not in it."""
        return [each for each in self.expects if each.encode() not in answer]

    def target(self, url: str, place: Path) -> str:
        """In Vegeta's words; what is sent is put into a folder."""
        lines = [f"{self.method} {url}{self.path}", *(f"{name}: {value}" for name, value in self.headers.items())]
        if self.body is not None:
            file = place / f"body-{hashlib.sha256(self.body).hexdigest()[:12]}"
            file.write_bytes(self.body)
            lines.append(f"@{file}")
        return "".join(f"{line}\n" for line in lines)


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
    right: bool = True
    """Whether it has in it what is expected."""

    @property
    def end(self) -> float:
        return self.at + self.seconds

    @property
    def lost(self) -> str:
        """Why it counts as lost; empty: it does not. The codes are those that its caller got."""
        if self.code:
            answered = self.code < 400 and self.address
            return ("" if self.right else UNEXPECTED) if answered else str(self.code)
        error = self.error.lower()
        return "timeout" if "timeout" in error or "deadline" in error else "reset"


class Callers:
    """Processes of Vegeta, from `start` to `stop`."""

    def __init__(self, program: Path, place: Path, url: str, requests: Sequence[Request], rate: int) -> None:
        """`rate` is requests a second."""
        self._program = program
        self._place = place
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._rates = {KEPT: rate - rate // 2, NEW: rate // 2}
        self._requests = {(each.method, each.path): each for each in requests}
        targets = "\n".join(each.target(url, place) for each in requests)
        (place / "targets").write_text(targets, encoding="utf-8")

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
        seen = ways(access_log)
        found = [self._answer(each, seen) for name in self._running for each in self._results(name)]
        return sorted(found, key=lambda each: each.at)

    def _results(self, name: str) -> Iterator[Mapping[str, Any]]:
        encode = [str(self._program), "encode", "--to", "json", str(self._place / f"{name}.bin")]
        with subprocess.Popen(encode, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for line in process.stdout:
                yield json.loads(line)

    def _answer(self, result: Mapping[str, Any], seen: Mapping[Key, Way]) -> Answer:
        rule, group, address = seen.get((result["attack"], str(result["seq"])), ("", "", ""))
        path = "/" + result["url"].split("/", 3)[-1]
        request = self._requests[result["method"], path]
        return Answer(
            at=datetime.fromisoformat(result["timestamp"]).timestamp(),
            seconds=result["latency"] / 1e9,
            code=result["code"],
            error=result["error"] or "",
            path=path,
            rule=rule,
            group=group,
            address=address,
            right=not request.expects or not request.misses(base64.b64decode(result["body"] or "")),
        )


def entry(rule: Rule) -> tuple[str, str]:
    """A path that a rule is for, and its host; empty: any."""
    path = rule.paths[0].rstrip("*") if rule.paths else "/"
    return path or "/", rule.hosts[0] if rule.hosts else ""


def ask(port: int, request: Request) -> tuple[int, bytes]:
    """The status that a call is answered with by way of the proxy, and the answer; 0: it is not."""
    connection = HTTPConnection(HOST, port, timeout=TIMEOUT)
    try:
        connection.request(request.method, request.path, request.body, request.headers)
        answer = connection.getresponse()
        return answer.status, answer.read(BODY)
    except (OSError, HTTPException):
        return 0, b""
    finally:
        connection.close()


Key = tuple[str, str]
"""The callers' name, and the request's number among theirs."""
Way = tuple[str, str, str]
"""The rule, the group and the address by which a request went."""


def ways(access_log: Path) -> dict[Key, Way]:
    """How each request went, by what the proxy has written."""
    with access_log.open("rb") as lines:
        return dict(_seen(lines))


def _seen(lines: Iterable[bytes]) -> Iterator[tuple[Key, Way]]:
    for line in lines:
        with suppress(ValueError):  # the last line, where the proxy was ended while it wrote it
            found = json.loads(line)
            rule, group = (str(found.get(key, "")).removesuffix("@file") for key in ("RouterName", "ServiceName"))
            key = found.get("request_X-Vegeta-Attack", ""), found.get("request_X-Vegeta-Seq", "")
            yield key, (rule, group, str(found.get("ServiceAddr", "")))
