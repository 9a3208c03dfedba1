"""What an estimate adds up, whatever is asked for."""

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components import prices
from components.estimate import Charge, Estimate
from components.service import Service
from components.testing.cloud import Cloud
from components.testing.engine import start
from components.usage import Usage
from config.estimates import Pair, of_pair, of_stack
from config.load import load
from tests.conformance import broken
from tests.conformance.priced import (
    NETWORKS,
    NOTHING,
    QUANTITIES,
    REGIONS,
    ROUNDING,
    SAVES,
    SERVICES,
    priced,
    service,
    stack,
)
from tests.conformance.test_costs import STANDING
from tests.program import BLOCKS, as_pulumi, config_for


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
            "replicas: the orchestrator's backend does not state what it costs",
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
