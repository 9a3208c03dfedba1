"""What the access log of a proxy says of a switch."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from components.edge import proxy_asked
from components.edge.proxy import SERVER, Proxy, ProxyOptions
from components.guard import GuardOptions, Seen, few

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 0, 1, tzinfo=UTC)


def line(router: str, service: str, status: int = 200, seconds: float = 0.1) -> bytes:
    """A request, as Traefik 3.5 logs it; what is not looked at is left out."""
    found = {"RouterName": f"{router}@file", "ServiceName": f"{service}@file", "DownstreamStatus": status}
    return json.dumps(found | {"Duration": int(seconds * 1e9)}).encode()


LOG = [
    *[line("api", "api/swarm/healthy") for _ in range(98)],
    line("api", "api/swarm/healthy", 502, 0.2),
    line("api", "api/swarm", 404, 0.9),  # no group was healthy
    line("api", "api/kubernetes/healthy", 500, 0.3),
    line("web", "web/swarm/healthy"),
    line("api/kubernetes", "api/kubernetes", 500),  # somebody tries the newcomer
    line("api/kubernetes/gate", "api/kubernetes", 500),
    b'{"level":"warn","message":"not a request"}',
    b"not JSON",
]


def test_requests_are_counted_by_who_answered() -> None:
    assert proxy_asked.count(proxy_asked.read(LOG)) == {
        "api": {"swarm": Seen(100, 1, 0.2), "kubernetes": Seen(1, 1, 0.3)},
        "web": {"swarm": Seen(1, 0, 0.1)},
    }


def test_the_log_is_read_by_way_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def logs(server: str, **more: Any) -> Iterator[bytes]:
        asked.append((server, more))
        text = b"\n".join(LOG)
        return iter([text[:1000], text[1000:]])  # an engine sends it in pieces

    @contextmanager
    def engine_at(_: str) -> Iterator[Any]:
        yield SimpleNamespace(logs=logs)

    monkeypatch.setattr(proxy_asked, "engine_at", engine_at)
    server = {"type": SERVER, "inputs": {"host": "ssh://me@shop", "name": "shop-dev-edge", "access_log": True}}
    rules = [{"type": ProxyOptions.rule, "inputs": {"id": name, "shares": []}} for name in ("web", "idle")]
    watch = ProxyOptions.watch([{"type": "other", "inputs": {}}, server, *rules], None, None)
    assert watch is not None
    seen = watch.seen(START, END)
    assert seen["web"] == {"swarm": Seen(1, 0, 0.1)}
    assert few(GuardOptions(), "kubernetes", seen) == {"api": 1, "web": 0, "idle": 0}, "one without requests is named"
    own = proxy_of(access_logs=True).watch("web", ["web/swarm", "web/kubernetes"], {})
    assert own is not None
    assert own.seen(START, END) == {"web": {"web/swarm": Seen(1, 0, 0.1)}}, "by group, in the program itself"
    assert asked == 2 * [
        ("shop-dev-edge", {"stream": True, "follow": False, "since": START.timestamp(), "until": END.timestamp()})
    ]


def test_without_an_access_log_nobody_knows() -> None:
    server = {"type": SERVER, "inputs": {"host": "h", "name": "n", "access_log": False}}
    assert ProxyOptions.watch([server], None, None) is None
    assert proxy_of(access_logs=False).watch("web", ["web/swarm"], {}) is None


def proxy_of(*, access_logs: bool) -> Proxy:
    """One as it is once it is built."""
    front = object.__new__(Proxy)
    vars(front).update(args=SimpleNamespace(access_logs=access_logs), _host="ssh://me@shop", _name="shop-dev-edge")
    return front
