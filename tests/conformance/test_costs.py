"""What backends say they cost: of every pair, and against what the program makes."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from components.estimate import Estimate
from components.orchestrator.ecs_ec2 import EcsEc2Options
from components.orchestrator.eks import NODE_DISK, NODES
from components.testing.engine import Graph, Node
from tests.conformance.pairs import EVERY, MOVES, ON_AWS, configuration, graph
from tests.conformance.priced import count, estimated
from tests.program import BLOCKS, EXISTING, config_for, run_program

Units = Mapping[str, Decimal | None]
"""Price key -> units all month long; None: by use. Of what has no price: its name in angle brackets."""
USED: None = None


def _endpoint(_: Graph, node: Node) -> Units:
    """Of S3's, which is a gateway, nothing costs."""
    if node.inputs["vpcEndpointType"] != "Interface":
        return {}
    return {"endpoint.hour": count(len(node.inputs["subnetIds"])), "endpoint.data": USED}


def _load_balancer(_: Graph, node: Node) -> Units:
    return {
        "alb.hour": count(1),
        "ipv4.hour": count(len(node.inputs["subnets"])),
        "alb.lcu": USED,
        "transfer.internet": USED,
        **({"<access logs>": USED} if "accessLogs" in node.inputs else {}),
    }


def _ecs_cluster(_: Graph, node: Node) -> Units:
    watched = {"name": "containerInsights", "value": "enabled"} in node.inputs["settings"]
    return {"ecs.cluster": count(1), **({"<metrics of Container Insights>": USED} if watched else {})}


def _ecs_service(found: Graph, node: Node) -> Units:
    """On EC2 the instances are paid for."""
    tasks = found.of("ecs/taskDefinition:TaskDefinition")
    (task,) = [each for each in tasks if (each.name, each.parent) == (node.name, node.parent)]
    if task.inputs["requiresCompatibilities"] != ["FARGATE"]:
        return {}
    replicas = count(node.inputs["desiredCount"])
    key = f"fargate.{task.inputs['runtimePlatform']['cpuArchitecture'].lower()}"
    public = node.inputs["networkConfiguration"]["assignPublicIp"]
    return {
        f"{key}.vcpu": replicas * count(task.inputs["cpu"]) / 1024,
        f"{key}.memory": replicas * count(task.inputs["memory"]) / 1024,
        **({"ipv4.hour": replicas} if public else {}),
    }


def _instance(_: Graph, node: Node) -> Units:
    """Its public address is an Eip of its own."""
    kind, disk = node.inputs["instanceType"], node.inputs["rootBlockDevice"]["volumeSize"]
    return {f"ec2.{kind}": count(1), "ebs.gp3": count(disk)}


def _group(found: Graph, node: Node) -> Units:
    """As many instances as always run."""
    launch = node.inputs["mixedInstancesPolicy"]["launchTemplate"]
    name = launch["launchTemplateSpecification"]["launchTemplateId"].removesuffix("-id")
    template = found.one("ec2/launchTemplate:LaunchTemplate", name).inputs
    instances = count(node.inputs["minSize"])
    public = template["networkInterfaces"][0]["associatePublicIpAddress"] == "true"
    return {
        f"ec2.{launch['overrides'][0]['instanceType']}": instances,
        "ebs.gp3": instances * count(template["blockDeviceMappings"][0]["ebs"]["volumeSize"]),
        **({"ipv4.hour": instances} if public else {}),
    }


def _kubernetes_service(_: Graph, node: Node) -> Units:
    return {"<the way in>": USED} if node.inputs["spec"].get("type") == "LoadBalancer" else {}


def always(**units: Decimal | int | None) -> Callable[[Graph, Node], Units]:
    """The same for each resource of a type."""
    return lambda _graph, _node: {
        key.replace("__", "-").replace("_", "."): each if each is None else count(each) for key, each in units.items()
    }


