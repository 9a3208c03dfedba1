"""An Application Load Balancer on AWS.

For each service and orchestrator: target group -> warm-up rule -> the workload, healthy -> traffic rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Literal

import pulumi

from components.aws import parts
from components.aws.access import AwsAccess, together
from components.aws.network import let_in_everyone
from components.cost import Demand, Item, Line, Note, Unpriced
from components.edge import WARM_UP_HEADER, Edge, EdgeOptions, Shared, Traffic, alb_quotas, moved, target_groups
from components.edge.access_logs import access_logs
from components.edge.alb_asked import Group, Metrics, aws_health
from components.edge.priorities import LAST, priorities
from components.edge.zones import in_zone, zone_id
from components.gate import Health
from components.guard import Watch
from components.model import Contradiction
from components.needs import Quota
from components.network_options import Domain
from components.sdk import aws
from components.service import Service
from components.workload import Registration, Target, Workload

RULE, GROUP = "aws:lb/listenerRule:ListenerRule", "aws:lb/targetGroup:TargetGroup"
WARM_UP = "--warm-up"
"""The end of a warm-up rule's name: no service's name has two dashes in a row, so none is called like this."""
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


class AlbOptions(EdgeOptions):
    """An Application Load Balancer: it has no block of its own, for the stack's keys say all that it is asked."""

    key = "alb"
    platform = "aws"
    takes = frozenset({"ip", "instance"})
    reads = frozenset(
        {"domain", "plain_http", "load_balancer", "access_logs", "strict", "waf", "tls_policy", "gate", "guard"}
    )
    for_https = "{name, zone} of a public zone in Route 53"
    rule = RULE
    aws_access = parts.GROUPS

    def check_domain(self, domain: Domain | None, hosts: Mapping[str, str]) -> Iterator[Contradiction]:
        """Names in the zone alone."""
        yield from in_zone(domain, hosts)

    def quotas(self, traffic: Traffic) -> Iterator[Quota]:
        return alb_quotas.of(traffic)

    def taken(self, *, own: bool, domain: bool, access_logs: bool, waf: bool = False) -> AwsAccess:
        more = [
            (own, parts.BALANCER),
            (own and domain, parts.DOMAIN),
            (own and access_logs, parts.ACCESS_LOGS),
            (own and waf, parts.WAF),
        ]
        return together([self.aws_access, *[each for wanted, each in more if wanted]])

    @classmethod
    def groups(cls, rule: Mapping[str, Any]) -> dict[str, int]:
        return {
            group["arn"]: group.get("weight", 1)
            for action in rule.get("actions", [])
            for group in (action.get("forward") or {}).get("targetGroups", [])
        }

    @classmethod
    def shared(cls, resources: Iterable[Mapping[str, Any]]) -> Iterator[Shared]:
        """A warm-up rule shares nothing, and neither does one that redirects."""
        known = list(resources)
        groups = _groups(known)
        for each in known:
            weighted = cls.groups(each["inputs"]) if each["type"] == RULE and not _name(each).endswith(WARM_UP) else {}
            if found := {groups[arn]: weight for arn, weight in weighted.items() if weight > 0}:
                service = f"{_name(each)}-"
                yield Shared(each["urn"], {name.removeprefix(service): weight for name, weight in found.items()})

    @classmethod
    def watch(cls, resources: Iterable[Mapping[str, Any]], region: str | None, profile: str | None) -> Watch | None:
        known = list(resources)
        names = _groups(known)
        found = [
            Group(service, names[arn].removeprefix(f"{service}-"), arn, each["inputs"]["listenerArn"])
            for each in known
            for service in [_name(each)]
            for arn in (cls.groups(each["inputs"]) if each["type"] == RULE else ())
        ]
        return Metrics(found, region, profile).watch

    def costs(self, demand: Demand) -> Iterator[Item]:
        """What it costs a month. A load balancer that exists costs only for what passes through it."""
        column: Literal["load balancer"] = "load balancer"
        hours = demand.hours
        if demand.own_load_balancer:
            yield Line(column, "load balancer", hours, "hour", "alb.hour")
            yield Line(column, "public IPv4, one a zone", demand.zones * hours, "address-hour", "ipv4.hour")
            if demand.access_logs:
                yield Unpriced(column, "access logs", "no price file has the storage in S3")
            if demand.waf:
                seen = Decimal(demand.usage.requests) / 1_000_000
                yield Line(column, "requests that the web ACL looks at", seen, "1M requests", "waf.requests")
                yield Note("the owner of the web ACL pays for it and its rules by the month, which is in no sum here")
        yield Line(column, "capacity units", capacity_units(demand) * hours, "LCU-hour", "alb.lcu")
        if demand.domain:
            yield Line(column, "DNS zone, which exists already", Decimal(1), "zone-month", "route53.zone")
        yield Line("transfer", "responses", demand.usage.served, "GB", "transfer.internet", free="transfer.free")


