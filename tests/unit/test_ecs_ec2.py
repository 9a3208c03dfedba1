"""ECS on EC2: the instances that AWS is asked for, and what of the shared part is its own."""

import base64
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.aws.fleet import INSTANCE_TYPES, architecture
from components.orchestrator.ecs_ec2 import EcsEc2Options, user_data
from components.service import Service
from components.testing.cloud import Cloud, arn
from components.testing.engine import Graph, start
from config.load import load
from config.problems import BadConfig
from tests.program import DIGEST, EXISTING, as_pulumi, config_for, run_program

CLUSTER = arn("ecs", "cluster/ecs-ec2-0a1b2c3")
BOTH = ["t3.small", "t3a.small", "t4g.small"]


def graph() -> Graph:
    return of_preset("standard")


@cache
def of_preset(preset: str) -> Graph:
    """One service with scratch space; `standard` has private subnets."""
    config = config_for("ecr", "ecs-ec2", preset, api={"digest": DIGEST, "writable": ["/tmp"], "cpu": 0.05})
    return run_program(config | {"ecs-ec2": {"isolated": preset == "trial"}})


def within(block: Mapping[str, Any], **services: Any) -> Graph:
    """In a network that is there."""
    return run_program({**config_for("ecr", "ecs-ec2", **services), **EXISTING, "ecs-ec2": {"isolated": True, **block}})


@cache
def chosen() -> Graph:
    """With a block that chooses all it can."""
    types = ["m7i.large", "m6i.large"]
    return within({"disk": 50, "ami": "ami-0123456789abcdef0", "instance-types": types, "min": 2, "max": 7})


def template(found: Graph) -> Mapping[str, Any]:
    return found.one("ec2/launchTemplate:LaunchTemplate").inputs


def group(found: Graph) -> Mapping[str, Any]:
    return found.one("autoscaling/group:Group").inputs


def wants(services: dict[str, dict[str, Any]], **block: Any) -> dict[str, str]:
    """Path -> what is wanted, for each problem of a block with these services."""
    options = EcsEc2Options.model_validate_json(json.dumps({k.replace("_", "-"): v for k, v in block.items()}))
    parsed = {name: Service.model_validate_json(json.dumps(each)) for name, each in services.items()}
    return {path: want for path, _, want in options.check(parsed, False)}


class TestInstances:
    def test_their_metadata_wants_a_token_and_stays_on_the_host(self) -> None:
        options = template(graph())["metadataOptions"]
        assert options == {"httpEndpoint": "enabled", "httpTokens": "required", "httpPutResponseHopLimit": 1}

    def test_their_disk_is_encrypted_and_goes_with_them(self) -> None:
        (mapping,) = template(chosen())["blockDeviceMappings"]
        disk = mapping["ebs"]
        assert (disk["encrypted"], disk["deleteOnTermination"], disk["volumeSize"]) == ("true", "true", 50)

    @pytest.mark.parametrize(("preset", "public"), [("trial", "true"), ("standard", "false"), ("production", "false")])
    def test_they_have_a_public_address_only_where_there_is_no_other_way_out(self, preset: str, public: str) -> None:
        (interface,) = template(of_preset(preset))["networkInterfaces"]
        assert interface["associatePublicIpAddress"] == public
        assert of_preset(preset).one("ecs/service:Service").inputs["networkConfiguration"]["assignPublicIp"] is False

    def test_nothing_comes_in_to_them(self) -> None:
        (interface,) = template(graph())["networkInterfaces"]
        assert interface["securityGroups"] == ["ecs-ec2--instances-id"]
        ingress = graph().of("vpc/securityGroupIngressRule:SecurityGroupIngressRule")
        assert "ecs-ec2--instances" not in {each.name for each in ingress}

    def test_they_join_the_cluster_and_keep_their_credentials(self) -> None:
        assert template(graph())["userData"] == user_data("ecs-ec2-0a1b2c3")
        script = base64.b64decode(user_data("shop")).decode()
        assert script.startswith("#!/bin/bash\n")
        settings = ["ECS_CLUSTER=shop", "ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE=true", "ECS_AWSVPC_BLOCK_IMDS=true"]
        assert [line for line in script.splitlines() if line.startswith("ECS_")] == settings

    def test_their_role_belongs_to_the_cluster_and_may_no_more(self) -> None:
        policy = json.loads(graph().one("iam/rolePolicy:RolePolicy", "ecs-ec2").inputs["policy"])["Statement"]
        assert policy == [
            {
                "Effect": "Allow",
                "Action": ["ecs:RegisterContainerInstance", "ecs:DeregisterContainerInstance", "ecs:Submit*"],
                "Resource": [CLUSTER],
            },
            {
                "Effect": "Allow",
                "Action": ["ecs:Poll", "ecs:StartTelemetrySession"],
                "Resource": ["*"],
                "Condition": {"ArnEquals": {"ecs:cluster": CLUSTER}},
            },
            {"Effect": "Allow", "Action": ["ecs:DiscoverPollEndpoint"], "Resource": ["*"]},
        ]
        assert not graph().of("iam/rolePolicyAttachment:RolePolicyAttachment")
        trust = json.loads(graph().one("iam/role:Role", "ecs-ec2").inputs["assumeRolePolicy"])
        assert trust["Statement"][0]["Principal"] == {"Service": "ec2.amazonaws.com"}