COSTS: Mapping[str, Callable[[Graph, Node], Units]] = {
    "aws:autoscaling/group:Group": _group,
    "aws:cloudwatch/logGroup:LogGroup": always(logs_ingest=USED, logs_storage=USED),
    "aws:ec2/eip:Eip": always(ipv4_hour=1),
    "aws:ec2/instance:Instance": _instance,
    "aws:ec2/natGateway:NatGateway": always(nat_hour=1, nat_data=USED),
    "aws:ec2/vpcEndpoint:VpcEndpoint": _endpoint,
    "aws:ecr/repository:Repository": always(ecr_storage=USED, ecr_pull=USED),
    "aws:ecrpublic/repository:Repository": always(ecr__public_storage=USED),
    "aws:ecs/cluster:Cluster": _ecs_cluster,
    "aws:ecs/service:Service": _ecs_service,
    "aws:lb/loadBalancer:LoadBalancer": _load_balancer,
    "aws:route53/record:Record": always(route53_zone=USED),
    "aws:s3/bucket:Bucket": lambda *_: {"<access logs>": USED},
    "aws:secretsmanager/secret:Secret": always(secrets_secret=1),
    "eks:index:Cluster": lambda *_: {"eks.cluster": count(1), "<the cluster's audit log>": USED},
    "kubernetes:core/v1:Service": _kubernetes_service,
}
"""The types of resource that cost, and what one of them is paid for by."""
FREE = frozenset(
    {
        # An alarm or two each; the first ten of an account are free, and `yard compare` says that it leaves them out.
        "aws:appautoscaling/policy:Policy",
        "aws:ecs/capacityProvider:CapacityProvider",
        # What it writes is paid for, and is in the group of logs; how much that is, nobody knows beforehand.
        "aws:ec2/flowLog:FlowLog",
        # What they are attached to is paid for.
        "aws:appautoscaling/target:Target",
        "aws:autoscaling/attachment:Attachment",
        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
        "aws:ec2/internetGateway:InternetGateway",
        "aws:ec2/launchTemplate:LaunchTemplate",
        "aws:ec2/networkInterface:NetworkInterface",
        "aws:ec2/route:Route",
        "aws:ec2/routeTable:RouteTable",
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        "aws:ec2/securityGroup:SecurityGroup",
        "aws:ec2/subnet:Subnet",
        "aws:ec2/vpc:Vpc",
        "aws:ecr/lifecyclePolicy:LifecyclePolicy",
        "aws:ecr/pullThroughCacheRule:PullThroughCacheRule",
        "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders",
        "aws:ecs/taskDefinition:TaskDefinition",
        "aws:eks/addon:Addon",
        "aws:iam/instanceProfile:InstanceProfile",
        "aws:iam/role:Role",
        "aws:iam/rolePolicy:RolePolicy",
        "aws:lb/listener:Listener",
        "aws:lb/listenerRule:ListenerRule",
        "aws:lb/targetGroup:TargetGroup",
        "aws:lb/targetGroupAttachment:TargetGroupAttachment",
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "aws:s3/bucketPolicy:BucketPolicy",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "aws:secretsmanager/secretPolicy:SecretPolicy",
        "aws:secretsmanager/secretVersion:SecretVersion",
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        # Public certificates, and parameters of the standard tier.
        "aws:acm/certificate:Certificate",
        "aws:acm/certificateValidation:CertificateValidation",
        "aws:ssm/parameter:Parameter",
        # Objects in a cluster or a swarm that is paid for.
        "kubernetes:apps/v1:Deployment",
        "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
        "kubernetes:core/v1:ConfigMap",
        "kubernetes:core/v1:Namespace",
        "kubernetes:core/v1:Secret",
        "kubernetes:core/v1:ServiceAccount",
        "kubernetes:eks.amazonaws.com/v1:TargetGroupBinding",
        "kubernetes:networking.k8s.io/v1:Ingress",
        "kubernetes:networking.k8s.io/v1:NetworkPolicy",
        "kubernetes:policy/v1:PodDisruptionBudget",
        "pulumi-python:dynamic/swarm:Cluster",
        "pulumi-python:dynamic/swarm:Manager",
        "pulumi-python:dynamic/swarm:Network",
        "pulumi-python:dynamic/swarm:Secret",
        "pulumi-python:dynamic/swarm:Service",
    }
)
STANDING = re.compile(
    r"(alb|ecs|eks|endpoint|ipv4|nat)\.(hour|cluster)|(ec2|fargate)\..*|ebs\.gp3|secrets\.secret|acme\.app|eks\.auto\..*"
)
"""The prices of what is paid for while it is there, used or not."""
DISKS = {**dict.fromkeys(NODES.values(), NODE_DISK), "t3.small": EcsEc2Options().disk}
"""Instance types of the nodes that AWS itself starts, for pods or for replicas -> GiB of their disk."""


def types_of_no_known_cost(found: Graph) -> list[str]:
    """Types of resource that are in neither of the tables; a component is none."""
    return sorted(
        {each.type for each in found if each.custom or each.remote}
        - COSTS.keys()
        - FREE
        - {each.type for each in found if each.type.startswith("pulumi:providers:")}
    )


def made(found: Graph) -> dict[str, Decimal | None]:
    """What a graph is to be paid for by."""
    total: dict[str, Decimal | None] = {}
    for node in found:
        for key, units in (COSTS[node.type](found, node) if node.type in COSTS else {}).items():
            before = total.get(key)
            total[key] = units if before is None or units is None else before + units
    return total


