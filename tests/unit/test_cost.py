"""What an estimate makes of lines, and what single components state; every pair's is in tests/conformance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import prices
from components.aws.network import Network
from components.cost import COLUMNS, Column, Demand, Item, Line, Note, Unpriced
from components.edge.alb import AlbOptions, capacity_units
from components.estimate import Amount, Charge, Estimate, cents, estimate
from components.orchestrator import OrchestratorOptions
from components.orchestrator.ecs_fargate import EcsFargateOptions
from components.orchestrator.eks import EksOptions
from components.orchestrator.kubernetes import KubernetesOptions
from components.orchestrator.swarm_ec2 import SwarmEc2Options
from components.prices import Price, Tier
from components.pull import Anonymous, AwsRole, Login, Pull
from components.registry import RegistryOptions
from components.service import Service
from components.usage import Usage, exact

TOKYO, VIRGINIA = "ap-northeast-1", "us-east-1"
MONTH = Decimal(730)
NOTHING: Mapping[str, Any] = {"image-size": 0, "deploys": 0, "requests": 0, "response-size": 0, "logs": 0}


def usage(**fields: Any) -> Usage:
    """A month in which nothing happens, unless `fields` say otherwise; - is written _."""
    return Usage.model_validate({**NOTHING, **{name.replace("_", "-"): value for name, value in fields.items()}})


def service(**fields: Any) -> Service:
    return Service.model_validate(fields)


def demand(*services: Service, said: Usage | None = None, **fields: Any) -> Demand:
    """What a small stack on AWS asks for, its services named a, b and so on."""
    base = Demand(
        services=dict(zip("abcdefghijklmnop", services, strict=False)),
        usage=said or usage(),
        on_aws=True,
        network="nat-single",
        public_ip=False,
        zones=2,
        log_days=30,
        protect=False,
        access_logs=False,
        domain=False,
        own_network=True,
        own_load_balancer=True,
        endpoints=frozenset(),
        pull=AwsRole,
    )
    return replace(base, **fields)


def line(key: str, quantity: Decimal | int | str, column: Column = "compute", vendor: str = "aws", **rest: Any) -> Line:
    """A line with the unit of its price."""
    where = rest.get("region") or (VIRGINIA if vendor == "aws" else prices.GLOBAL)
    price = prices.load(vendor, where).find(key)
    assert price, key
    return Line(column, key, Decimal(quantity), price.unit, key, vendor=vendor, **rest)


class Images(RegistryOptions):
    """States nothing."""

    key = "images"

    def pulled_by(self, on_aws: bool) -> type[Pull]:
        return Anonymous

    def costs(self, demand: Demand) -> Iterator[Item]:
        yield from ()


def stating(name: str, items: Iterable[Item]) -> OrchestratorOptions:
    """An orchestrator that states these."""
    stated = tuple(items)

    class Stating(OrchestratorOptions):
        key = name

        def costs(self, demand: Demand) -> Iterator[Item]:
            yield from stated

        def logs(self, stack: str, service: str) -> str:
            return ""

    return Stating()


def bill(
    *items: Item, region: str = VIRGINIA, said: Usage | None = None, also: Mapping[str, Iterable[Item]] | None = None
) -> Estimate:
    """The estimate of these items alone; `also`: those of more orchestrators."""
    runtimes = [stating(name, each) for name, each in sorted({"one": items, **(also or {})}.items())]
    return estimate(demand(said=said, on_aws=False), Images(), runtimes, region)


def printed(found: Estimate) -> list[str]:
    """Each line's amount in cents."""
    return [str(cents(each.usd)) for each in found.charges if each.usd is not None]


