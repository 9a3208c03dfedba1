"""What each part of a stack takes on AWS. tests/engine/test_deploy_role.py holds it against what is really made."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from components.aws.access import RANDOM, AwsAccess
from components.network_options import Kind

ROLES = frozenset({"aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"})
PROFILE = "aws:iam/instanceProfile:InstanceProfile"
GROUP = frozenset({"aws:ec2/securityGroup:SecurityGroup", "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"})
LET_IN = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
SECRETS = AwsAccess(
    types=frozenset({"aws:secretsmanager/secret:Secret", "aws:secretsmanager/secretVersion:SecretVersion"}),
)
OF_SERVICES = AwsAccess(arns=("secretsmanager:{region}:{account}:secret:*--*",))
"""Secrets of services; no other name has two dashes in a row."""
PUBLIC = "ssm:{region}::parameter/aws/service/*"
IMAGES = AwsAccess(looks_up={"ssm:GetParameter": PUBLIC}, arns=(PUBLIC,))
"""AWS's public parameters that name images of instances."""

VPC = AwsAccess(
    types=frozenset(
        {
            "aws:ec2/vpc:Vpc",
            "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
            "aws:ec2/internetGateway:InternetGateway",
            "aws:ec2/routeTable:RouteTable",
            "aws:ec2/route:Route",
            "aws:ec2/routeTableAssociation:RouteTableAssociation",
            "aws:ec2/subnet:Subnet",
        }
    ),
    looks_up={"ec2:DescribeAvailabilityZones": "*"},
)
WAYS_OUT = {
    "public": AwsAccess(),
    "nat-single": AwsAccess(types=frozenset({"aws:ec2/eip:Eip", "aws:ec2/natGateway:NatGateway", ENDPOINT})),
    "nat-per-az": AwsAccess(types=frozenset({"aws:ec2/eip:Eip", "aws:ec2/natGateway:NatGateway", ENDPOINT})),
    "endpoints": AwsAccess(types=frozenset({"aws:ec2/securityGroup:SecurityGroup", LET_IN, ENDPOINT})),
}
GROUPS = AwsAccess(
    types=frozenset({"aws:lb/targetGroup:TargetGroup", "aws:lb/listenerRule:ListenerRule"}),
    calls=frozenset(
        {"elasticloadbalancing:DescribeTargetHealth", "cloudwatch:GetMetricData", "cloudwatch:DescribeAlarms"}
    ),
)
"""What every service has at the edge, the gate that looks whether it is healthy, and the guard of a switch."""
BALANCER = AwsAccess(
    types=frozenset({"aws:lb/loadBalancer:LoadBalancer", "aws:lb/listener:Listener", LET_IN, *GROUP}),
)
RECORD = AwsAccess(
    types=frozenset({"aws:route53/record:Record"}),
    looks_up=dict.fromkeys(("route53:GetHostedZone", "route53:ListHostedZones", "route53:ListTagsForResource"), "*"),
)
"""Of a name in a zone."""
DOMAIN = RECORD | AwsAccess(
    types=frozenset({"aws:acm/certificate:Certificate", "aws:acm/certificateValidation:CertificateValidation"}),
)
WAF = AwsAccess(types=frozenset({"aws:wafv2/webAclAssociation:WebAclAssociation"}))
ACCESS_LOGS = AwsAccess(
    types=frozenset(
        {
            "aws:s3/bucket:Bucket",
            "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
            "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
            "aws:s3/bucketPolicy:BucketPolicy",
        }
    ),
    arns=("s3:::edge-logs-*", "s3:::edge-logs-*/*"),
)
FLOW_LOGS = AwsAccess(
    types=frozenset({"aws:ec2/flowLog:FlowLog", "aws:cloudwatch/logGroup:LogGroup", *ROLES}),
    looks_up={"sts:GetCallerIdentity": "*"},
    arns=("logs:{region}:{account}:log-group:/{stack}/flow", "logs:{region}:{account}:log-group:/{stack}/flow:*"),
    roles=(f"network-flow{RANDOM}",),
)
LOGS = AwsAccess(
    types=frozenset({"aws:cloudwatch/logGroup:LogGroup"}),
    arns=("logs:{region}:{account}:log-group:/{stack}", "logs:{region}:{account}:log-group:/{stack}:*"),
)

