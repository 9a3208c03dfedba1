"""The rehearsal cloud behind the real engine: what it computes, replaces, refuses, and how it fails."""

import base64
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import boto3
import botocore.exceptions
import pulumi
import pulumi_aws as aws
import pulumi_eks as eks
import pulumi_kubernetes as k8s
import pytest

from rehearsal import Fault, refusals
from rehearsal import aws as types
from rehearsal.aws_package import Aws
from rehearsal.health import targets
from rehearsal.instances import IMAGES
from rehearsal.invokes import answer
from rehearsal.kubernetes import Kubernetes
from rehearsal.package import Naming, Urn
from rehearsal.state import CloudResource, CloudState, Refused, Swarm
from tests.engine.conftest import REGION, Lab, MakeLab, Program, nothing

pytestmark = pytest.mark.engine

IMAGE = "docker.io/acme/api@sha256:" + "a" * 64
TRUST = '{"Version": "2012-10-17", "Statement": []}'


# --- the refusals, each by itself: the package without an engine ------------------------------------------------------


class Account:
    """Makes and deletes resources as the provider would."""

    def __init__(self) -> None:
        self.state = CloudState()
        self._package = Aws(self.state)

    def make(self, type_: str, name: str = "it", /, **inputs: Any) -> CloudResource:
        """Create a resource; its inputs are as the engine sends them."""
        urn = Urn(type_, name, f"urn:pulumi:lab::rehearsal::{type_}::{name}")
        checked = self._package.check(urn, inputs, {}, Naming(name, b"seed"))
        resource = self._package.make(urn, checked, {"region": REGION})
        resource.ready = True
        self.state.add(resource)
        self._package.came(resource)
        return resource

    def change(self, resource: CloudResource, **inputs: Any) -> None:
        """Update a resource's inputs."""
        changed = self._package.change(resource, resource.inputs | inputs, {"region": REGION})
        self.state.change(resource, changed.inputs, changed.outputs)

    def delete(self, resource: CloudResource) -> None:
        """Delete it."""
        self._package.delete(resource, {"region": REGION})
        self.state.remove(resource)
        self._package.went(resource)


class Town(Account):
    """An account with a network, a load balancer and a cluster."""

    def __init__(self) -> None:
        super().__init__()
        make = self.make
        self.vpc = make(types.VPC, cidrBlock="10.0.0.0/16")
        self.gateway = make(types.INTERNET_GATEWAY, vpcId=self.vpc.id)
        self.table = make(types.ROUTE_TABLE, vpcId=self.vpc.id)
        self.route = make(
            types.ROUTE, routeTableId=self.table.id, destinationCidrBlock="0.0.0.0/0", gatewayId=self.gateway.id
        )
        self.subnets = [
            make(types.SUBNET, f"s{i}", vpcId=self.vpc.id, cidrBlock=f"10.0.{i}.0/24", availabilityZone=f"{REGION}{z}")
            for i, z in enumerate("ab")
        ]
        self.associations = [
            make(types.ROUTE_TABLE_ASSOCIATION, f"a{i}", routeTableId=self.table.id, subnetId=subnet.id)
            for i, subnet in enumerate(self.subnets)
        ]
        self.ids = [each.id for each in self.subnets]
        self.group = make(types.SECURITY_GROUP, vpcId=self.vpc.id)
        self.balancer = make(types.LOAD_BALANCER, subnets=self.ids, securityGroups=[self.group.id])
        self.listener = make(types.LISTENER, loadBalancerArn=self.balancer.id, port=80, defaultActions=[])
        self.targets = self.target_group("targets")
        self.cluster = make(types.ECS_CLUSTER)
        self.providers = make(types.ECS_PROVIDERS, clusterName=self.cluster.get("name"), capacityProviders=["FARGATE"])
        self.role = make(types.ROLE, assumeRolePolicy=TRUST)

    def target_group(self, name: str, **inputs: Any) -> CloudResource:
        """A target group of type ip."""
        usual = {"port": 80, "protocol": "HTTP", "vpcId": self.vpc.id, "targetType": "ip"}
        return self.make(types.TARGET_GROUP, name, **(usual | inputs))

    def let_in(self, group: str, port: int) -> CloudResource:
        """A rule that lets the load balancer in on a port."""
        source = {"referencedSecurityGroupId": self.group.id, "ipProtocol": "tcp"}
        return self.make(types.INGRESS_RULE, securityGroupId=group, fromPort=port, toPort=port, **source)

    def rule(self, weights: dict[str, int], name: str = "rule", priority: int = 1) -> CloudResource:
        """A listener rule that forwards to groups by ARN."""
        groups = [{"arn": arn, "weight": weight} for arn, weight in weights.items()]
        actions = [{"type": "forward", "forward": {"targetGroups": groups}}]
        return self.make(types.LISTENER_RULE, name, listenerArn=self.listener.id, priority=priority, actions=actions)

    def task(self, image: str = IMAGE) -> CloudResource:
        """A task definition."""
        containers = json.dumps([{"name": "api", "image": image}])
        role = self.role.get("arn")
        return self.make(
            types.TASK_DEFINITION, networkMode="awsvpc", containerDefinitions=containers, executionRoleArn=role
        )

    def service(self, **inputs: Any) -> CloudResource:
        """An ECS service with two copies in `targets`."""
        usual = {
            "cluster": self.cluster.id,
            "taskDefinition": inputs.pop("task", None) or self.task().get("arn"),
            "desiredCount": 2,
            "capacityProviderStrategies": [{"capacityProvider": "FARGATE", "weight": 1}],
            "networkConfiguration": {"subnets": self.ids, "assignPublicIp": True},
            "loadBalancers": [{"targetGroupArn": self.targets.id, "containerName": "api", "containerPort": 80}],
        }
        return self.make(types.ECS_SERVICE, "service", **(usual | inputs))


@pytest.fixture
def town() -> Town:
    return Town()


def no(code: str, words: str = "") -> Any:
    """The cloud refuses, with AWS's error code, and in these words."""
    return pytest.raises(Refused, match=f"^{code}: .*{words}")


def test_a_town_can_be_made_used_and_taken_down(town: Town) -> None:
    rule = town.rule({town.targets.id: 1})
    service = town.service()
    assert [each.state for each in targets(town.state, town.targets, 0)] == ["healthy", "healthy"]
    task = town.state.every(types.TASK_DEFINITION)
    for resource in (service, *task, rule, town.targets, town.listener, town.balancer, town.group, town.providers):
        town.delete(resource)
    for resource in (town.cluster, town.role, town.route, *town.associations, *town.subnets, town.table, town.gateway):
        town.delete(resource)
    town.delete(town.vpc)
    assert not len(town.state)


@pytest.mark.parametrize("what", ["vpc", "gateway", "table", "subnets", "group"])
def test_a_network_part_in_use_stays(town: Town, what: str) -> None:
    town.rule({town.targets.id: 1})
    town.service()
    resource = getattr(town, what)
    with pytest.raises(Refused, match=r"^(DependencyViolation|RuntimeCutOff): "):
        town.delete(resource[0] if isinstance(resource, list) else resource)


def test_a_target_group_in_a_rule_stays_and_without_it_goes(town: Town) -> None:
    rule = town.rule({town.targets.id: 1})
    with no("ResourceInUse"):
        town.delete(town.targets)
    town.delete(rule)
    town.delete(town.targets)


def test_ecs_wants_its_group_on_a_load_balancer(town: Town) -> None:
    with no("InvalidParameterException"):
        town.service()


