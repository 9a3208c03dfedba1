"""Networks: subnets and their ways out, addresses, security groups."""

from rehearsal.aws import types
from rehearsal.aws.data_source import Question, data_source
from rehearsal.aws.making import Facts, computed, in_ec2
from rehearsal.aws.resource_type import NAME, Ref, ResourceType, Unique
from rehearsal.state import ACCOUNT, CloudResource, CloudState
from rehearsal.wire import Properties

IN_VPC = Ref("vpcId", types.VPC)


VPC = ResourceType(
    types.VPC,
    in_ec2(
        "vpc",
        "vpc",
        mainRouteTableId="rtb-{hex:.17}",
        defaultRouteTableId="rtb-{hex:.17}",
        defaultSecurityGroupId="sg-{hex:.17}",
        defaultNetworkAclId="acl-{hex:.17}",
    ),
    (12, 2, 1),
    "cidrBlock instanceTenancy",
    missing="InvalidVpcID.NotFound",
    brings=(Ref("defaultSecurityGroupId", types.SECURITY_GROUP),),
)


@data_source("aws:ec2/getVpc:getVpc")
def get_vpc(ask: Question) -> Properties:
    """A VPC whose id stands in the stack's config is taken to be there."""
    id_ = str(ask.args.get("id", ""))
    if id_ in ask.state.existing:
        return {"id": id_, "cidrBlock": "10.0.0.0/16", "default": False, "enableDnsHostnames": True}
    vpc = ask.found(types.VPC, "id", "InvalidVpcID.NotFound")
    return {"id": vpc.id, "cidrBlock": vpc.get("cidrBlock"), "arn": vpc.get("arn"), "default": False}


SUBNET = ResourceType(
    types.SUBNET,
    in_ec2("subnet", "subnet"),
    (11, 11, 1),
    "vpcId cidrBlock availabilityZone",
    refs=(IN_VPC,),
    unique=Unique("vpcId cidrBlock", taken="InvalidSubnet.Conflict"),
    missing="InvalidSubnetID.NotFound",
)

FEW_ZONES = {"us-west-1": 2}
"""Regions that show an account fewer than three zones."""


@data_source("aws:index/getAvailabilityZones:getAvailabilityZones")
def get_zones(ask: Question) -> Properties:
    count = FEW_ZONES.get(ask.region, 3)
    names = [f"{ask.region}{letter}" for letter in "abc"[:count]]
    ids = [f"{ask.region}-az{number + 1}" for number in range(count)]
    return {"id": ask.region, "names": names, "zoneIds": ids, "groupNames": [ask.region]}


# --- ways out

INTERNET_GATEWAY = ResourceType(
    types.INTERNET_GATEWAY,
    in_ec2("igw", "internet-gateway"),
    refs=(IN_VPC,),
    missing="InvalidInternetGatewayID.NotFound",
    leads_out=True,
)
ROUTE_TABLE = ResourceType(
    types.ROUTE_TABLE,
    in_ec2("rtb", "route-table"),
    replace="vpcId",
    refs=(IN_VPC,),
    missing="InvalidRouteTableID.NotFound",
)
ROUTE = ResourceType(
    types.ROUTE,
    computed(id="r-{routeTableId}{hex:.17}"),
    replace="routeTableId destinationCidrBlock destinationIpv6CidrBlock",
    refs=(
        Ref("routeTableId", types.ROUTE_TABLE, holds=False),
        Ref("gatewayId", types.INTERNET_GATEWAY, holds=False),
        Ref("natGatewayId", types.NAT_GATEWAY, holds=False),
    ),
    unique=Unique("routeTableId destinationCidrBlock", taken="RouteAlreadyExists"),
    leads_out=True,
)
ROUTE_TABLE_ASSOCIATION = ResourceType(
    types.ROUTE_TABLE_ASSOCIATION,
    computed(id="rtbassoc-{hex:.17}"),
    replace="subnetId gatewayId",
    refs=(Ref("routeTableId", types.ROUTE_TABLE), Ref("subnetId", types.SUBNET, holds=False)),
    unique=Unique("subnetId", taken="Resource.AlreadyAssociated"),
    leads_out=True,
)
NAT_GATEWAY = ResourceType(
    types.NAT_GATEWAY,
    computed(id="nat-{hex:.17}"),
    (105, 1, 65),
    "allocationId subnetId connectivityType",
    refs=(Ref("allocationId", types.EIP), Ref("subnetId", types.SUBNET)),
    missing="NatGatewayNotFound",
    leads_out=True,
)
FLOW_LOG = ResourceType(
    types.FLOW_LOG,
    in_ec2("fl", "vpc-flow-log"),
    (3, 1, 1),
    "vpcId trafficType logDestination iamRoleArn maxAggregationInterval",
    refs=(IN_VPC, Ref("iamRoleArn", types.ROLE, holds=False), Ref("logDestination", types.LOG_GROUP, holds=False)),
    missing="InvalidFlowLogId.NotFound",
)
VPC_ENDPOINT = ResourceType(
    types.VPC_ENDPOINT,
    in_ec2("vpce", "vpc-endpoint"),
    (70, 40, 15),
    "vpcId serviceName vpcEndpointType",
    refs=(
        IN_VPC,
        Ref("subnetIds", types.SUBNET),
        Ref("securityGroupIds", types.SECURITY_GROUP),
        Ref("routeTableIds", types.ROUTE_TABLE, holds=False),
    ),
    leads_out=True,
)


