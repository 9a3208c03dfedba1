"""A Traefik on a Docker engine and its routes, as dynamic providers: what the Pulumi engine calls.

State holds them pickled by reference, so the names of this module and of the providers must stay.

The one truth about the routes is a file in the container's volume: it is read, changed by one route, and put back with
the configuration that is made of all of them. Traefik watches that, and goes over to it without closing anything. A
restart finds both.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from docker import APIClient
from docker.errors import APIError, ImageNotFound, NotFound
from docker.types import LogConfig
from pulumi.dynamic import (
    ConfigureRequest,
    CreateResult,
    ReadResult,
    UpdateResult,
)

from components import dynamic
from components.docker_engine import SwarmError, connect, explain
from components.docker_host import address
from components.dynamic import Props, whole
from components.edge.proxy_routes import Route, also, behind, configuration
from components.edge.traefik import (
    CA,
    HOME,
    INSIDE,
    METRICS,
    NEXT,
    PROGRAM,
    ROUTES,
    SECURE,
    STOP,
    SYSCTLS,
    WATCHED,
    arguments,
)
from components.pulumi_internals import speak_in_words
from components.shell import command

LOCK = Path(tempfile.gettempdir(), f"switchyard-routes-{os.getuid()}")
"""Nothing is in it; who changes routes holds it."""
TAKEN = 15.0
"""Seconds that Traefik may take to go over to a configuration."""


class Provider(dynamic.Provider):
    """What they have in common."""

    def configure(self, req: ConfigureRequest) -> None:
        """Called once in the provider's process, before anything else."""
        speak_in_words(SwarmError)


class ServerProvider(Provider):
    """The container, with a volume for its routes and a network of its own. It is known by its name."""

    watched = ("host", "name", "image", "port", "access_log", "https", "metrics", "acme")
    fixed = frozenset({"host", "name"})

    def create(self, props: Props) -> CreateResult:
        """Make it, or take over what an interrupted run left."""
        with engine_at(props["host"]) as engine:
            start(engine, props)
        return CreateResult(props["name"], props)

    def read(self, id_: str, props: Props) -> ReadResult:
        """Is it still there, and does it run?"""
        with engine_at(props["host"]) as engine:
            try:
                running = engine.inspect_container(id_)["State"]["Running"]
            except NotFound:
                return ReadResult("", {})
        return ReadResult(id_, props if running else {**props, "image": ""})

    def update(self, _id: str, _olds: Props, news: Props) -> UpdateResult:
        """Another container, with the networks and routes of the old. Between the two nobody answers, for a second."""
        with engine_at(news["host"]) as engine:
            start(engine, news)
        return UpdateResult(news)

    def delete(self, id_: str, props: Props) -> None:
        """With all that it kept."""
        with engine_at(props["host"]) as engine:
            remove(engine, id_)
            for gone in (engine.remove_network, engine.remove_volume):
                try:
                    gone(id_)
                except NotFound:
                    continue


class JoinProvider(Provider):
    """The container on one more network."""

    watched = ("host", "server", "network")
    fixed = frozenset(watched)

    def create(self, props: Props) -> CreateResult:
        """Join; whoever is there already stays."""
        with engine_at(props["host"]) as engine:
            try:
                if props["network"] not in networks(engine, props["server"]):
                    engine.connect_container_to_network(props["server"], props["network"])
            except NotFound as error:
                raise SwarmError(
                    f"the proxy {props['server']} cannot join the network of the services:"
                    f" {explain(str(error.explanation))}; `proxy.host` must be an engine that is a node of their swarm"
                ) from error
        return CreateResult(f"{props['server']}/{props['network']}", props)

    def read(self, id_: str, props: Props) -> ReadResult:
        """Is it on the network?"""
        with engine_at(props["host"]) as engine:
            try:
                joined = networks(engine, props["server"])
            except NotFound:
                return ReadResult("", {})
        return ReadResult(id_, props) if props["network"] in joined else ReadResult("", {})

    def delete(self, _id: str, props: Props) -> None:
        """Leave it, for a network with somebody on it cannot go."""
        with engine_at(props["host"]) as engine:
            try:
                engine.disconnect_container_from_network(props["server"], props["network"], force=True)
            except NotFound:
                return


