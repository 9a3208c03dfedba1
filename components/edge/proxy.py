"""Traefik in a container of a Docker engine, given by host: an edge that runs anywhere.

For each service and orchestrator: the workload, healthy -> group, reachable by the warm-up header -> traffic rule. Each
group and rule is one route in a file that Traefik watches, in a volume that outlives its container.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

import pulumi
from pydantic import Field

from components import dynamic
from components.cost import Demand, Item, Unpriced
from components.direct import open_directly
from components.docker_host import DEFAULT_HOST, EngineAddress, Port, address
from components.edge import WARM_UP_HEADER, Edge, EdgeOptions, Shared, proxy_routes
from components.gate import Health
from components.guard import Watch
from components.model import Model
from components.service import Service
from components.workload import Registration, Target, Workload

SERVER = "pulumi-python:dynamic/proxy:Server"
VERSION = "3.5.3"
IMAGE = "docker.io/library/traefik@sha256:84eb6c0e67c99fa026bf1bf4b0afd9ad44350d375b4ebc5049c5f70543a729d6"
"""That version, by its digest: a tag can be put on another image."""


class ProxyPorts(Model):
    """Where the proxy listens."""

    http: Port = Field(default=80, description="Port of the engine's host for plain HTTP.")


class ProxyOptions(EdgeOptions):
    """`proxy`."""

    key = "proxy"
    takes = frozenset({"address"})
    reads = frozenset({"gate", "guard", "access_logs"})
    rule = "pulumi-python:dynamic/proxy:Rule"

    host: EngineAddress | None = Field(
        default=None,
        description=f"The Docker engine that runs the proxy; DOCKER_HOST by default, else {DEFAULT_HOST}.",
    )
    ports: ProxyPorts = Field(default=ProxyPorts(), description="Where it listens: {http: 80}.")
    image: str = Field(
        default=IMAGE,
        min_length=1,
        description="An image with Traefik 3.5 or later at /usr/local/bin/traefik; one that is there is not pulled.",
    )

    @classmethod
    def groups(cls, rule: Mapping[str, Any]) -> dict[str, int]:
        return {each["group"]: int(each["weight"]) for each in rule.get("shares", [])}

    @classmethod
    def shared(cls, resources: Iterable[Mapping[str, Any]]) -> Iterator[Shared]:
        for each in resources:
            if each["type"] == cls.rule:
                weights = {group: weight for group, weight in cls.groups(each["inputs"]).items() if weight > 0}
                yield Shared(each["urn"], {group.partition("/")[2]: weight for group, weight in weights.items()})

    @classmethod
    def watch(cls, resources: Iterable[Mapping[str, Any]], region: str | None, profile: str | None) -> Watch | None:
        """Its access log, if it has one. Alarms are CloudWatch's."""
        for each in resources:
            if each["type"] == SERVER and each["inputs"].get("access_log"):
                from components.edge.proxy_asked import AccessLog  # only a stack with a proxy loads docker-py

                log = AccessLog(str(each["inputs"]["host"]), str(each["inputs"]["name"]))
                return Watch(log.seen, lambda _: ())
        return None

    def costs(self, demand: Demand) -> Iterator[Item]:
        """It runs on a machine that is there already."""
        yield Unpriced("load balancer", "proxy", "its machine is there already, and its price is its owner's to know")
        yield Unpriced("transfer", "responses", "they leave by the proxy's machine, whose owner knows the price")


class Server(dynamic.Resource, module="proxy", name="Server"):
    """The container."""

    kept_by = "components.edge.proxy_engine:ServerProvider"


class Join(dynamic.Resource, module="proxy", name="Join"):
    """The container on a network of its engine."""

    kept_by = "components.edge.proxy_engine:JoinProvider"


class Group(dynamic.Resource, module="proxy", name="Group"):
    """The route to one service on one orchestrator."""

    kept_by = "components.edge.proxy_engine:RouteProvider"


class Rule(dynamic.Resource, module="proxy", name="Rule"):
    """The route of a service's traffic."""

    kept_by = "components.edge.proxy_engine:RouteProvider"


class Proxy(Edge[ProxyOptions]):
    """A Traefik with routes for each service."""

    token = "switchyard:edge:Proxy"

    def build(self, name: str, child: pulumi.ResourceOptions) -> None:
        self._host = self.options.host or os.environ.get("DOCKER_HOST") or DEFAULT_HOST
        self._joins: dict[str, Join] = {}
        self._server = Server(
            name,
            {
                "host": self._host,
                "name": f"{self.args.stack}-{name}",
                "stack": self.args.stack,
                "image": self.options.image,
                "port": self.options.ports.http,
                "access_log": self.args.access_logs,
            },
            child,
        )
        port = "" if self.options.ports.http == 80 else f":{self.options.ports.http}"
        self._base = f"http://{address(self._host)}{port}"
        self.url = self._server.id.apply(lambda _: self._base)

    def target(self, service_name: str, service: Service, orchestrator: str, registration: Registration) -> Target:
        # The address is one target, however many replicas the orchestrator finds behind it.
        group = pulumi.Output.from_input(f"{service_name}/{orchestrator}")
        return Target(group, self._server, replace(registration, nodes=1))

    def share(
        self,
        service_name: str,
        service: Service,
        weights: Mapping[str, int],
        workloads: Mapping[str, Workload],
        opts: pulumi.ResourceOptions,
    ) -> None:
        made = {key: self._group(service_name, service, key, each) for key, each in workloads.items()}
        groups = [made[key] for key in workloads if weights[key] > 0]
        shares = {key: weights[key] for key in workloads}
        Rule(
            service_name,
            {
                **self._where,
                "id": service_name,
                "shares": [{"group": f"{service_name}/{key}", "weight": weight} for key, weight in shares.items()],
                "route": proxy_routes.shared(service_name, service, shares),
            },
            pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=groups)),
        )

    def _group(self, service_name: str, service: Service, orchestrator: str, workload: Workload) -> Group:
        """The way to a newcomer, before it gets a share."""
        if workload.address is None:
            raise TypeError("a workload behind a proxy has an address")
        route = workload.address.dial.apply(lambda dial: proxy_routes.group(service_name, service, orchestrator, dial))
        return Group(
            f"{service_name}-{orchestrator}",
            {**self._where, "id": f"{service_name}/{orchestrator}", "route": route},
            pulumi.ResourceOptions(parent=self, depends_on=[*workload.healthy, *self._join(orchestrator, workload)]),
        )

    def _join(self, orchestrator: str, workload: Workload) -> list[Join]:
        """The proxy on the network of an orchestrator's services, where it must be on one."""
        if workload.address is None or workload.address.network is None:
            return []
        if orchestrator not in self._joins:
            props = {**self._where, "network": workload.address.network}
            self._joins[orchestrator] = Join(orchestrator, props, pulumi.ResourceOptions(parent=self))
        return [self._joins[orchestrator]]

    @property
    def _where(self) -> dict[str, Any]:
        return {"host": self._host, "server": self._server.id}

    def health(self, group: str) -> list[Health]:
        """Asked by way of the proxy itself: what it answers is what callers would get."""
        service, _, orchestrator = group.partition("/")
        headers = {WARM_UP_HEADER: orchestrator, proxy_routes.SERVICE_HEADER: service}
        path = self._gate.expected[service].path
        try:
            with open_directly(Request(f"{self._base}{path}", headers=headers), timeout=5):
                return [(group, "healthy", "")]
        except HTTPError as error:
            return [(group, "unhealthy", f"{path} answers {error.code}")]
        except OSError as error:
            return [(group, "unhealthy", str(error))]
