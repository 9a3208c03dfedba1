"""Routes of a proxy, in the words of Traefik's dynamic configuration: routers, which tell requests apart, and services,
which answer them. The names of a route's parts begin with its id: `api` for a service, `api/swarm` for its group there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.request import Request

from components.direct import open_directly
from components.edge import WARM_UP_HEADER
from components.service import Service

Route = dict[str, Any]
SERVICE_HEADER = "x-switchyard-service"
"""With the warm-up header, and on the health path alone: which service is meant, whatever its host and path are."""
REVISION_HEADER = "x-switchyard-revision"
"""Which configuration is meant; only the proxy that has it answers."""
WARM_UP, NAMED, PART, LAST = 10_000, 1_000, 1, 1_000_000
"""What a header for warm-up, a host and each part of a path add to a router's priority. A path has at most 128
characters, and so fewer parts than a host is worth."""
CHECK = {"interval": "2s", "timeout": "5s", "followRedirects": False}
ATTEMPTS = {"attempts": 5, "initialInterval": "100ms"}
"""Only a request that has not been sent is tried again: a replica that has just gone refuses the connection."""
OFTEN = "100ms"
"""How often both ports of a service are asked while it changes to another: a request that the one refuses is tried
again for about half a second, and by then the proxy knows."""
TRANSPORT = {
    # A connection that is kept would be used while the replica behind it goes: a request lost that may not be sent
    # again. It would also hold on to the replicas that were there when it was opened.
    "maxIdleConnsPerHost": -1,
    "disableHTTP2": True,
    "forwardingTimeouts": {"dialTimeout": "3s"},
}
RESOLVER = "acme"
"""How Traefik calls its client of ACME."""
TLS = {
    "minVersion": "VersionTLS12",
    "cipherSuites": [
        f"TLS_ECDHE_{key}_WITH_{cipher}"
        for key in ("ECDSA", "RSA")
        for cipher in ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256")
    ],
}
"""TLS 1.2 with forward secrecy and authenticated encryption, and 1.3, whose ciphers Go chooses."""


@dataclass(frozen=True)
class Https:
    """Where callers have HTTPS."""

    names: tuple[str, ...]
    """Those on the certificate. The first is the URL's."""
    port: int

    @property
    def url(self) -> str:
        """What callers type."""
        return f"https://{self.names[0]}" + ("" if self.port == 443 else f":{self.port}")


def group(name: str, service: Service, orchestrator: str, dial: str, https: Https | None = None) -> Route:
    """To one service on one orchestrator: for whoever tries the newcomer, and for the gate, which asks the health path.

    The service is there twice: as it is, and only while it answers its health path.
    """
    id_, servers = f"{name}/{orchestrator}", {"servers": [{"url": f"http://{dial}"}], "serversTransport": "edge"}
    warm_up = header(WARM_UP_HEADER, orchestrator)
    asked = f"Path(`{service.health}`) && {header(SERVICE_HEADER, name)}"
    return {
        "routers": {
            id_: router(f"{matcher(service)} && {warm_up}", WARM_UP + priority(service), id_, https),
            f"{id_}/gate": router(f"{asked} && {warm_up}", LAST, id_, https),
        },
        "services": {
            id_: {"loadBalancer": servers},
            f"{id_}/healthy": {"loadBalancer": {**servers, "healthCheck": {**CHECK, "path": service.health}}},
        },
    }


def also(route: Route, dial: str) -> Route:
    """A group's route that leads to another host and port besides, for as long as either may refuse requests."""
    services = {name: {"loadBalancer": _also(each["loadBalancer"], dial)} for name, each in route["services"].items()}
    return {**route, "services": services}


def _also(balancer: Mapping[str, Any], dial: str) -> dict[str, Any]:
    other = {"url": f"http://{dial}"}
    check = {"healthCheck": {**balancer["healthCheck"], "interval": OFTEN}} if "healthCheck" in balancer else {}
    return {**balancer, "servers": [*(each for each in balancer["servers"] if each != other), other], **check}


def shared(name: str, service: Service, weights: Mapping[str, int], https: Https | None = None) -> Route:
    """To one service on several orchestrators, by weight, as their groups find them.

    One that does not answer its health path gets nothing, unless none does: then each gets its share all the same, as
    behind a load balancer of AWS. With HTTPS it is there alone, and the same change sends who calls by HTTP to it: no
    request comes in between.
    """
    sent = to_https(name, service, https) if https else {"routers": {}}
    return {
        **sent,
        "routers": {name: router(matcher(service), priority(service), name, https), **sent["routers"]},
        "services": {
            name: {"failover": {"service": f"{name}/healthy", "fallback": f"{name}/any"}},
            f"{name}/healthy": {"weighted": {"services": parts(name, "/healthy", weights), "healthCheck": {}}},
            f"{name}/any": {"weighted": {"services": parts(name, "", weights)}},
        },
    }


