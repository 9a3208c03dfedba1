"""What backends say they cost: of every pair, and against what the program makes."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components import prices
from components.estimate import Charge, Estimate
from components.orchestrator.ecs_ec2 import EcsEc2Options
from components.orchestrator.eks import NODE_DISK, NODES
from components.service import Service
from components.testing.cloud import Cloud
from components.testing.engine import Graph, Node, start
from components.usage import Usage
from config.estimates import Pair, Unset, of_pair, of_stack, pairs
from config.load import load
from config.settings import Settings
from tests.conformance import broken
from tests.conformance.joining import third_party
from tests.conformance.test_invariants import EVERY, LOGINS, MOVES, ON_AWS, configuration, graph
from tests.program import BLOCKS, EXISTING, as_pulumi, config_for, run_program

Units = Mapping[str, Decimal | None]
"""Price key -> units all month long; None: by use. Of what has no price: its name in angle brackets."""
USED: None = None


def count(number: object) -> Decimal:
    return Decimal(str(number))


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
    copies = count(node.inputs["desiredCount"])
    key = f"fargate.{task.inputs['runtimePlatform']['cpuArchitecture'].lower()}"
    public = node.inputs["networkConfiguration"]["assignPublicIp"]
    return {
        f"{key}.vcpu": copies * count(task.inputs["cpu"]) / 1024,
        f"{key}.memory": copies * count(task.inputs["memory"]) / 1024,
        **({"ipv4.hour": copies} if public else {}),
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
    return {"<way in>": USED} if node.inputs["spec"].get("type") == "LoadBalancer" else {}


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
    r"(alb|ecs|eks|endpoint|ipv4|nat)\.(hour|cluster)|(ec2|fargate)\..*|ebs\.gp3|secrets\.secret|eks\.auto\..*"
)
"""The prices of what is paid for while it is there, used or not."""
DISKS = {**dict.fromkeys(NODES.values(), NODE_DISK), "t3.small": EcsEc2Options().disk}
"""Instance types of the nodes that AWS itself starts, for pods or for copies -> GiB of their disk."""


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
    for kind, disk in DISKS.items():  # nodes that are started as copies need them are in no graph
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


def estimated(config: Mapping[str, Any], secrets: tuple[str, ...] = ("services", *LOGINS)) -> Estimate:
    """What the program says that a stack of this configuration costs."""
    start(Cloud(), as_pulumi(config), tuple(f"switchyard:{key}" for key in secrets))
    return of_stack(load())


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

    def test_in_a_network_of_somebody_else(self) -> None:
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


REGIONS = ("ap-northeast-1", "us-east-1")


@cache
def stack() -> tuple[Settings, tuple[Pair | Unset, ...]]:
    """A stack that has a block for every backend, and all pairs, third parties' among them."""
    with third_party():
        blocks = {**BLOCKS, "acme": {"project": "shop"}}
        start(
            Cloud(), as_pulumi(config_for("ecr", "ecs-fargate") | blocks), tuple(f"switchyard:{key}" for key in blocks)
        )
        chosen = load()
        return chosen, tuple(pairs(chosen, REGIONS[0]))


def priced(
    services: Mapping[str, Service], usage: Usage, region: str, **keys: Any
) -> Mapping[tuple[str, str], Estimate]:
    """Every pair that can be."""
    chosen, every = stack()
    asking = replace(chosen, config=chosen.config.model_copy(update={"services": services, **keys}))
    found = [of_pair(asking, pair, usage, region) for pair in every]
    return {(each.registry, each.orchestrators[0]): each for each in found if not each.refused}


def service(**fields: Any) -> Service:
    return Service.model_validate(fields)


