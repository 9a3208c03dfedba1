"""What the rehearsal knows of each AWS type: a table, so that another type is another row.

A type that is in no row is refused by name: nothing is silently pretended. The rows say what the AWS provider's schema
says (pulumi-aws 7, the Terraform provider's "Forces new resource"); seconds are estimates of what the provider
usually prints in a quiet region, and the great ones decide: cluster, NAT gateway, load balancer, service.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rehearsal import wire
from rehearsal.state import ACCOUNT, CloudState

VPC = "aws:ec2/vpc:Vpc"
SUBNET = "aws:ec2/subnet:Subnet"
INTERNET_GATEWAY = "aws:ec2/internetGateway:InternetGateway"
ROUTE_TABLE = "aws:ec2/routeTable:RouteTable"
ROUTE = "aws:ec2/route:Route"
ROUTE_TABLE_ASSOCIATION = "aws:ec2/routeTableAssociation:RouteTableAssociation"
EIP = "aws:ec2/eip:Eip"
NAT_GATEWAY = "aws:ec2/natGateway:NatGateway"
NETWORK_INTERFACE = "aws:ec2/networkInterface:NetworkInterface"
INSTANCE = "aws:ec2/instance:Instance"
VPC_ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
DEFAULT_SECURITY_GROUP = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
SECURITY_GROUP = "aws:ec2/securityGroup:SecurityGroup"
INGRESS_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS_RULE = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
LOAD_BALANCER = "aws:lb/loadBalancer:LoadBalancer"
LISTENER = "aws:lb/listener:Listener"
TARGET_GROUP = "aws:lb/targetGroup:TargetGroup"
TARGET_GROUP_ATTACHMENT = "aws:lb/targetGroupAttachment:TargetGroupAttachment"
LISTENER_RULE = "aws:lb/listenerRule:ListenerRule"
CERTIFICATE = "aws:acm/certificate:Certificate"
CERTIFICATE_VALIDATION = "aws:acm/certificateValidation:CertificateValidation"
RECORD = "aws:route53/record:Record"
BUCKET = "aws:s3/bucket:Bucket"
BUCKET_PUBLIC_ACCESS_BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
BUCKET_POLICY = "aws:s3/bucketPolicy:BucketPolicy"
BUCKET_LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
SECRET = "aws:secretsmanager/secret:Secret"
SECRET_VERSION = "aws:secretsmanager/secretVersion:SecretVersion"
SECRET_POLICY = "aws:secretsmanager/secretPolicy:SecretPolicy"
ROLE = "aws:iam/role:Role"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
ROLE_POLICY_ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
INSTANCE_PROFILE = "aws:iam/instanceProfile:InstanceProfile"
ECR_REPOSITORY = "aws:ecr/repository:Repository"
ECR_LIFECYCLE = "aws:ecr/lifecyclePolicy:LifecyclePolicy"
ECR_CACHE_RULE = "aws:ecr/pullThroughCacheRule:PullThroughCacheRule"
ECR_PUBLIC_REPOSITORY = "aws:ecrpublic/repository:Repository"
ECS_CLUSTER = "aws:ecs/cluster:Cluster"
CAPACITY_PROVIDER = "aws:ecs/capacityProvider:CapacityProvider"
ECS_PROVIDERS = "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders"
TASK_DEFINITION = "aws:ecs/taskDefinition:TaskDefinition"
ECS_SERVICE = "aws:ecs/service:Service"
LAUNCH_TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
AUTO_SCALING_GROUP = "aws:autoscaling/group:Group"
AUTO_SCALING_ATTACHMENT = "aws:autoscaling/attachment:Attachment"
SSM_PARAMETER = "aws:ssm/parameter:Parameter"
SCALING_TARGET = "aws:appautoscaling/target:Target"
SCALING_POLICY = "aws:appautoscaling/policy:Policy"
EKS_CLUSTER = "aws:eks/cluster:Cluster"
EKS_ADDON = "aws:eks/addon:Addon"
ACCESS_ENTRY = "aws:eks/accessEntry:AccessEntry"
ACCESS_POLICY = "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"
POD_IDENTITY = "aws:eks/podIdentityAssociation:PodIdentityAssociation"


@dataclass(frozen=True)
class Facts:
    """What the outputs of a new resource follow from."""

    state: CloudState
    urn: str
    region: str
    inputs: wire.Properties
    """Secrets revealed."""

    def hex(self, length: int = 17) -> str:
        """Fresh hexadecimal digits."""
        return self.state.hex(self.urn, length)

    def arn(self, rest: str, region: str | None = None) -> str:
        """`arn:aws:<service>:<region>:<account>:<resource>` from `<service>:<resource>`."""
        service, _, resource = rest.partition(":")
        return f"arn:aws:{service}:{self.region if region is None else region}:{ACCOUNT}:{resource}"


Make = Callable[[Facts], wire.Properties]
"""What a new resource's own properties are; "id" is among them."""


