"""Routes of the proxy, and how its configuration gets to it. That Traefik goes by them, the live test shows."""

import fcntl
import io
import re
import tarfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError, URLError

import pytest
import yaml
from docker.errors import NotFound

from components.docker_engine import SwarmError
from components.edge import proxy, proxy_engine, proxy_routes, traefik
from components.testing.promises.checks import service_of
from yard.machine import Machine, Notes, remove_leftovers

API = service_of({"health": "/up"})
WEB = service_of({"path": "/web"})
SHOP = service_of({"path": "/web/shop", "host": "shop.example"})
ROUTES = {
    "api": proxy_routes.shared("api", API, {"one": 90, "two": 10, "three": 0}),
    **{f"api/{each}": proxy_routes.group("api", API, each, f"{each}.example:80") for each in ("one", "two", "three")},
    "web": proxy_routes.shared("web", WEB, {"one": 1}),
    "web/one": proxy_routes.group("web", WEB, "one", "one.example:81"),
    "shop": proxy_routes.shared("shop", SHOP, {"one": 1}),
    "shop/one": proxy_routes.group("shop", SHOP, "one", "one.example:82"),
}
HTTP = proxy_routes.configuration(ROUTES.values(), "r1")["http"]


def test_the_more_specific_comes_before_the_less() -> None:
    in_order = sorted(HTTP["routers"], key=lambda each: -HTTP["routers"][each]["priority"])
    assert in_order[0] == "revision"
    assert {each.rpartition("/")[2] for each in in_order[1:6]} == {"gate"}
    assert in_order[6:] == ["shop/one", "web/one", "api/one", "api/two", "api/three", "shop", "web", "api"]


@pytest.mark.parametrize(
    ("service", "path", "taken"),
    [
        (API, "/", True),
        (API, "/web", True),
        (WEB, "/web", True),
        (WEB, "/web/shop", True),
        (WEB, "/website", False),
        (WEB, "/a/web", False),
        (service_of({"path": "/v1.0"}), "/v1x0", False),
    ],
)
def test_a_path_takes_what_is_under_it(service: Any, path: str, taken: bool) -> None:
    found = re.fullmatch(r"PathRegexp\(`(.*)`\)", proxy_routes.matcher(service))
    assert found is not None
    assert bool(re.search(found[1], path)) is taken


def test_a_host_is_asked_for_too() -> None:
    assert proxy_routes.matcher(SHOP) == r"Host(`shop.example`) && PathRegexp(`^/web/shop(/|$)`)"


def test_only_a_weight_above_0_gets_a_share() -> None:
    for part, end in (("healthy", "/healthy"), ("any", "")):
        shares = HTTP["services"][f"api/{part}"]["weighted"]["services"]
        assert shares == [{"name": f"api/one{end}", "weight": 90}, {"name": f"api/two{end}", "weight": 10}]


def test_a_share_waits_for_health_and_a_newcomer_can_be_tried_without() -> None:
    checked = {name for name, each in HTTP["services"].items() if "healthCheck" in each.get("loadBalancer", {})}
    assert checked == {f"{each}/healthy" for each in ROUTES if "/" in each}
    assert HTTP["services"]["api/one/healthy"]["loadBalancer"]["healthCheck"]["path"] == "/up"
    assert HTTP["routers"]["api/one"]["service"] == "api/one"


def test_a_group_leads_to_two_ports_while_its_service_changes_from_the_one_to_the_other() -> None:
    before = ROUTES["api/one"]
    both = proxy_routes.also(before, "one.example:81")
    assert both == proxy_routes.also(both, "one.example:81"), "an `up` that failed was called again"
    assert both["routers"] == before["routers"]
    healthy, any_ = (both["services"][f"api/one{end}"]["loadBalancer"] for end in ("/healthy", ""))
    for each in (healthy, any_):
        assert each["servers"] == [{"url": "http://one.example:80"}, {"url": "http://one.example:81"}]
        assert each["serversTransport"] == "edge"
    assert healthy["healthCheck"] == {**proxy_routes.CHECK, "path": "/up", "interval": "100ms"}
    assert "healthCheck" not in any_


