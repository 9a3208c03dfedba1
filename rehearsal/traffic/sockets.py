"""Callers that keep a WebSocket open: asked now and then, and opened again whenever it is cut.

They are asked by pings, which every WebSocket has to answer, whatever its service says in its messages (RFC 6455,
section 5.5.2).
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from rehearsal.traffic.balancer import MARKS
from rehearsal.traffic.callers import Key, Request, Way
from rehearsal.traffic.replica import Replica
from rehearsal.traffic.starts import HOST

EACH = 10
"""WebSockets to a path."""
EVERY = 1.0
"""Seconds between two pings."""
LOOK = 0.2
"""Seconds between two looks whether it is over."""
TIMEOUT = 10.0
"""Seconds that it may take to open one, or to answer a ping."""
AGAIN = 1.0
"""Seconds until one that could not be opened, or did not last, is tried again."""
LEAST = 1000
"""The least code that a close frame may have (RFC 6455, 7.4.2)."""
BROKEN, SILENT = "broken off", "no answer to a ping"
SOON = 0.2
"""Seconds in which it is seen that a process has ended whose connections are closed."""
SERVES = ("while it served", "while it drained")
"""What a replica does that has no reason to end a WebSocket."""


class NotOpened(Exception):
    """A WebSocket could not be opened; the message says why."""


@dataclass(frozen=True)
class Spell:
    """One WebSocket, from when it was opened to its end."""

    path: str
    key: Key
    """By which the access log knows it."""
    at: float
    """Seconds since the epoch."""
    end: float
    why: str
    """How it ended; empty: by its caller, when all was over."""
    waited: float = 0.0
    """Seconds since the end of the one before it."""


@dataclass(frozen=True)
class Kept:
    """What became of the WebSockets to a path."""

    path: str
    opened: int
    cut: Mapping[str, int]
    """How -> those that ended because their replica did: that is as it must be."""
    lost: Mapping[str, int]
    """Why -> those that ended while their replica served, and times that none could be opened."""
    again: float
    """Seconds until one that had ended was open again, at most."""


@dataclass
class Sockets:
    """All of them, from `start` to `stop`."""

    name: str
    """The callers'."""
    port: int
    requests: Sequence[Request]
    spells: list[Spell] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    """Path, and why a WebSocket could not be opened."""

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._turn = threading.Lock()
        self._opened = 0
        self._threads = [
            threading.Thread(target=partial(self._keep, each), name=f"websocket-{each.path}", daemon=True)
            for each in self.requests
            for _ in range(EACH)
        ]

    def start(self) -> None:
        for each in self._threads:
            each.start()

    def stop(self) -> None:
        """Close them."""
        self._over.set()
        for each in self._threads:
            each.join()

    def _keep(self, request: Request) -> None:
        ended = 0.0
        while not self._over.is_set():
            key = self._next()
            try:
                one = opened(self.port, request, key)
            except NotOpened as error:
                self.refused.append((request.path, str(error)))
                self._over.wait(AGAIN)
                continue
            at = time.time()
            waited = at - ended if ended else 0.0
            why = talk(one, self._over.is_set)
            ended = time.time()
            self.spells.append(Spell(request.path, key, at, ended, why, waited))
            if ended - at < AGAIN:  # a service that ends each at once would be called without a pause
                self._over.wait(AGAIN)

    def _next(self) -> Key:
        with self._turn:
            self._opened += 1
            return self.name, str(self._opened)


def opened(port: int, request: Request, key: Key = ("", "")) -> Any:
    """A WebSocket by way of the proxy; raises `NotOpened`."""
    from websocket import WebSocketBadStatusException, WebSocketException, create_connection

    marks = [f"{name}: {value}" for name, value in zip(MARKS, key, strict=True) if value]
    url = f"ws://{HOST}:{port}{request.path}"
    try:
        return create_connection(
            url,
            timeout=TIMEOUT,
            header=marks,
            host=request.host or None,
            suppress_origin=True,
            http_no_proxy=[HOST],
            redirect_limit=0,
        )
    except WebSocketBadStatusException as error:
        raise NotOpened(f"answered {error.status_code}") from error
    except (WebSocketException, OSError) as error:
        raise NotOpened(str(error)) from error


def talk(one: Any, over: Callable[[], bool]) -> str:
    """Ping until it is over, or until it ends; how it ended, empty: by us."""
    from websocket import WebSocketException

    one.settimeout(LOOK)
    try:
        why = _talk(one, over)
    except (WebSocketException, OSError):
        return BROKEN
    with suppress(WebSocketException, OSError):
        one.close(timeout=1)
    return why


def _talk(one: Any, over: Callable[[], bool]) -> str:
    from websocket import ABNF, WebSocketTimeoutException

    pinged, answered = 0.0, time.monotonic()
    while not over():
        now = time.monotonic()
        if now - answered > TIMEOUT:
            return SILENT
        if now - pinged >= EVERY:
            one.ping()
            pinged = now
        try:
            code, frame = one.recv_data_frame(control_frame=True)
        except WebSocketTimeoutException:
            continue
        if code == ABNF.OPCODE_CLOSE:
            said = int.from_bytes(frame.data[:2])
            return f"closed with {said}" if said >= LEAST else "closed"
        answered = time.monotonic()
    return ""


def kept(sockets: Sockets, ways: Mapping[Key, Way], replicas: Sequence[Replica]) -> Iterator[Kept]:
    """By path; call it after `stop`."""
    for path in dict.fromkeys(each.path for each in sockets.requests):
        spells = [each for each in sockets.spells if each.path == path]
        ended = [each for each in spells if each.why]
        due = [each for each in ended if _due(each, ways.get(each.key, ("", "", ""))[2], replicas)]
        lost = [each.why for each in ended if each not in due]
        refused = [f"not opened: {why}" for of, why in sockets.refused if of == path]
        again = max((each.waited for each in spells), default=0.0)
        yield Kept(path, len(spells), Counter(each.why for each in due), Counter([*lost, *refused]), round(again, 3))


def _due(spell: Spell, address: str, replicas: Sequence[Replica]) -> bool:
    """Whether a WebSocket ended because its replica did."""
    lives = [each.life for each in replicas if each.address == address]
    return any(each.phase(spell.end + SOON) not in SERVES for each in lives)