class TestImage:
    def test_the_newest_is_taken_once_and_kept(self) -> None:
        made = graph().one("ec2/launchTemplate:LaunchTemplate")
        assert made.inputs["imageId"].endswith("/amazon-linux-2023/recommended/image_id")
        assert made.ignore_changes == ("imageId",)

    def test_one_of_the_users_is_followed(self) -> None:
        made = chosen().one("ec2/launchTemplate:LaunchTemplate")
        assert made.inputs["imageId"] == "ami-0123456789abcdef0"
        assert made.ignore_changes == ()

    def test_another_one_replaces_the_instances_one_by_one(self) -> None:
        refresh = group(graph())["instanceRefresh"]
        assert refresh["strategy"] == "Rolling"
        assert refresh["preferences"]["minHealthyPercentage"] == 100
        assert refresh["preferences"]["scaleInProtectedInstances"] == "Refresh"


class TestGroup:
    def test_its_bounds_and_types_are_the_blocks(self) -> None:
        found = group(chosen())
        assert (found["minSize"], found["maxSize"]) == (2, 7)
        policy = found["mixedInstancesPolicy"]
        assert [each["instanceType"] for each in policy["launchTemplate"]["overrides"]] == ["m7i.large", "m6i.large"]
        assert policy["instancesDistribution"]["onDemandPercentageAboveBaseCapacity"] == 100

    def test_its_instances_are_in_every_subnet_of_the_replicas(self) -> None:
        zones = graph().one("ecs/service:Service").inputs["networkConfiguration"]["subnets"]
        assert group(graph())["vpcZoneIdentifiers"] == zones
        assert len(zones) > 1

    def test_ecs_scales_drains_and_protects(self) -> None:
        provider = graph().one("ecs/capacityProvider:CapacityProvider")
        said = provider.inputs["autoScalingGroupProvider"]
        assert said["managedScaling"]["status"] == "ENABLED"
        assert (said["managedDraining"], said["managedTerminationProtection"]) == ("ENABLED", "ENABLED")
        assert group(graph())["protectFromScaleIn"] is True
        assert not provider.name.startswith(("aws", "ecs", "fargate"))

    def test_it_can_be_deleted_though_its_instances_are_protected(self) -> None:
        assert group(graph())["forceDelete"] is True

    def test_what_ecs_adds_is_declared(self) -> None:
        assert {each["key"] for each in group(graph())["tags"]} == {"AmazonECSManaged", "Name"}
        assert all(each["propagateAtLaunch"] for each in group(graph())["tags"])

    def test_it_waits_for_whatever_its_instances_need_as_long_as_they_live(self) -> None:
        found = graph()
        before = found.waits_for(found.one("autoscaling/group:Group"))
        needed = [
            found.one("iam/rolePolicy:RolePolicy", "ecs-ec2"),
            found.one("vpc/securityGroupEgressRule:SecurityGroupEgressRule", "ecs-ec2--instances"),
            *found.of("ec2/route:Route"),
        ]
        assert {each.urn for each in needed} <= before

    def test_both_architectures_have_a_group_each_and_replicas_their_own(self) -> None:
        services = {"api": {"digest": DIGEST}, "web": {"digest": DIGEST, "architecture": "arm64", "path": "/web"}}
        found = within({"instance-types": BOTH}, **services)
        for name, (service, types) in {"x86_64": ("api", BOTH[:2]), "arm64": ("web", BOTH[2:])}.items():
            policy = found.one("autoscaling/group:Group", f"ec2-{name}").inputs["mixedInstancesPolicy"]
            assert [each["instanceType"] for each in policy["launchTemplate"]["overrides"]] == types
            image = found.one("ec2/launchTemplate:LaunchTemplate", f"ec2-{name}").inputs["imageId"]
            assert ("arm64" in image) == (name == "arm64")
            (provider,) = found.one("ecs/service:Service", service).inputs["capacityProviderStrategies"]
            assert provider["capacityProvider"] == f"ec2-{name}-0a1b2c3"


class TestTask:
    def test_it_is_for_ec2_with_an_interface_of_its_own(self) -> None:
        task = graph().one("ecs/taskDefinition:TaskDefinition").inputs
        assert (task["requiresCompatibilities"], task["networkMode"]) == (["EC2"], "awsvpc")
        assert (task["cpu"], task["memory"]) == ("128", "512")  # 0.05 vCPU is less than ECS takes
        assert "volumes" not in task or not task["volumes"]

    def test_writable_paths_are_in_memory(self) -> None:
        (container,) = json.loads(graph().one("ecs/taskDefinition:TaskDefinition").inputs["containerDefinitions"])
        (path,) = container["linuxParameters"]["tmpfs"]
        assert path == {"containerPath": "/tmp", "size": 256, "mountOptions": ["noexec", "nosuid", "nodev"]}
        assert container["mountPoints"] == []
        assert container["readonlyRootFilesystem"] is True

    def test_replicas_are_spread_over_zones(self) -> None:
        first, _ = graph().one("ecs/service:Service").inputs["orderedPlacementStrategies"]
        assert first == {"type": "spread", "field": "attribute:ecs.availability-zone"}


