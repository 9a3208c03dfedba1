"""Instances and the replicas that they hold: one arithmetic for estimates, checks, quotas and the rehearsal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.aws.fleet import INSTANCE_TYPES, Fleet, InstanceType, least, whole
from components.service import Service

FLEETS = st.builds(Fleet, st.sampled_from([0, 0.1, 0.5]), st.integers(1, 400), st.booleans())
SERVICES = st.builds(
    lambda cpu, memory: Service(port=8080, cpu=cpu, memory=memory),
    st.sampled_from([0.25, 0.5, 1, 2, 4]),
    st.integers(128, 8192),
)


@given(FLEETS, st.sampled_from(sorted(INSTANCE_TYPES)), st.lists(SERVICES, min_size=1, max_size=4))
def test_the_type_found_holds_every_service_or_the_family_has_none_that_does(
    fleet: Fleet, name: str, services: list[Service]
) -> None:
    found = fleet.type_for(name, services)
    assert found.partition(".")[0] == name.partition(".")[0]
    if found != name:
        assert all(fleet.holds(INSTANCE_TYPES[found], each) for each in services)
        assert not all(fleet.holds(INSTANCE_TYPES[name], each) for each in services)


@given(FLEETS, st.sampled_from(sorted(INSTANCE_TYPES)), SERVICES, st.integers(0, 40))
def test_so_many_instances_have_room_for_all_replicas_of_one_service(
    fleet: Fleet, name: str, service: Service, replicas: int
) -> None:
    """Put one after the other, as many to an instance as each resource allows."""
    type_ = INSTANCE_TYPES[name]
    count = whole(max(fleet.needs(type_, [(service, float(replicas))]).values()))
    assert replicas * service.cpu <= count * (type_.vcpu - fleet.keeps_cpu) + 1e-6
    assert replicas * service.memory <= count * (type_.memory - fleet.keeps_memory) + 1e-3
    if fleet.interface_each:
        assert replicas <= count * type_.for_replicas


@pytest.mark.parametrize("names", [[], ["t3.small", "x9.huge"]])
def test_of_an_unknown_type_nothing_is_claimed(names: list[str]) -> None:
    assert least(names) is None


def test_what_any_of_some_types_has_is_the_least_of_each() -> None:
    assert least(["t3.xlarge", "r6i.large"]) == InstanceType(vcpu=2, memory=16 * 1024, interfaces=3)