def test_ecs_on_awsvpc_wants_targets_of_type_ip(town: Town) -> None:
    group = town.target_group("by-instance", targetType="instance")
    town.rule({group.id: 1})
    with no("InvalidParameterException"):
        town.service(loadBalancers=[{"targetGroupArn": group.id}])


def test_two_of_three_managers_may_not_go_while_services_run(town: Town) -> None:
    managers = [town.make(types.INSTANCE, f"manager-{index}", instanceType="t3.small") for index in range(3)]
    nodes = {f"node-{each.id}": each.id for each in managers}
    town.state.swarms["dev"] = Swarm("swarm", members=nodes, services={"api": {"Spec": {}}})
    first, second, _ = managers
    town.delete(first)  # the others are a majority
    with pytest.raises(Refused, match="less than a majority is left of the 3 managers"):
        town.delete(second)
    town.state.swarms["dev"].services.clear()
    town.delete(second)  # nothing is lost by it any more


def test_a_cluster_with_services_and_its_capacity_stay(town: Town) -> None:
    town.rule({town.targets.id: 1})
    town.service()
    with no("ClusterContainsServicesException"):
        town.delete(town.cluster)
    with no("ResourceInUseException"):
        town.delete(town.providers)


def test_a_service_may_only_use_capacity_that_its_cluster_has(town: Town) -> None:
    town.rule({town.targets.id: 1})
    with no("InvalidParameterException"):
        town.service(capacityProviderStrategies=[{"capacityProvider": "FARGATE_SPOT"}])


class Fleet(Town):
    """A town whose cluster runs its copies on EC2 instances: two at the most, of a type with three interfaces."""

    def __init__(self) -> None:
        super().__init__()
        self.delete(self.providers)
        self.script = base64.b64encode(f"ECS_CLUSTER={self.cluster.get('name')}\n".encode()).decode()
        self.template = self.launch_template("fleet")
        self.instances = self.fleet("fleet")
        self.provider = self.capacity("fleet", self.instances)
        self.providers = self.associate(self.provider)
        self.rule({self.targets.id: 1})

    def launch_template(self, name: str, **inputs: Any) -> CloudResource:
        """One whose instances join the cluster and have public addresses."""
        interfaces = [{"associatePublicIpAddress": "true", "securityGroups": [self.group.id]}]
        usual = {"networkInterfaces": interfaces, "userData": self.script}
        return self.make(types.LAUNCH_TEMPLATE, name, **(usual | inputs))

    def fleet(
        self, name: str, template: CloudResource | None = None, type_: str = "t3.small", **inputs: Any
    ) -> CloudResource:
        """An Auto Scaling group."""
        specification = {"launchTemplateId": (template or self.template).id, "version": "1"}
        policy = {"launchTemplateSpecification": specification, "overrides": [{"instanceType": type_}]}
        usual = {
            "mixedInstancesPolicy": {"launchTemplate": policy},
            "vpcZoneIdentifiers": self.ids,
            "maxSize": 2,
            "protectFromScaleIn": True,
            "forceDelete": True,
        }
        return self.make(types.AUTO_SCALING_GROUP, name, **(usual | inputs))

    def capacity(self, name: str, instances: CloudResource, scaling: str = "ENABLED") -> CloudResource:
        """A capacity provider with managed termination protection."""
        said = {
            "autoScalingGroupArn": instances.get("arn"),
            "managedTerminationProtection": "ENABLED",
            "managedScaling": {"status": scaling},
        }
        return self.make(types.CAPACITY_PROVIDER, name, autoScalingGroupProvider=said)

    def associate(self, *providers: CloudResource) -> CloudResource:
        """Let the cluster have capacity providers."""
        names = [each.get("name") for each in providers]
        return self.make(types.ECS_PROVIDERS, clusterName=self.cluster.get("name"), capacityProviders=names)

    def service(self, **inputs: Any) -> CloudResource:
        """An ECS service with two copies on the instances."""
        strategy = [{"capacityProvider": self.provider.get("name"), "weight": 1}]
        usual = {"capacityProviderStrategies": strategy, "networkConfiguration": {"subnets": self.ids}}
        return super().service(**(usual | inputs))


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


def test_a_fleet_goes_in_one_order_only(fleet: Fleet) -> None:
    service = fleet.service()
    for part, code in (
        (fleet.providers, "ResourceInUseException"),
        (fleet.provider, "ResourceInUseException"),
        (fleet.instances, "RuntimeCutOff"),
        (fleet.cluster, "ClusterContainsContainerInstancesException"),
    ):
        with no(code):
            fleet.delete(part)
    fleet.delete(service)
    with no("ResourceInUseException"):
        fleet.delete(fleet.provider)  # still the cluster's
    fleet.delete(fleet.providers)
    fleet.delete(fleet.provider)
    with no("ClusterContainsContainerInstancesException"):
        fleet.delete(fleet.cluster)
    for part in (fleet.instances, fleet.cluster, fleet.template):
        fleet.delete(part)


def test_a_capacity_provider_leaves_its_cluster_when_no_service_uses_it(fleet: Fleet) -> None:
    service = fleet.service()
    second = fleet.capacity("second", fleet.fleet("second"))
    names = [each.get("name") for each in (fleet.provider, second)]
    fleet.change(fleet.providers, capacityProviders=names)
    with no("ResourceInUseException"):
        fleet.change(fleet.providers, capacityProviders=names[1:])
    fleet.change(service, capacityProviderStrategies=[{"capacityProvider": names[1]}])
    fleet.change(fleet.providers, capacityProviders=names[1:])


def test_protected_instances_go_by_force_alone(fleet: Fleet) -> None:
    with no("ScalingActivityInProgress"):
        fleet.delete(fleet.fleet("kept", forceDelete=False))
    fleet.delete(fleet.fleet("forced"))
    fleet.delete(fleet.fleet("unprotected", forceDelete=False, protectFromScaleIn=False))


def test_a_capacity_provider_has_a_name_of_its_own_and_a_group_to_itself(fleet: Fleet) -> None:
    with no("ClientException"):
        fleet.capacity("ecs-fleet", fleet.fleet("second"))
    with no("ClientException"):
        fleet.capacity("second", fleet.instances)
    with no("InvalidParameterException"):
        fleet.make(types.ECS_PROVIDERS, clusterName=fleet.cluster.get("name"), capacityProviders=["nobody"])


def test_termination_protection_needs_scaling_and_a_group_that_protects(fleet: Fleet) -> None:
    with no("ClientException"):
        fleet.capacity("second", fleet.fleet("second"), scaling="DISABLED")
    with no("ClientException"):
        fleet.capacity("third", fleet.fleet("third", protectFromScaleIn=False))


def test_each_copy_on_an_instance_needs_a_network_interface(fleet: Fleet) -> None:
    service = fleet.service(desiredCount=4)
    with no("CannotPlaceTask"):
        fleet.change(service, desiredCount=5)
    with no("CannotPlaceTask"):
        fleet.make(types.ECS_SERVICE, "second", **{**service.inputs, "name": "second", "desiredCount": 1})


def test_how_much_an_unknown_type_holds_is_not_pretended(fleet: Fleet) -> None:
    instances = fleet.fleet("unknown", type_="x9i.large")
    provider = fleet.capacity("unknown", instances)
    fleet.delete(fleet.providers)
    fleet.associate(fleet.provider, provider)
    fleet.service(capacityProviderStrategies=[{"capacityProvider": provider.get("name")}], desiredCount=50)


