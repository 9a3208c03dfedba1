"""The proxy on the instance of an orchestrator on AWS: a stack with a fixed address and HTTPS, and no load balancer.

It is a service of the swarm there, driven as the others are. What it costs and what is lost by it: docs/hobby.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

import pulumi
from pydantic import Field

from components import dynamic
from components.aws import parts
from components.aws.access import AwsAccess, together
from components.aws.network import let_in_everyone
from components.cost import Demand, Item, Line, Note
from components.edge import DEFAULT, traefik
from components.edge.moved import taken_over
from components.edge.proxy import IMAGE, LETS_ENCRYPT, Email
from components.edge.proxy_routes import Https, certificate
from components.edge.routed import CERTIFICATE, Routed, RoutedOptions, names
from components.edge.zones import in_zone, zone_id
from components.model import Contradiction, Model, Text
from components.network_options import Domain
from components.sdk import aws

HTTP, HTTPS = 80, 443
MEBIBYTE, SECOND = 2**20, 10**9
"""The engine counts memory in bytes and time in nanoseconds."""
TTL = 60
"""Seconds that callers may keep the address of a name."""
PATIENCE = 300
"""Seconds until the proxy must run: its image is pulled first."""
START = f'test -e "$0" || echo "{{}}" >"$0"; exec {traefik.PROGRAM} "$@"'
"""Traefik watches a file only if it is there when it starts; its volume is empty at first."""


class InstanceAcme(Model):
    """Certificates of Let's Encrypt, renewed by the proxy. If you use it, you agree to its terms."""

    email: Email = Field(description="Whom Let's Encrypt writes to.")
    challenge: Literal["http", "tls"] = Field(
        default="http",
        description="How Let's Encrypt sees that the names are yours. http: it calls port 80 of each name"
        " (HTTP-01). tls: it calls port 443 (TLS-ALPN-01).",
    )


class ProxyEc2Options(RoutedOptions):
    """`proxy-ec2`."""

    key = "proxy-ec2"
    platform = "aws"
    takes = frozenset({"instance"})
    reads = frozenset({"domain", "plain_http", "gate", "access_logs"})
    for_https = "{name, zone} of a public zone in Route 53, with `proxy-ec2.acme`"
    aws_access = AwsAccess(types=frozenset({parts.LET_IN}))
    keeps = 128
    elsewhere = {
        "certificate": "its key would stand in the history of Systems Manager's commands; `acme` gets a certificate,"
        " and with `edge: alb` ACM does",
        "host": "the proxy stands on the instance of swarm-ec2; `edge: proxy` stands on an engine that you name",
    }
    loses = "callers come to one instance, so nobody answers for minutes when it is replaced or fails"

    acme: InstanceAcme | None = Field(
        default=None,
        description="With `domain`: a certificate of Let's Encrypt, {email: ops@example.com}. You cannot give your"
        " own: its key would be in the history of Systems Manager's commands.",
    )
    image: Annotated[str, Text(r"^\S+@sha256:[0-9a-f]{64}$", "an image by its digest, NAME@sha256:...")] = Field(
        default=IMAGE,
        description="Traefik's own image, 3.5 or later, or one made from it, by its digest. It must be for the CPU"
        " of the nodes.",
    )

    def check_domain(self, domain: Domain | None, hosts: Mapping[str, str]) -> Iterator[Contradiction]:
        """Names in the zone alone, and one way to a certificate."""
        yield from in_zone(domain, hosts)
        if domain and not self.acme:
            yield "proxy-ec2.acme", None, "{email} beside `domain`: whom Let's Encrypt writes to about the certificate"

    def taken(self, *, own: bool, domain: bool, access_logs: bool, waf: bool = False) -> AwsAccess:
        return together([self.aws_access, *([parts.RECORD] if domain else [])])

    def costs(self, demand: Demand) -> Iterator[Item]:
        """Nothing of its own but what callers get: the instance, its disk and its address are the nodes'."""
        if demand.domain:
            yield Line("load balancer", "DNS zone, which exists already", Decimal(1), "zone-month", "route53.zone")
        yield Line("transfer", "responses", demand.usage.served, "GB", "transfer.internet", free="transfer.free")
        yield Note(f"edge {self.key}: {self.loses}; it has no web ACL, and no orchestrator but swarm-ec2 behind it")


class Server(dynamic.Resource, module="proxy", name="OnInstance"):
    """The service that the proxy is."""

    kept_by = "components.orchestrator.swarm_proxy:ServerProvider"


class Certified(dynamic.Resource, module="proxy", name="Certificate"):
    """The certificate that callers are shown."""

    kept_by = "components.orchestrator.swarm_proxy:CertificateProvider"


class Group(dynamic.Resource, module="proxy", name="Group"):
    """The route to one service on one orchestrator."""

    kept_by = "components.orchestrator.swarm_proxy:RouteProvider"


class Rule(dynamic.Resource, module="proxy", name="Rule"):
    """The route of a service's traffic."""

    kept_by = "components.orchestrator.swarm_proxy:RouteProvider"