@dataclass(frozen=True)
class Name:
    """The input that the provider fills in where the program does not."""

    key: str = "name"
    longest: int = 255
    lower: bool = False


@dataclass(frozen=True)
class Ref:
    """An input that names another resource, which must exist."""

    path: str
    type: str
    holds: bool = True
    """While this resource lives, the other cannot be deleted."""


@dataclass(frozen=True)
class Rule:
    """One AWS type."""

    make: Make
    seconds: tuple[float, float, float]
    """To create, update and delete it; estimates."""
    replace: frozenset[str] = frozenset()
    """Inputs whose change makes a new one. `EVERYTHING`: all but its tags."""
    name: Name | None = None
    refs: tuple[Ref, ...] = ()
    unique: tuple[str, ...] = ()
    """Inputs that no two resources of the type in one region may share, all of them together."""
    taken: str = "AlreadyExists"
    """AWS's error code when they do."""
    missing: str = "NotFound"
    """AWS's error code for a reference to one that does not exist."""
    in_use: str = "DependencyViolation"
    """AWS's error code for deleting one that others hold."""
    regional: bool = True
    """False: its names are the account's, not a region's."""
    steady: str | None = None
    """The input without which creating and updating do not wait, and take 5 s."""
    counts: str | None = None
    """A number among its outputs that every update raises."""


EVERYTHING = frozenset({"*"})


def _id(prefix: str, *, arn: str | None = None, **more: str) -> Make:
    """`<prefix>-<hex>`; an ARN that ends in the id; and `more`, where {id} and {hex} are filled in."""

    def make(facts: Facts) -> wire.Properties:
        id_ = f"{prefix}-{facts.hex()}"
        outputs = {"id": id_} | ({"arn": facts.arn(f"{arn}/{id_}")} if arn else {})
        return outputs | {key: value.format(id=id_, hex=facts.hex()) for key, value in more.items()}

    return make


def _ec2(prefix: str, kind: str, **more: str) -> Make:
    return _id(prefix, arn=f"ec2:{kind}", ownerId=ACCOUNT, **more)


def _of(template: str) -> Make:
    """An id made of inputs, and nothing else."""
    return lambda facts: {"id": template.format_map(facts.inputs | {"hex": facts.hex()})}


def _vpc(facts: Facts) -> wire.Properties:
    of_its_own = {
        "mainRouteTableId": "rtb",
        "defaultRouteTableId": "rtb",
        "defaultSecurityGroupId": "sg",
        "defaultNetworkAclId": "acl",
    }
    digits = facts.hex()
    return _ec2("vpc", "vpc")(facts) | {key: f"{prefix}-{digits}" for key, prefix in of_its_own.items()}


def _default_group(facts: Facts) -> wire.Properties:
    vpc = facts.state.find(VPC, facts.inputs["vpcId"])
    id_ = vpc.get("defaultSecurityGroupId") if vpc else f"sg-{facts.hex()}"
    return {"id": id_, "arn": facts.arn(f"ec2:security-group/{id_}"), "name": "default", "ownerId": ACCOUNT}


def _address(facts: Facts) -> wire.Properties:
    made = _ec2("eipalloc", "elastic-ip")(facts)
    ip = f"203.0.113.{1 + int(facts.hex(4), 16) % 250}"
    return made | {"allocationId": made["id"], "publicIp": ip, "domain": "vpc"}


def _interface(facts: Facts) -> wire.Properties:
    number = int(facts.hex(4), 16)
    return _ec2("eni", "network-interface")(facts) | {"privateIp": f"10.0.{number // 250 % 16}.{5 + number % 250}"}


def _instance(facts: Facts) -> wire.Properties:
    wanted = facts.inputs.get("primaryNetworkInterface") or {}
    interface = facts.state.find(NETWORK_INTERFACE, wanted.get("networkInterfaceId", ""))
    return _ec2("i", "instance")(facts) | {
        "privateIp": interface.get("privateIp") if interface else "",
        "instanceState": "running",
    }