def test_a_copy_needs_instances_of_its_architecture_and_these_an_image_of_theirs(fleet: Fleet) -> None:
    arm = fleet.fleet("arm", type_="t4g.small")
    provider = fleet.capacity("arm", arm)
    fleet.delete(fleet.providers)
    fleet.associate(fleet.provider, provider)
    with no("CannotPlaceTask"):
        fleet.service(capacityProviderStrategies=[{"capacityProvider": provider.get("name")}])
    newest = answer("aws:ssm/getParameter:getParameter", fleet.state, REGION, {"name": next(iter(IMAGES))})[
        "insecureValue"
    ]
    template = fleet.launch_template("newest", imageId=newest)
    fleet.fleet("matching", template)
    with no("InvalidParameterValue"):
        fleet.fleet("other", template, type_="t4g.small")
    with no("ParameterNotFound"):
        answer("aws:ssm/getParameter:getParameter", fleet.state, REGION, {"name": "/acme/secret"})


def test_instances_need_a_way_out_for_themselves_and_their_copies(fleet: Fleet) -> None:
    fleet.service()  # without a public address: its instance pulls for it
    private = [{"associatePublicIpAddress": "false"}]
    with no("ResourceInitializationError"):
        fleet.fleet("stranded", fleet.launch_template("private", networkInterfaces=private))
    with no("RuntimeCutOff"):
        fleet.delete(fleet.route)


def test_a_template_counts_its_versions(fleet: Fleet) -> None:
    fleet.change(fleet.template, userData="")
    assert fleet.template.get("latestVersion") == 2


def test_an_image_needs_a_digest_a_repository_and_permission(town: Town) -> None:
    town.rule({town.targets.id: 1})
    with no("ImageWithoutDigest"):
        town.service(task=town.task("docker.io/acme/api:latest").get("arn"))
    url = town.make(types.ECR_REPOSITORY, name="acme/api").get("repositoryUrl")
    digest = IMAGE.partition("@")[2]
    ours = town.task(f"{url}@{digest}").get("arn")
    with no("CannotPullContainerError", "is not a repository"):
        town.service(task=town.task(f"{url}-other@{digest}").get("arn"))
    with no("CannotPullContainerError", "failed to resolve ref .*: not found"):
        town.service(task=ours)
    town.state.pushed[url].add(digest)
    with no("CannotPullContainerError", "may not pull"):
        town.service(task=ours)
    town.make(types.ROLE_POLICY, role=town.role.id, policy='{"Action": ["ecr:BatchGetImage"]}')
    town.service(task=ours)


def test_a_new_repository_is_empty_but_for_what_is_said_to_be_in_each(town: Town) -> None:
    kinds: tuple[tuple[str, dict[str, str]], ...] = (
        (types.ECR_REPOSITORY, {"name": "acme/api"}),
        (types.ECR_PUBLIC_REPOSITORY, {"repositoryName": "acme/api", "region": "us-east-1"}),
    )
    for type_, named in kinds:
        for images in (set(), {"sha256:1"}):
            town.state.images = images
            repository = town.make(type_, **named)
            url = refusals.repository_url(repository)
            assert url
            assert town.state.pushed[url] == images
            for digest in ("sha256:1", "sha256:2"):
                if digest in images:
                    refusals.in_repository(town.state, f"{url}@{digest}")
                else:
                    with no("CannotPullContainerError"):
                        refusals.in_repository(town.state, f"{url}@{digest}")
            town.state.pushed[url].clear()
            town.delete(repository)


def test_a_cache_fetches_what_is_pulled(town: Town) -> None:
    town.make(types.ECR_CACHE_RULE, ecrRepositoryPrefix="shop/aws", upstreamRegistryUrl="public.ecr.aws")
    url = town.make(types.ECR_REPOSITORY, name="shop/aws/acme/api").get("repositoryUrl")
    refusals.in_repository(town.state, f"{url}@sha256:1")
    assert town.state.pushed[url] == {"sha256:1"}


@pytest.mark.parametrize("force", [False, True])
def test_a_repository_with_images_stays_unless_forced(town: Town, force: bool) -> None:
    repository = town.make(types.ECR_REPOSITORY, name="acme/api", forceDelete=force)
    town.delete(town.make(types.ECR_REPOSITORY, "empty", name="acme/empty"))
    town.state.pushed[repository.get("repositoryUrl")].add("sha256:1")
    if force:
        town.delete(repository)
    else:
        with no("RepositoryNotEmptyException"):
            town.delete(repository)


def test_public_repositories_are_in_one_region(town: Town) -> None:
    with no("UnsupportedCommandException"):
        town.make(types.ECR_PUBLIC_REPOSITORY, repositoryName="acme/api")
    town.make(types.ECR_PUBLIC_REPOSITORY, repositoryName="acme/api", region="us-east-1")


def test_the_name_of_a_deleted_secret_is_blocked_unless_it_went_at_once(town: Town) -> None:
    secret = town.make(types.SECRET, name="password", recoveryWindowInDays=7)
    town.delete(secret)
    with no("ResourceExistsException"):
        town.make(types.SECRET, name="password")
    town.delete(town.make(types.SECRET, name="other", recoveryWindowInDays=0))
    town.make(types.SECRET, name="other")


@pytest.mark.parametrize(
    ("type_", "key", "code"),
    [
        (types.LOG_GROUP, "name", "ResourceAlreadyExistsException"),
        (types.ECR_REPOSITORY, "name", "RepositoryAlreadyExistsException"),
        (types.ROLE, "name", "EntityAlreadyExists"),
        (types.BUCKET, "bucket", "BucketAlreadyOwnedByYou"),
    ],
)
def test_fixed_names_collide(town: Town, type_: str, key: str, code: str) -> None:
    town.make(type_, "one", **{key: "same"})
    with no(code):
        town.make(type_, "two", **{key: "same"})


def test_names_are_a_regions_own_where_aws_says_so(town: Town) -> None:
    town.make(types.LOG_GROUP, "one", name="same")
    town.make(types.LOG_GROUP, "two", name="same", region="us-east-1")
    town.make(types.ROLE, "one", name="same")
    with no("EntityAlreadyExists"):
        town.make(types.ROLE, "two", name="same", region="us-east-1")


def test_copies_are_reached_on_the_port_that_their_group_lets_in(town: Town) -> None:
    town.rule({town.targets.id: 1})
    network = {"subnets": town.ids, "assignPublicIp": True, "securityGroups": [town.group.id]}
    mapping = {"targetGroupArn": town.targets.id, "containerName": "api", "containerPort": 8080}
    town.service(networkConfiguration=network, loadBalancers=[mapping], desiredCount=1)

    def states() -> list[tuple[int, str]]:
        return [(each.port, each.state) for each in targets(town.state, town.targets, 0)]

    assert states() == [(8080, "healthy")]  # no rule is known, so it is somebody else's group
    town.let_in(town.group.id, 9000)
    assert states() == [(8080, "unhealthy")]
    town.let_in(town.group.id, 8080)
    assert states() == [(8080, "healthy")]
    with no("InvalidPermission.Duplicate"):
        town.let_in(town.group.id, 8080)


def test_a_priority_is_used_once(town: Town) -> None:
    town.rule({town.targets.id: 1}, "one")
    with no("PriorityInUse"):
        town.rule({town.targets.id: 1}, "two")
    assert town.rule({town.targets.id: 1}, "two", priority=2).get("priority") == 2


