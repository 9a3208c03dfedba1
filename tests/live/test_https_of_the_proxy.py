"""HTTPS of the real proxy: nobody notices that it comes, and what it shows is what was given."""

import json
import ssl
import tarfile
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any
from urllib.request import urlopen

import docker
import pytest

from components.docker_engine import SwarmError
from components.edge import WARM_UP_HEADER, proxy_engine, proxy_routes, proxy_tls, traefik
from components.edge.proxy import Proxy, base
from components.edge.proxy_routes import Https
from components.edge.routed import CERTIFICATE
from components.service import Service
from components.testing.promises.checks import service_of
from rehearsal.traffic.replica import free_port
from tests.certificates import Authority
from tests.live.behind_the_proxy import proxy  # noqa: F401 - the image, on the engine
from tests.live.conftest import HOST
from tests.live.load import Load

NAME, SERVICE = "switchyard-https-edge", service_of({"health": "/up"})


class Replica(BaseHTTPRequestHandler):
    """Answers as the example does."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b'{"host": "replica", "orchestrator": "one"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


class Edge:
    """The proxy with one service, as its providers make it."""

    def __init__(self, block: dict[str, Any], client: docker.DockerClient) -> None:
        self.client = client
        self.http, self.https, self.metrics = block["ports"]["http"], free_port(), free_port()
        self.secure = Https(("api.example.com", "admin.example.com"), self.https)
        self.where = {"host": HOST, "server": NAME}
        ports = {"port": self.http, "https": self.https, "metrics": self.metrics}
        about = {"host": HOST, "name": NAME, "stack": "switchyard-https", "image": block["image"]}
        self.server = {**about, **ports, "access_log": False}
        proxy_engine.ServerProvider().create(self.server)
        network = client.api.inspect_network(NAME)
        self.replica = ThreadingHTTPServer((network["IPAM"]["Config"][0]["Gateway"], 0), Replica)
        Thread(target=self.replica.serve_forever, daemon=True).start()

    def route(self, service: Service, https: Https | None) -> None:
        """The service, with its traffic."""
        dial = "{}:{}".format(*self.replica.server_address[:2])
        parts = {
            "api/one": proxy_routes.group("api", service, "one", dial, https),
            "api": proxy_routes.shared("api", service, {"one": 1}, https),
        }
        for id_, route in parts.items():
            proxy_engine.RouteProvider().put({**self.where, "id": id_, "route": route})

    def certificate(self, chain: str, key: str) -> dict[str, Any]:
        """What its provider is given."""
        route = proxy_routes.certificate(self.secure, (chain, key))
        return {**self.where, "id": CERTIFICATE, "names": self.secure.names, "route": route}

    def ask(self, host: str, context: ssl.SSLContext | None = None, path: str = "/", **headers: str) -> Any:
        """The status, and where it leads, of one request; with `context` by HTTPS."""
        plain = HTTPConnection("localhost", self.http, timeout=5)
        connection = Called(host, self.https, context) if context else plain
        connection.request("GET", path, headers={"Host": host, **headers})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status, answer.headers.get("location")

    def remove(self) -> None:
        """With all that it made."""
        self.replica.shutdown()
        self.replica.server_close()
        proxy_engine.ServerProvider().delete(NAME, self.server)


class Called(HTTPSConnection):
    """A connection to one address for another's name."""

    def __init__(self, name: str, port: int, context: ssl.SSLContext) -> None:
        super().__init__("localhost", port, timeout=5, context=context)
        self.name, self.trusting = name, context

    def connect(self) -> None:
        HTTPConnection.connect(self)
        self.sock = self.trusting.wrap_socket(self.sock, server_hostname=self.name)


class Followers(Load):
    """Callers of the URL without HTTPS, who go where they are sent. One that is sent where nobody is any more calls
    again."""

    def __init__(self, edge: Edge, context: ssl.SSLContext) -> None:
        super().__init__("http://localhost", callers=0)
        self.edge, self.context = edge, context
        self.again = 0
        self._threads = [Thread(target=self._run, args=[self.follow]) for _ in range(2)]

    def follow(self) -> dict[str, str] | None:
        """One request to its end."""
        status, sent = self.edge.ask("api.example.com")
        if sent:
            status, _ = self.edge.ask("api.example.com", self.context)
            if status == 404:
                self.again += 1
                status, _ = self.edge.ask("api.example.com")
        return {"host": "replica"} if status == 200 else None


