"""Routes of a proxy, in the words of Traefik's dynamic configuration: routers, which tell requests apart, and services,
which answer them. The names of a route's parts begin with its id: `api` for a service, `api/swarm` for its group there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

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
TRANSPORT = {
    # A connection that is kept would be used while the replica behind it goes: a request lost that may not be sent
    # again. It would also hold on to the replicas that were there when it was opened.
    "maxIdleConnsPerHost": -1,
    "disableHTTP2": True,
    "forwardingTimeouts": {"dialTimeout": "3s"},
}


def group(name: str, service: Service, orchestrator: str, dial: str) -> Route:
    """To one service on one orchestrator: for whoever tries the newcomer, and for the gate, which asks the health path.

    The service is there twice: as it is, and only while it answers its health path.
    """
    id_, servers = f"{name}/{orchestrator}", {"servers": [{"url": f"http://{dial}"}], "serversTransport": "edge"}
    warm_up = header(WARM_UP_HEADER, orchestrator)
    asked = f"Path(`{service.health}`) && {header(SERVICE_HEADER, name)}"
    return {
        "routers": {
            id_: router(f"{matcher(service)} && {warm_up}", WARM_UP + priority(service), id_),
            f"{id_}/gate": router(f"{asked} && {warm_up}", LAST, id_),
        },
        "services": {
            id_: {"loadBalancer": servers},
            f"{id_}/healthy": {"loadBalancer": {**servers, "healthCheck": {**CHECK, "path": service.health}}},
        },
    }


def shared(name: str, service: Service, weights: Mapping[str, int]) -> Route:
    """To one service on several orchestrators, by weight, as their groups find them.

    One that does not answer its health path gets nothing, unless none does: then each gets its share all the same, as
    behind a load balancer of AWS.
    """
    return {
        "routers": {name: router(matcher(service), priority(service), name)},
        "services": {
            name: {"failover": {"service": f"{name}/healthy", "fallback": f"{name}/any"}},
            f"{name}/healthy": {"weighted": {"services": parts(name, "/healthy", weights), "healthCheck": {}}},
            f"{name}/any": {"weighted": {"services": parts(name, "", weights)}},
        },
    }


def parts(name: str, end: str, weights: Mapping[str, int]) -> list[dict[str, Any]]:
    """The groups that get something."""
    return [{"name": f"{name}/{key}{end}", "weight": weight} for key, weight in weights.items() if weight > 0]


def router(rule: str, order: int, service: str) -> dict[str, Any]:
    """Requests by this rule to this service. Of the rules that match, the one with the highest order counts."""
    return {"rule": rule, "priority": order, "service": service, "middlewares": ["again"], "entryPoints": ["http"]}


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
    routers: dict[str, Any] = {
        "revision": {"rule": header(REVISION_HEADER, revision), "priority": LAST + 1, "service": "ping@internal"}
    }
    services: dict[str, Any] = {}
    for route in routes:
        routers |= route["routers"]
        services |= route["services"]
    http = {
        "routers": routers,
        "middlewares": {"again": {"retry": ATTEMPTS}},
        "serversTransports": {"edge": TRANSPORT},
    }
    return {"http": {**http, **({"services": services} if services else {})}}
