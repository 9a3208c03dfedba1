"""One replica that really runs here, from its start to its end, and what its health checks find."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from itertools import cycle
from pathlib import Path
from typing import Literal

from rehearsal.traffic.starts import HOST, Starts
from rehearsal.traffic.wanted import Check, Workload

FIRST_INTERVAL = 1.0
"""Seconds between two first checks, whatever the target group's interval is: who waits for them are no callers."""
LOOK = 0.05
"""Seconds between two looks at a process."""
PORTS = cycle(random.sample(range(20_000, 30_000), 10_000))
"""Below the ports that systems give to outgoing connections (Linux: from 32768, others: from 49152): callers open
hundreds of these a second, and one could take a port away before its replica listens there."""
State = Literal["initial", "healthy", "unhealthy"]


@dataclass(frozen=True)
class Pace:
    """Real seconds for each second that a caller would feel: 1, but in tests of this."""

    scale: float = 1.0

    def __call__(self, seconds: float) -> float:
        return seconds * self.scale


@dataclass
class Life:
    """When what happened to a replica, in seconds since the epoch; 0: it has not."""

    started: float = 0.0
    healthy: float = 0.0
    left: float = 0.0
    """It got no more requests from here on."""
    told: float = 0.0
    """SIGTERM."""
    ended: float = 0.0
    killed: bool = False
    """By SIGKILL, for it had not ended in time."""
    code: int | None = None
    """How it ended; a negative one is the signal that ended it."""
    idle: float | None = None
    """Seconds after which it closed an idle connection; None: it did not as long as it was looked at."""
    idle_for: float = 0.0
    """Seconds for which that was looked at."""

    @property
    def died(self) -> bool:
        """Ended before it was told to."""
        return bool(self.ended) and not self.told

    def phase(self, at: float) -> str:
        """What it was doing at a time, in words."""
        if self.ended and at >= self.ended:
            return "after it was killed" if self.killed else "after it had ended"
        if self.told and at >= self.told:
            return "after SIGTERM"
        if self.left and at >= self.left:
            return "while it drained"
        return "while it served"


class Replica:
    """A process of one workload, on a port of the loopback interface. It lives in a thread of its own."""

    def __init__(
        self, number: int, key: str, workload: Workload, starts: Starts, log: Path, changed: Callable[[], None]
    ) -> None:
        self.number = number
        self.key = key
        """Its workload's."""
        self.workload = workload
        self.port = free_port()
        self.life = Life()
        self.state: State = "initial"
        self._start = starts(workload, self.port)
        self._log = log
        self._changed = changed
        self._leave = threading.Event()
        self._over = threading.Event()

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def leaving(self) -> bool:
        return self._leave.is_set()

    @property
    def over(self) -> bool:
        return self._over.is_set()

    def start(self, check: Check, idle: float, pace: Pace) -> None:
        """Begin to live; return at once."""
        for target, arguments in ((self._live, (pace,)), (self._ask, (check, pace)), (self._keep, (check, idle, pace))):
            threading.Thread(target=target, args=arguments, name=f"replica-{self.number}", daemon=True).start()

    def leave(self) -> None:
        """Drain, and then stop as the orchestrator does it."""
        if not self.leaving:
            self.life.left = time.time()
            self._leave.set()

    def kill(self) -> None:
        """End it now, whatever it does."""
        self._leave.set()
        with suppress(AttributeError):  # it has not begun
            if self._process.poll() is None:
                self._kill()

    def said(self) -> str:
        """The last line that it wrote."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def _live(self, pace: Pace) -> None:
        with self._log.open("wb") as log:
            self.life.started = time.time()
            start, nothing = self._start, subprocess.DEVNULL
            self._process = subprocess.Popen(
                start.words, env=start.env, stdin=nothing, stdout=log, stderr=log, start_new_session=True
            )
            while self._process.poll() is None and not self._leave.wait(LOOK):
                pass
            if self._process.returncode is None:
                self._stop(pace)
        self.life.code = self._process.returncode
        self.life.ended = time.time()
        self._over.set()
        self._leave.set()
        self._changed()

    def _stop(self, pace: Pace) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(pace(self.workload.drain))
            return  # it ended by itself
        self.life.told = time.time()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(pace(self.workload.grace))
        except subprocess.TimeoutExpired:
            self.life.killed = True
            self._kill()
            self._process.wait()

    def _kill(self) -> None:
        if self._start.remove:
            subprocess.run(self._start.remove, env=self._start.env, capture_output=True, check=False)
        self._process.kill()

    def _ask(self, check: Check, pace: Pace) -> None:
        """As a load balancer: so many good answers in a row make it healthy, so many bad ones unhealthy."""
        good = bad = 0
        first = min(FIRST_INTERVAL, check.interval)
        while not self._leave.wait(pace(first if self.state == "initial" else check.interval)):
            if check.good(answer(self.address, check.path, check.timeout)):
                good, bad = good + 1, 0
            else:
                good, bad = 0, bad + 1
            # Before the first good answer nothing listens yet, which is no failure while there is patience.
            late = time.time() - self.life.started > pace(self.workload.patience)
            if good >= check.healthy and self.state != "healthy":
                self.life.healthy = self.life.healthy or time.time()
                self._become("healthy")
            elif bad >= check.unhealthy and (self.state == "healthy" or late):
                self._become("unhealthy")

    def _become(self, state: State) -> None:
        if state != self.state:
            self.state = state
            self._changed()

    def _keep(self, check: Check, idle: float, pace: Pace) -> None:
        """Keep one connection after an answer, as a load balancer does, and see whether it is closed under its feet."""
        while self.state != "healthy":
            if self._leave.wait(LOOK):
                return
        with suppress(OSError, HTTPException):
            connection = HTTPConnection(self.address, timeout=check.timeout)
            connection.request("GET", check.path)
            connection.getresponse().read()
            if connection.sock is None:  # it said `Connection: close`, so nobody keeps it
                return
            connection.sock.settimeout(LOOK)
            self._watch(connection.sock, idle)
            connection.close()

    def _watch(self, kept: socket.socket, idle: float) -> None:
        began = time.time()
        while not self.leaving and self.life.idle_for < idle:
            try:
                if not kept.recv(1):
                    closed = time.time() - began
                    if not self._over.wait(2 * LOOK) and not self.leaving:  # a process that ends closes it too
                        self.life.idle = closed
                    return
            except TimeoutError:
                self.life.idle_for = time.time() - began


def free_port() -> int:
    """A port of the loopback interface that nobody listens on, and that nobody else is given here."""
    return next(filter(_is_free, PORTS))


def _is_free(port: int) -> bool:
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True


def answer(address: str, path: str, timeout: float) -> int:
    """The status that a replica answers with; 0: it does not."""
    connection = HTTPConnection(address, timeout=timeout)
    try:
        connection.request("GET", path, headers={"User-Agent": "ELB-HealthChecker/2.0", "Connection": "close"})
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()