def charged(found: Estimate) -> dict[str, Decimal | None]:
    """What an estimate has lines for."""
    total: dict[str, Decimal] = {}
    for each in found.charges:
        units = each.line.quantity / (730 if each.line.unit.endswith("hour") else 1)
        total[each.line.price] = total.get(each.line.price, Decimal(0)) + units
    return {key: units if STANDING.fullmatch(key) else USED for key, units in total.items()} | {
        f"<{each.what}>": USED for each in found.unpriced
    }


def differences(found: Graph, said: Estimate) -> dict[str, tuple[object, object]]:
    """What the graph has and the estimate does not, or the other way round, or in another quantity."""
    there, paid = made(found), charged(said)
    public = said.network == "public"
    for kind, disk in DISKS.items():  # nodes that are started as replicas need them are in no graph
        more = (paid.get(f"ec2.{kind}") or 0) - (there.get(f"ec2.{kind}") or 0)
        if more > 0 and {"eks", "ecs-ec2"} & set(said.orchestrators):
            auto = {f"eks.auto.{kind}": more} if kind in NODES.values() else {}
            nodes = {f"ec2.{kind}": more, "ebs.gp3": more * disk, **({"ipv4.hour": more} if public else {}), **auto}
            there |= {key: (there.get(key) or Decimal(0)) + units for key, units in nodes.items()}
    standing = {key for key in paid if STANDING.fullmatch(key)}
    return {
        key: (there.get(key, "not there"), paid.get(key, "not in the estimate"))
        for key in sorted(there.keys() | standing)
        if key not in there or key not in paid or there[key] != paid[key]
    }


class TestWhatIsMadeIsWhatIsPaidFor:
    @pytest.mark.parametrize(("registry", "orchestrator", "preset"), EVERY)
    def test_of_every_pair(self, registry: str, orchestrator: str, preset: str) -> None:
        found = graph(registry, orchestrator, preset)
        assert differences(found, estimated(configuration(registry, orchestrator, preset))) == {}

    @pytest.mark.parametrize(("registry", "old", "new"), MOVES)
    def test_of_every_move(self, registry: str, old: str, new: str) -> None:
        found = graph(registry, old, newcomer=new)
        assert differences(found, estimated(configuration(registry, old, newcomer=new))) == {}

    @pytest.mark.parametrize("orchestrator", ON_AWS)
    def test_without_a_way_out_but_endpoints(self, orchestrator: str) -> None:
        config = {**config_for("ecr", orchestrator), "network": "endpoints", "zones": 3}
        assert differences(run_program(config), estimated(config, ())) == {}

    def test_in_a_network_of_someone_else(self) -> None:
        config = {**config_for("ecr", "ecs-fargate"), **EXISTING}
        assert differences(run_program(config), estimated(config, ())) == {}

    @pytest.mark.parametrize("how", [{"workers": 0}, {"managers": 3, "workers": 2, "disk": 50}])
    def test_of_a_swarm_of_any_size(self, how: Mapping[str, Any]) -> None:
        config = {**config_for("ecr", "swarm-ec2"), **EXISTING}
        config["swarm-ec2"] = {**BLOCKS["swarm-ec2"], **how}
        assert differences(run_program(config), estimated(config, ())) == {}

    @pytest.mark.parametrize(("registry", "orchestrator", "preset"), EVERY)
    def test_no_type_of_resource_is_forgotten(self, registry: str, orchestrator: str, preset: str) -> None:
        new = types_of_no_known_cost(graph(registry, orchestrator, preset))
        assert not new, (
            f"{', '.join(new)}: does one cost anything? Then have its component's `costs` state it, and put the type"
            f" into COSTS here; else into FREE"
        )

    def test_a_forgotten_line_is_found(self) -> None:
        config = configuration("ecr", "ecs-fargate", "standard")
        found, said = graph("ecr", "ecs-fargate", "standard"), estimated(config)
        without = replace(said, charges=tuple(each for each in said.charges if each.line.price != "nat.hour"))
        assert differences(found, without) == {"nat.hour": (1, "not in the estimate")}
        gateway = found.one("ec2/natGateway:NatGateway")
        twice = Graph({**found.nodes, "another": replace(gateway, urn="another")}, found.outputs)
        assert differences(twice, said) == {"nat.hour": (2, 1)}
        fewer = Graph({urn: each for urn, each in found.nodes.items() if urn != gateway.urn}, found.outputs)
        assert differences(fewer, said) == {"nat.hour": ("not there", 1)}
        other = Graph({"new": replace(gateway, type="aws:rds/instance:Instance")}, found.outputs)
        assert types_of_no_known_cost(other) == ["aws:rds/instance:Instance"]