def _parameter(facts: Facts) -> wire.Properties:
    name = facts.inputs["name"]
    return {"id": name, "arn": facts.arn(f"ssm:parameter{name}"), "version": 1}


def _load_balancer(facts: Facts) -> wire.Properties:
    name, digits = facts.inputs["name"], facts.hex(16)
    arn = facts.arn(f"elasticloadbalancing:loadbalancer/app/{name}/{digits}")
    subnets = [facts.state.find(SUBNET, each) for each in facts.inputs.get("subnets", [])]
    return {
        "id": arn,
        "arn": arn,
        "arnSuffix": f"app/{name}/{digits}",
        "dnsName": f"{name}-{int(digits[:8], 16)}.{facts.region}.elb.amazonaws.com",
        "zoneId": f"Z{digits[:13].upper()}",
        "vpcId": next((each.get("vpcId") for each in subnets if each), ""),
        "ipAddressType": "ipv4",
        "loadBalancerType": "application",
        "internal": False,
    }


def _target_group(facts: Facts) -> wire.Properties:
    name, digits = facts.inputs["name"], facts.hex(16)
    arn = facts.arn(f"elasticloadbalancing:targetgroup/{name}/{digits}")
    kind = facts.inputs.get("targetType", "instance")
    return {"id": arn, "arn": arn, "arnSuffix": f"targetgroup/{name}/{digits}", "targetType": kind}


def _below(kind: str, parent: str) -> Make:
    """An ARN below the one that the input `parent` holds."""

    def make(facts: Facts) -> wire.Properties:
        above = facts.inputs[parent].split(":", 5)[5].split("/", 1)[1]
        arn = facts.arn(f"elasticloadbalancing:{kind}/{above}/{facts.hex(16)}")
        return {"id": arn, "arn": arn}

    return make


def _rule(facts: Facts) -> wire.Properties:
    made = _below("listener-rule", "listenerArn")(facts)
    if facts.inputs.get("priority"):
        return made
    beside = facts.state.where(LISTENER_RULE, "listenerArn", facts.inputs["listenerArn"])
    return made | {"priority": 1 + max((each.get("priority", 0) for each in beside), default=0)}


def _certificate(facts: Facts) -> wire.Properties:
    arn = facts.arn(f"acm:certificate/{facts.hex(32)}")
    names = [facts.inputs["domainName"], *(facts.inputs.get("subjectAlternativeNames") or [])]
    proofs = [
        {
            "domainName": name,
            "resourceRecordName": f"_{facts.hex(32)}.{name.removeprefix('*.')}.",
            "resourceRecordType": "CNAME",
            "resourceRecordValue": f"_{facts.hex(32)}.acm-validations.aws.",
        }
        for name in dict.fromkeys(names)
    ]
    return {"id": arn, "arn": arn, "domainValidationOptions": proofs, "status": "PENDING_VALIDATION"}


def _record(facts: Facts) -> wire.Properties:
    name = facts.inputs["name"]
    return {"id": f"{facts.inputs['zoneId']}_{name}_{facts.inputs['type']}", "fqdn": name.rstrip(".")}


def _bucket(facts: Facts) -> wire.Properties:
    name = facts.inputs["bucket"]
    domain = {
        "bucketDomainName": f"{name}.s3.amazonaws.com",
        "bucketRegionalDomainName": f"{name}.s3.{facts.region}.amazonaws.com",
    }
    return {"id": name, "arn": f"arn:aws:s3:::{name}", **domain}


def _log_group(facts: Facts) -> wire.Properties:
    return {"id": facts.inputs["name"], "arn": facts.arn(f"logs:log-group:{facts.inputs['name']}")}


def _secret(facts: Facts) -> wire.Properties:
    arn = facts.arn(f"secretsmanager:secret:{facts.inputs['name']}-{facts.hex(6)}")
    return {"id": arn, "arn": arn}


def _secret_version(facts: Facts) -> wire.Properties:
    secret, version = facts.inputs["secretId"], facts.hex(32)
    return {"id": f"{secret}|{version}", "arn": secret, "versionId": version, "versionStages": ["AWSCURRENT"]}


def _iam(kind: str) -> Make:
    def make(facts: Facts) -> wire.Properties:
        name = facts.inputs["name"]
        path = facts.inputs.get("path", "/")
        unique = f"A{facts.hex(20).upper()}"
        return {"id": name, "arn": facts.arn(f"iam:{kind}{path}{name}", region=""), "uniqueId": unique, "path": path}

    return make