def test_every_name_in_it_is_in_it() -> None:
    services, routers = HTTP["services"], HTTP["routers"].values()
    named = {each["service"] for each in routers} - {"ping@internal"}
    for each in services.values():
        named |= {part["name"] for part in each.get("weighted", {}).get("services", ())}
        named |= {name for key, name in each.get("failover", {}).items() if key in ("service", "fallback")}
    assert named <= services.keys()
    assert {name for each in routers for name in each.get("middlewares", ())} <= HTTP["middlewares"].keys()
    transports = {each["loadBalancer"]["serversTransport"] for each in services.values() if "loadBalancer" in each}
    assert transports == HTTP["serversTransports"].keys()


class Volume:
    """An engine with one container, whose volume is a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.put: list[list[tarfile.TarInfo]] = []

    def inspect_container(self, _name: str) -> None: ...

    def close(self) -> None: ...

    def port(self, _name: str, _port: int) -> list[dict[str, str]]:
        return [{"HostIp": "0.0.0.0", "HostPort": "8090"}, {"HostIp": "::", "HostPort": "8090"}]

    def get_archive(self, _name: str, path: str) -> tuple[Iterator[bytes], None]:
        file = self.folder / path.rpartition("/")[2]
        if not file.exists():
            raise NotFound("no such file")
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            archive.add(file, file.name)
        return iter([buffer.getvalue()]), None

    def put_archive(self, _name: str, _path: str, data: bytes) -> None:
        with proxy_engine.LOCK.open("a") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as another process would, in the middle of a change
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            self.put.append(archive.getmembers())
            archive.extractall(self.folder, filter="data")


@pytest.fixture
def volume(tmp_path: Path) -> Any:
    return Volume(tmp_path)


def test_a_change_leaves_all_other_routes(volume: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(proxy_engine, "connect", lambda _: volume)
    monkeypatch.setattr(proxy_engine, "behind", lambda *about: asked.append(about))
    provider, where = proxy_engine.RouteProvider(), {"host": "ssh://engine.example", "server": "edge"}
    for id_, route in ROUTES.items():
        provider.create({**where, "id": id_, "route": route})
    for id_ in ("shop", "shop/one"):
        provider.delete(id_, where)
    left = {id_: route for id_, route in ROUTES.items() if not id_.startswith("shop")}
    assert proxy_engine.kept(volume, "edge") == left
    url, revision = asked[-1]
    assert url == "http://engine.example:8090"
    watched = yaml.safe_load((volume.folder / traefik.WATCHED).read_text())
    assert watched == proxy_routes.configuration(left.values(), revision)
    assert asked[-1] != asked[-2]


def test_what_a_hook_adds_to_a_route_the_routes_own_change_takes_out(volume: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(proxy_engine, "connect", lambda _: volume)
    monkeypatch.setattr(proxy_engine, "behind", lambda *_: "")
    provider, where = proxy_engine.RouteProvider(), {"host": "ssh://engine.example", "server": "edge"}
    provider.also({**where, "id": "api/one"}, "one.example:81")
    assert not volume.put, "a route that is not there yet"
    provider.create({**where, "id": "api/two", "route": ROUTES["api/two"]})
    provider.create({**where, "id": "api/one", "route": ROUTES["api/one"]})
    provider.also({**where, "id": "api/one"}, "one.example:81")
    both = proxy_routes.also(ROUTES["api/one"], "one.example:81")
    assert proxy_engine.kept(volume, "edge") == {"api/one": both, "api/two": ROUTES["api/two"]}
    after = proxy_routes.group("api", API, "one", "one.example:81")
    provider.update("api/one", {}, {**where, "id": "api/one", "route": after})
    assert proxy_engine.kept(volume, "edge") == {"api/one": after, "api/two": ROUTES["api/two"]}


def test_where_no_proxy_runs_nobody_goes_by_either_port(volume: Any, monkeypatch: Any) -> None:
    def gone(_name: str) -> None:
        raise NotFound("no such container")

    monkeypatch.setattr(volume, "inspect_container", gone)
    monkeypatch.setattr(proxy_engine, "connect", lambda _: volume)
    proxy_engine.RouteProvider().also({"host": "ssh://engine.example", "server": "edge", "id": "api/one"}, "one:81")
    assert not volume.put


def test_what_traefik_watches_is_there_at_once_and_whole(volume: Any) -> None:
    with proxy_engine.alone():
        proxy_engine.write(volume, "edge", ROUTES)
    *files, link = volume.put[0]
    assert (link.name, link.islnk(), link.linkname) == (traefik.WATCHED, True, files[-1].name)
    assert all(each.mode == 0o600 for each in files)


def test_a_proxy_that_stays_as_it_was_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    (told,) = proxy_routes.revised("r1")["middlewares"]["revised"]["headers"]["customResponseHeaders"].values()
    by_a_service: tuple[Mapping[str, str], ...] = ({}, {proxy_routes.REVISION_HEADER: "r1"})  # with 200
    wrong: list[OSError | Mapping[str, str]] = [not_found(), *by_a_service]
    answers = [*wrong, {proxy_routes.REVISION_HEADER: told}]

    def answer(request: Any, timeout: float) -> Any:
        assert request.get_header(proxy_routes.REVISION_HEADER.capitalize()) == "r1"
        if isinstance(found := answers.pop(0), OSError):
            raise found
        return Response(found)

    monkeypatch.setattr(proxy_routes, "open_directly", answer)
    reached = proxy_engine.Reached(SimpleNamespace(), "edge", partial(proxy_routes.behind, "http://engine.example"))  # type: ignore[arg-type]
    proxy_engine.wait_for(reached, "r1")
    assert not answers
    monkeypatch.setattr(proxy_engine, "TAKEN", 0.0)
    for each in wrong:
        answers[:] = [each]
        with pytest.raises(SwarmError, match=r"has not gone over .* `?docker logs edge"):
            proxy_engine.wait_for(reached, "r1")


class Response(io.BytesIO):
    """What somebody answers."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__()
        self.headers = headers


