"""What a person would write for stack `dev` by hand: the same resources, flat, with pulumi-aws alone."""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

ASSUME = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": ["sts:AssumeRole"]}
        ],
    }
)
RETENTION = json.dumps(
    {
        "rules": [
            {
                "rulePriority": 1,
                "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 30},
                "action": {"type": "expire"},
            }
        ]
    }
)


@dataclass(frozen=True)
class Shared:
    """What all services stand on."""

    vpc: aws.ec2.Vpc
    subnets: list[aws.ec2.Subnet]
    ready: list[pulumi.Resource]
    """What the way out of the subnets needs."""
    logs: aws.cloudwatch.LogGroup
    callers: aws.ec2.SecurityGroup
    listener: aws.lb.Listener
    cluster: aws.ecs.Cluster
    providers: aws.ecs.ClusterCapacityProviders


def flat(services: dict[str, str]) -> None:
    """Register the stack. `services` is name -> digest; every service has two replicas on Fargate."""
    vpc, subnets, ready = network()
    logs = aws.cloudwatch.LogGroup("logs", name="/switchyard-dev", retention_in_days=7)
    callers, balancer, listener = edge(vpc, subnets, ready)
    cluster = aws.ecs.Cluster("cluster")
    providers = aws.ecs.ClusterCapacityProviders(
        "cluster", cluster_name=cluster.name, capacity_providers=["FARGATE", "FARGATE_SPOT"]
    )
    shared = Shared(vpc, subnets, ready, logs, callers, listener, cluster, providers)
    for place, (name, digest) in enumerate(sorted(services.items())):
        service(name, digest, place, shared)
    pulumi.export("url", pulumi.Output.concat("http://", balancer.dns_name))


def network() -> tuple[aws.ec2.Vpc, list[aws.ec2.Subnet], list[pulumi.Resource]]:
    """A VPC with two public subnets, and what their way out needs."""
    vpc = aws.ec2.Vpc("network", cidr_block="10.0.0.0/16", enable_dns_hostnames=True, enable_dns_support=True)
    aws.ec2.DefaultSecurityGroup("network", vpc_id=vpc.id, ingress=[], egress=[])
    zones = aws.get_availability_zones_output(
        state="available", filters=[{"name": "opt-in-status", "values": ["opt-in-not-required"]}]
    ).names
    gateway = aws.ec2.InternetGateway("network", vpc_id=vpc.id)
    table = aws.ec2.RouteTable("network", vpc_id=vpc.id)
    route = aws.ec2.Route("network", route_table_id=table.id, destination_cidr_block="0.0.0.0/0", gateway_id=gateway.id)
    subnets = [
        aws.ec2.Subnet(
            f"network-{index}",
            vpc_id=vpc.id,
            cidr_block=f"10.0.{16 * index}.0/20",
            availability_zone=zones[index],
            map_public_ip_on_launch=True,
        )
        for index in range(2)
    ]
    ready: list[pulumi.Resource] = [route]
    ready += [
        aws.ec2.RouteTableAssociation(f"network-{index}", subnet_id=subnet.id, route_table_id=table.id)
        for index, subnet in enumerate(subnets)
    ]
    return vpc, subnets, ready


def edge(
    vpc: aws.ec2.Vpc, subnets: list[aws.ec2.Subnet], ready: list[pulumi.Resource]
) -> tuple[aws.ec2.SecurityGroup, aws.lb.LoadBalancer, aws.lb.Listener]:
    """A load balancer that callers reach by HTTP."""
    callers = aws.ec2.SecurityGroup("edge", description="Callers to the load balancer", vpc_id=vpc.id)
    aws.vpc.SecurityGroupIngressRule(
        "edge", security_group_id=callers.id, cidr_ipv4="0.0.0.0/0", ip_protocol="tcp", from_port=80, to_port=80
    )
    aws.vpc.SecurityGroupEgressRule("edge", security_group_id=callers.id, cidr_ipv4=vpc.cidr_block, ip_protocol="-1")
    balancer = aws.lb.LoadBalancer(
        "edge",
        load_balancer_type="application",
        security_groups=[callers.id],
        subnets=[subnet.id for subnet in subnets],
        drop_invalid_header_fields=True,
        opts=pulumi.ResourceOptions(depends_on=ready),
    )
    listener = aws.lb.Listener(
        "edge",
        load_balancer_arn=balancer.arn,
        port=80,
        protocol="HTTP",
        default_actions=[
            {
                "type": "fixed-response",
                "fixed_response": {"content_type": "text/plain", "message_body": "", "status_code": "404"},
            }
        ],
    )
    return callers, balancer, listener


