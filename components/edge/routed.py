"""What proxies have in common, wherever they stand: each group and each rule is one route of theirs.

For each service and orchestrator: the workload, healthy -> group, reachable by the warm-up header -> traffic rule.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pkgutil import resolve_name
from typing import Any, ClassVar, TypeVar

import pulumi

from components import dynamic
from components.edge import WARM_UP_HEADER, Edge, EdgeOptions, Shared, proxy_routes
from components.edge.proxy_routes import Https
from components.gate import Health
from components.network_options import Domain
from components.service import Service
from components.workload import Registration, Target, Workload

CERTIFICATE = ".certificate"
"""The id of its route, which no service has."""


class RoutedOptions(EdgeOptions):
    """All that can be known of a proxy's rules."""

    rule = "pulumi-python:dynamic/proxy:Rule"

    @classmethod
    def groups(cls, rule: Mapping[str, Any]) -> dict[str, int]:
        return {each["group"]: int(each["weight"]) for each in rule.get("shares", [])}

    @classmethod
    def shared(cls, resources: Iterable[Mapping[str, Any]]) -> Iterator[Shared]:
        for each in resources:
            if each["type"] == cls.rule:
                weights = {group: weight for group, weight in cls.groups(each["inputs"]).items() if weight > 0}
                yield Shared(each["urn"], {group.partition("/")[2]: weight for group, weight in weights.items()})


Of = TypeVar("Of", bound=RoutedOptions)


class Routed(Edge[Of]):
    """A proxy with routes for each service. `build` sets what follows."""

    group: ClassVar[type[dynamic.Resource]]
    """The route to one service on one orchestrator."""
    shares: ClassVar[type[dynamic.Resource]]
    """The route of a service's traffic."""
    server: dynamic.Resource
    """What runs the proxy."""
    https: Https | None
    certified: list[dynamic.Resource]
    """What must be there before callers are sent to HTTPS."""

    @property
    @abstractmethod
    def where(self) -> dict[str, Any]:
        """By what a route finds the proxy."""

    @property
    @abstractmethod
    def reached(self) -> dict[str, str]:
        """The same for a hook, which can wait for no resource."""

    @abstractmethod
    def trouble(self, path: str, headers: Mapping[str, str]) -> str:
        """Why the proxy's answer to a request is not a good one; empty: it is."""

    def health(self, group: str) -> list[Health]:
        """Asked by way of the proxy itself: what it answers is what callers would get."""
        service, _, orchestrator = group.partition("/")
        headers = {WARM_UP_HEADER: orchestrator, proxy_routes.SERVICE_HEADER: service}
        why = self.trouble(self._gate.expected[service].path, headers)
        return [(group, "unhealthy" if why else "healthy", why)]

    def before(self, orchestrator: str, workload: Workload) -> list[pulumi.Resource]:
        """What the way to an orchestrator's services needs besides."""
        return []

    def target(self, service_name: str, service: Service, orchestrator: str, registration: Registration) -> Target:
        # The address is one target, however many replicas the orchestrator finds behind it.
        group = f"{service_name}/{orchestrator}"
        also = partial(self.also, group)
        return Target(pulumi.Output.from_input(group), self.server, replace(registration, nodes=1), also=also)

    def also(self, group: str, dial: str) -> None:
        """Have the route of a group lead to another address besides, until `share` leads it to a new one alone."""
        resolve_name(self.group.kept_by)().also({**self.reached, "id": group}, dial)

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
        self.shares(
            service_name,
            {
                **self.where,
                "id": service_name,
                "shares": [{"group": f"{service_name}/{key}", "weight": weight} for key, weight in shares.items()],
                "route": proxy_routes.shared(service_name, service, shares, self.https),
            },
            pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=groups)),
        )

    def _group(self, service_name: str, service: Service, orchestrator: str, workload: Workload) -> dynamic.Resource:
        """The way to a newcomer, before it gets a share."""
        if workload.address is None:
            raise TypeError("a workload behind a proxy has an address")
        route = workload.address.dial.apply(
            lambda dial: proxy_routes.group(service_name, service, orchestrator, dial, self.https)
        )
        before = [*workload.healthy, *self.before(orchestrator, workload), *self.certified]
        return self.group(
            f"{service_name}-{orchestrator}",
            {**self.where, "id": f"{service_name}/{orchestrator}", "route": route},
            pulumi.ResourceOptions(parent=self, depends_on=before),
        )


def names(domain: Domain, hosts: Iterable[str]) -> tuple[str, ...]:
    """Those on the certificate."""
    return (domain.name, *sorted({*hosts} - {domain.name}))