class TestKnownAnswers:
    """Figures that others printed: Infracost's goldens, and public cost sheets for Tokyo."""

    @pytest.mark.parametrize(
        ("region", "quantities", "wanted"),
        [
            (TOKYO, {"fargate.arm64.vcpu": MONTH / 4, "fargate.arm64.memory": MONTH / 2}, ["7.38", "1.61", "9.00"]),
            (VIRGINIA, {"fargate.x86_64.vcpu": MONTH, "fargate.x86_64.memory": 2 * MONTH}, ["29.55", "6.49", "36.04"]),
            (TOKYO, {"alb.hour": MONTH}, ["17.74", "17.74"]),
            (TOKYO, {"alb.hour": MONTH, "ipv4.hour": 2 * MONTH, "alb.lcu": MONTH}, ["17.74", "7.30", "5.84", "30.88"]),
            (VIRGINIA, {"alb.hour": MONTH, "nlb.hour": MONTH}, ["16.43", "16.43", "32.85"]),
            (VIRGINIA, {"alb.lcu": MONTH, "nlb.lcu": MONTH}, ["5.84", "4.38", "10.22"]),
            (VIRGINIA, {"nat.hour": MONTH, "nat.data": 100}, ["32.85", "4.50", "37.35"]),
            (TOKYO, {"nat.hour": MONTH, "ipv4.hour": MONTH}, ["45.26", "3.65", "48.91"]),
            (VIRGINIA, {"eks.cluster": MONTH}, ["73.00", "73.00"]),
            (VIRGINIA, {"eks.cluster-extended": MONTH}, ["438.00", "438.00"]),
            (TOKYO, {"eks.cluster": MONTH}, ["73.00", "73.00"]),
            (TOKYO, {"eks.cluster-extended": MONTH}, ["438.00", "438.00"]),
            (VIRGINIA, {"endpoint.hour": 2 * MONTH}, ["14.60", "14.60"]),
            (TOKYO, {"endpoint.hour": 4 * 2 * MONTH}, ["81.76", "81.76"]),
            (TOKYO, {"transfer.internet": 10_240}, ["1167.36", "1167.36"]),
            (TOKYO, {"transfer.internet": 10_240 + 40_960}, ["4812.80", "4812.80"]),
        ],
    )
    def test_on_aws(self, region: str, quantities: Mapping[str, Decimal | int], wanted: list[str]) -> None:
        """Each line, then the total."""
        found = bill(*[line(key, quantity) for key, quantity in quantities.items()], region=region)
        assert [*printed(found), str(found.amount().known)] == wanted

    def test_the_next_tier_of_transfer(self) -> None:
        first, both = (bill(line("transfer.internet", gb), region=TOKYO).amount().usd for gb in (10_240, 51_200))
        assert cents(both - first) == Decimal("3645.44")

    def test_an_hour_of_fargate_in_tokyo(self) -> None:
        found = bill(line("fargate.x86_64.vcpu", "0.25"), line("fargate.x86_64.memory", "0.5"), region=TOKYO)
        assert found.amount().usd == Decimal("0.015405")

    def test_at_google(self) -> None:
        storage = line("artifact-registry.storage", 150, vendor="google")
        assert printed(bill(storage, line("artifact-registry.transfer-asia", 100, vendor="google"))) == [
            "15.00",
            "5.00",
        ]
        free = replace(storage, free="artifact-registry.storage-free")
        assert printed(bill(free)) == ["14.95"]

    def test_gke_autopilot(self) -> None:
        said = usage(cluster="gke-autopilot", free_allowances=False)
        asked = demand(service(cpu=1, memory=5 * 1024, replicas=10), said=said, on_aws=False)
        options = KubernetesOptions(context="gke_acme_us-central1_main")
        found = bill(*options.costs(asked), said=said)
        assert printed(found) == ["73.00", "324.85", "179.67"]

    def test_fargate_raises_a_replica_to_a_size_that_it_sells(self) -> None:
        asked = demand(service(cpu=0.2, memory=300, architecture="arm64"))
        found = bill(*EcsFargateOptions().costs(asked), region=TOKYO)
        assert str(found.amount("compute").known) == "9.00"

    @pytest.mark.parametrize(
        ("region", "architecture", "memory", "instance", "percent"),
        [
            (TOKYO, "x86_64", 8, "m6i.large", 17),
            (VIRGINIA, "x86_64", 8, "m6i.large", 21),
            (VIRGINIA, "x86_64", 4, "c6i.large", 16),
            (VIRGINIA, "arm64", 8, "m7g.large", 14),
            (TOKYO, "arm64", 8, "m7g.large", 10),
        ],
    )
    def test_fargate_against_an_instance_of_the_same_size(
        self, region: str, architecture: str, memory: int, instance: str, percent: int
    ) -> None:
        """The first user took 40 % for granted."""
        fargate = bill(
            line(f"fargate.{architecture}.vcpu", 2), line(f"fargate.{architecture}.memory", memory), region=region
        )
        rented = bill(replace(line("ec2.m6i.large", 1), price=f"ec2.{instance}"), region=region)
        assert round((fargate.amount().usd / rented.amount().usd - 1) * 100) == percent


