"""Traefik in a container of a Docker engine, given by host: an edge that runs anywhere.

Each group and rule is one route in a file that Traefik watches, in a volume that outlives its container.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.error import HTTPError
from urllib.request import Request

import pulumi
from pydantic import Field, SecretStr

from components import dynamic
from components.cost import Demand, Item, Unpriced
from components.direct import open_unverified
from components.docker_host import DEFAULT_HOST, EngineAddress, Port, address
from components.edge.certificates import fault
from components.edge.proxy_routes import Https, certificate
from components.edge.routed import CERTIFICATE, Routed, RoutedOptions, names
from components.guard import SeenOf, Watch
from components.model import Contradiction, Model, Text
from components.network_options import Domain
from components.service import Service
from components.workload import Workload

SERVER = "pulumi-python:dynamic/proxy:Server"
VERSION = "3.5.3"
IMAGE = "docker.io/library/traefik@sha256:84eb6c0e67c99fa026bf1bf4b0afd9ad44350d375b4ebc5049c5f70543a729d6"
"""That version, by its digest: a tag can be put on another image."""


PEM = r"(?s)^\s*-----BEGIN [A-Z0-9 ]+-----.+-----END [A-Z0-9 ]+-----\s*$"
LARGEST = 32_000
"""Characters of PEM: less than a pipe takes at once."""
Certificates = Annotated[str, Text(PEM, "certificates in PEM, as in a file that begins with -----BEGIN", LARGEST)]
LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"


class ProxyPorts(Model):
    """Where the proxy listens."""

    http: Port = Field(default=80, description="Port of the engine's host for plain HTTP.")
    https: Port | None = Field(
        default=None,
        description="Port of the engine's host for HTTPS. Unset: 443 if there is `domain` or `proxy.acme`. If the"
        " port is open before `domain` is set, the container stays.",
    )
    metrics: Port | None = Field(
        default=None,
        description="Port of the engine's host, only at its loopback address, for the proxy's figures in the format"
        " of Prometheus, at /metrics. Unset: there are none.",
    )


Email = Annotated[str, Text(r"^[^@\s]+@[^@\s]+\.[^@\s]+$", "an e-mail address, such as ops@example.com")]


class Acme(Model):
    """Certificates from a CA with ACME (RFC 8555), renewed by the proxy. If you use it, you agree to its terms."""

    email: Email = Field(description="Whom the CA writes to.")
    server: Annotated[str, Text(r"^https://\S+$", "the URL of a CA's directory, such as " + LETS_ENCRYPT)] = Field(
        default=LETS_ENCRYPT,
        description="The CA's directory. Let's Encrypt's for trials:"
        " https://acme-staging-v02.api.letsencrypt.org/directory",
    )
    challenge: Literal["http", "tls"] = Field(
        default="http",
        description="How the CA sees that the names are yours. http: it calls port 80 of each name (HTTP-01). tls:"
        " it calls port 443 (TLS-ALPN-01).",
    )
    root: Certificates | None = Field(
        default=None, description="Root certificate, in PEM, of a private CA that the proxy's image does not know."
    )


class Certificate(Model):
    """A certificate that you have."""

    chain: Certificates = Field(
        description="In PEM: the certificate for the names of `domain` and of each service's `host`, then those up"
        " to its CA."
    )
    key: SecretStr = Field(max_length=LARGEST, description="Its private key, in PEM, without a passphrase.")


class ProxyOptions(RoutedOptions):
    """`proxy`."""

    key = "proxy"
    takes = frozenset({"address"})
    reads = frozenset({"domain", "plain_http", "gate", "guard", "access_logs"})
    for_https = "{name}, with `proxy.acme` or `proxy.certificate`"

    host: EngineAddress | None = Field(
        default=None,
        description=f"The Docker engine that runs the proxy. Unset: DOCKER_HOST, otherwise {DEFAULT_HOST}.",
    )
    ports: ProxyPorts = Field(
        default=ProxyPorts(), description="Where it listens: {http: 80, https: 443, metrics: 9100}."
    )
    acme: Acme | None = Field(
        default=None,
        description="With `domain`: a CA that gives certificates automatically, {email: ops@example.com}.",
    )
    certificate: Certificate | None = Field(
        default=None, description="With `domain`: a certificate that you have, {chain, key}."
    )
    image: str = Field(
        default=IMAGE,
        min_length=1,
        description="An image with Traefik 3.5 or later at /usr/local/bin/traefik. If the engine has it already, it"
        " is not pulled.",
    )

    def check(self, services: Mapping[str, Service], protect: bool) -> Iterator[Contradiction]:
        """Ports that two would take."""
        taken = {self.ports.http: "http"}
        for name, port in (("https", self.https_port(False)), ("metrics", self.ports.metrics)):
            if port and (other := taken.setdefault(port, name)) != name:
                yield f"ports.{name}", port, f"another port than that for {other}"

    def check_domain(self, domain: Domain | None, hosts: Mapping[str, str]) -> Iterator[Contradiction]:
        """One way to a certificate, for all names, and only where it is shown."""
        if domain is None:
            if self.certificate:
                yield "domain", None, "{name} beside `proxy.certificate`, which is shown nowhere without it"
            return
        if domain.zone:
            yield "domain.zone", domain.zone, "none: the name's records are yours to make, for the proxy's address"
        if self.acme and self.certificate:
            yield "proxy.acme", [*dict(self.acme)], "nothing beside `proxy.certificate`, or that to be taken out"
        elif self.certificate:
            names = (domain.name, *hosts.values())
            if found := fault(self.certificate.chain, self.certificate.key.get_secret_value(), names):
                where, want = found
                first = self.certificate.chain if where == "chain" else ""  # of a key nothing is told
                yield f"proxy.certificate.{where}", first.strip().partition("\n")[0], want
        elif not self.acme:
            want = "`proxy.acme` {email} beside it, or `proxy.certificate` {chain, key}"
            yield "domain", domain.model_dump(exclude_none=True), want

    def https_port(self, domain: bool) -> int | None:
        """The port of the host for HTTPS; None: nothing listens for it."""
        return self.ports.https or (443 if domain or self.acme else None)

    @classmethod
    def watch(cls, resources: Iterable[Mapping[str, Any]], region: str | None, profile: str | None) -> Watch | None:
        """Its access log, if it has one."""
        known = list(resources)
        services = frozenset(str(each["inputs"]["id"]) for each in known if each["type"] == cls.rule)
        for each in known:
            if each["type"] == SERVER and each["inputs"].get("access_log"):
                return _watch(str(each["inputs"]["host"]), str(each["inputs"]["name"]), services)
        return None

    def costs(self, demand: Demand) -> Iterator[Item]:
        """It runs on a machine that is there already."""
        yield Unpriced("load balancer", "proxy", "its machine exists already, and only its owner knows what it costs")
        yield Unpriced("transfer", "responses", "they leave by the proxy's machine, and only its owner knows the price")


class Server(dynamic.Resource, module="proxy", name="Server"):
    """The container."""

    kept_by = "components.edge.proxy_engine:ServerProvider"


class Certified(dynamic.Resource, module="proxy", name="Certificate"):
    """The certificate that callers are shown."""

    kept_by = "components.edge.proxy_tls:CertificateProvider"


class Join(dynamic.Resource, module="proxy", name="Join"):
    """The container on a network of its engine."""

    kept_by = "components.edge.proxy_engine:JoinProvider"


class Group(dynamic.Resource, module="proxy", name="Group"):
    """The route to one service on one orchestrator."""

    kept_by = "components.edge.proxy_engine:RouteProvider"


class Rule(dynamic.Resource, module="proxy", name="Rule"):
    """The route of a service's traffic."""

    kept_by = "components.edge.proxy_engine:RouteProvider"