NOTHING: Mapping[str, Any] = {"image-size": 0, "deploys": 0, "requests": 0, "response-size": 0, "logs": 0}
SERVICES = st.dictionaries(
    st.sampled_from(["api", "web", "worker"]),
    st.builds(
        service,
        cpu=st.sampled_from([0.05, 0.25, 0.5, 1.0, 2.0]),
        memory=st.sampled_from([64, 512, 1024, 3000]),
        replicas=st.one_of(
            st.integers(1, 9),
            st.builds(lambda least, more: {"min": least, "max": least + more}, st.integers(1, 4), st.integers(0, 9)),
        ),
        architecture=st.sampled_from(["x86_64", "arm64"]),
        public=st.booleans(),
        secrets=st.sampled_from([{}, {"KEY": "x"}, {"KEY": "x", "TOKEN": "y"}]),
    ),
    min_size=1,
)
QUANTITIES: Mapping[str, st.SearchStrategy[Any]] = {
    "image-size": st.integers(0, 5000),
    "deploys": st.integers(0, 1000),
    "requests": st.integers(0, 10**11),
    "response-size": st.floats(0, 1000),
    "logs": st.floats(0, 10**5),
    "audit-logs": st.floats(0, 1000),
    "hours": st.floats(0, 744),
    "load": st.floats(0, 1),
    "layer-reuse": st.floats(0, 1),
    "requests-per-connection": st.integers(1, 1000),
    "free-allowances": st.booleans(),
    "extended-support": st.booleans(),
}
SAVES = frozenset({"layer-reuse", "requests-per-connection", "free-allowances"})
"""Fields of which more costs less."""
NETWORKS = st.sampled_from(["public", "nat-single", "nat-per-az", "endpoints"])
ROUNDING = Decimal("1e-9")
"""USD that division in decimal may be off by."""


def test_every_field_of_the_usage_that_is_a_quantity_is_tried() -> None:
    known = {field.alias or name for name, field in Usage.model_fields.items()}
    assert known - QUANTITIES.keys() == {"preset", "github-plan", "cluster"}


class TestArithmetic:
    @pytest.mark.parametrize("field", QUANTITIES)
    @settings(max_examples=8)
    @given(SERVICES, st.fixed_dictionaries(dict(QUANTITIES)), st.data(), NETWORKS, st.sampled_from(REGIONS))
    def test_more_never_costs_less(
        self,
        field: str,
        services: Mapping[str, Service],
        said: Mapping[str, Any],
        data: st.DataObject,
        network: str,
        region: str,
    ) -> None:
        values = sorted([said[field], data.draw(QUANTITIES[field], label=f"another {field}")])
        cheaper, dearer = (
            priced(services, Usage.model_validate({**said, field: value}), region, network=network)
            for value in (reversed(values) if field in SAVES else values)
        )
        for pair, less in cheaper.items():
            if all(each.usd is not None for each in dearer[pair].charges):  # the rest is told apart from the sum
                assert less.amount().usd <= dearer[pair].amount().usd + ROUNDING, pair

    @settings(max_examples=15)
    @given(SERVICES, NETWORKS, st.sampled_from(REGIONS))
    def test_of_what_is_not_used_only_what_stands_there_is_paid_for(
        self, services: Mapping[str, Service], network: str, region: str
    ) -> None:
        found = priced(services, Usage.model_validate(NOTHING), region, network=network)
        for pair, each in found.items():
            standing = [charge for charge in each.charges if _stands(charge)]
            assert each.amount().usd == sum((charge.usd or Decimal(0) for charge in standing), Decimal(0)), pair
            rest = [charge for charge in each.charges if charge not in standing and not charge.line.only_if]
            assert not [charge.line.what for charge in rest if charge.price and charge.usd], pair

    @settings(max_examples=15)
    @given(SERVICES, st.fixed_dictionaries(dict(QUANTITIES)), st.sampled_from(REGIONS))
    def test_amounts_are_exact(self, services: Mapping[str, Service], said: Mapping[str, Any], region: str) -> None:
        for each in priced(services, Usage.model_validate(dict(said)), region).values():
            for charge in each.charges:
                assert isinstance(charge.line.quantity, Decimal), charge.line.what
                assert charge.line.quantity >= 0
                assert charge.usd is None or (isinstance(charge.usd, Decimal) and charge.usd >= 0)
            in_sum = [charge.usd for charge in each.charges if charge.usd is not None and not charge.line.only_if]
            assert each.amount().usd == sum(in_sum, Decimal(0)) == sum(reversed(in_sum), Decimal(0))
            shuffled = replace(each, charges=tuple(reversed(each.charges)))
            assert shuffled.amount() == each.amount()

    @settings(max_examples=15)
    @given(SERVICES, st.fixed_dictionaries(dict(QUANTITIES)), st.sampled_from(REGIONS))
    def test_an_allowance_is_taken_once(
        self, services: Mapping[str, Service], said: Mapping[str, Any], region: str
    ) -> None:
        for pair, each in priced(services, Usage.model_validate(dict(said)), region).items():
            taken = [charge.line.free for charge in each.charges if charge.line.free]
            assert len(taken) == len(set(taken)), pair

    @settings(max_examples=15)
    @given(SERVICES, st.fixed_dictionaries(dict(QUANTITIES)), st.sampled_from(REGIONS))
    def test_what_is_not_known_is_never_nothing(
        self, services: Mapping[str, Service], said: Mapping[str, Any], region: str
    ) -> None:
        for each in priced(services, Usage.model_validate(dict(said)), region).values():
            missing = [charge for charge in each.charges if charge.usd is None and not charge.line.only_if]
            assert each.amount().whole == (not missing and not each.unpriced)
            assert each.amount().whole or "?" in str(each.amount())
            assert {f"{charge.line.what}: there is no price for it" for charge in missing} <= set(each.unknown)
            assert {f"{item.what}: {item.why}" for item in each.unpriced} <= set(each.unknown)