def _ecr(facts: Facts) -> wire.Properties:
    name = facts.inputs["name"]
    url = f"{ACCOUNT}.dkr.ecr.{facts.region}.amazonaws.com/{name}"
    return {"id": name, "arn": facts.arn(f"ecr:repository/{name}"), "registryId": ACCOUNT, "repositoryUrl": url}


def _ecr_public(facts: Facts) -> wire.Properties:
    name = facts.inputs["repositoryName"]
    arn = facts.arn(f"ecr-public:repository/{name}", region="")
    return {"id": name, "arn": arn, "registryId": ACCOUNT, "repositoryUri": f"public.ecr.aws/z1y2x3w4/{name}"}


def _named(service: str, kind: str) -> Make:
    """The ARN ends in the name, and is the id."""

    def make(facts: Facts) -> wire.Properties:
        arn = facts.arn(f"{service}:{kind}/{facts.inputs['name']}")
        return {"id": arn, "arn": arn}

    return make


def _task_definition(facts: Facts) -> wire.Properties:
    family = facts.inputs["family"]
    facts.state.revisions[family] += 1
    revision = facts.state.revisions[family]
    bare = facts.arn(f"ecs:task-definition/{family}")
    return {"id": family, "arn": f"{bare}:{revision}", "arnWithoutRevision": bare, "revision": revision}


def _ecs_service(facts: Facts) -> wire.Properties:
    cluster = facts.inputs.get("cluster", "default").rsplit("/", 1)[-1]
    arn = facts.arn(f"ecs:service/{cluster}/{facts.inputs['name']}")
    return {"id": arn, "arn": arn}


def _launch_template(facts: Facts) -> wire.Properties:
    return _ec2("lt", "launch-template")(facts) | {"latestVersion": 1, "defaultVersion": 1}


def _auto_scaling_group(facts: Facts) -> wire.Properties:
    name = facts.inputs["name"]
    return {"id": name, "arn": facts.arn(f"autoscaling:autoScalingGroup:{facts.hex(32)}:autoScalingGroupName/{name}")}


def _scaling_policy(facts: Facts) -> wire.Properties:
    inputs = facts.inputs
    resource = f"resource/{inputs['serviceNamespace']}/{inputs['resourceId']}:policyName/{inputs['name']}"
    return {"id": inputs["name"], "arn": facts.arn(f"autoscaling:scalingPolicy:{facts.hex(32)}:{resource}")}


def _eks_cluster(facts: Facts) -> wire.Properties:
    name, digits = facts.inputs["name"], facts.hex(32).upper()
    subnets = [facts.state.find(SUBNET, each) for each in wire.values(facts.inputs, "vpcConfig.subnetIds")]
    vpc = next((each.get("vpcId") for each in subnets if each), "")
    made = {"clusterSecurityGroupId": f"sg-{facts.hex()}", "vpcId": vpc}
    return {
        "id": name,
        "arn": facts.arn(f"eks:cluster/{name}"),
        "endpoint": f"https://{digits}.gr7.{facts.region}.eks.amazonaws.com",
        "certificateAuthority": {"data": "cmVoZWFyc2Fs"},
        "certificateAuthorities": [{"data": "cmVoZWFyc2Fs"}],
        "identities": [{"oidcs": [{"issuer": f"https://oidc.eks.{facts.region}.amazonaws.com/id/{digits}"}]}],
        "platformVersion": "eks.1",
        "status": "ACTIVE",
        "version": facts.inputs.get("version", "1.34"),
        "vpcConfig": facts.inputs["vpcConfig"] | made,
    }


def _of_cluster(kind: str, key: str) -> Make:
    def make(facts: Facts) -> wire.Properties:
        cluster, own = facts.inputs["clusterName"], facts.inputs[key]
        arn = facts.arn(f"eks:{kind}/{cluster}/{own.rsplit('/', 1)[-1]}/{facts.hex(8)}")
        ids = {"addonName": "arn", "principalArn": "accessEntryArn", "serviceAccount": "associationArn"}
        return {"id": f"{cluster}:{own}", ids[key]: arn}

    return make


NAME = Name()
IAM_NAME = Name(longest=64)
ELB_NAME = Name(longest=32)


