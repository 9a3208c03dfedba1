"""The edge: the URL that callers use. It outlives every orchestrator, and only here are the traffic weights.

For each service and orchestrator: target group -> warm-up rule -> the workload, healthy -> traffic rule.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import pulumi

from components.aws.gate import AskHealth, Expected, Gate, GateOptions
from components.aws.network import ANYWHERE, Network
from components.cost import Demand, Item, Line, Unpriced
from components.network_options import Domain, ExistingLoadBalancer
from components.sdk import aws
from components.service import MAX_SEGMENTS, Service
from components.workload import Registration, Target, Workload

WARM_UP_HEADER = "x-switchyard-to"
"""A request with this header goes to the orchestrator it names, whatever the weights: to try a newcomer first."""
DEREGISTRATION_DELAY = 30
"""Seconds a target may finish its requests in. Replicas must live longer than this after they are told to stop."""
TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"
"""TLS 1.2 and 1.3; AWS's recommendation and the console's default (ALB user guide, "Security policies")."""
NO_SERVICE: Any = {
    "type": "fixed-response",
    "fixed_response": {
        "content_type": "application/json",
        "message_body": '{"error": "no service answers here"}',
        "status_code": "404",
    },
}
"""What a listener does with a request that no rule is for."""
EACH_ITS_OWN = 80
"""The port of a group of addresses, which none of its targets uses: each is registered with its own (ELBv2 API,
RegisterTargets), ECS says the container's and a binding the pod's, and health checks go there too (`traffic-port`).
Were it the service's, a change of that would replace the group, for AWS fixes it, and the new one would be empty."""
LAST = 50_000
"""The last priority that a listener has; those of `priorities` are below it."""


@dataclass(frozen=True, kw_only=True)
class EdgeArgs:
    """What the edge is asked for."""

    network: Network
    domain: Domain | None
    hosts: tuple[str, ...]
    """Host names of services, besides the domain's own."""
    existing: ExistingLoadBalancer | None
    protect: bool
    """True guards the load balancer against deletion."""
    strict: bool
    """True turns every ambiguous request away (desync mode `strictest`); False only harmful ones (`defensive`)."""
    access_logs: bool
    routes: Mapping[str, Service]
    """Every service of the stack, by name, for the order of the rules."""
    orchestrators: list[str]
    """Every orchestrator that could ever run one, for the same."""
    gate: GateOptions
    ask_health: AskHealth