def _stands(charge: Charge) -> bool:
    """Whether it is paid for without being used: for standing there, or by the month."""
    return bool(STANDING.fullmatch(charge.line.price)) or charge.line.unit in ("account-month", "zone-month")


SMALL = {
    "api": service(cpu=1, memory=2048, replicas=3),
    "web": service(architecture="arm64", secrets={"KEY": "x"}),
    "worker": service(public=False),
}
DAY = Usage.model_validate({"audit-logs": 1})


class TestPrices:
    @pytest.mark.parametrize("extended", [True, False])
    @pytest.mark.parametrize("cluster", ["unknown", "gke-autopilot"])
    @pytest.mark.parametrize("network", ["public", "nat-single", "endpoints"])
    def test_every_key_has_a_price_of_one_unit_in_both_regions(
        self, network: str, cluster: Literal["unknown", "gke-autopilot"], extended: bool
    ) -> None:
        usage = DAY.model_copy(update={"cluster": cluster, "extended_support": extended})
        keys = {"network": network, "zones": 3, "access_logs": True, "protect": True}
        one, two = ({**priced(SMALL, usage, region, **keys)} for region in REGIONS)
        assert one.keys() == two.keys()
        for pair, here in one.items():
            units = [
                {(each.line.price, each.price and each.price.unit) for each in found.charges}
                for found in (here, two[pair])
            ]
            assert units[0] == units[1], pair
            # Of an existing cluster at Google the region is in its context, which `prod` is not.
            missing = {each.line.price for each in here.charges if each.price is None and each.line.vendor != "acme"}
            assert missing <= {"gke.autopilot.vcpu", "gke.autopilot.memory"}, pair
            allowances = {each.line.free for each in here.charges if each.allowance is None} - {None}
            assert not allowances, pair

    @settings(max_examples=15)
    @given(SERVICES, st.sampled_from(REGIONS))
    def test_only_an_instance_type_may_be_without(self, services: Mapping[str, Service], region: str) -> None:
        """The price files have the usual ones; what a large service needs can be another."""
        for pair, each in priced(services, DAY, region).items():
            missing = {charge.line.price for charge in each.charges if charge.price is None}
            assert {key for key in missing if not re.match(r"(ec2|eks\.auto|acme)\.", key)} == set(), pair

    def test_every_pair_says_what_it_costs_or_that_it_does_not_know(self) -> None:
        for pair, each in priced(SMALL, DAY, "us-east-1").items():
            said = {charge.line.column for charge in each.charges} | {item.column for item in each.unpriced}
            assert {"registry", "compute"} <= said, pair

    def test_a_backend_that_states_nothing_is_not_priced(self) -> None:
        chosen, _ = stack()
        pair = Pair(broken.GoodOptions(), (broken.GoodRunOptions(),))
        found = of_pair(chosen, pair, DAY, "us-east-1")
        assert str(found.amount()) == "?"
        assert found.runs_unpriced
        assert found.unknown == [
            "copies: the orchestrator's backend does not state what it costs",
            "images: the registry's backend does not state what it costs",
        ]

    def test_a_region_without_prices_stops_what_is_on_aws(self) -> None:
        with pytest.raises(prices.NoPrices, match="there are no prices for eu-west-3"):
            priced(SMALL, DAY, "eu-west-3")