def _keys(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _bucket_part(seconds: float = 1) -> Rule:
    return Rule(_of("{bucket}"), (seconds, seconds, 1), _keys("bucket"), refs=(Ref("bucket", BUCKET, holds=False),))


def _group_rule() -> Rule:
    return Rule(
        _ec2("sgr", "security-group-rule"),
        (1, 1, 1),
        _keys("securityGroupId"),
        refs=(
            Ref("securityGroupId", SECURITY_GROUP, holds=False),
            Ref("referencedSecurityGroupId", SECURITY_GROUP),
        ),
        unique=("securityGroupId", "referencedSecurityGroupId", "ipProtocol", "fromPort", "toPort"),
        taken="InvalidPermission.Duplicate",
    )


FORWARDED = ("targetGroupArn", "forward.targetGroups.arn")
"""Where a listener's or rule's action names its target groups."""

_VPC_REF = Ref("vpcId", VPC)

RULES: Mapping[str, Rule] = {
    VPC: Rule(_vpc, (12, 2, 1), _keys("cidrBlock instanceTenancy"), missing="InvalidVpcID.NotFound"),
    SUBNET: Rule(
        _ec2("subnet", "subnet"),
        (11, 11, 1),
        _keys("vpcId cidrBlock availabilityZone"),
        refs=(_VPC_REF,),
        unique=("vpcId", "cidrBlock"),
        taken="InvalidSubnet.Conflict",
        missing="InvalidSubnetID.NotFound",
    ),
    INTERNET_GATEWAY: Rule(
        _ec2("igw", "internet-gateway"), (1, 1, 1), refs=(_VPC_REF,), missing="InvalidInternetGatewayID.NotFound"
    ),
    ROUTE_TABLE: Rule(
        _ec2("rtb", "route-table"), (1, 1, 1), _keys("vpcId"), refs=(_VPC_REF,), missing="InvalidRouteTableID.NotFound"
    ),
    ROUTE: Rule(
        _of("r-{routeTableId}{hex}"),
        (1, 1, 1),
        _keys("routeTableId destinationCidrBlock destinationIpv6CidrBlock"),
        refs=(
            Ref("routeTableId", ROUTE_TABLE, holds=False),
            Ref("gatewayId", INTERNET_GATEWAY, holds=False),
            Ref("natGatewayId", NAT_GATEWAY, holds=False),
        ),
        unique=("routeTableId", "destinationCidrBlock"),
        taken="RouteAlreadyExists",
    ),
    ROUTE_TABLE_ASSOCIATION: Rule(
        _id("rtbassoc"),
        (1, 1, 1),
        _keys("subnetId gatewayId"),
        refs=(Ref("routeTableId", ROUTE_TABLE), Ref("subnetId", SUBNET, holds=False)),
        unique=("subnetId",),
        taken="Resource.AlreadyAssociated",
    ),
    EIP: Rule(
        _address,
        (1, 1, 1),
        _keys("domain"),
        refs=(Ref("networkInterface", NETWORK_INTERFACE, holds=False),),
        in_use="AuthFailure",
        missing="InvalidAllocationID.NotFound",
    ),
    NAT_GATEWAY: Rule(
        _id("nat"),
        (105, 1, 65),
        _keys("allocationId subnetId connectivityType"),
        refs=(Ref("allocationId", EIP), Ref("subnetId", SUBNET)),
        missing="NatGatewayNotFound",
    ),
    NETWORK_INTERFACE: Rule(
        _interface,
        (2, 1, 1),
        _keys("subnetId privateIp"),
        refs=(Ref("subnetId", SUBNET), Ref("securityGroups", SECURITY_GROUP)),
        missing="InvalidNetworkInterfaceID.NotFound",
        in_use="InvalidNetworkInterface.InUse",
    ),
    INSTANCE: Rule(
        _instance,
        (30, 60, 45),
        _keys("ami primaryNetworkInterface userData rootBlockDevice.encrypted"),
        refs=(
            Ref("primaryNetworkInterface.networkInterfaceId", NETWORK_INTERFACE),
            Ref("iamInstanceProfile", INSTANCE_PROFILE, holds=False),
        ),
        unique=("primaryNetworkInterface.networkInterfaceId",),
        taken="InvalidNetworkInterface.InUse",
        missing="InvalidInstanceID.NotFound",
    ),
    VPC_ENDPOINT: Rule(
        _ec2("vpce", "vpc-endpoint"),
        (70, 40, 15),
        _keys("vpcId serviceName vpcEndpointType"),
        refs=(
            _VPC_REF,
            Ref("subnetIds", SUBNET),
            Ref("securityGroupIds", SECURITY_GROUP),
            Ref("routeTableIds", ROUTE_TABLE, holds=False),
        ),
    ),
    DEFAULT_SECURITY_GROUP: Rule(_default_group, (2, 1, 0), _keys("vpcId"), refs=(Ref("vpcId", VPC, holds=False),)),
    SECURITY_GROUP: Rule(
        _ec2("sg", "security-group"),
        (3, 1, 1),
        _keys("name namePrefix description vpcId"),
        NAME,
        refs=(_VPC_REF,),
        unique=("vpcId", "name"),
        taken="InvalidGroup.Duplicate",
        missing="InvalidGroup.NotFound",
    ),
    INGRESS_RULE: _group_rule(),
    EGRESS_RULE: _group_rule(),
    LOAD_BALANCER: Rule(
        _load_balancer,
        (150, 5, 15),
        _keys("name namePrefix internal loadBalancerType"),
        ELB_NAME,
        refs=(
            Ref("subnets", SUBNET),
            Ref("securityGroups", SECURITY_GROUP),
            Ref("accessLogs.bucket", BUCKET, holds=False),
        ),
        unique=("name",),
        taken="DuplicateLoadBalancerName",
        missing="LoadBalancerNotFound",
    ),
    LISTENER: Rule(
        _below("listener", "loadBalancerArn"),
        (1, 1, 1),
        _keys("loadBalancerArn"),
        refs=(
            Ref("loadBalancerArn", LOAD_BALANCER, holds=False),
            Ref("certificateArn", CERTIFICATE),
            *(Ref(f"defaultActions.{path}", TARGET_GROUP) for path in FORWARDED),
        ),
        unique=("loadBalancerArn", "port"),
        taken="DuplicateListener",
        missing="ListenerNotFound",
    ),
    TARGET_GROUP: Rule(
        _target_group,
        (1, 1, 1),
        _keys("name namePrefix port protocol protocolVersion vpcId targetType ipAddressType"),
        ELB_NAME,
        refs=(Ref("vpcId", VPC, holds=False),),
        unique=("name",),
        taken="DuplicateTargetGroupName",
        missing="TargetGroupNotFound",
        in_use="ResourceInUse",
    ),
    TARGET_GROUP_ATTACHMENT: Rule(
        _of("{targetGroupArn}-{hex}"),
        (1, 1, 1),
        _keys("targetGroupArn targetId port availabilityZone"),
        refs=(Ref("targetGroupArn", TARGET_GROUP, holds=False),),
    ),
    LISTENER_RULE: Rule(
        _rule,
        (1, 1, 1),
        _keys("listenerArn"),
        refs=(Ref("listenerArn", LISTENER, holds=False), *(Ref(f"actions.{path}", TARGET_GROUP) for path in FORWARDED)),
        unique=("listenerArn", "priority"),
        taken="PriorityInUse",
    ),
    CERTIFICATE: Rule(
        _certificate,
        (8, 1, 1),
        _keys("domainName subjectAlternativeNames validationMethod keyAlgorithm"),
        missing="ResourceNotFoundException",
        in_use="ResourceInUseException",
    ),
    CERTIFICATE_VALIDATION: Rule(
        _of("{hex}"),
        (90, 1, 0),
        _keys("certificateArn validationRecordFqdns"),
        refs=(Ref("certificateArn", CERTIFICATE, holds=False),),
    ),
    RECORD: Rule(_record, (35, 35, 35), _keys("zoneId name setIdentifier")),
    BUCKET: Rule(
        _bucket,
        (2, 1, 1),
        _keys("bucket bucketPrefix objectLockEnabled"),
        Name("bucket", 63, lower=True),
        unique=("bucket",),
        taken="BucketAlreadyOwnedByYou",
        missing="NoSuchBucket",
        regional=False,
    ),
    BUCKET_PUBLIC_ACCESS_BLOCK: _bucket_part(),
    BUCKET_POLICY: _bucket_part(),
    BUCKET_LIFECYCLE: _bucket_part(30),
    LOG_GROUP: Rule(
        _log_group,
        (1, 1, 1),
        _keys("name namePrefix logGroupClass"),
        Name(longest=512),
        unique=("name",),
        taken="ResourceAlreadyExistsException",
    ),
    SECRET: Rule(
        _secret,
        (1, 1, 1),
        _keys("name namePrefix"),
        Name(longest=512),
        unique=("name",),
        taken="ResourceExistsException",
        missing="ResourceNotFoundException",
    ),
    SECRET_VERSION: Rule(
        _secret_version,
        (1, 1, 1),
        _keys("secretId secretString secretBinary"),
        refs=(Ref("secretId", SECRET, holds=False),),
    ),
    SECRET_POLICY: Rule(
        _of("{secretArn}"), (1, 1, 1), _keys("secretArn"), refs=(Ref("secretArn", SECRET, holds=False),)
    ),
    ROLE: Rule(
        _iam("role"),
        (1, 1, 1),
        _keys("name namePrefix path"),
        IAM_NAME,
        unique=("name",),
        taken="EntityAlreadyExists",
        missing="NoSuchEntity",
        in_use="DeleteConflict",
        regional=False,
    ),
    ROLE_POLICY: Rule(
        _of("{role}:{name}"), (1, 1, 1), _keys("role name namePrefix"), Name(longest=128), refs=(Ref("role", ROLE),)
    ),
    ROLE_POLICY_ATTACHMENT: Rule(_of("{role}-{hex}"), (1, 1, 1), _keys("role policyArn"), refs=(Ref("role", ROLE),)),
    INSTANCE_PROFILE: Rule(
        _iam("instance-profile"),
        (7, 1, 1),
        _keys("name namePrefix path"),
        Name(longest=128),
        refs=(Ref("role", ROLE),),
        unique=("name",),
        taken="EntityAlreadyExists",
        regional=False,
    ),
    ECR_REPOSITORY: Rule(
        _ecr,
        (1, 1, 1),
        _keys("name encryptionConfigurations"),
        Name(longest=256, lower=True),
        unique=("name",),
        taken="RepositoryAlreadyExistsException",
        missing="RepositoryNotFoundException",
    ),
    ECR_LIFECYCLE: Rule(
        _of("{repository}"),
        (1, 1, 1),
        _keys("repository policy"),
        refs=(Ref("repository", ECR_REPOSITORY, holds=False),),
    ),
    ECR_CACHE_RULE: Rule(
        _of("{ecrRepositoryPrefix}"),
        (1, 1, 1),
        _keys("ecrRepositoryPrefix upstreamRegistryUrl upstreamRepositoryPrefix"),
        refs=(Ref("credentialArn", SECRET, holds=False),),
        unique=("ecrRepositoryPrefix",),
        taken="PullThroughCacheRuleAlreadyExistsException",
    ),
    ECR_PUBLIC_REPOSITORY: Rule(
        _ecr_public,
        (2, 1, 1),
        _keys("repositoryName"),
        unique=("repositoryName",),
        taken="RepositoryAlreadyExistsException",
    ),
    ECS_CLUSTER: Rule(
        _named("ecs", "cluster"),
        (11, 10, 11),
        _keys("name"),
        NAME,
        missing="ClusterNotFoundException",
        in_use="ClusterContainsServicesException",
    ),
    LAUNCH_TEMPLATE: Rule(
        _launch_template,
        (2, 2, 1),
        _keys("name namePrefix"),
        Name(longest=128),
        refs=(
            Ref("iamInstanceProfile.arn", INSTANCE_PROFILE, holds=False),
            Ref("networkInterfaces.securityGroups", SECURITY_GROUP, holds=False),
        ),
        unique=("name",),
        taken="InvalidLaunchTemplateName.AlreadyExistsException",
        missing="InvalidLaunchTemplateId.NotFound",
        counts="latestVersion",
    ),
    AUTO_SCALING_GROUP: Rule(
        _auto_scaling_group,
        (75, 5, 60),
        _keys("name namePrefix"),
        NAME,
        refs=(
            Ref(
                "mixedInstancesPolicy.launchTemplate.launchTemplateSpecification.launchTemplateId",
                LAUNCH_TEMPLATE,
                holds=False,
            ),
            Ref("vpcZoneIdentifiers", SUBNET),
        ),
        unique=("name",),
        missing="ValidationError",
    ),
    AUTO_SCALING_ATTACHMENT: Rule(
        _of("{autoscalingGroupName}-{hex}"),
        (2, 1, 2),
        _keys("autoscalingGroupName lbTargetGroupArn elb"),
        refs=(
            Ref("autoscalingGroupName", AUTO_SCALING_GROUP, holds=False),
            Ref("lbTargetGroupArn", TARGET_GROUP, holds=False),
        ),
    ),
    SSM_PARAMETER: Rule(
        _parameter,
        (1, 1, 1),
        _keys("name"),
        unique=("name",),
        taken="ParameterAlreadyExists",
    ),
    CAPACITY_PROVIDER: Rule(
        _named("ecs", "capacity-provider"),
        (2, 5, 10),
        _keys("name autoScalingGroupProvider.autoScalingGroupArn"),
        NAME,
        refs=(Ref("autoScalingGroupProvider.autoScalingGroupArn", AUTO_SCALING_GROUP, holds=False),),
        unique=("autoScalingGroupProvider.autoScalingGroupArn",),
        taken="ClientException",
    ),
    ECS_PROVIDERS: Rule(
        _of("{clusterName}"), (12, 12, 12), _keys("clusterName"), refs=(Ref("clusterName", ECS_CLUSTER, holds=False),)
    ),
    TASK_DEFINITION: Rule(
        _task_definition,
        (1, 1, 1),
        EVERYTHING,
        Name("family"),
        refs=(Ref("executionRoleArn", ROLE, holds=False), Ref("taskRoleArn", ROLE, holds=False)),
        missing="ClientException",
    ),
    ECS_SERVICE: Rule(
        _ecs_service,
        (150, 210, 75),
        _keys("name cluster launchType schedulingStrategy iamRole deploymentController"),
        NAME,
        refs=(
            Ref("cluster", ECS_CLUSTER),
            Ref("taskDefinition", TASK_DEFINITION, holds=False),
            Ref("loadBalancers.targetGroupArn", TARGET_GROUP, holds=False),
            Ref("networkConfiguration.subnets", SUBNET),
            Ref("networkConfiguration.securityGroups", SECURITY_GROUP),
        ),
        unique=("cluster", "name"),
        taken="InvalidParameterException: Creation of service was not idempotent.",
        steady="waitForSteadyState",
    ),
    SCALING_TARGET: Rule(_of("{resourceId}"), (1, 1, 1), _keys("resourceId scalableDimension serviceNamespace")),
    SCALING_POLICY: Rule(_scaling_policy, (1, 1, 1), _keys("name resourceId scalableDimension serviceNamespace"), NAME),
    EKS_CLUSTER: Rule(
        _eks_cluster,
        (540, 300, 210),
        _keys(
            "name roleArn bootstrapSelfManagedAddons outpostConfig encryptionConfig vpcConfig.securityGroupIds"
            " accessConfig.bootstrapClusterCreatorAdminPermissions"
            " kubernetesNetworkConfig.ipFamily kubernetesNetworkConfig.serviceIpv4Cidr"
        ),
        NAME,
        refs=(
            Ref("roleArn", ROLE, holds=False),
            Ref("computeConfig.nodeRoleArn", ROLE, holds=False),
            Ref("vpcConfig.subnetIds", SUBNET),
            Ref("vpcConfig.securityGroupIds", SECURITY_GROUP),
        ),
        unique=("name",),
        taken="ResourceInUseException",
        missing="ResourceNotFoundException",
    ),
    EKS_ADDON: Rule(
        _of_cluster("addon", "addonName"),
        (45, 60, 20),
        _keys("clusterName addonName"),
        refs=(Ref("clusterName", EKS_CLUSTER, holds=False),),
        unique=("clusterName", "addonName"),
        taken="ResourceInUseException",
    ),
    ACCESS_ENTRY: Rule(
        _of_cluster("access-entry", "principalArn"),
        (1, 1, 1),
        _keys("clusterName principalArn type"),
        refs=(Ref("clusterName", EKS_CLUSTER, holds=False),),
        unique=("clusterName", "principalArn"),
        taken="ResourceInUseException",
    ),
    ACCESS_POLICY: Rule(
        _of("{clusterName}#{principalArn}#{policyArn}"),
        (1, 1, 1),
        EVERYTHING,
        refs=(Ref("clusterName", EKS_CLUSTER, holds=False),),
    ),
    POD_IDENTITY: Rule(
        _of_cluster("podidentityassociation", "serviceAccount"),
        (2, 2, 1),
        _keys("clusterName namespace serviceAccount"),
        refs=(Ref("clusterName", EKS_CLUSTER, holds=False),),
        unique=("clusterName", "namespace", "serviceAccount"),
        taken="ResourceInUseException",
    ),
}