class Edge(pulumi.ComponentResource):
    """A load balancer with a rule for each service."""

    url: pulumi.Output[str]

    def __init__(self, name: str, args: EdgeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("switchyard:edge:Edge", name, None, opts)
        self._args = args
        self._gate = Gate(args.gate, args.ask_health)
        self._priorities = priorities(args.routes, args.orchestrators)
        if args.existing:
            self._listener = pulumi.Output.from_input(args.existing.listener)
            self._security_group = pulumi.Output.from_input(args.existing.security_group)
            self.url = pulumi.Output.from_input(args.existing.url)
        else:
            self._make(name, args)
        self.register_outputs({"url": self.url})

    @staticmethod
    def costs(demand: Demand) -> Iterator[Item]:
        """What it costs a month. A load balancer that exists costs only for what passes through it."""
        column: Literal["load balancer"] = "load balancer"
        hours = demand.hours
        if demand.own_load_balancer:
            yield Line(column, "load balancer", hours, "hour", "alb.hour")
            yield Line(column, "public IPv4, one a zone", demand.zones * hours, "address-hour", "ipv4.hour")
            if demand.access_logs:
                yield Unpriced(column, "access logs", "storage in S3 has no price here")
        yield Line(column, "capacity units", capacity_units(demand) * hours, "LCU-hour", "alb.lcu")
        if demand.domain:
            yield Line(column, "DNS zone, which exists already", Decimal(1), "zone-month", "route53.zone")
        yield Line("transfer", "responses", demand.usage.served, "GB", "transfer.internet", free="transfer.free")

    def target(self, service_name: str, service: Service, orchestrator: str, registration: Registration) -> Target:
        """A target group of `orchestrator`'s own for the service, and the rule that hangs it on the load balancer.

        Never shared: the Kubernetes controllers evict targets that are not theirs.
        """
        child = pulumi.ResourceOptions(parent=self)
        name = f"{service_name}-{orchestrator}"
        group = aws.lb.TargetGroup(
            name,
            # Never a fixed name: it could not be replaced while a rule uses it. AWS takes 32 characters, this prefix 6.
            name_prefix=f"{service_name[:5]}-",
            port=registration.port if registration.kind == "instance" else EACH_ITS_OWN,
            protocol="HTTP",  # inside the VPC, from one security group to another; see docs/decisions
            target_type=registration.kind,
            vpc_id=self._args.network.vpc_id,
            deregistration_delay=DEREGISTRATION_DELAY,
            health_check={
                "path": service.health,
                "matcher": "200-299",
                "interval": 10,
                "timeout": 5,
                "healthy_threshold": 2,
                "unhealthy_threshold": 3,
            },
            tags=dict(registration.tags),
            # Version 0.1.0 gave groups of addresses the service's port: they stay.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["port"] if registration.kind == "ip" else None),
        )
        rule = aws.lb.ListenerRule(
            f"{name}--warm-up",  # no service's name has two dashes in a row, so none is called like this
            listener_arn=self._listener,
            priority=self._priorities[service_name, orchestrator],
            conditions=[
                {"http_header": {"http_header_name": WARM_UP_HEADER, "values": [orchestrator]}},
                *_conditions(service),
            ],
            actions=[{"type": "forward", "target_group_arn": group.arn}],
            opts=child,
        )
        return Target(group.arn, rule, self._security_group, registration)

    def traffic(
        self, service_name: str, service: Service, weights: Mapping[str, int], workloads: Mapping[str, Workload]
    ) -> None:
        """Share the service's requests by `weights`, once each workload with weight is healthy and the gate is open."""
        targets = {key: each.target for key, each in sorted(workloads.items()) if each.target}
        if not targets:
            return
        self._gate.expected[service_name] = Expected(
            service.replicas.min, service.health, tuple(each.registration.nodes for each in targets.values())
        )
        groups: Any = [{"arn": each.group_arn, "weight": weights[key]} for key, each in targets.items()]
        healthy = [each for key, workload in workloads.items() if weights[key] > 0 for each in workload.healthy]
        aws.lb.ListenerRule(
            service_name,
            listener_arn=self._listener,
            priority=self._priorities[service_name, None],
            conditions=_conditions(service),
            actions=[{"type": "forward", "forward": {"target_groups": groups}}],
            opts=pulumi.ResourceOptions(parent=self, depends_on=healthy, hooks=self._gate.binding),
        )

    def _make(self, name: str, args: EdgeArgs) -> None:
        child = pulumi.ResourceOptions(parent=self)
        group = self._open_to_callers(name, args)
        balancer = aws.lb.LoadBalancer(
            name,
            load_balancer_type="application",
            security_groups=[group.id],
            subnets=args.network.public_subnets,
            drop_invalid_header_fields=True,
            desync_mitigation_mode="strictest" if args.strict else "defensive",
            enable_deletion_protection=args.protect,
            access_logs=self._access_logs(name, args) if args.access_logs else None,
            # Callers reach it only while the subnets have their way out.
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.network.ready),
        )
        self._security_group = group.id
        if args.domain is None:
            self._listener = self._plain(name, balancer).arn
            self.url = pulumi.Output.concat("http://", balancer.dns_name)
            return
        self._listener = self._secure(name, balancer, args.domain, args.hosts)
        for host in _hosts(args.domain, args.hosts):
            aws.route53.Record(
                f"{name}-{host}",
                zone_id=self._zone(args.domain),
                name=host,
                type="A",
                aliases=[{"name": balancer.dns_name, "zone_id": balancer.zone_id, "evaluate_target_health": True}],
                opts=child,
            )
        self.url = pulumi.Output.from_input(f"https://{args.domain.name}")

    def _open_to_callers(self, name: str, args: EdgeArgs) -> aws.ec2.SecurityGroup:
        child = pulumi.ResourceOptions(parent=self)
        group = aws.ec2.SecurityGroup(
            name, description="Callers to the load balancer", vpc_id=args.network.vpc_id, opts=child
        )
        for port in (80, 443) if args.domain else (80,):
            aws.vpc.SecurityGroupIngressRule(
                f"{name}-{port}",
                security_group_id=group.id,
                cidr_ipv4=ANYWHERE,
                ip_protocol="tcp",
                from_port=port,
                to_port=port,
                opts=child,
            )
        aws.vpc.SecurityGroupEgressRule(
            name, security_group_id=group.id, cidr_ipv4=args.network.cidr, ip_protocol="-1", opts=child
        )
        return group

    def _plain(
        self, name: str, balancer: aws.lb.LoadBalancer, secure: aws.lb.Listener | None = None
    ) -> aws.lb.Listener:
        """Port 80, whose one listener stays while a domain comes and goes (docs/decisions, 0016)."""
        # What listened on 80 in stacks of version 0.1.0: with a domain `edge-redirect`, without one `edge`.
        former = [f"{name}-redirect"] if secure else [f"{name}-redirect", name]
        return aws.lb.Listener(
            f"{name}-http",
            load_balancer_arn=balancer.arn,
            port=80,
            protocol="HTTP",
            default_actions=[_redirect() if secure else NO_SERVICE],
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[secure] if secure else None,
                aliases=[pulumi.Alias(name=each) for each in former],
            ),
        )

    def _secure(
        self, name: str, balancer: aws.lb.LoadBalancer, domain: Domain, hosts: tuple[str, ...]
    ) -> pulumi.Output[str]:
        """The ARN of the listener on 443. From 80 everybody is sent there."""
        secure = aws.lb.Listener(
            name,
            load_balancer_arn=balancer.arn,
            port=443,
            protocol="HTTPS",
            certificate_arn=self._certificate(name, domain, hosts),
            ssl_policy=TLS_POLICY,
            default_actions=[NO_SERVICE],
            opts=pulumi.ResourceOptions(parent=self),
        )
        plain = self._plain(name, balancer, secure)
        # The default action sends there too, but without a domain it changes at once, and the services' rules come to
        # this listener later. This rule is deleted only after that: until then callers go where the rules still are.
        aws.lb.ListenerRule(
            f"{name}-redirect",
            listener_arn=plain.arn,
            priority=LAST,
            conditions=[{"path_pattern": {"values": ["/*"]}}],
            actions=[_redirect()],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[secure]),
        )
        # The certificate is not for the load balancer's own name, which was the URL before the domain.
        aws.lb.ListenerRule(
            f"{name}-own-name",
            listener_arn=plain.arn,
            priority=LAST - 1,
            conditions=[{"host_header": {"values": [balancer.dns_name]}}],
            actions=[_redirect(domain.name)],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[secure]),
        )
        return secure.arn

    def _zone(self, domain: Domain) -> pulumi.Output[str]:
        return aws.route53.get_zone_output(
            name=domain.zone, private_zone=False, opts=pulumi.InvokeOutputOptions(parent=self)
        ).zone_id

    def _certificate(self, name: str, domain: Domain, hosts: tuple[str, ...]) -> pulumi.Output[str]:
        child = pulumi.ResourceOptions(parent=self)
        names = _hosts(domain, hosts)
        certificate = aws.acm.Certificate(
            name,
            domain_name=names[0],
            subject_alternative_names=names[1:] or None,
            validation_method="DNS",
            opts=child,
        )
        proofs = {host: self._proof(certificate, host) for host in names}
        records = [
            aws.route53.Record(
                f"{name}-validation-{host}",
                zone_id=self._zone(domain),
                name=proof.resource_record_name,
                type=proof.resource_record_type,
                records=[proof.resource_record_value],
                ttl=300,
                allow_overwrite=True,  # the proof for a name is the same for every certificate of the account
                opts=child,
            )
            for host, proof in proofs.items()
        ]
        return aws.acm.CertificateValidation(
            name,
            certificate_arn=certificate.arn,
            validation_record_fqdns=[record.fqdn for record in records],
            opts=child,
        ).certificate_arn

    @staticmethod
    def _proof(certificate: aws.acm.Certificate, host: str) -> Any:
        """What the zone must say so that AWS believes that the name is ours."""
        return certificate.domain_validation_options.apply(
            lambda options: next(option for option in options if option.domain_name == host)
        )

    def _access_logs(self, name: str, args: EdgeArgs) -> aws.lb.LoadBalancerAccessLogsArgsDict:
        child = pulumi.ResourceOptions(parent=self)
        bucket = aws.s3.Bucket(f"{name}-logs", force_destroy=not args.protect, opts=child)
        aws.s3.BucketPublicAccessBlock(
            f"{name}-logs",
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        aws.s3.BucketLifecycleConfiguration(
            f"{name}-logs",
            bucket=bucket.id,
            rules=[{"id": "expire", "status": "Enabled", "filter": {"prefix": ""}, "expiration": {"days": 365}}],
            opts=child,
        )
        policy = aws.s3.BucketPolicy(
            f"{name}-logs",
            bucket=bucket.id,
            policy=pulumi.Output.json_dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
                            "Action": "s3:PutObject",
                            "Resource": pulumi.Output.concat(bucket.arn, "/*"),
                        },
                        {
                            "Effect": "Deny",
                            "Principal": "*",
                            "Action": "s3:*",
                            "Resource": [bucket.arn, pulumi.Output.concat(bucket.arn, "/*")],
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        },
                    ],
                }
            ),
            opts=child,
        )
        # The load balancer tries to write when it is made, so the policy must be there first.
        return {"bucket": policy.bucket, "enabled": True}