class Reached(NamedTuple):
    """A proxy, as long as the way to its engine is open."""

    engine: APIClient
    container: str
    behind: Callable[[str], str]
    """A revision -> why the proxy has not gone over to it; empty: it has."""


class RouteProvider(Provider):
    """One route."""

    watched = ("host", "server", "id", "route", "shares")
    fixed = frozenset({"host", "server", "id"})

    def reach(self, props: Props) -> AbstractContextManager[Reached]:
        """The way to the proxy; raises `NotFound` where there is none."""
        return by_host(props)

    def create(self, props: Props) -> CreateResult:
        """Add it."""
        self.put(props)
        return CreateResult(props["id"], props)

    def read(self, id_: str, props: Props) -> ReadResult:
        """What the proxy has now: a difference is drift."""
        try:
            with self.reach(props) as proxy:
                found = kept(proxy.engine, proxy.container).get(id_)
        except NotFound:
            found = None
        return ReadResult(id_, {**props, "route": found}) if found else ReadResult("", {})

    def update(self, _id: str, _olds: Props, news: Props) -> UpdateResult:
        """Put the new one in its place."""
        self.put(news)
        return UpdateResult(news)

    def delete(self, id_: str, props: Props) -> None:
        """Take it out."""
        try:
            with self.reach(props) as proxy:
                change(proxy, {id_: None})
        except NotFound:
            return

    def also(self, props: Props, dial: str) -> None:
        """Have the route lead to another host and port besides. Where there is none, nobody goes by it."""
        with suppress(NotFound), self.reach(props) as proxy:
            if route := kept(proxy.engine, proxy.container).get(props["id"]):
                change(proxy, {props["id"]: also(route, dial)})

    def put(self, props: Props) -> None:
        """Have the route as it is wanted."""
        try:
            with self.reach(props) as proxy:
                change(proxy, {props["id"]: whole(props["route"])})
        except NotFound as error:
            again = command("pulumi", "up", "--refresh")
            raise SwarmError(f"the proxy {props['server']} does not run; `{again}` makes one that is gone") from error


@contextmanager
def by_host(props: Props) -> Iterator[Reached]:
    """The proxy of an engine given by host, which answers on the ports that the container publishes there."""
    name = props["server"]
    with engine_at(props["host"]) as engine:

        def why(revision: str) -> str:
            return behind(f"http://{address(props['host'])}:{published(engine, name, INSIDE)}", revision)

        yield Reached(engine, name, why)


@contextmanager
def engine_at(host: str) -> Iterator[APIClient]:
    """The engine; what it refuses within raises `SwarmError` in words, but for `NotFound`."""
    engine = connect(host)
    try:
        yield engine
    except NotFound:
        raise
    except APIError as error:
        raise SwarmError(explain(str(error.explanation or error))) from error
    finally:
        engine.close()


def start(engine: APIClient, props: Props) -> None:
    """Have the container run. One that is there makes way for it, and it takes over its networks and what it kept."""
    name, labels = props["name"], {"switchyard.stack": props["stack"]}
    have_image(engine, props["image"])
    if not engine.networks(names=[name]):
        engine.create_network(name, driver="bridge", labels=labels)
    engine.create_volume(name, labels=labels)
    try:
        others = set(networks(engine, name))
    except NotFound:
        others = set()
    remove(engine, name)
    engine.create_container(
        props["image"],
        [*arguments(props)],
        entrypoint=[PROGRAM],
        name=name,
        labels=labels,
        ports=[*bindings(props)],
        volumes=[HOME],
        stop_timeout=STOP,
        host_config=engine.create_host_config(
            binds=[f"{name}:{HOME}"],
            port_bindings=bindings(props),
            network_mode=name,
            extra_hosts={"host.docker.internal": "host-gateway"},  # the machine itself, as in Docker Desktop
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            sysctls=SYSCTLS,
            restart_policy={"Name": "unless-stopped"},
            log_config=LogConfig(type="local"),
        ),
    )
    write(engine, name, kept(engine, name))
    if root := (props.get("acme") or {}).get("root"):
        put_files(engine, name, {CA: root.encode()})
    for network in others - set(networks(engine, name)):
        engine.connect_container_to_network(name, network)
    engine.start(name)