class TestComponents:
    def test_a_nat_gateway_has_an_address_and_counts_bytes(self) -> None:
        asked = demand(service(), said=usage(logs=100), network="nat-per-az", zones=3)
        found = bill(*Network.costs(asked), region=VIRGINIA)
        assert printed(found) == ["98.55", "10.95", "4.50"]

    def test_endpoints_are_paid_for_by_zone(self) -> None:
        names = frozenset({"ecr.api", "ecr.dkr", "logs", "secretsmanager"})
        found = bill(*Network.costs(demand(network="endpoints", endpoints=names)), region=TOKYO)
        assert str(found.amount("network").known) == "81.76"

    def test_flow_logs_are_paid_for_by_what_they_come_to(self) -> None:
        assert not list(Network.flows(demand()))
        (unknown,) = Network.flows(demand(flow_logs=True))
        assert isinstance(unknown, Unpriced)
        asked = demand(flow_logs=True, log_days=365, said=usage(**{"flow-logs": 10}))
        assert printed(bill(*Network.flows(asked), region=VIRGINIA)) == ["5.00", "3.60"]

    def test_in_a_public_network_there_is_nothing_to_pay(self) -> None:
        assert not list(Network.costs(demand(network="public")))

    def test_what_exists_costs_only_for_what_passes_through(self) -> None:
        asked = demand(own_network=False, own_load_balancer=False, access_logs=True, said=usage(logs=1))
        lines = [*Network.costs(asked), *AlbOptions().costs(asked)]
        assert [each.price for each in lines if isinstance(each, Line)] == ["nat.data", "alb.lcu", "transfer.internet"]
        assert not [each for each in lines if isinstance(each, Unpriced)]

    @pytest.mark.parametrize(
        ("said", "public", "units"),
        [
            ({"requests": 25 * 3600 * 730}, 1, "1"),
            ({"requests": 25 * 3600 * 730, "requests-per-connection": 50}, 1, "0.02"),
            ({"requests": 1000, "response-size": 730_000}, 1, "1"),
            ({"requests": 1000 * 3600 * 730, "requests-per-connection": 1000}, 11, "1"),
            ({"requests": 1000 * 3600 * 730, "requests-per-connection": 100_000}, 10, "0.0004"),
            ({"hours": 0}, 1, "0"),
        ],
    )
    def test_the_largest_dimension_of_a_load_balancer_counts(
        self, said: Mapping[str, Any], public: int, units: str
    ) -> None:
        asked = demand(*[service() for _ in range(public)], service(public=False), said=usage(**said))
        assert capacity_units(asked) == pytest.approx(Decimal(units))

    def test_the_month_that_a_stack_is_down_costs_no_hours(self) -> None:
        asked = demand(service(), said=usage(hours=0), public_ip=True)
        found = bill(*EcsFargateOptions().costs(asked), *Network.costs(asked), *AlbOptions().costs(asked))
        assert found.amount().usd == 0

    def test_nodes_pull_once_however_many_replicas_they_run(self) -> None:
        asked = demand(service(cpu=0.1, memory=128, replicas=10))
        assert EcsFargateOptions().pulls("a", asked) == 10
        assert EksOptions().pulls("a", asked) == 2
        assert SwarmEc2Options().pulls("a", asked) == 1

    def test_an_eks_cluster_has_a_node_in_each_zone_that_has_replicas(self) -> None:
        def nodes(*services: Service, zones: int = 3) -> Decimal:
            (each,) = [
                each
                for each in EksOptions().costs(demand(*services, zones=zones))
                if isinstance(each, Line) and each.price == "ec2.m7i.large"
            ]
            return each.quantity / MONTH

        assert nodes(service()) == 1
        assert nodes(service(replicas=2)) == 2
        assert nodes(service(replicas=9)) == 3
        assert nodes(service(replicas=9), zones=2) == 2
        assert nodes(service(replicas=40, cpu=0.25)) == 6

    def test_the_secrets_of_services_and_their_login_are_in_secrets_manager(self) -> None:
        two = [service(secrets={"KEY": "x", "TOKEN": "y"}, replicas=3), service()]
        asked = demand(*two, said=usage(deploys=100))

        def said(pull: type[Pull]) -> dict[str, Decimal]:
            lines = EcsFargateOptions().costs(replace(asked, pull=pull))
            return {each.price: each.quantity for each in lines if isinstance(each, Line)}

        role, login = said(AwsRole), said(Login)
        assert [role["secrets.secret"], role["secrets.calls"]] == [2, Decimal("0.06")]
        assert [login["secrets.secret"], login["secrets.calls"]] == [4, Decimal("0.1")]