def _redirect(host: str | None = None) -> Any:
    """Send callers to HTTPS, to the name that they called if no other is given."""
    where = {"host": host} if host else {}
    return {"type": "redirect", "redirect": {**where, "port": "443", "protocol": "HTTPS", "status_code": "HTTP_301"}}


def _hosts(domain: Domain, hosts: tuple[str, ...]) -> list[str]:
    return [domain.name, *sorted(set(hosts) - {domain.name})]


def _conditions(service: Service) -> list[aws.lb.ListenerRuleConditionArgsDict]:
    """What a request must have to be for this service."""
    path = service.path.rstrip("/")
    paths: list[pulumi.Input[str]] = [path, f"{path}/*"] if path else ["/*"]
    conditions: list[aws.lb.ListenerRuleConditionArgsDict] = [{"path_pattern": {"values": paths}}]
    if service.host:
        conditions.append({"host_header": {"values": [service.host]}})
    return conditions


def capacity_units(demand: Demand) -> Decimal:
    """Load balancer capacity units (LCU) in use, for a load that is the same all month.

    One is 25 new connections a second, 1 GB an hour or 1,000 rules evaluated a second, 10 free of charge for each
    request; the largest of them counts (https://aws.amazon.com/elasticloadbalancing/pricing/). The fourth, 3,000
    connections at once, is left out: how long they last is not known.
    """
    usage = demand.usage
    if not demand.hours:
        return Decimal(0)
    a_second = Decimal(usage.requests) / (demand.hours * 3600)
    rules = sum(1 for each in demand.services.values() if each.public)
    return max(
        a_second / usage.requests_per_connection / 25,
        usage.served / demand.hours,
        a_second * max(rules - 10, 0) / 1000,
    )