def bindings(props: Props) -> dict[int | str, Any]:
    """Port in the container -> of its host. Figures are for the host alone."""
    found: dict[int | str, Any] = {INSIDE: int(props["port"])}
    if props.get("https"):
        found[SECURE] = int(props["https"])
    if props.get("metrics"):
        found[METRICS] = ("127.0.0.1", int(props["metrics"]))
    return found


def have_image(engine: APIClient, image: str) -> None:
    """Pull it, where the engine has none of that name."""
    try:
        engine.inspect_image(image)  # type: ignore[no-untyped-call]
    except ImageNotFound:
        try:
            engine.pull(image)
        except APIError as error:
            raise SwarmError(
                f"the image of the proxy, {image}, is not on the engine and cannot be pulled:"
                f" {explain(str(error.explanation or error))}; `python -m tools.proxy` builds one, for `proxy.image`"
            ) from error


def remove(engine: APIClient, name: str) -> None:
    """Stop the container, once its requests have ended, and take it away."""
    try:
        engine.stop(name, timeout=STOP)
        engine.remove_container(name, force=True)
    except NotFound:
        return


def networks(engine: APIClient, container: str) -> dict[str, str]:
    """The networks that a container is on: id -> name. Before its first start the engine has only names."""
    found = engine.inspect_container(container)["NetworkSettings"]["Networks"]
    return {each["NetworkID"] or engine.inspect_network(name)["Id"]: name for name, each in found.items()}


def change(proxy: Reached, wanted: Mapping[str, Route | None]) -> None:
    """Put routes in, by id, and take out those that are None. Done when requests go by them."""
    with alone():
        found = {**kept(proxy.engine, proxy.container), **wanted}
        routes = {id_: each for id_, each in found.items() if each is not None}
        wait_for(proxy, write(proxy.engine, proxy.container, routes))


@contextmanager
def alone() -> Iterator[None]:
    """A change reads the routes and puts them back, so one waits for the other. The providers of one run share a
    process, and its hooks are in another."""
    with LOCK.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def published(engine: APIClient, container: str, port: int) -> int:
    """The port of the host under which a port of the container answers."""
    (found,) = {each["HostPort"] for each in engine.port(container, port) or []}
    return int(found)


def wait_for(proxy: Reached, revision: str) -> None:
    """Return once the proxy has gone over to a revision."""
    deadline = time.monotonic() + TAKEN
    while why := proxy.behind(revision):
        if time.monotonic() >= deadline:
            raise SwarmError(
                f"the proxy has not gone over to its new routes within {TAKEN:g} s ({why}):"
                f" {command('docker', 'logs', proxy.container)} says why"
            )
        time.sleep(0.05)


def kept(engine: APIClient, container: str) -> dict[str, Route]:
    """The routes, by id; raises `NotFound` where there is no container."""
    engine.inspect_container(container)
    routes: dict[str, Route] = json.loads(file_of(engine, container, ROUTES) or b"{}")
    return routes


def file_of(engine: APIClient, container: str, name: str) -> bytes:
    """A file in the container's volume; empty where there is none."""
    try:
        stream, _ = engine.get_archive(container, f"{HOME}/{name}")
    except NotFound:
        return b""
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        (entry,) = archive.getmembers()
        file = archive.extractfile(entry)
        assert file is not None
        return file.read()


def write(engine: APIClient, container: str, routes: Mapping[str, Route]) -> str:
    """Put the routes into the container's volume, and the configuration that they make; return its revision."""
    text = json.dumps(routes, sort_keys=True).encode()
    revision = hashlib.sha256(text).hexdigest()[:16]
    made = json.dumps(configuration(routes.values(), revision)).encode()
    put_files(engine, container, {ROUTES: text, NEXT: made}, links={WATCHED: NEXT})
    return revision


def put_files(
    engine: APIClient, container: str, files: Mapping[str, bytes], links: Mapping[str, str] | None = None
) -> None:
    """Put files into the container's volume, which only their owner may read, and links to them: a link is there at
    once and whole, where a file that is still being written would be read too. All of it small: it may be a command."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o600
            archive.addfile(entry, io.BytesIO(data))
        for name, to in (links or {}).items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.LNKTYPE, to
            archive.addfile(link)
    engine.put_archive(container, HOME, buffer.getvalue())