class Proxy(Routed[ProxyOptions]):
    """A Traefik with routes for each service."""

    token = "switchyard:edge:Proxy"
    group, shares = Group, Rule

    def build(self, name: str, child: pulumi.ResourceOptions) -> None:
        self._host = self.options.host or os.environ.get("DOCKER_HOST") or DEFAULT_HOST
        self._joins: dict[str, Join] = {}
        options, args = self.options, self.args
        self._name = f"{args.stack}-{name}"
        port = options.https_port(args.domain is not None)
        # Told only where it is asked for: a stack without it has the container that it had.
        more = {"https": port, "metrics": options.ports.metrics, "acme": options.acme and options.acme.model_dump()}
        self.server = Server(
            name,
            {
                "host": self._host,
                "name": self._name,
                "stack": args.stack,
                "image": options.image,
                "port": options.ports.http,
                "access_log": args.access_logs,
                **{key: value for key, value in more.items() if value},
            },
            child,
        )
        self.https = Https(names(args.domain, args.hosts), port) if args.domain and port else None
        self.certified = [self._shown(name, self.https, child)] if self.https else []
        self._base = base(self._host, options.ports.http, self.https)
        url = self.https.url if self.https else self._base
        self.url = pulumi.Output.all(each.id for each in (self.server, *self.certified)).apply(lambda _: url)

    def _shown(self, name: str, https: Https, child: pulumi.ResourceOptions) -> Certified:
        """The certificate: before it is there, no service's callers are sent to HTTPS."""
        given = self.options.certificate
        route = certificate(https, (given.chain, given.key.get_secret_value()) if given else None)
        props = {**self.where, "id": CERTIFICATE, "names": https.names}
        opts = pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(additional_secret_outputs=["route"]))
        return Certified(name, {**props, "route": pulumi.Output.secret(route) if given else route}, opts)

    def before(self, orchestrator: str, workload: Workload) -> list[pulumi.Resource]:
        """The proxy on the network of an orchestrator's services, where it must be on one."""
        if workload.address is None or workload.address.network is None:
            return []
        if orchestrator not in self._joins:
            props = {**self.where, "network": workload.address.network}
            self._joins[orchestrator] = Join(orchestrator, props, pulumi.ResourceOptions(parent=self))
        return [self._joins[orchestrator]]

    def watch(self, service: str, groups: Sequence[str], rule: Mapping[str, Any]) -> Watch | None:
        if not self.args.access_logs:
            return None
        log = _watch(self._host, self._name, frozenset({service}))

        def seen(start: datetime, end: datetime) -> SeenOf:
            return {service: {f"{service}/{key}": each for key, each in log.seen(start, end)[service].items()}}

        return Watch(seen, log.alarms)

    @property
    def where(self) -> dict[str, Any]:
        return {"host": self._host, "server": self.server.id}

    @property
    def reached(self) -> dict[str, str]:
        return {"host": self._host, "server": self._name}

    def trouble(self, path: str, headers: Mapping[str, str]) -> str:
        try:
            # Whether the certificate is for its names was seen when it was put in; this is about the replicas.
            with open_unverified(Request(f"{self._base}{path}", headers=dict(headers)), timeout=5):
                return ""
        except HTTPError as error:
            return f"{path} answers {error.code}"
        except OSError as error:
            return str(error)


def _watch(host: str, container: str, services: frozenset[str]) -> Watch:
    """Its access log. Alarms are CloudWatch's."""
    from components.edge.proxy_asked import AccessLog  # only a stack with a proxy loads docker-py

    return Watch(AccessLog(host, container, services).seen, lambda _: ())


def base(host: str, http: int, https: Https | None) -> str:
    """Where the proxy answers on its engine's host."""
    scheme, usual, port = ("https", 443, https.port) if https else ("http", 80, http)
    return f"{scheme}://{address(host)}" + ("" if port == usual else f":{port}")