ECS = (
    AwsAccess(
        types=frozenset(
            {
                "aws:ecs/cluster:Cluster",
                "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders",
                "aws:ecs/taskDefinition:TaskDefinition",
                "aws:ecs/service:Service",
                "aws:appautoscaling/target:Target",
                "aws:appautoscaling/policy:Policy",
                "aws:scheduler/schedule:Schedule",
                LET_IN,
                *GROUP,
                *ROLES,
            }
        ),
        # A release command is a task, run by the program.
        calls=frozenset({"ecs:RunTask", "ecs:DescribeTasks", "ecs:StopTask", "logs:GetLogEvents"}),
        arns=("scheduler:{region}:{account}:schedule/default/*--*",),
        roles=tuple(f"*-{each}{RANDOM}" for each in ("task", "execution", "jobs")),
    )
    | SECRETS
    | OF_SERVICES
)
INSTANCES = IMAGES | AwsAccess(
    types=frozenset({"aws:ec2/launchTemplate:LaunchTemplate", "aws:autoscaling/group:Group", PROFILE})
)
ECS_EC2 = (
    ECS
    | INSTANCES
    | AwsAccess(types=frozenset({"aws:ecs/capacityProvider:CapacityProvider"}), roles=(f"ecs-ec2{RANDOM}",))
)
EKS = AwsAccess(
    types=frozenset(
        {
            "aws:eks/cluster:Cluster",
            "aws:eks/addon:Addon",
            "aws:eks/podIdentityAssociation:PodIdentityAssociation",
            "aws:eks/accessEntry:AccessEntry",
            "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
            "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
            "aws:cloudwatch/logGroup:LogGroup",
            LET_IN,
            *ROLES,
        }
    ),
    arns=(
        "eks:{region}:{account}:*/{stack}",
        "eks:{region}:{account}:*/{stack}/*",
        "logs:{region}:{account}:log-group:/aws/eks/{stack}/*",
    ),
    roles=tuple(f"{each}{RANDOM}" for each in ("*-pod", "eks-logs", "eks-eksRole-role", "eks-nodeRole-role")),
)
SWARM = (
    AwsAccess(
        types=frozenset(
            {
                "aws:ec2/instance:Instance",
                "aws:ec2/networkInterface:NetworkInterface",
                "aws:ec2/eip:Eip",
                "aws:autoscaling/attachment:Attachment",
                "aws:lb/targetGroupAttachment:TargetGroupAttachment",
                "aws:ssm/parameter:Parameter",
                "aws:secretsmanager/secretPolicy:SecretPolicy",
                LET_IN,
                *GROUP,
                *ROLES,
            }
        ),
        calls=frozenset({"ssm:DescribeInstanceInformation", "ssm:GetCommandInvocation"}),
        arns=(
            "ssm:{region}:{account}:parameter/{stack}/*",
            "ssm:{region}:{account}:parameter/swarm-ec2/{stack}/*",
        ),
        roles=(f"swarm-ec2-manager{RANDOM}", f"swarm-ec2-worker{RANDOM}"),
        commands="switchyard-swarm",
    )
    | INSTANCES
    | SECRETS
    | OF_SERVICES
)

OF_KEY = frozenset(
    (
        # Secrets Manager acts for whoever calls; ECR and EKS are given grants (their guides on encryption).
        *(f"kms:{each}" for each in ("CreateGrant", "Decrypt", "Encrypt", "GenerateDataKey", "RetireGrant")),
        "logs:AssociateKmsKey",
    )
)
OF_KEY_ON_EKS = frozenset({"eks:AssociateEncryptionConfig", "eks:DescribeUpdate"})
"""With which a cluster that is there gets the key."""


THEIR_GROUPS = AwsAccess(looks_up={"ec2:DescribeSecurityGroups": "*"})


def own_key(arn: str, types: Collection[str]) -> AwsAccess:
    """What it takes that a KMS key of someone's encrypts what is kept, where these types are made."""
    place = arn.split(":", 2)[2]  # the account may be another one
    calls = OF_KEY | (OF_KEY_ON_EKS if "aws:eks/cluster:Cluster" in types else frozenset())
    return AwsAccess(calls=calls, looks_up={"kms:DescribeKey": place}, arns=(place,))


def foundation(network: Kind | None, flow_logs: bool) -> Iterator[AwsAccess]:
    """What outlives every orchestrator, but for the edge. `network` None: it exists."""
    if network is None:
        yield AwsAccess(looks_up={"ec2:DescribeVpcs": "*"})
    else:
        yield VPC
        yield WAYS_OUT[network]
        if flow_logs:
            yield FLOW_LOGS
    yield LOGS