class Alb(Edge[AlbOptions]):
    """A load balancer with a rule for each service."""

    token = "switchyard:edge:Edge"

    def build(self, name: str, child: pulumi.ResourceOptions) -> None:
        args = self.args
        if args.foundation is None:
            raise TypeError(f"{name} stands on AWS: give it a foundation")
        self._network = args.foundation.network
        self._account = (args.foundation.region, args.foundation.profile)
        self._ask = aws_health(*self._account)
        self._priorities = priorities(args.routes, args.orchestrators)
        self._rules: list[pulumi.Resource] = []
        self._records: list[Callable[[pulumi.ResourceOptions], None]] = []
        if args.existing:
            self._listener = pulumi.Output.from_input(args.existing.listener)
            self._security_group = pulumi.Output.from_input(args.existing.security_group)
            self.url = pulumi.Output.from_input(args.existing.url)
        else:
            self._make(name, child)

    def health(self, group: str) -> list[Health]:
        return self._ask(group)

    def watch(self, service: str, groups: Sequence[str], rule: Mapping[str, Any]) -> Watch | None:
        return Metrics([Group(service, arn, arn, rule["listenerArn"]) for arn in groups], *self._account).watch

    def target(self, service_name: str, service: Service, orchestrator: str, registration: Registration) -> Target:
        """A target group of `orchestrator`'s own for the service, and the rule that hangs it on the load balancer.

        Never shared: the Kubernetes controllers evict targets that are not theirs.
        """
        child = pulumi.ResourceOptions(parent=self)
        name = f"{service_name}-{orchestrator}"
        kept = target_groups.kept(service_name, registration.kind)
        group = aws.lb.TargetGroup(
            name,
            name_prefix=target_groups.prefix(service_name),
            port=registration.port if registration.kind == "instance" else EACH_ITS_OWN,
            protocol="HTTP",  # inside the VPC, from one security group to another; see docs/decisions
            target_type=registration.kind,
            vpc_id=self._network.vpc_id,
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
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=kept),
        )
        rule = aws.lb.ListenerRule(
            f"{name}{WARM_UP}",
            listener_arn=self._listener,
            priority=self._priorities[service_name, orchestrator],
            conditions=[
                {"http_header": {"http_header_name": WARM_UP_HEADER, "values": [orchestrator]}},
                *_conditions(service),
            ],
            actions=[{"type": "forward", "target_group_arn": group.arn}],
            opts=child,
        )
        return Target(group.arn, rule, registration, self._security_group)

    def share(
        self,
        service_name: str,
        service: Service,
        weights: Mapping[str, int],
        workloads: Mapping[str, Workload],
        opts: pulumi.ResourceOptions,
    ) -> None:
        groups: Any = [
            {"arn": each.target.group, "weight": weights[key]} for key, each in workloads.items() if each.target
        ]
        rule = aws.lb.ListenerRule(
            service_name,
            listener_arn=self._listener,
            priority=self._priorities[service_name, None],
            conditions=_conditions(service),
            actions=[{"type": "forward", "forward": {"target_groups": groups}}],
            opts=opts,
        )
        self._rules.append(rule)

    def finish(self) -> None:
        """The records of an edge that has had the names: changed last, once each service is answered here too."""
        if self.args.came_from:
            opts = moved.taking_over(self, self.args.came_from, self._rules, self.args.gate.settle)
            for record in self._records:
                record(opts)

    def _make(self, name: str, child: pulumi.ResourceOptions) -> None:
        args = self.args
        group = self._open_to_callers(name, child)
        balancer = aws.lb.LoadBalancer(
            name,
            load_balancer_type="application",
            security_groups=[group],
            subnets=self._network.public_subnets,
            drop_invalid_header_fields=True,
            desync_mitigation_mode="strictest" if args.strict else "defensive",
            enable_deletion_protection=args.protect,
            access_logs=access_logs(name, args.protect, child) if args.access_logs else None,
            # Callers reach it only while the subnets have their way out.
            opts=pulumi.ResourceOptions(parent=self, depends_on=self._network.ready),
        )
        if args.waf:
            aws.wafv2.WebAclAssociation(name, resource_arn=balancer.arn, web_acl_arn=args.waf, opts=child)
        self._security_group = group
        if args.domain is None:
            self._listener = self._plain(name, balancer).arn
            self.url = pulumi.Output.concat("http://", balancer.dns_name)
            return
        self._listener = self._secure(name, balancer, args.domain, args.hosts)
        record = partial(self._record, name, args.domain, balancer)
        self._records = [partial(record, host) for host in _hosts(args.domain, args.hosts)]
        if not args.came_from:
            for each in self._records:
                each(child)
        self.url = pulumi.Output.from_input(f"https://{args.domain.name}")

    def _record(
        self, name: str, domain: Domain, balancer: aws.lb.LoadBalancer, host: str, opts: pulumi.ResourceOptions
    ) -> None:
        aws.route53.Record(
            f"{name}-{host}",
            zone_id=zone_id(self, domain),
            name=host,
            type="A",
            aliases=[{"name": balancer.dns_name, "zone_id": balancer.zone_id, "evaluate_target_health": True}],
            opts=opts,
        )

    def _open_to_callers(self, name: str, child: pulumi.ResourceOptions) -> pulumi.Output[str]:
        """The id of its security group: one of the stack's own, or the one that exists."""
        if self.args.security_group:
            return pulumi.Output.from_input(self.args.security_group)
        group = aws.ec2.SecurityGroup(
            name, description="Callers to the load balancer", vpc_id=self._network.vpc_id, opts=child
        )
        for port in (80, 443) if self.args.domain else (80,):
            let_in_everyone(f"{name}-{port}", group.id, port, "Callers", child)
        aws.vpc.SecurityGroupEgressRule(
            name,
            security_group_id=group.id,
            cidr_ipv4=self._network.cidr,
            description="Replicas",
            ip_protocol="-1",
            opts=child,
        )
        return group.id

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
            ssl_policy=self.args.tls_policy or TLS_POLICY,
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
                zone_id=zone_id(self, domain),
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


def _groups(resources: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The ARN of each target group in a state -> its name."""
    return {each["outputs"]["arn"]: _name(each) for each in resources if each["type"] == GROUP and "outputs" in each}


def _name(resource: Mapping[str, Any]) -> str:
    """A resource's name, in a state."""
    return str(resource["urn"]).rpartition("::")[2]


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