def test_a_forward_has_one_to_five_groups_and_some_weight(town: Town) -> None:
    groups = [town.target_group(f"g{index}").id for index in range(6)]
    with no("TooManyTargetGroups"):
        town.rule(dict.fromkeys(groups, 1))
    with no("ValidationError"):
        town.rule(dict.fromkeys(groups[:2], 0))
    with no("ValidationError"):
        town.rule({groups[0]: 1000})
    rule = town.rule(dict(zip(groups[:5], (0, 1, 2, 3, 999), strict=True)))
    with no("ValidationError"):
        town.change(rule, actions=[{"forward": {"targetGroups": [{"arn": groups[0], "weight": 0}]}}])


def test_weights_go_to_groups_that_the_balancer_can_use(town: Town) -> None:
    with no("TargetGroupNotFound"):
        town.rule({"arn:aws:elasticloadbalancing:eu-central-1:1:targetgroup/no/1": 1})
    with no("InvalidConfigurationRequest"):
        town.rule({town.target_group("tcp", protocol="TCP").id: 1})
    elsewhere = town.make(types.VPC, "elsewhere", cidrBlock="10.1.0.0/16")
    with no("InvalidConfigurationRequest"):
        town.rule({town.target_group("far", vpcId=elsewhere.id).id: 1})
    second = town.make(types.LOAD_BALANCER, "second", subnets=town.ids)
    listener = town.make(types.LISTENER, "second", loadBalancerArn=second.id, port=80)
    town.rule({town.targets.id: 1})
    actions = [{"type": "forward", "targetGroupArn": town.targets.id}]
    with no("TargetGroupAssociationLimit"):
        town.make(types.LISTENER_RULE, "again", listenerArn=listener.id, priority=1, actions=actions)


def test_a_balancer_needs_two_zones_and_lets_go_only_unprotected(town: Town) -> None:
    with no("ValidationError"):
        town.make(types.LOAD_BALANCER, "narrow", subnets=town.ids[:1])
    guarded = town.make(types.LOAD_BALANCER, "guarded", subnets=town.ids, enableDeletionProtection=True)
    with no("OperationNotPermitted"):
        town.delete(guarded)
    town.change(guarded, enableDeletionProtection=False)
    town.delete(guarded)


def test_a_bucket_with_access_logs_stays_unless_forced(town: Town) -> None:
    bucket = town.make(types.BUCKET, bucket="logs")
    logs = {"bucket": "logs", "enabled": True}
    balancer = town.make(types.LOAD_BALANCER, "logging", subnets=town.ids, accessLogs=logs)
    town.delete(balancer)
    with no("BucketNotEmpty"):
        town.delete(bucket)
    town.change(bucket, forceDestroy=True)
    town.delete(bucket)