def parts(name: str, end: str, weights: Mapping[str, int]) -> list[dict[str, Any]]:
    """The groups that get something."""
    return [{"name": f"{name}/{key}{end}", "weight": weight} for key, weight in weights.items() if weight > 0]


def to_https(name: str, service: Service, https: Https) -> Route:
    """From HTTP to HTTPS: to the name that was called, where it is on the certificate, else to the URL's."""
    hosts = " || ".join(f"Host(`{each}`)" for each in https.names)
    port = {} if https.port == 443 else {"port": str(https.port)}
    other = {"regex": "^http://[^/]+(.*)$", "replacement": f"{https.url}${{1}}", "permanent": True}
    order, named = priority(service), f"{matcher(service)} && ({hosts})"
    sent = {"priority": order, "service": "noop@internal", "entryPoints": ["http"]}
    return {
        "routers": {
            f"{name}/named": {"rule": named, "middlewares": [f"{name}/named"], **sent},
            f"{name}/other": {"rule": f"{matcher(service)} && !({hosts})", "middlewares": [f"{name}/other"], **sent},
        },
        "middlewares": {
            f"{name}/named": {"redirectScheme": {"scheme": "https", "permanent": True, **port}},
            f"{name}/other": {"redirectRegex": other},
        },
    }


def certificate(https: Https, given: tuple[str, str] | None) -> Route:
    """What is shown to callers: this chain and its key, both PEM, or what a CA gives by ACME."""
    main, *others = https.names
    if given:
        store: dict[str, Any] = {"defaultCertificate": {"certFile": given[0], "keyFile": given[1]}}
    else:
        store = {"defaultGeneratedCert": {"resolver": RESOLVER, "domain": {"main": main, "sans": others}}}
    return {"tls": {"stores": {"default": store}, "options": {"default": TLS}}}


def router(rule: str, order: int, service: str, https: Https | None) -> dict[str, Any]:
    """Requests by this rule to this service. Of the rules that match, the one with the highest order counts."""
    found = {"rule": rule, "priority": order, "service": service, "middlewares": ["again"]}
    return {**found, "entryPoints": ["https"], "tls": {}} if https else {**found, "entryPoints": ["http"]}


def matcher(service: Service) -> str:
    """What a request must have to be for this service."""
    path = service.path.rstrip("/")
    under = f"PathRegexp(`^{re.escape(path)}(/|$)`)"
    return f"Host(`{service.host}`) && {under}" if service.host else under


def header(name: str, value: str) -> str:
    """That a request has this header."""
    return f"Header(`{name}`, `{value}`)"


def priority(service: Service) -> int:
    """The more specific before the less: with a host, with more parts in its path. 0 would be none for Traefik."""
    return 1 + NAMED * bool(service.host) + PART * len([part for part in service.path.split("/") if part])


def configuration(routes: Iterable[Route], revision: str) -> dict[str, Any]:
    """What Traefik is given: all routes, and one by which it is asked whether it has gone over to this revision."""
    routers: dict[str, Any] = {}
    middlewares: dict[str, Any] = {"again": {"retry": ATTEMPTS}}
    services: dict[str, Any] = {}
    tls: dict[str, Any] = {}
    for route in (revised(revision), *routes):
        routers |= route.get("routers", {})
        middlewares |= route.get("middlewares", {})
        services |= route.get("services", {})
        tls |= route.get("tls", {})
    http = {"routers": routers, "middlewares": middlewares, "serversTransports": {"edge": TRANSPORT}}
    # An empty part is an error to Traefik.
    return {
        "http": {**http, **({"services": services} if services else {})},
        **({"tls": tls} if tls else {}),
    }


def revised(revision: str) -> Route:
    """By which Traefik is asked whether it has gone over to a revision. Until it has, a service gets the question, and
    may well answer 200: so the answer has a header of its own."""
    asked = {"rule": header(REVISION_HEADER, revision), "priority": LAST + 1, "service": "ping@internal"}
    return {
        "routers": {"revision": {**asked, "middlewares": ["revised"], "entryPoints": ["http"]}},
        "middlewares": {"revised": {"headers": {"customResponseHeaders": {REVISION_HEADER: taken(revision)}}}},
    }


def behind(url: str, revision: str) -> str:
    """Why the proxy that answers there has not gone over to a revision; empty: it has."""
    try:
        with open_directly(Request(url, headers={REVISION_HEADER: revision}), timeout=5) as response:
            return "" if response.headers.get(REVISION_HEADER) == taken(revision) else "it has its former routes"
    except OSError as error:  # an `HTTPError` is one: 404 from routes that lead nowhere
        return str(error)


def taken(revision: str) -> str:
    """Another text than the question's, which a service might send back."""
    return f"{revision} is taken"