class TestRoom:
    """What would wait for ever for an instance is said beforehand."""

    def test_what_fits_is_no_problem(self) -> None:
        assert wants({"api": {"replicas": 7}}) == {}

    def test_each_replica_needs_an_interface_and_a_rollout_one_more(self) -> None:
        assert wants({"api": {"replicas": 8}}) == {
            "max": "5 or more, or larger types: 9 replicas, one of them for a rollout, need as many"
            " for their network interfaces"
        }

    def test_all_services_share_the_room(self) -> None:
        assert wants({"api": {"replicas": {"min": 1, "max": 4}}, "web": {"replicas": 4, "public": False}}).keys() == {
            "max"
        }

    def test_the_smallest_type_decides(self) -> None:
        services = {"api": {"replicas": 7}}
        assert wants(services, instance_types=["t3.small", "t3a.small"]).keys() == {"max"}

    @pytest.mark.parametrize(("field", "value"), [("cpu", 1.5), ("memory", 1500)])
    def test_vcpu_and_memory_count_too(self, field: str, value: float) -> None:
        services = {"api": {"replicas": 6, field: value}}
        assert {"cpu": "vCPU", "memory": "memory"}[field] in wants(services)["max"]

    def test_a_replica_must_fit_into_one_instance_beside_the_system(self) -> None:
        assert wants({"api": {"memory": 2048}})["instance-types"].startswith("types with room for a replica of api")
        assert "instance-types" in wants({"api": {"cpu": 2.5}})

    def test_a_type_that_is_not_in_the_table_is_said(self, caplog: pytest.LogCaptureFixture) -> None:
        assert wants({"api": {"replicas": 500}}, instance_types=["x9i.large"], max=1) == {}
        caplog.set_level("INFO")
        within({"instance-types": ["x9i.large"]})
        assert "how many replicas x9i.large can hold is not known here" in caplog.text

    @given(st.sampled_from(sorted(INSTANCE_TYPES)), st.integers(1, 100), st.integers(1, 300))
    def test_what_is_let_through_has_an_interface_for_each_replica(self, name: str, most: int, replicas: int) -> None:
        services = {"api": {"replicas": replicas, "cpu": 0.05, "memory": 32, "architecture": architecture(name)}}
        fits = replicas < most * (INSTANCE_TYPES[name].interfaces - 1)
        assert fits or "max" in wants(services, instance_types=[name], min=0, max=most)


class TestBlock:
    def test_an_architecture_without_instances_is_named_with_its_services(self) -> None:
        want = wants({"api": {}, "web": {"architecture": "arm64"}})
        assert want == {"instance-types": "a type of arm64 too, such as t4g.small, for web"}

    def test_max_is_not_below_min(self) -> None:
        assert wants({"api": {}}, min=5, max=4) == {"max": "at least min, 5"}

    def test_an_image_is_for_one_architecture(self) -> None:
        assert "ami" in wants({"api": {}}, instance_types=BOTH, ami="ami-0123456789abcdef0")

    def test_a_public_network_is_refused_until_replicas_may_do_without_a_way_out(self) -> None:
        config = config_for("ecr", "ecs-ec2") | {"ecs-ec2": {}}
        with pytest.raises(BadConfig, match=r"switchyard:network is 'public'.*nat-single, nat-per-az or endpoints"):
            run_program(config)
        for fix in ({"ecs-ec2": {"isolated": True}}, {"network": "nat-single"}):
            start(Cloud(), as_pulumi(config | fix))
            assert load().config.orchestrator == "ecs-ec2"

    def test_so_are_the_public_subnets_of_an_existing_vpc(self) -> None:
        vpc = {"id": "vpc-1", "public-subnets": ["subnet-1", "subnet-2"]}
        config = config_for("ecr", "ecs-ec2", "standard") | {"ecs-ec2": {}, "vpc": vpc}
        with pytest.raises(BadConfig, match=r"switchyard:vpc\.private-subnets"):
            run_program(config)
        run_program(config | {"vpc": vpc | {"private-subnets": ["subnet-3"]}})


@pytest.mark.parametrize(
    ("name", "built_for"),
    [
        ("t3.small", "x86_64"),
        ("t4g.small", "arm64"),
        ("m7g.large", "arm64"),
        ("c6gn.xlarge", "arm64"),
        ("im4gn.large", "arm64"),
        ("a1.medium", "arm64"),
        ("g4dn.xlarge", "x86_64"),
        ("m7i-flex.large", "x86_64"),
        ("m6a.large", "x86_64"),
    ],
)
def test_a_types_name_tells_its_architecture(name: str, built_for: str) -> None:
    assert architecture(name) == built_for