def has_route(state: CloudState, subnet: CloudResource, public: bool) -> bool:
    """Whether a gateway leads out of a subnet; `public`: for a public address."""
    associations = state.where(types.ROUTE_TABLE_ASSOCIATION, "subnetId", subnet.id)
    tables = {each.get("routeTableId") for each in associations}
    if not tables and (vpc := state.find(types.VPC, subnet.get("vpcId", ""))):
        tables = {vpc.get("mainRouteTableId")}
    routes = state.where(types.ROUTE, "routeTableId", *tables)
    nat = any(state.find(types.NAT_GATEWAY, each.get("natGatewayId", "")) for each in routes)
    return nat or (public and any(state.find(types.INTERNET_GATEWAY, each.get("gatewayId", "")) for each in routes))


ENDPOINTS = ("ecr.api", "ecr.dkr", "s3", "logs")
"""The services whose endpoints are needed to pull images and write logs without a gateway."""


def has_endpoints(state: CloudState, subnet: CloudResource, more: tuple[str, ...]) -> bool:
    """Whether images can be pulled, logs written and the services `more` reached without a gateway."""
    beside = state.where(types.VPC_ENDPOINT, "vpcId", subnet.get("vpcId"))
    names = [each.get("serviceName", "") for each in beside]
    return all(any(name.endswith(f".{service}") for name in names) for service in (*ENDPOINTS, *more))


# --- addresses


def _address(facts: Facts) -> Properties:
    ip = f"203.0.113.{1 + int(facts.hex(4), 16) % 250}"
    return in_ec2("eipalloc", "elastic-ip", allocationId="{id}", publicIp=ip, domain="vpc")(facts)


EIP = ResourceType(
    types.EIP,
    _address,
    replace="domain",
    refs=(Ref("networkInterface", types.NETWORK_INTERFACE, holds=False),),
    in_use="AuthFailure",
    missing="InvalidAllocationID.NotFound",
)


def _interface(facts: Facts) -> Properties:
    number = int(facts.hex(4), 16)
    ip = f"10.0.{number // 250 % 16}.{5 + number % 250}"
    return in_ec2("eni", "network-interface", privateIp=ip)(facts)


NETWORK_INTERFACE = ResourceType(
    types.NETWORK_INTERFACE,
    _interface,
    (2, 1, 1),
    "subnetId privateIp",
    refs=(Ref("subnetId", types.SUBNET), Ref("securityGroups", types.SECURITY_GROUP)),
    missing="InvalidNetworkInterfaceID.NotFound",
    in_use="InvalidNetworkInterface.InUse",
)


# --- security groups

SECURITY_GROUP = ResourceType(
    types.SECURITY_GROUP,
    in_ec2("sg", "security-group"),
    (3, 1, 1),
    "name namePrefix description vpcId",
    NAME,
    refs=(IN_VPC,),
    unique=Unique("vpcId name", taken="InvalidGroup.Duplicate"),
    missing="InvalidGroup.NotFound",
)


@data_source("aws:ec2/getSecurityGroup:getSecurityGroup")
def get_group(ask: Question) -> Properties:
    """A group whose id stands in the stack's config is taken to be there, in the VPC that stands there too."""
    id_ = str(ask.args.get("id", ""))
    if id_ not in ask.state.existing:
        ask.found(types.SECURITY_GROUP, "id", "InvalidGroup.NotFound")
    return {"id": id_, "vpcId": ask.args.get("vpcId", "")}


def _default_group(facts: Facts) -> Properties:
    vpc = facts.state.find(types.VPC, facts.inputs["vpcId"])
    id_ = vpc.get("defaultSecurityGroupId") if vpc else "sg-{hex:.17}"
    arn = "arn:aws:ec2:{region}:{account}:security-group/{id}"
    return computed(id=id_, arn=arn, name="default", ownerId=ACCOUNT)(facts)


DEFAULT_SECURITY_GROUP = ResourceType(
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
    _default_group,
    (2, 1, 0),
    "vpcId",
    refs=(Ref("vpcId", types.VPC, holds=False),),
)


def _group_rule(token: str) -> ResourceType:
    source = "referencedSecurityGroupId"
    return ResourceType(
        token,
        in_ec2("sgr", "security-group-rule"),
        replace="securityGroupId",
        refs=(Ref("securityGroupId", types.SECURITY_GROUP, holds=False), Ref(source, types.SECURITY_GROUP)),
        unique=Unique(
            "securityGroupId referencedSecurityGroupId ipProtocol fromPort toPort", taken="InvalidPermission.Duplicate"
        ),
    )


INGRESS_RULE = _group_rule(types.INGRESS_RULE)
EGRESS_RULE = _group_rule("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")


def lets_in(state: CloudState, groups: list[str], port: int) -> bool:
    """Whether security groups let anyone in on a port. One without a rule is taken to be managed elsewhere."""
    rules = [each for each in state.where(types.INGRESS_RULE, "securityGroupId", *groups) if each.ready]
    return not rules or any(each.get("fromPort", 0) <= port <= each.get("toPort", port) for each in rules)