BANDS = 2 * (MAX_SEGMENTS + 1)
"""Kinds of route, from the most specific to the least: with a host or without, by the number of path segments."""
WARM_UP_SLOTS, TRAFFIC_SLOTS = 4000, 900
"""Rules of one kind: a service has one for traffic, and a warm-up rule for every orchestrator there is. All together
stay below the 50,000 priorities of a listener."""


def priorities(routes: Mapping[str, Service], orchestrators: list[str]) -> dict[tuple[str, str | None], int]:
    """(service, orchestrator) -> priority of its warm-up rule; (service, None) -> of its traffic rule.

    Warm-up rules come before all traffic rules, and the more specific route before the less. Within a kind the place
    follows from the names, and every orchestrator has one whether it is up or not: a listener refuses a priority that
    is still taken, so a move must not shift the rules that are there.
    """
    taken: set[int] = set()
    table: dict[tuple[str, str | None], int] = {}
    for name in sorted(routes):
        start = BANDS * WARM_UP_SLOTS + _band(routes[name]) * TRAFFIC_SLOTS
        table[name, None] = _place(taken, start, TRAFFIC_SLOTS, name)
    for name in sorted(routes):
        for key in sorted(orchestrators):
            start = _band(routes[name]) * WARM_UP_SLOTS
            table[name, key] = _place(taken, start, WARM_UP_SLOTS, f"{name}/{key}")
    return table


def _band(service: Service) -> int:
    segments = len([part for part in service.path.split("/") if part])
    return (0 if service.host else MAX_SEGMENTS + 1) + MAX_SEGMENTS - segments


def _place(taken: set[int], start: int, slots: int, key: str) -> int:
    """A free priority among the `slots` after `start`, from the key's hash onwards."""
    first = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big")
    for step in range(slots):
        place = 1 + start + (first + step) % slots
        if place not in taken:
            taken.add(place)
            return place
    raise pulumi.RunError(f"more than {slots} rules of one kind of route: a load balancer cannot order them")
