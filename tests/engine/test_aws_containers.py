"""The rehearsal's ECS, on Fargate and on instances, and the instances of a swarm."""

import pytest

from rehearsal.aws import types
from rehearsal.aws.instances import IMAGES
from rehearsal.state import Refused, Swarm
from tests.engine.account import Fleet, Town, no

pytestmark = pytest.mark.engine


def test_ecs_wants_its_group_on_a_load_balancer(town: Town) -> None:
    with no("InvalidParameterException"):
        town.service()


def test_ecs_on_awsvpc_wants_targets_of_type_ip(town: Town) -> None:
    group = town.target_group("by-instance", targetType="instance")
    town.rule({group.id: 1})
    with no("InvalidParameterException"):
        town.service(loadBalancers=[{"targetGroupArn": group.id}])


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


def test_each_replica_on_an_instance_needs_a_network_interface(fleet: Fleet) -> None:
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


def test_a_replica_needs_instances_of_its_architecture_and_these_an_image_of_theirs(fleet: Fleet) -> None:
    arm = fleet.fleet("arm", type_="t4g.small")
    provider = fleet.capacity("arm", arm)
    fleet.delete(fleet.providers)
    fleet.associate(fleet.provider, provider)
    with no("CannotPlaceTask"):
        fleet.service(capacityProviderStrategies=[{"capacityProvider": provider.get("name")}])
    newest = fleet.ask("aws:ssm/getParameter:getParameter", name=next(iter(IMAGES)))["insecureValue"]
    template = fleet.launch_template("newest", imageId=newest)
    fleet.fleet("matching", template)
    with no("InvalidParameterValue"):
        fleet.fleet("other", template, type_="t4g.small")
    with no("ParameterNotFound"):
        fleet.ask("aws:ssm/getParameter:getParameter", name="/acme/secret")


def test_instances_need_a_way_out_for_themselves_and_their_replicas(fleet: Fleet) -> None:
    fleet.service()  # without a public address: its instance pulls for it
    private = [{"associatePublicIpAddress": "false"}]
    with no("ResourceInitializationError"):
        fleet.fleet("stranded", fleet.launch_template("private", networkInterfaces=private))
    with no("RuntimeCutOff"):
        fleet.delete(fleet.route)


def test_a_template_counts_its_versions(fleet: Fleet) -> None:
    fleet.change(fleet.template, userData="")
    assert fleet.template.get("latestVersion") == 2


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