@pytest.mark.parametrize("type_", [types.ROLE_POLICY, types.ROLE_POLICY_ATTACHMENT])
def test_a_role_with_policies_stays_unless_forced(town: Town, type_: str) -> None:
    town.make(type_, role=town.role.get("name"), policyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    with no("DeleteConflict"):
        town.delete(town.role)
    town.change(town.role, forceDetachPolicies=True)
    town.delete(town.role)


@pytest.mark.parametrize("reference", ["vpc-0", "vpc-1"])
def test_what_an_input_names_must_exist(town: Town, reference: str) -> None:
    town.state.existing.add("vpc-1")
    if reference == "vpc-1":
        town.make(types.SUBNET, vpcId=reference, cidrBlock="10.9.0.0/24")
    else:
        with no("InvalidVpcID.NotFound"):
            town.make(types.SUBNET, vpcId=reference, cidrBlock="10.9.0.0/24")


def private(town: Town) -> CloudResource:
    """A subnet without a route."""
    return town.make(types.SUBNET, "private", vpcId=town.vpc.id, cidrBlock="10.0.9.0/24", availabilityZone=f"{REGION}c")


def test_a_runtime_needs_a_way_out_when_it_comes_and_while_it_lives(town: Town) -> None:
    town.rule({town.targets.id: 1})
    subnet = private(town)
    inside = {"networkConfiguration": {"subnets": [subnet.id], "assignPublicIp": False}}
    with no("ResourceInitializationError"):
        town.service(**inside)
    address = town.make(types.EIP)
    nat = town.make(types.NAT_GATEWAY, allocationId=address.id, subnetId=town.ids[0])
    table = town.make(types.ROUTE_TABLE, "private", vpcId=town.vpc.id)
    anywhere = {"routeTableId": table.id, "destinationCidrBlock": "0.0.0.0/0"}
    route = town.make(types.ROUTE, "private", natGatewayId=nat.id, **anywhere)
    association = town.make(types.ROUTE_TABLE_ASSOCIATION, "private", routeTableId=table.id, subnetId=subnet.id)
    service = town.service(**inside)
    for part in (nat, route, association):
        with no("RuntimeCutOff"):
            town.delete(part)
    town.delete(service)
    town.delete(route)
    town.delete(nat)


def test_endpoints_are_a_way_out_too(town: Town) -> None:
    town.rule({town.targets.id: 1})
    inside = {"networkConfiguration": {"subnets": [private(town).id], "assignPublicIp": False}}
    made = [
        town.make(types.VPC_ENDPOINT, service, vpcId=town.vpc.id, serviceName=f"com.amazonaws.{REGION}.{service}")
        for service in refusals.NEEDED_ENDPOINTS
    ]
    town.service(**inside)
    with no("RuntimeCutOff"):
        town.delete(made[0])


def test_a_name_that_would_be_too_long_is_refused(town: Town) -> None:
    with no("NameTooLong"):
        town.target_group("a" * 25)
    assert len(town.target_group("a" * 24).get("name")) == 32


def test_pulumis_own_naming_can_be_configured() -> None:
    assert Naming("api", b"seed", proposed="acme-api").unique(7, 32) == "acme-api"
    assert Naming("Api", b"seed").unique(7, 32, lower=True) == Naming("api", b"seed").unique(7, 32)
    with no("AutonamingDisabled"):
        Naming("api", b"seed", disabled=True).unique(7, 32)


@pytest.mark.parametrize(
    ("access", "allowed"),
    [
        (["0.0.0.0/0"], True),
        (["203.0.113.0/24"], True),  # stands for somebody's own
        (["203.0.113.0/24", "10.1.0.96/27"], False),
        (["2001:db8::/32"], False),
    ],
)
def test_a_clusters_api_is_reached_from_public_addresses(town: Town, access: list[str], allowed: bool) -> None:
    network = {"subnetIds": town.ids, "publicAccessCidrs": ["0.0.0.0/0"]}
    cluster = town.make(types.EKS_CLUSTER, "lab", name="lab", roleArn=town.role.get("arn"), vpcConfig=network)
    with nullcontext() if allowed else no("InvalidParameterException"):
        town.change(cluster, vpcConfig={**network, "publicAccessCidrs": access})


CONTROL_PLANE = "/aws/eks/lab/cluster"


def test_a_policy_is_given_to_an_access_entry_of_the_cluster(town: Town) -> None:
    cluster, other = logging_cluster(town), logging_cluster(town, name="other")
    admin = "arn:aws:iam::123456789012:role/ci"
    policy = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
    town.make(types.ACCESS_ENTRY, clusterName=other.id, principalArn=admin)
    inputs = {"clusterName": cluster.id, "principalArn": admin, "policyArn": policy, "accessScope": {"type": "cluster"}}
    with no("ResourceNotFoundException", "has no access entry in the cluster lab"):
        town.make(types.ACCESS_POLICY, **inputs)
    town.make(types.ACCESS_ENTRY, clusterName=cluster.id, principalArn=admin)
    assert town.make(types.ACCESS_POLICY, **inputs).id == f"lab#{admin}#{policy}"


def logging_cluster(town: Town, *logs: str, name: str = "lab") -> CloudResource:
    """A cluster whose control plane writes these logs."""
    network, role = {"subnetIds": town.ids}, town.role.get("arn")
    return town.make(
        types.EKS_CLUSTER, name, name=name, roleArn=role, vpcConfig=network, enabledClusterLogTypes=list(logs)
    )


@pytest.mark.parametrize(
    ("regions", "logs", "left"),
    [([], ["audit"], 1), ([REGION], ["audit"], 0), (["us-east-1"], ["audit"], 1), ([], [], 0)],
    ids=["it finds none", "it finds one", "one elsewhere", "no logs"],
)
def test_a_control_plane_makes_the_log_group_that_it_misses_and_leaves_it(
    town: Town, regions: list[str], logs: list[str], left: int
) -> None:
    groups = [town.make(types.LOG_GROUP, name=CONTROL_PLANE, region=each) for each in regions]
    town.delete(logging_cluster(town, *logs))
    for each in groups:
        town.delete(each)
    assert [each.name for each in town.state.every(types.LOG_GROUP)] == [CONTROL_PLANE] * left


def test_the_log_group_of_a_cluster_that_lives_comes_back_without_an_end(town: Town) -> None:
    group = town.make(types.LOG_GROUP, name=CONTROL_PLANE, retentionInDays=7)
    logging_cluster(town, "audit")
    town.delete(group)
    (again,) = town.state.every(types.LOG_GROUP)
    assert (again.get("name"), again.get("retentionInDays")) == (CONTROL_PLANE, None)
    with no("ResourceAlreadyExistsException"):
        town.make(types.LOG_GROUP, name=CONTROL_PLANE)


class Kube:
    """Objects in the EKS cluster `lab` of a town."""

    def __init__(self, town: Town) -> None:
        self.state = town.state
        self._package = Kubernetes(town.state)
        role = town.role.get("arn")
        compute = {"nodeRoleArn": role}
        network = {"subnetIds": town.ids}
        self.cluster = town.make(
            types.EKS_CLUSTER, "lab", name="lab", roleArn=role, vpcConfig=network, computeConfig=compute
        )
        server = self.cluster.get("endpoint")
        self.config = {
            "kubeconfig": json.dumps(
                {
                    "current-context": "it",
                    "contexts": [{"name": "it", "context": {"cluster": "it"}}],
                    "clusters": [{"name": "it", "cluster": {"server": server}}],
                }
            )
        }

    def make(
        self, kind: str, name: str, namespace: str | None = None, version: str = "v1", **body: Any
    ) -> CloudResource:
        """Create an object."""
        group = version if "/" in version else f"core/{version}"
        urn = Urn(f"kubernetes:{group}:{kind}", name, f"urn:{kind}:{name}")
        metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
        inputs = {"apiVersion": version, "kind": kind, "metadata": metadata, **body}
        resource = self._package.make(urn, inputs, self.config)
        resource.ready = True
        self.state.add(resource)
        return resource

    def change(self, resource: CloudResource, **body: Any) -> None:
        """Update an object."""
        changed = self._package.change(resource, resource.inputs | body, self.config)
        self.state.change(resource, changed.inputs, changed.outputs)

    def delete(self, resource: CloudResource) -> None:
        """Delete an object."""
        self._package.delete(resource, self.config)
        self.state.remove(resource)
        self._package.went(resource)


@pytest.fixture
def kube(town: Town) -> Kube:
    return Kube(town)


def test_kubernetes_knows_its_names_and_namespaces(kube: Kube) -> None:
    with no("NotFound"):
        kube.make("ConfigMap", "settings", "apps")
    apps = kube.make("Namespace", "apps")
    kube.make("ConfigMap", "settings", "apps")
    kube.make("ConfigMap", "settings", "kube-system")
    with no("AlreadyExists"):
        kube.make("ConfigMap", "settings", "apps")
    kube.delete(apps)
    assert [each.id for each in kube.state if each.cluster] == ["kube-system/settings"]


def test_a_cluster_that_is_gone_cannot_be_reached_and_takes_its_objects_along(town: Town, kube: Kube) -> None:
    made = kube.make("Namespace", "apps")
    town.delete(kube.cluster)
    assert not [each for each in town.state if each.cluster]
    with no("ClusterUnreachable"):
        kube.make("Namespace", "more")
    with no("ClusterUnreachable"):
        kube.delete(made)


def test_auto_mode_binds_only_groups_with_its_clusters_tag(town: Town, kube: Kube) -> None:
    def bind(arn: str, **spec: Any) -> CloudResource:
        service = {"serviceRef": {"name": "api", "port": 80}, "targetGroupARN": arn, **spec}
        return kube.make("TargetGroupBinding", "api", "default", "eks.amazonaws.com/v1", spec=service)

    with no("TargetGroupNotFound"):
        bind("arn:none", targetType="ip")
    with no("AccessDenied"):
        bind(town.targets.id, targetType="ip")
    tagged = town.target_group("tagged", tags={"eks:eks-cluster-name": "lab"})
    with no("Invalid"):
        bind(tagged.id)
    bind(tagged.id, targetType="ip")


def test_a_binding_keeps_its_group(town: Town, kube: Kube) -> None:
    one, two = (town.target_group(name, tags={"eks:eks-cluster-name": "lab"}) for name in ("one", "two"))
    spec = {"serviceRef": {"name": "api", "port": 80}, "targetGroupARN": one.id, "targetType": "ip"}
    bound = kube.make("TargetGroupBinding", "api", "default", "eks.amazonaws.com/v1", spec=spec)
    with no("Forbidden"):
        kube.change(bound, spec=spec | {"targetGroupARN": two.id})
    kube.change(bound, metadata=bound.inputs["metadata"] | {"labels": {"more": "x"}})


def test_pods_are_reached_on_the_port_that_their_cluster_and_policy_let_in(town: Town, kube: Kube) -> None:
    group = town.target_group("tagged", tags={"eks:eks-cluster-name": "lab"})
    town.rule({group.id: 1})

    def states() -> list[tuple[int, str]]:
        return [(each.port, each.state) for each in targets(town.state, group, 60)]

    labels = {"app": "api"}
    spec = {"serviceRef": {"name": "api", "port": 80}, "targetGroupARN": group.id, "targetType": "ip"}
    kube.make("TargetGroupBinding", "api", "default", "eks.amazonaws.com/v1", spec=spec)
    kube.make("Service", "api", "default", spec={"selector": labels})
    container = {"image": IMAGE, "ports": [{"containerPort": 8080}]}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    kube.make("Deployment", "api", "default", "apps/v1", spec={"template": pod})
    assert states() == [(8080, "healthy")]

    opened = town.let_in(kube.cluster.get("vpcConfig.clusterSecurityGroupId"), 9000)
    assert states() == [(8080, "unhealthy")]
    town.delete(opened)

    for number, (port, state) in enumerate(((9000, "unhealthy"), (8080, "healthy"), ("http", "healthy"))):
        rule = {"podSelector": {"matchLabels": labels}, "ingress": [{"ports": [{"port": port}]}]}
        policy = kube.make("NetworkPolicy", f"p{number}", "default", "networking.k8s.io/v1", spec=rule)
        assert states() == [(8080, state)]
        kube.delete(policy)


def test_the_copies_behind_a_binding_are_its_targets(town: Town, kube: Kube) -> None:
    group = town.target_group("tagged", tags={"eks:eks-cluster-name": "lab"})

    def states() -> list[str]:
        return [each.state for each in targets(town.state, group, 60)]

    spec = {"serviceRef": {"name": "api", "port": 80}, "targetGroupARN": group.id, "targetType": "ip"}
    kube.make("TargetGroupBinding", "api", "default", "eks.amazonaws.com/v1", spec=spec)
    kube.make("Service", "api", "default", spec={"selector": {"app": "api"}})
    assert states() == []
    pod = {"metadata": {"labels": {"app": "api", "more": "x"}}, "spec": {"containers": [{"image": IMAGE}]}}
    kube.make("Deployment", "api", "default", "apps/v1", spec={"template": pod})
    assert states() == ["unused"]
    town.rule({group.id: 1})
    assert states() == ["healthy"]
    scale = {"scaleTargetRef": {"kind": "Deployment", "name": "api"}, "minReplicas": 3}
    kube.make("HorizontalPodAutoscaler", "api", "default", "autoscaling/v2", spec=scale)
    assert states() == ["healthy"] * 3
    town.state.unhealthy_groups.add("tagged")
    assert states() == ["unhealthy"] * 3


def test_pods_need_a_digest_and_nodes_that_may_pull(town: Town, kube: Kube) -> None:
    def deploy(image: str) -> CloudResource:
        pod = {"metadata": {"labels": {"app": "api"}}, "spec": {"containers": [{"image": image}]}}
        return kube.make("Deployment", "api", "default", "apps/v1", spec={"template": pod})

    with no("ImageWithoutDigest"):
        deploy("docker.io/acme/api:latest")
    image = f"{town.make(types.ECR_REPOSITORY, name='acme/api').get('repositoryUrl')}@sha256:{'c' * 64}"
    with no("CannotPullContainerError"):
        deploy(image)
    town.state.pushed[image.partition("@")[0]].add(image.partition("@")[2])
    with no("ErrImagePull"):
        deploy(image)
    pull = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"
    attached = town.make(types.ROLE_POLICY_ATTACHMENT, role=town.role.id, policyArn=pull)
    deploy(image)
    with no("RuntimeCutOff"):
        town.delete(attached)


def test_a_cache_needs_a_login_that_ecr_can_find_and_read(town: Town) -> None:
    def rule(**inputs: Any) -> CloudResource:
        usual = {"ecrRepositoryPrefix": "shop/ghcr", "upstreamRegistryUrl": "ghcr.io"}
        return town.make(types.ECR_CACHE_RULE, **(usual | inputs))

    def secret(name: str) -> str:
        return str(town.make(types.SECRET, name, namePrefix=f"{name}-").get("arn"))

    with no("InvalidParameterException"):
        rule()
    with no("InvalidParameterException"):
        rule(ecrRepositoryPrefix="s" * 31, upstreamRegistryUrl="public.ecr.aws")
    with no("ResourceNotFoundException"):
        rule(credentialArn="arn:aws:secretsmanager:us-east-1:123456789012:secret:ecr-pullthroughcache/none")
    with no("ValidationException"):
        rule(credentialArn=secret("ghcr"))
    login = secret("ecr-pullthroughcache/ghcr")
    with no("UnableToAccessSecretException"):
        rule(credentialArn=login)
    town.make(types.SECRET_VERSION, secretId=login, secretString="{}")
    rule(credentialArn=login)
    with no("PullThroughCacheRuleAlreadyExistsException"):
        town.make(types.ECR_CACHE_RULE, "again", ecrRepositoryPrefix="shop/ghcr", upstreamRegistryUrl="public.ecr.aws")


def test_who_pulls_from_a_cache_must_be_allowed_to_fill_it(town: Town) -> None:
    town.make(types.ECR_CACHE_RULE, ecrRepositoryPrefix="shop/quay", upstreamRegistryUrl="quay.io")
    url = town.make(types.ECR_REPOSITORY, name="shop/quay/acme/api").get("repositoryUrl")
    task = town.task(f"{url}@sha256:{'c' * 64}").get("arn")
    town.rule({town.targets.id: 1})
    town.make(types.ROLE_POLICY, role=town.role.id, policy="ecr:BatchGetImage")
    with no("CannotPullContainerError"):
        town.service(task=task)
    town.make(types.ROLE_POLICY, "fill", role=town.role.id, policy="ecr:BatchImportUpstreamImage")
    town.service(task=task)


def test_a_role_has_room_for_so_many_characters_of_inline_policies(town: Town) -> None:
    """White space does not count."""
    half = town.make(types.ROLE_POLICY, "half", role=town.role.id, policy="x" * 5_120 + " \n" * 100)
    town.make(types.ROLE_POLICY, "rest", role=town.role.id, policy="y" * 5_120)
    another = town.make(types.ROLE, "another", assumeRolePolicy=TRUST)
    town.make(types.ROLE_POLICY, "else", role=another.id, policy="z")
    town.change(half, policy="x" * 5_120)
    with no("LimitExceeded"):
        town.make(types.ROLE_POLICY, "more", role=town.role.id, policy="z")
    with no("LimitExceeded"):
        town.change(half, policy="x" * 5_121)


# --- behind the engine ------------------------------------------------------------------------------------------------


def network() -> tuple[aws.ec2.Vpc, list[pulumi.Output[str]], list[pulumi.Resource]]:
    """A public network: the VPC, its subnets, and what a runtime in it must wait for."""
    vpc = aws.ec2.Vpc("net", cidr_block="10.0.0.0/16")
    gateway = aws.ec2.InternetGateway("net", vpc_id=vpc.id)
    table = aws.ec2.RouteTable("net", vpc_id=vpc.id)
    ready: list[pulumi.Resource] = [
        aws.ec2.Route("net", route_table_id=table.id, destination_cidr_block="0.0.0.0/0", gateway_id=gateway.id)
    ]
    zones = aws.get_availability_zones_output().names
    subnets = []
    for index in range(2):
        subnet = aws.ec2.Subnet(
            f"net-{index}", vpc_id=vpc.id, cidr_block=f"10.0.{index}.0/24", availability_zone=zones[index]
        )
        subnets.append(subnet.id)
        ready.append(aws.ec2.RouteTableAssociation(f"net-{index}", subnet_id=subnet.id, route_table_id=table.id))
    return vpc, subnets, ready


def group(name: str, port: int, vpc_id: pulumi.Input[str] | None = None, **options: Any) -> aws.lb.TargetGroup:
    return aws.lb.TargetGroup(name, port=port, protocol="HTTP", target_type="ip", vpc_id=vpc_id, **options)


def test_changes_replacements_refresh_and_secrets(make_lab: MakeLab) -> None:
    lab = make_lab()

    def program(port: int = 80, delay: int = 30, repository: str = "MUTABLE", family: str = "a") -> None:
        group("group", port, deregistration_delay=delay)
        aws.cloudwatch.LogGroup("logs", name="/fixed", retention_in_days=7)
        aws.ecr.Repository("repository", name="acme/api", image_tag_mutability=repository)
        aws.ecs.TaskDefinition("task", family="api", container_definitions=json.dumps([{"name": family}]))
        secret = aws.secretsmanager.Secret("secret")
        aws.secretsmanager.SecretVersion("secret", secret_id=secret.id, secret_string=pulumi.Output.secret("swordfish"))
        # Not a secret by its schema: only the value says so.
        aws.cloudwatch.LogGroup("tagged", tags={"owner": pulumi.Output.secret("swordfish")})

    assert lab.preview(program) == {"create": 8}
    assert not lab.cloud.calls
    assert not len(lab.cloud.state)
    assert lab.up(program) == {"create": 8}
    assert "swordfish" not in lab.saved()
    name = lab.resource("group")["outputs"]["name"]
    assert name.startswith("group-")
    assert len(name) == len("group-") + 7
    assert lab.preview(program) == {}

    changed = lambda: program(8080, 30, "IMMUTABLE", "b")  # noqa: E731
    assert lab.preview(changed) == {"replace": 2, "update": 1}
    assert lab.up(changed) == {"replace": 2, "update": 1}
    assert lab.resource("task")["outputs"]["revision"] == 2
    # The new one under another name, before the old one goes.
    assert lab.calls("create", "group")[-1].done < lab.calls("delete", "group")[0].begun  # type: ignore[operator]
    assert lab.resource("group")["outputs"]["name"] != name

    there = lab.cloud.state.every(types.TARGET_GROUP)[0]
    other = {"deregistrationDelay": 5}
    lab.cloud.state.change(there, there.inputs | other, there.outputs | other)
    lab.cloud.state.remove(lab.cloud.state.every(types.ECR_REPOSITORY)[0])
    lab.stack.refresh()
    assert lab.resource("group")["outputs"]["deregistrationDelay"] == 5
    assert lab.up(changed) == {"create": 1, "update": 1}
    lab.destroy()
    assert not len(lab.cloud.state)


def test_a_fixed_name_is_deleted_before_it_is_made_again(make_lab: MakeLab) -> None:
    lab = make_lab()
    plain = lambda: aws.ecr.Repository("images", name="acme/api")  # noqa: E731
    encrypted = lambda: aws.ecr.Repository(  # noqa: E731
        "images", name="acme/api", encryption_configurations=[{"encryption_type": "KMS"}]
    )
    lab.up(plain)  # type: ignore[arg-type]
    assert lab.up(encrypted) == {"replace": 1}  # type: ignore[arg-type]
    assert lab.calls("delete")[0].done < lab.calls("create")[-1].begun  # type: ignore[operator]


def test_what_is_not_known_is_refused_by_name(make_lab: MakeLab) -> None:
    lab = make_lab()

    def program() -> None:
        aws.sqs.Queue("queue")

    def question() -> None:
        aws.ec2.get_ami(owners=["self"])

    def existing() -> None:
        aws.cloudwatch.LogGroup.get("gone", "/not/there")

    assert "does not know aws:sqs/queue:Queue" in lab.refused(program)
    assert "no answer to aws:ec2/getAmi:getAmi" in lab.refused(question)
    assert "/not/there" in lab.refused(existing)
    assert not len(lab.cloud.state)


def test_the_engine_shows_the_refusal_and_keeps_what_is_there(make_lab: MakeLab) -> None:
    lab = make_lab()

    def program(double: bool = False) -> None:
        aws.cloudwatch.LogGroup("one", name="/same")
        if double:
            aws.cloudwatch.LogGroup("two", name="/same", opts=pulumi.ResourceOptions(depends_on=[]))

    lab.up(program)
    said = lab.refused(lambda: program(double=True))
    assert "ResourceAlreadyExistsException: two: name /same is taken by one" in said
    assert [each.ok for each in lab.calls("create", "two")] == [False]
    assert lab.preview(program) == {}


def test_faults_fail_hang_and_drop(make_lab: MakeLab) -> None:
    logs = "aws:cloudwatch/logGroup:LogGroup"
    lab = make_lab(faults=[Fault(logs, "create", 1, message="Throttling: slow down"), Fault(logs, "create", 3, "drop")])

    def program(count: int) -> None:
        for index in range(count):
            aws.cloudwatch.LogGroup(f"logs-{index}")

    assert "Throttling: slow down" in lab.refused(lambda: program(1))
    assert lab.up(lambda: program(1)) == {"create": 1}
    lab.refused(lambda: program(2))  # the connection is gone in the middle
    wait_until(lambda: len([each for each in lab.calls("create") if each.done]) == 3)
    assert len(lab.cloud.state) == 2  # AWS finished it, and the state does not know
    assert lab.up(lambda: program(2)) == {"create": 1}
    assert [each.ok for each in lab.calls("create")] == [False, True, False, True]
    assert len(lab.cloud.state) == 3


@pytest.mark.parametrize(("how", "known"), [(signal.SIGINT, True), (signal.SIGKILL, False)])
def test_what_an_interrupted_or_killed_engine_was_making_is_made(
    make_lab: MakeLab, how: signal.Signals, known: bool
) -> None:
    """An interrupted engine hears from the provider what there is; a killed one leaves a state that does not know."""
    logs = "aws:cloudwatch/logGroup:LogGroup"
    lab = make_lab(faults=[Fault(logs, "create", how="hang")])

    def program() -> None:
        aws.cloudwatch.LogGroup("logs", name="/fixed")

    interrupted(lab, "create", how, program)
    assert len(lab.cloud.state) == 1
    if how == signal.SIGKILL:
        lab.stack.cancel()  # it left its lock
    if known:
        lab.up(program)
        assert len(lab.calls("create")) == 1
    else:
        assert "ResourceAlreadyExistsException" in lab.refused(program)


@pytest.mark.parametrize("op", ["update", "delete"])
def test_what_a_killed_engine_was_changing_or_deleting_is_so_after_a_refresh(make_lab: MakeLab, op: Any) -> None:
    lab = make_lab(faults=[Fault("aws:cloudwatch/logGroup:LogGroup", op, how="hang")])

    def program(days: int) -> None:
        aws.cloudwatch.LogGroup("logs", retention_in_days=days)

    after = (lambda: program(30)) if op == "update" else nothing
    lab.up(lambda: program(7))
    interrupted(lab, op, signal.SIGKILL, after)
    lab.stack.cancel()
    lab.stack.refresh()
    assert lab.preview(after) == {}


def interrupted(lab: Lab, op: str, how: signal.Signals, program: Program) -> None:
    """Run `program`, whose engine gets a signal in the middle of an operation, and wait for the end of that."""
    thread = threading.Thread(target=send, args=(lab, op, how))
    thread.start()
    lab.refused(program)
    thread.join()
    wait_until(lambda: lab.calls(op)[0].done)
    assert not lab.calls(op)[0].ok


def send(lab: Lab, op: str, how: signal.Signals) -> None:
    """Signal the engine, a child of this process, in the middle of an operation."""
    wait_until(lambda: lab.calls(op))
    children = subprocess.run(["pgrep", "-P", str(os.getpid()), "pulumi"], capture_output=True, text=True, check=True)
    for child in children.stdout.split():
        os.kill(int(child), how)


def wait_until(holds: Callable[[], object]) -> None:
    """Return once it holds; fail after ten seconds."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.02)


def load_balanced(vpc: aws.ec2.Vpc, subnets: list[pulumi.Output[str]], name: str) -> pulumi.Output[str]:
    """The ARN of a target group, known once it hangs on a load balancer."""
    balancer = aws.lb.LoadBalancer("edge", subnets=subnets)
    answer = aws.lb.ListenerDefaultActionArgs(
        type="fixed-response",
        fixed_response=aws.lb.ListenerDefaultActionFixedResponseArgs(content_type="text/plain", status_code="404"),
    )
    listener = aws.lb.Listener("edge", load_balancer_arn=balancer.arn, port=80, default_actions=[answer])
    targets_of = group(name, 80, vpc.id, tags={"eks:eks-cluster-name": "lab"})
    rule = aws.lb.ListenerRule(
        name,
        listener_arn=listener.arn,
        priority=1,
        conditions=[{"path_pattern": {"values": ["/*"]}}],
        actions=[{"type": "forward", "target_group_arn": targets_of.arn}],
    )
    arn = pulumi.Output.all(targets_of.arn, rule.arn).apply(lambda both: str(both[0]))
    pulumi.export(name, arn)
    return arn


def test_eks_kubernetes_health_and_time(make_lab: MakeLab) -> None:
    lab = make_lab(scale=1 / 5000)

    def program(copies: int = 2, identifier: str = "lab") -> None:
        vpc, subnets, ready = network()
        pods = load_balanced(vpc, subnets, "pods")
        cluster = eks.Cluster(
            "lab",
            name="lab",
            vpc_id=vpc.id,
            subnet_ids=[
                pulumi.Output.all(each, *[one.urn for one in ready]).apply(lambda both: str(both[0]))
                for each in subnets
            ],
            authentication_mode=eks.AuthenticationMode.API,
            auto_mode={"enabled": True},
            create_instance_role=False,
            skip_default_node_group=True,
            coredns_addon_options={"enabled": False},
            tags={"team": "lab"},
        )
        provider = k8s.Provider("lab", kubeconfig=cluster.kubeconfig_json, cluster_identifier=identifier)
        inside = pulumi.ResourceOptions(provider=provider, deleted_with=cluster)
        namespace = k8s.core.v1.Namespace("apps", metadata={"name": "apps"}, opts=inside).metadata.name
        k8s.core.v1.Secret(
            "password",
            metadata={"namespace": namespace},
            string_data={"it": pulumi.Output.secret("swordfish")},
            opts=inside,
        )
        labels = {"app": "api"}
        served = k8s.core.v1.Service(
            "api",
            metadata={"name": "api", "namespace": namespace},
            spec={"selector": labels, "ports": [{"port": 80}]},
            opts=inside,
        )
        pod: Any = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "api", "image": IMAGE}]}}
        run = k8s.apps.v1.Deployment(
            "api",
            metadata={"name": "api", "namespace": namespace},
            spec={"replicas": copies, "selector": {"match_labels": labels}, "template": pod},
            opts=inside,
        )
        k8s.apiextensions.CustomResource(
            "api",
            api_version="eks.amazonaws.com/v1",
            kind="TargetGroupBinding",
            metadata={"name": "api", "namespace": namespace},
            spec={
                "serviceRef": {"name": served.metadata.name, "port": 80},
                "targetGroupARN": pods,
                "targetType": "ip",
            },
            opts=pulumi.ResourceOptions.merge(inside, pulumi.ResourceOptions(depends_on=[run])),
        )
        pulumi.export("issuer", cluster.oidc_issuer)
        pulumi.export("name", cluster.eks_cluster.name)

    assert lab.up(program) == {"create": 33}
    assert "swordfish" not in lab.saved()
    assert lab.stack.outputs()["name"].value == "lab"
    (made,) = lab.calls("create", "lab-eksCluster")
    assert made.end is not None
    assert made.end - made.start == 540
    roles = {each.get("policyArn").rsplit("/")[-1] for each in lab.cloud.state.every(types.ROLE_POLICY_ATTACHMENT)}
    assert roles == {
        *("AmazonEKSClusterPolicy", "AmazonEKSComputePolicy", "AmazonEKSBlockStoragePolicy"),
        *("AmazonEKSLoadBalancingPolicy", "AmazonEKSNetworkingPolicy"),
        *("AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly"),
    }
    assert lab.preview(program) == {}

    arn = lab.stack.outputs()["pods"].value
    assert health(lab, arn) == [("initial", "Elb.InitialHealthChecking")] * 2
    wait_until(lambda: health(lab, arn) == [("healthy", None)] * 2)
    lab.up(lambda: program(copies=3))
    assert len(health(lab, arn)) == 3
    lab.cloud.state.unhealthy_groups.add("pods")
    assert health(lab, arn) == [("unhealthy", "Target.ResponseCodeMismatch")] * 3

    # Another identifier is another cluster for the provider: all its objects go and come again.
    assert lab.preview(lambda: program(copies=3, identifier="other")) == {"replace": 6}
    lab.destroy()
    assert not len(lab.cloud.state)
    assert not lab.calls("delete", "password"), "what goes with the cluster is not deleted one by one"


def test_a_service_that_never_gets_healthy_is_kept_and_seen_to_in_the_next_run(make_lab: MakeLab) -> None:
    lab = make_lab(unhealthy_groups={"tasks"})

    def program(image: str = IMAGE) -> None:
        vpc, subnets, ready = network()
        tasks = load_balanced(vpc, subnets, "tasks")
        cluster = aws.ecs.Cluster("lab")
        task = aws.ecs.TaskDefinition(
            "lab",
            family="lab",
            network_mode="awsvpc",
            container_definitions=json.dumps([{"name": "a", "image": image}]),
        )
        network_of = aws.ecs.ServiceNetworkConfigurationArgs(subnets=subnets, assign_public_ip=True)
        aws.ecs.Service(
            "lab",
            cluster=cluster.arn,
            task_definition=task.arn,
            desired_count=2,
            wait_for_steady_state=True,
            network_configuration=network_of,
            load_balancers=[{"target_group_arn": tasks, "container_name": "a", "container_port": 80}],
            opts=pulumi.ResourceOptions(depends_on=ready),
        )

    assert "circuit breaker: tasks failed ELB health checks" in lab.refused(program)
    assert lab.resource("lab")
    lab.cloud.state.unhealthy_groups.clear()
    assert lab.up(program) == {"update": 1}
    assert lab.preview(program) == {}

    lab.cloud.state.unhealthy_groups.add("tasks")
    (service,) = lab.cloud.state.every(types.ECS_SERVICE)
    running = service.get("taskDefinition")
    bad = IMAGE.replace("a" * 64, "b" * 64)
    assert "the former task definition goes on running" in lab.refused(lambda: program(bad))
    assert service.get("taskDefinition") == running


def health(lab: Lab, arn: str) -> list[tuple[str, str | None]]:
    """State and reason of each target, as boto3 reads them."""
    url = lab.cloud.env["AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2"]
    client = boto3.client(
        "elbv2", region_name=REGION, endpoint_url=url, aws_access_key_id="x", aws_secret_access_key="x"
    )
    states = [
        each["TargetHealth"] for each in client.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    ]
    with pytest.raises(botocore.exceptions.ClientError, match="TargetGroupNotFound"):
        client.describe_target_health(TargetGroupArn=arn + "0")
    with pytest.raises(botocore.exceptions.ClientError, match="no answer to DescribeRules"):
        client.describe_rules()
    return [(each["State"], each.get("Reason")) for each in states]


def test_outputs_are_what_the_engine_told_and_a_secret_one_is_asked_for(make_lab: MakeLab) -> None:
    lab = make_lab()

    def program(shown: bool) -> None:
        pulumi.export("open", {"answer": 42})
        if shown:
            pulumi.export("hidden", pulumi.Output.secret("hush"))

    assert lab.up(lambda: program(shown=False)) == {"create": 1}
    (told,) = lab.stack.outputs().values()
    assert (told.value, told.secret) == ({"answer": 42}, False)
    lab.up(lambda: program(shown=True))
    outputs = lab.stack.outputs()
    assert {name: (each.value, each.secret) for name, each in outputs.items()} == {
        "open": ({"answer": 42}, False),
        "hidden": ("hush", True),
    }
