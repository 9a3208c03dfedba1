"""What AWS refuses of every type: what others hold, names, references, and being cut off."""

import pytest

from rehearsal.aws import types
from rehearsal.aws.health import targets
from rehearsal.aws.network import ENDPOINTS
from rehearsal.package import Naming
from rehearsal.state import CloudResource, Refused
from tests.engine.account import IMAGE, REGION, Town, no

pytestmark = pytest.mark.engine


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


def test_a_name_that_would_be_too_long_is_refused(town: Town) -> None:
    with no("NameTooLong"):
        town.target_group("a" * 25)
    assert len(town.target_group("a" * 24).get("name")) == 32


def test_pulumis_own_naming_can_be_configured() -> None:
    assert Naming("api", b"seed", proposed="acme-api").unique(7, 32) == "acme-api"
    assert Naming("Api", b"seed").unique(7, 32, lower=True) == Naming("api", b"seed").unique(7, 32)
    with no("AutonamingDisabled"):
        Naming("api", b"seed", disabled=True).unique(7, 32)


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


def test_endpoints_are_a_way_out_too_but_to_no_other_registry(town: Town) -> None:
    town.rule({town.targets.id: 1})
    inside = {"networkConfiguration": {"subnets": [private(town).id], "assignPublicIp": False}}
    made = [
        town.make(types.VPC_ENDPOINT, service, vpcId=town.vpc.id, serviceName=f"com.amazonaws.{REGION}.{service}")
        for service in ENDPOINTS
    ]
    with no("CannotPullContainerError", "no way out to docker.io"):
        town.service(**inside)
    url = town.make(types.ECR_REPOSITORY, name="acme/api").get("repositoryUrl")
    town.state.pushed[url].add(IMAGE.partition("@")[2])
    town.make(types.ROLE_POLICY, role=town.role.id, policy="ecr:BatchGetImage")
    town.service(**inside, task=town.task(IMAGE.replace("docker.io/acme/api", url)).get("arn"))
    with no("RuntimeCutOff"):
        town.delete(made[0])