class TestDemand:
    @pytest.mark.parametrize(
        ("said", "kept", "stored"),
        [
            ({"image-size": 200, "deploys": 20}, None, "48"),
            ({"image-size": 200, "deploys": 20}, 30, "6"),
            ({"image-size": 200, "deploys": 1}, 30, "2.4"),
            ({"image-size": 200, "deploys": 0}, 30, "0"),
            ({"image-size": 200, "deploys": 20, "layer-reuse": 1}, 30, "0.2"),
            ({"image-size": 200, "deploys": 20, "layer-reuse": 0.5}, 3, "0.4"),
        ],
    )
    def test_a_registry_holds_a_year_or_what_it_keeps(
        self, said: Mapping[str, Any], kept: int | None, stored: str
    ) -> None:
        assert demand(service(), said=usage(**said)).stored(kept) == Decimal(stored)

    def test_replicas_are_somewhere_between_min_and_max(self) -> None:
        scaling = service(replicas={"min": 2, "max": 6})
        assert demand(scaling).all_replicas == 2
        assert demand(scaling, service(), said=usage(load=0.5)).all_replicas == 5

    def test_layers_of_ecr_come_from_s3_past_the_nat_gateway(self) -> None:
        asked = demand(service(), said=usage(image_size=500, deploys=20, logs=3), pulls={"a": Decimal(2)})
        assert asked.pulled == 20
        assert asked.crosses_network == 3
        assert replace(asked, pull=Anonymous).crosses_network == 23