def not_found() -> HTTPError:
    return HTTPError("http://engine.example", 404, "Not Found", {}, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "state", "why"),
    [
        (None, "healthy", ""),
        (HTTPError("", 503, "", {}, None), "unhealthy", "/up answers 503"),  # type: ignore[arg-type]
        (URLError("refused"), "unhealthy", "<urlopen error refused>"),
    ],
)
def test_the_gate_asks_the_newcomer_by_way_of_the_proxy(
    error: OSError | None, state: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(request: Any, timeout: float) -> Any:
        assert request.full_url == "http://engine.example/up"
        assert dict(request.header_items()) == {"X-switchyard-to": "two", "X-switchyard-service": "api"}
        if error:
            raise error
        return io.BytesIO()

    monkeypatch.setattr(proxy, "open_unverified", answer)
    front: Any = object.__new__(proxy.Proxy)  # as it is once it is built
    front._base = "http://engine.example"
    front._gate = SimpleNamespace(expected={"api": SimpleNamespace(path="/up")})
    assert front.health("api/two") == [("api/two", state, why)]


def test_what_the_state_knows_by_its_name_is_no_leftover() -> None:
    removed: list[str] = []

    def named(name: str) -> SimpleNamespace:
        return SimpleNamespace(id=f"id of {name}", name=name, remove=lambda: removed.append(name))

    def listing(*found: SimpleNamespace) -> SimpleNamespace:
        return SimpleNamespace(list=lambda filters: list(found))

    client: Any = SimpleNamespace(
        info=lambda: {"Swarm": {"ControlAvailable": True}},
        services=listing(),
        secrets=listing(),
        networks=listing(named("shop-edge"), named("shop-lost"), named("shop-kept")),
        api=SimpleNamespace(containers=lambda **_: []),
    )
    here = Machine("unix:///var/run/docker.sock", client, Notes(Path("notes")), print)
    remove_leftovers(here, "shop", {"shop-edge", "id of shop-kept"})
    assert removed == ["shop-lost"]
