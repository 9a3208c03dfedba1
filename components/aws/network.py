"""The network: VPC, subnets and the ways out. It outlives every orchestrator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi

from components.cost import Demand, Item, Line, Unpriced
from components.lookup import answered
from components.network_options import ExistingVpc, Kind
from components.sdk import aws
from components.usage import exact

CIDR = IPv4Network("10.0.0.0/16")
SUBNET_PREFIX = 20
"""4,091 addresses a subnet: every task and every pod takes one."""
ANYWHERE = "0.0.0.0/0"


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """What the network is asked for."""

    kind: Kind
    zones: int
    region: str
    endpoints: frozenset[str]
    """VPC endpoint services for kind `endpoints`, such as ecr.api."""
    existing: ExistingVpc | None = None
    group: str | None = None
    """The security group of all replicas and nodes, if one that exists is theirs."""


OLD_ZONES = ["apne1-az3", "cac1-az3", "use1-az3", "usw1-az2"]
"""Zones that accounts of long standing still see, and where not everything runs: no Fargate (ECS developer guide,
"Supported Regions for Amazon ECS on AWS Fargate"), or no EKS cluster (EKS user guide, "Amazon EKS networking
requirements for VPC and subnets")."""


@dataclass(frozen=True)
class Group:
    """A security group of replicas or nodes."""

    id: pulumi.Input[str]
    own: bool
    """False: someone else made it, and says what its rules are."""
    ready: list[pulumi.Resource]
    """What must be there before what is in it, and goes after that."""


def let_in_everyone(
    name: str, group: pulumi.Input[str], port: int, description: str, opts: pulumi.ResourceOptions
) -> aws.vpc.SecurityGroupIngressRule:
    """Open a port of a security group to callers from anywhere."""
    return aws.vpc.SecurityGroupIngressRule(
        name,
        security_group_id=group,
        cidr_ipv4=ANYWHERE,
        description=description,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        opts=opts,
    )


class Network(pulumi.ComponentResource):
    """Somewhere for a load balancer and for the replicas behind it."""

    vpc_id: pulumi.Output[str]
    cidr: pulumi.Output[str]
    public_subnets: list[pulumi.Output[str]]
    """Where the load balancer is."""
    workload_subnets: list[pulumi.Output[str]]
    """Where the replicas run."""
    public_ip: bool
    """Whether a replica needs a public address to get out. Its security group lets nothing in but the load balancer."""
    ready: list[pulumi.Resource]
    """What a runtime needs while it lives and while it dies: the routes, NAT and endpoints."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("switchyard:network:Network", name, None, opts)
        self.ready, self._group = [], args.group
        if args.existing:
            self._use(args.existing)
        else:
            self._make(name, args)
        self.register_outputs({"vpc_id": self.vpc_id})

    @staticmethod
    def costs(demand: Demand) -> Iterator[Line]:
        """What it costs a month. A VPC that exists costs only for what passes through it."""
        zones, hours = demand.zones, demand.hours
        if demand.network == "endpoints":
            if demand.own_network:
                count = len(demand.endpoints) * zones
                yield Line("network", "interface endpoints", count * hours, "endpoint-AZ-hour", "endpoint.hour")
            yield Line("network", "through the endpoints", demand.crosses_network, "GB", "endpoint.data")
        elif demand.network != "public":
            count = 1 if demand.network == "nat-single" else zones
            if demand.own_network:
                yield Line("network", "NAT gateways", count * hours, "hour", "nat.hour")
                yield Line("network", "NAT gateways: public IPv4", count * hours, "address-hour", "ipv4.hour")
            yield Line("network", "through the NAT gateways", demand.crosses_network, "GB", "nat.data")

    @staticmethod
    def flows(demand: Demand) -> Iterator[Item]:
        """What the logs of its connections cost a month."""
        if not demand.flow_logs:
            return
        if demand.usage.flow_logs is None:
            why = "how many connections there are is not known; set `flow-logs` in the usage"
            yield Unpriced("logs", "flow logs of the network", why)
            return
        written = exact(demand.usage.flow_logs)
        yield Line("logs", "flow logs", written, "GB", "logs.ingest")
        yield Line("logs", "flow logs, kept", written * demand.log_days * 12 / 365, "GB-month", "logs.storage")

    def group(self, name: str, description: str, child: pulumi.ResourceOptions) -> Group:
        """A security group that lets everything out and nothing in, under `child`; or the one that exists."""
        if self._group:
            return Group(self._group, own=False, ready=[])
        group = aws.ec2.SecurityGroup(
            name,
            # AWS keeps names that begin so to itself (EC2 API, CreateSecurityGroup).
            name_prefix=f"copies-{name}-" if f"{name}-".startswith("sg-") else None,
            description=description,
            vpc_id=self.vpc_id,
            opts=child,
        )
        out = aws.vpc.SecurityGroupEgressRule(
            name,
            security_group_id=group.id,
            cidr_ipv4=ANYWHERE,
            description="What they call",
            ip_protocol="-1",
            opts=child,
        )
        return Group(group.id, own=True, ready=[out])

    @staticmethod
    def let_in(
        name: str,
        group: Group,
        source: pulumi.Input[str] | None,
        why: str,
        ports: tuple[int, int],
        opts: pulumi.ResourceOptions,
        protocol: str = "tcp",
    ) -> list[pulumi.Resource]:
        """The rule by which members of the group `source` reach those of `group`; none where that is not ours."""
        if not group.own:
            return []
        return [
            aws.vpc.SecurityGroupIngressRule(
                name,
                security_group_id=group.id,
                referenced_security_group_id=source,
                description=why,
                ip_protocol=protocol,
                from_port=ports[0],
                to_port=ports[1],
                opts=opts,
            )
        ]

    def _use(self, vpc: ExistingVpc) -> None:
        found = aws.ec2.get_vpc_output(id=vpc.id, opts=pulumi.InvokeOutputOptions(parent=self))
        self.vpc_id, self.cidr = found.id, found.cidr_block
        self.public_subnets = [pulumi.Output.from_input(each) for each in vpc.public_subnets]
        self.workload_subnets = [pulumi.Output.from_input(each) for each in vpc.private_subnets] or self.public_subnets
        self.public_ip = not vpc.private_subnets

    def _make(self, name: str, args: NetworkArgs) -> None:
        child = pulumi.ResourceOptions(parent=self)
        zones = self._zones(args)
        vpc = aws.ec2.Vpc(name, cidr_block=str(CIDR), enable_dns_hostnames=True, enable_dns_support=True, opts=child)
        # The group that AWS makes allows everything inside it; emptied, nothing can lean on it (FSBP EC2.2).
        aws.ec2.DefaultSecurityGroup(name, vpc_id=vpc.id, ingress=[], egress=[], opts=child)
        self.vpc_id, self.cidr = vpc.id, vpc.cidr_block
        self.public_ip = args.kind == "public"

        blocks = list(CIDR.subnets(new_prefix=SUBNET_PREFIX))

        gateway = aws.ec2.InternetGateway(name, vpc_id=vpc.id, opts=child)
        out = self._routes(f"{name}-public", gateway_id=gateway.id)
        self.public_subnets = [
            self._subnet(f"{name}-public-{index}", zones[index], blocks[index], out) for index in range(args.zones)
        ]
        if args.kind == "public":
            self.workload_subnets = self.public_subnets
            return

        tables = self._private_tables(name, args)
        self.workload_subnets = [
            self._subnet(f"{name}-private-{index}", zones[index], blocks[8 + index], tables[index % len(tables)])
            for index in range(args.zones)
        ]
        self._endpoints(name, args, tables)

    def _zones(self, args: NetworkArgs) -> Sequence[str]:
        """The zones to choose from. Asked for and waited for: where they are too few, nothing may have been made."""
        names = answered(
            "zones",
            lambda: aws.get_availability_zones(
                state="available",
                # Local zones have names too, but few of the services.
                filters=[{"name": "opt-in-status", "values": ["opt-in-not-required"]}],
                exclude_zone_ids=OLD_ZONES,
                opts=pulumi.InvokeOptions(parent=self),
            ),
        ).names
        if len(names) >= args.zones:
            return names
        raise pulumi.RunError(
            f"zones: {args.zones} availability zones are wanted, and {args.region} has {len(names)} for this account"
            f" that everything runs in: {', '.join(names)}. `pulumi config set zones {len(names)}`, or take another"
            " region."
        )

    def _subnet(self, name: str, zone: str, block: IPv4Network, table: aws.ec2.RouteTable) -> pulumi.Output[str]:
        child = pulumi.ResourceOptions(parent=self)
        subnet = aws.ec2.Subnet(
            name,
            vpc_id=self.vpc_id,
            cidr_block=str(block),
            availability_zone=zone,
            # Only where nodes have no other way out; the load balancer asks for its own addresses.
            map_public_ip_on_launch=self.public_ip,
            opts=child,
        )
        self.ready.append(aws.ec2.RouteTableAssociation(name, subnet_id=subnet.id, route_table_id=table.id, opts=child))
        return subnet.id

    def _routes(
        self,
        name: str,
        gateway_id: pulumi.Output[str] | None = None,
        nat_gateway_id: pulumi.Output[str] | None = None,
    ) -> aws.ec2.RouteTable:
        """A table whose only way out is the gateway given; none given: no way out."""
        child = pulumi.ResourceOptions(parent=self)
        table = aws.ec2.RouteTable(name, vpc_id=self.vpc_id, opts=child)
        if gateway_id or nat_gateway_id:
            self.ready.append(
                aws.ec2.Route(
                    name,
                    route_table_id=table.id,
                    destination_cidr_block=ANYWHERE,
                    gateway_id=gateway_id,
                    nat_gateway_id=nat_gateway_id,
                    opts=child,
                )
            )
        return table

    def _private_tables(self, name: str, args: NetworkArgs) -> list[aws.ec2.RouteTable]:
        """One table a way out: a NAT gateway for all, one a zone, or none."""
        if args.kind == "endpoints":
            return [self._routes(f"{name}-private")]
        count = 1 if args.kind == "nat-single" else args.zones
        public = list(self.ready)
        return [
            self._routes(f"{name}-private-{index}", nat_gateway_id=self._nat(f"{name}-{index}", index, public))
            for index in range(count)
        ]

    def _nat(self, name: str, index: int, public: list[pulumi.Resource]) -> pulumi.Output[str]:
        child = pulumi.ResourceOptions(parent=self)
        address = aws.ec2.Eip(name, domain="vpc", opts=child)
        return aws.ec2.NatGateway(
            name,
            allocation_id=address.id,
            subnet_id=self.public_subnets[index],
            # A NAT gateway is of use only once its own subnet has a way out.
            opts=pulumi.ResourceOptions(parent=self, depends_on=public),
        ).id

    def _endpoints(self, name: str, args: NetworkArgs, tables: list[aws.ec2.RouteTable]) -> None:
        child = pulumi.ResourceOptions(parent=self)
        # Free, and ECR keeps its layers in S3: it spares the NAT gateway's price a byte.
        self.ready.append(
            aws.ec2.VpcEndpoint(
                f"{name}-s3",
                vpc_id=self.vpc_id,
                service_name=f"com.amazonaws.{args.region}.s3",
                vpc_endpoint_type="Gateway",
                route_table_ids=[table.id for table in tables],
                opts=child,
            )
        )
        if args.kind != "endpoints":
            return
        group = aws.ec2.SecurityGroup(
            f"{name}-endpoints", description="From the VPC to its endpoints", vpc_id=self.vpc_id, opts=child
        )
        self.ready.append(
            aws.vpc.SecurityGroupIngressRule(
                f"{name}-endpoints",
                security_group_id=group.id,
                cidr_ipv4=self.cidr,
                description="Calls from the VPC",
                ip_protocol="tcp",
                from_port=443,
                to_port=443,
                opts=child,
            )
        )
        self.ready += [
            aws.ec2.VpcEndpoint(
                f"{name}-{service.replace('.', '-')}",
                vpc_id=self.vpc_id,
                service_name=f"com.amazonaws.{args.region}.{service}",
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=self.workload_subnets,
                security_group_ids=[group.id],
                opts=child,
            )
            for service in sorted(args.endpoints)
        ]