class ProxyEc2(Routed[ProxyEc2Options]):
    """A Traefik on the instance, with routes for each service."""

    token = "switchyard:edge:ProxyEc2"
    group, shares = Group, Rule

    def build(self, name: str, child: pulumi.ResourceOptions) -> None:
        args = self.args
        if args.place is None:
            raise TypeError(f"{name} stands on an orchestrator's instance: give it that place")
        self._place = args.place
        self.https = Https(names(args.domain, args.hosts), HTTPS) if args.domain else None
        opened = self._open_to_callers(name, child)
        records = (
            [self._record(name, host, args.domain, child) for host in self.https.names]
            if args.domain and self.https
            else []
        )
        self._name = f"{args.stack}-{name}"
        self.server = self._run(self._name, name, [*opened, *records])
        self.certified = [self._shown(name, self.https, child)] if self.https else []
        there = pulumi.Output.all(args.place.address, *[each.id for each in (self.server, *self.certified)])
        url = self.https.url if self.https else None
        self.url = there.apply(lambda found: url or f"http://{found[0]}")

    @property
    def where(self) -> dict[str, Any]:
        return {**self._place.engine, "server": self.server.id}

    @property
    def reached(self) -> dict[str, str]:
        return {"host": self._place.host, "server": self._name}

    def also(self, group: str, dial: str) -> None:
        if self.args.foundation and self.args.foundation.profile:
            os.environ["AWS_PROFILE"] = self.args.foundation.profile  # as the provider does
        super().also(group, dial)

    def trouble(self, path: str, headers: Mapping[str, str]) -> str:
        """Asked on the instance."""
        answer = self._place.ask(f"{'https' if self.https else 'http'}://127.0.0.1{path}", headers)
        return "" if answer == "200" else f"{path} answers {answer}"

    def _open_to_callers(self, name: str, child: pulumi.ResourceOptions) -> list[pulumi.Resource]:
        """The only ports of the instance that are open to everybody. Port 80 leads to HTTPS, and the CA calls it."""
        if not self._place.group.own:
            return []
        return [
            let_in_everyone(f"{name}--{port}", self._place.group.id, port, "Callers of the proxy", child)
            for port in ((HTTP, HTTPS) if self.https else (HTTP,))
        ]

    def _record(self, name: str, host: str, domain: Domain, child: pulumi.ResourceOptions) -> pulumi.Resource:
        """A name's record. The CA looks for the proxy there, so it comes before the certificate."""
        return aws.route53.Record(
            f"{name}-{host}",
            zone_id=zone_id(self, domain),
            name=host,
            type="A",
            ttl=TTL,
            records=[self._place.address],
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(aliases=[taken_over(self, DEFAULT)])),
        )

    def _run(self, service: str, name: str, before: list[pulumi.Resource]) -> Server:
        """The proxy as a service, done when it runs."""
        labels = {"switchyard.stack": self.args.stack}
        return Server(
            name,
            {
                **self._place.engine,
                "name": service,
                "volume": service,
                "spec": self._spec(service, labels),
                "login": None,
                "probe": "",
                "timeout": PATIENCE,
            },
            pulumi.ResourceOptions(parent=self, depends_on=before),
        )

    def _spec(self, volume: str, labels: dict[str, str]) -> dict[str, Any]:
        """What the engine is asked for, in its own terms (Docker Engine API, ServiceCreate). Two cannot have the ports
        of one instance, so an update stops the old one first."""
        ports = {HTTP: traefik.INSIDE, **({HTTPS: traefik.SECURE} if self.https else {})}
        published = [
            {"Protocol": "tcp", "TargetPort": inside, "PublishedPort": outside, "PublishMode": "host"}
            for outside, inside in ports.items()
        ]
        memory = {"MemoryBytes": self.options.keeps * MEBIBYTE}
        change = {"Parallelism": 1, "Order": "stop-first"}
        return {
            "Labels": labels,
            "TaskTemplate": {
                "ContainerSpec": self._container(volume, labels),
                "Resources": {"Limits": memory, "Reservations": memory},
                "RestartPolicy": {"Condition": "any", "Delay": SECOND},
                "Placement": {
                    "Constraints": ["node.role==manager"],
                    "Platforms": [{"Architecture": self._place.cpu, "OS": "linux"}],
                },
                "Networks": [{"Target": self._place.network}],
                "LogDriver": self._place.logs,
            },
            "Mode": {"Replicated": {"Replicas": 1}},
            "UpdateConfig": {**change, "FailureAction": "rollback"},
            "RollbackConfig": {**change, "FailureAction": "pause"},
            "EndpointSpec": {"Mode": "dnsrr", "Ports": published},
        }

    def _container(self, volume: str, labels: dict[str, str]) -> dict[str, Any]:
        acme = self.options.acme if self.https else None
        asked = {
            "access_log": self.args.access_logs,
            "https": self.https is not None,
            "acme": acme and {**acme.model_dump(), "server": LETS_ENCRYPT},
        }
        watched = f"{traefik.HOME}/{traefik.WATCHED}"
        return {
            "Image": self.options.image,
            "Command": ["/bin/sh", "-c", START, watched],
            "Args": [*traefik.arguments(asked)],
            "Labels": labels,
            "ReadOnly": True,
            "CapabilityDrop": ["ALL"],
            "Privileges": {"NoNewPrivileges": True},
            "Sysctls": traefik.SYSCTLS,
            "StopGracePeriod": traefik.STOP * SECOND,
            "Mounts": [
                {"Type": "volume", "Source": volume, "Target": traefik.HOME, "VolumeOptions": {"Labels": labels}}
            ],
        }

    def _shown(self, name: str, https: Https, child: pulumi.ResourceOptions) -> Certified:
        """The certificate: before it is there, no service's callers are sent to HTTPS."""
        props = {**self.where, "id": CERTIFICATE, "names": https.names, "route": certificate(https, None)}
        return Certified(name, props, child)