@pytest.fixture
def edge(proxy: dict[str, Any], client: docker.DockerClient) -> Iterator[Edge]:  # noqa: F811
    """It listens for HTTPS already, and has no domain yet."""
    made = Edge(proxy, client)
    yield made
    made.remove()


def test_a_domain_comes_and_goes_and_no_request_is_lost(
    edge: Edge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority.at(tmp_path / "ca")
    trusting, provider = ssl.create_default_context(cafile=authority.root), proxy_tls.CertificateProvider()
    (_, wrong), (chain, key) = authority.certificate("x.example.com"), authority.certificate(*edge.secure.names)
    edge.route(SERVICE, None)
    with Followers(edge, trusting) as load:
        with monkeypatch.context() as patch:
            patch.setattr(proxy_tls, "PATIENCE", 1)
            with pytest.raises(SwarmError, match=r"shows no certificate for api.example.com(.|\n)*does not match"):
                provider.create(edge.certificate(chain, wrong))
        given = edge.certificate(chain, key)
        provider.create(given)
        assert edge.ask("api.example.com") == (200, None), "callers are sent before there is anything for them"
        edge.route(SERVICE, edge.secure)
        look(edge, trusting)
        assert load.again == 0
        edge.route(SERVICE, None)
        provider.delete(CERTIFICATE, given)
        assert edge.ask("api.example.com") == (200, None)
    load.check()
    keep_the_key(edge, given, key)


def look(edge: Edge, trusting: ssl.SSLContext) -> None:
    """What callers, the gate and Prometheus get."""
    url = edge.secure.url
    assert edge.ask("api.example.com", trusting) == (200, None)
    assert edge.ask("admin.example.com", trusting, **{WARM_UP_HEADER: "one"}) == (200, None)
    assert edge.ask("api.example.com", trusting, **{WARM_UP_HEADER: "two"}) == (200, None)
    assert edge.ask("admin.example.com", path="/a?b=c") == (301, f"https://admin.example.com:{edge.https}/a?b=c")
    assert edge.ask("localhost", path="/a?b=c") == (301, f"{url}/a?b=c")
    assert edge.ask("api.example.com", trusting, **{"x-long": "x" * 70_000})[0] == 431
    front: Any = object.__new__(Proxy)  # as it is once it is built
    front._base = base(HOST, edge.http, edge.secure)
    front._gate = SimpleNamespace(expected={"api": SimpleNamespace(path=SERVICE.health)})
    assert front.health("api/one") == [("api/one", "healthy", "")]
    old = ssl.create_default_context()
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        edge.ask("api.example.com", old)
    figures = urlopen(f"http://127.0.0.1:{edge.metrics}/metrics", timeout=5).read().decode()
    assert 'traefik_service_requests_total{code="200",method="GET",protocol="http",service="api/one@file"}' in figures


def keep_the_key(edge: Edge, given: dict[str, Any], key: str) -> None:
    """Only the proxy may read it, and it is gone with the certificate."""
    provider, api = proxy_tls.CertificateProvider(), edge.client.api
    provider.put(given)
    assert provider.read(CERTIFICATE, given).outs == given
    for name in (traefik.ROUTES, traefik.WATCHED):
        stream, _ = api.get_archive(NAME, f"{traefik.HOME}/{name}")
        with tarfile.open(fileobj=BytesIO(b"".join(stream))) as archive:
            assert [(each.mode & 0o777, each.uid) for each in archive] == [(0o600, 0)]
    seen = json.dumps(api.inspect_container(NAME)) + api.logs(NAME).decode()
    assert all(line not in seen for line in key.splitlines()[1:-1])
    assert api.port(NAME, traefik.METRICS)[0]["HostIp"] == "127.0.0.1"
    assert api.inspect_container(NAME)["HostConfig"]["Sysctls"] == traefik.SYSCTLS
    provider.delete(CERTIFICATE, given)
    assert key.splitlines()[1] not in proxy_engine.file_of(api, NAME, traefik.WATCHED).decode()