class TestAmounts:
    @pytest.mark.parametrize(
        ("usd", "confirmed", "whole", "text"),
        [
            ("1234.005", True, True, "1,234.01"),
            ("1234.004", False, True, "~1,234.00"),
            ("0", True, True, "0.00"),
            ("2.5", True, False, "2.50+?"),
            ("2.5", False, False, "~2.50+?"),
            ("0", True, False, "?"),
            ("0", False, False, "?"),
        ],
    )
    def test_how_it_is_written(self, usd: str, confirmed: bool, whole: bool, text: str) -> None:
        assert str(Amount(Decimal(usd), confirmed, whole)) == text

    def test_a_column_is_a_part_of_the_total(self) -> None:
        found = bill(line("alb.hour", 730, "load balancer"), line("nat.data", 100, "network"))
        assert [found.amount(column).usd for column in COLUMNS[:3]] == [0, Decimal("4.5"), Decimal("16.425")]
        assert found.amount().usd == Decimal("20.925")

    def test_what_has_no_price_makes_the_total_say_so(self) -> None:
        found = bill(line("alb.hour", 730), replace(line("ec2.t3.small", 1), price="ec2.x9.huge"))
        assert str(found.amount()) == "16.43+?"
        assert found.unknown == ["ec2.t3.small: there is no price for it"]
        assert found.runs_unpriced

    def test_what_nobody_knows_does_too(self) -> None:
        found = bill(line("alb.hour", 730), Unpriced("logs", "audit log", "how much is not known"), Note("hello"))
        assert str(found.amount()) == "16.43+?"
        assert str(found.amount("logs")) == "?"
        assert found.unknown == ["audit log: how much is not known"]
        assert found.notes == ("hello",)

    def test_none_of_something_without_a_price_costs_nothing(self) -> None:
        found = bill(replace(line("ec2.t3.small", 0), price="ec2.x9.huge"))
        assert str(found.amount()) == "0.00"

    def test_beyond_the_last_known_tier_it_is_unknown(self) -> None:
        def egress(gb: int) -> str:
            said = line("artifact-registry.internet", gb, "transfer", "google", region="us-central1")
            return str(bill(said).amount())

        price = prices.load("google", "us-central1").find("artifact-registry.internet")
        assert price
        assert price.tiers[-1].end is not None, "the test needs a price that is known only up to somewhere"
        end = int(price.tiers[-1].end)
        assert "?" not in egress(end)
        assert egress(end + 1) == "?"

    def test_a_condition_that_does_not_hold_is_in_no_sum(self) -> None:
        found = bill(line("alb.hour", 730), replace(line("nat.data", 100), only_if="it rains"))
        assert found.amount().usd == Decimal("16.425")
        assert found.conditions == {"it rains": Decimal("4.5")}

    def test_a_unit_that_is_not_the_prices_is_a_mistake_in_the_program(self) -> None:
        with pytest.raises(ValueError, match=r"alb.hour: GB is not the unit of alb.hour, hour"):
            bill(replace(line("alb.hour", 1), unit="GB"))

    def test_a_move_has_two_of_everything_but_what_is_shared(self) -> None:
        hour, secret = line("alb.hour", 730), replace(line("secrets.secret", 2), shared=True)
        found = bill(hour, secret, also={"two": [hour, secret]})
        assert printed(found) == ["16.43", "0.80", "16.43"]

    @given(st.lists(st.tuples(st.integers(0, 5), st.decimals(0, 10**6, allow_nan=False, places=9)), max_size=8))
    def test_a_total_is_the_sum_of_its_lines_in_any_order(self, said: list[tuple[int, Decimal]]) -> None:
        keys = ["alb.hour", "nat.data", "transfer.internet", "logs.storage", "ec2.t3.small", "fargate.x86_64.memory"]
        lines = [line(keys[which], quantity / 730) for which, quantity in said]
        found = bill(*lines)
        assert all(isinstance(each.usd, Decimal) for each in found.charges)
        assert found.amount().usd == sum((each.usd for each in found.charges if each.usd is not None), Decimal(0))
        assert found.amount() == bill(*reversed(lines)).amount()


class TestAllowances:
    FREE = Line("transfer", "responses", Decimal(0), "GB", "transfer.internet", free="transfer.free")

    @pytest.mark.parametrize(
        ("gb", "usd"), [("0", "0"), ("99.9", "0"), ("100", "0"), ("101", "0.09"), ("10340", "921.6")]
    )
    def test_they_are_taken_off_first(self, gb: str, usd: str) -> None:
        assert bill(replace(self.FREE, quantity=Decimal(gb))).amount().usd == Decimal(usd)

    def test_tiers_begin_with_what_is_paid_for(self) -> None:
        assert bill(replace(self.FREE, quantity=Decimal(10_341))).amount().usd == Decimal("921.6") + Decimal("0.085")

    def test_they_may_be_someone_elses(self) -> None:
        found = bill(replace(self.FREE, quantity=Decimal(50)), said=usage(free_allowances=False))
        assert found.amount().usd == Decimal("4.5")

    def test_what_is_free_by_hearsay_is_not_confirmed(self) -> None:
        def charge(status: Any, quantity: int) -> Estimate:
            tier = Tier(Decimal(0), None, Decimal(0), status, None, "", "")
            free = Price("free", "GB", (tier,), Decimal(100))
            paid = Price("paid", "GB", (replace(tier, usd=Decimal(1), status="verified"),), None)
            charged = Charge(replace(self.FREE, quantity=Decimal(quantity)), paid, free)
            return Estimate("one", ("two",), charges=(charged,))

        assert not charge("third-party", 50).amount().confirmed
        assert not charge("third-party", 150).amount().confirmed
        assert charge("third-party", 0).amount().confirmed
        assert charge("verified", 150).amount().confirmed


def test_numbers_are_taken_as_they_are_written() -> None:
    assert exact(0.1) == Decimal("0.1")
    assert usage(image_size=300).image == Decimal("0.3")
    assert usage(requests=3, response_size=0.1).served == Decimal("0.0000003")