def service(name: str, digest: str, place: int, shared: Shared) -> None:
    """One service, with all that it has of its own."""
    repository = aws.ecr.Repository(
        name,
        name=f"switchyard-dev/{name}",
        image_tag_mutability="IMMUTABLE",
        image_scanning_configuration={"scan_on_push": True},
        force_delete=True,
    )
    aws.ecr.LifecyclePolicy(name, repository=repository.name, policy=RETENTION)
    execution, policy = may_start(name, repository, shared)
    task = definition(name, pulumi.Output.concat(repository.repository_url, "@", digest), execution, shared)
    group, conditions, warm_up = routes(name, place, shared)
    running = replicas(name, task, group, [warm_up, policy], shared)
    aws.lb.ListenerRule(
        name,
        listener_arn=shared.listener.arn,
        priority=10_001 + place,
        conditions=conditions,
        actions=[{"type": "forward", "forward": {"target_groups": [{"arn": group.arn, "weight": 100}]}}],
        opts=pulumi.ResourceOptions(depends_on=[running]),
    )


def may_start(name: str, repository: aws.ecr.Repository, shared: Shared) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
    """The role that pulls and logs."""
    execution = aws.iam.Role(f"{name}-execution", assume_role_policy=ASSUME)
    policy = aws.iam.RolePolicy(
        f"{name}-execution",
        role=execution.name,
        policy=pulumi.Output.json_dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                        "Resource": [pulumi.Output.concat(shared.logs.arn, f":log-stream:{name}/*")],
                    },
                    {"Effect": "Allow", "Action": ["ecr:GetAuthorizationToken"], "Resource": ["*"]},
                    {
                        "Effect": "Allow",
                        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                        "Resource": [repository.arn],
                    },
                ],
            }
        ),
    )
    return execution, policy


def definition(name: str, image: pulumi.Output[str], execution: aws.iam.Role, shared: Shared) -> aws.ecs.TaskDefinition:
    """What a replica is."""
    task_role = aws.iam.Role(f"{name}-task", assume_role_policy=ASSUME)
    return aws.ecs.TaskDefinition(
        name,
        family=f"switchyard-dev-{name}",
        requires_compatibilities=["FARGATE"],
        network_mode="awsvpc",
        cpu="256",
        memory="512",
        execution_role_arn=execution.arn,
        task_role_arn=task_role.arn,
        container_definitions=pulumi.Output.json_dumps(
            [
                {
                    "name": name,
                    "image": image,
                    "portMappings": [{"containerPort": 8080}],
                    "environment": [{"name": "PORT", "value": "8080"}],
                    "logConfiguration": {
                        "logDriver": "awslogs",
                        "options": {
                            "awslogs-group": shared.logs.name,
                            "awslogs-region": "us-east-1",
                            "awslogs-stream-prefix": name,
                        },
                    },
                }
            ]
        ),
    )


def routes(
    name: str, place: int, shared: Shared
) -> tuple[aws.lb.TargetGroup, list[aws.lb.ListenerRuleConditionArgsDict], aws.lb.ListenerRule]:
    """The group of the replicas, what leads to it, and the rule by which it is tried first."""
    group = aws.lb.TargetGroup(
        name,
        name_prefix=f"{name[:5]}-",
        port=8080,
        protocol="HTTP",
        target_type="ip",
        vpc_id=shared.vpc.id,
        deregistration_delay=30,
        health_check={"path": "/healthz", "matcher": "200-299", "interval": 10, "timeout": 5},
    )
    conditions: list[aws.lb.ListenerRuleConditionArgsDict] = [
        {"path_pattern": {"values": ["/*"]}},
        {"host_header": {"values": [f"{name}.example.com"]}},
    ]
    warm_up = aws.lb.ListenerRule(
        f"{name}-warm-up",
        listener_arn=shared.listener.arn,
        priority=1 + place,
        conditions=[
            {"http_header": {"http_header_name": "x-switchyard-to", "values": ["ecs-fargate"]}},
            *conditions,
        ],
        actions=[{"type": "forward", "target_group_arn": group.arn}],
    )
    return group, conditions, warm_up


def replicas(
    name: str, task: aws.ecs.TaskDefinition, group: aws.lb.TargetGroup, ready: list[pulumi.Resource], shared: Shared
) -> aws.ecs.Service:
    """Two replicas, reached by the load balancer alone."""
    closed = aws.ec2.SecurityGroup(name, description=f"Copies of {name}", vpc_id=shared.vpc.id)
    aws.vpc.SecurityGroupEgressRule(name, security_group_id=closed.id, cidr_ipv4="0.0.0.0/0", ip_protocol="-1")
    aws.vpc.SecurityGroupIngressRule(
        name,
        security_group_id=closed.id,
        referenced_security_group_id=shared.callers.id,
        ip_protocol="tcp",
        from_port=8080,
        to_port=8080,
    )
    return aws.ecs.Service(
        name,
        cluster=shared.cluster.arn,
        task_definition=task.arn,
        desired_count=2,
        capacity_provider_strategies=[{"capacity_provider": "FARGATE", "weight": 1}],
        wait_for_steady_state=True,
        network_configuration={
            "subnets": [subnet.id for subnet in shared.subnets],
            "security_groups": [closed.id],
            "assign_public_ip": True,
        },
        load_balancers=[{"target_group_arn": group.arn, "container_name": name, "container_port": 8080}],
        opts=pulumi.ResourceOptions(depends_on=[*ready, shared.providers, *shared.ready]),
    )