class TestTheRegistryChangesTheNetwork:
    USAGE = Usage.model_validate({**NOTHING, "image-size": 500, "deploys": 20})

    def through(self, network: str) -> Mapping[str, tuple[str, Decimal]]:
        """Registry -> the network that it is priced in on ecs-fargate, and GB that cross a NAT gateway there."""
        found = priced({"api": service(replicas=2)}, self.USAGE, "us-east-1", network=network)
        return {
            registry: (
                each.network,
                sum((charge.line.quantity for charge in each.charges if charge.line.price == "nat.data"), Decimal(0)),
            )
            for (registry, orchestrator), each in found.items()
            if orchestrator == "ecs-fargate"
        }

    def test_pulls_cross_the_nat_gateway_but_those_from_ecr_and_its_caches(self) -> None:
        gigabytes = {registry: gb for registry, (_, gb) in self.through("nat-single").items()}
        assert {registry for registry, gb in gigabytes.items() if gb == 0} == {"ecr", "ghcr", "dockerhub"}
        assert {gigabytes[each] for each in ("ecr-public", "artifact-registry", "oci", "acme")} == {20}

    def test_a_login_of_the_runtimes_own_takes_the_cache_away(self) -> None:
        start(Cloud(), as_pulumi({**config_for("ghcr", "ecs-fargate"), "network": "nat-single"}), ("switchyard:ghcr",))
        cached = of_stack(load(), self.USAGE)
        direct = {**config_for("ghcr", "ecs-fargate"), "network": "nat-single"}
        direct["ghcr"] = {**BLOCKS["ghcr"], "login": "direct"}
        start(Cloud(), as_pulumi(direct), ("switchyard:ghcr",))
        without = of_stack(load(), self.USAGE)
        assert [_usd(each, "nat.data") for each in (cached, without)] == [0, Decimal("0.45")]
        assert [_usd(each, "secrets.secret") for each in (cached, without)] == [Decimal("0.4"), Decimal("0.4")]

    def test_without_a_way_out_only_what_has_endpoints_can_be(self) -> None:
        networks = {registry: network for registry, (network, _) in self.through("endpoints").items()}
        assert {registry for registry, network in networks.items() if network == "endpoints"} == {"ecr"}
        assert {network for registry, network in networks.items() if registry != "ecr"} == {"nat-single"}

    def test_endpoints_cost_more_than_a_nat_gateway(self) -> None:
        found = priced({"api": service()}, self.USAGE, "ap-northeast-1", network="endpoints")
        assert found["ecr", "ecs-fargate"].amount("network").usd == Decimal("81.76")
        assert found["ecr-public", "ecs-fargate"].amount("network").usd < Decimal(50)


def _usd(found: Estimate, key: str) -> Decimal:
    return sum((each.usd for each in found.charges if each.line.price == key and each.usd), Decimal(0))
