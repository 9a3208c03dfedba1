"""The gate: traffic moves only to targets that the load balancer itself calls healthy."""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pulumi
import pytest

from components.edge.alb import AlbOptions
from components.gate import Expected, Gate, GateClosed, GateOptions, Health
from components.hooks import INTERRUPTED
from components.testing.cloud import Cloud
from components.testing.engine import deploy, start

GOOD: Health = ("10.0.0.1", "healthy", "")
UNHEALTHY: Health = ("10.0.0.2", "unhealthy", "Target.ResponseCodeMismatch")
NEW: Health = ("10.0.0.3", "initial", "")


class Balancer:
    """A load balancer that answers in turn (the last answer for ever), and a clock that moves when one sleeps."""

    def __init__(self, *answers: list[Health]) -> None:
        self.answers: Iterator[list[Health]] = iter(answers)
        self.last = answers[-1] if answers else []
        self.asked: list[str] = []
        self.now = 0.0

    def ask(self, group: str) -> list[Health]:
        self.asked.append(group)
        return next(self.answers, self.last)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def gate(self, wanted: int = 1, **options: Any) -> Gate:
        expected = {"api": Expected(wanted, "/healthz")}
        return Gate(GateOptions(**options), self.ask, AlbOptions.groups, self.sleep, lambda: self.now, expected)


def rule(**weights: int) -> dict[str, Any]:
    """The inputs of a traffic rule."""
    groups = [{"arn": group, "weight": weight} for group, weight in weights.items()]
    return {"actions": [{"type": "forward", "forward": {"targetGroups": groups}}]}


def run(gate: Gate, kind: str, old: dict[str, Any] | None, new: dict[str, Any] | None) -> None:
    """Call the hook of a kind as the engine does."""

    args = pulumi.ResourceHookArgs("urn", "id", "api", "type", new_inputs=new, old_inputs=old)
    bound: list[Any] = []
    start(Cloud())
    deploy(lambda: bound.extend(getattr(gate.binding, kind)))
    (hook,) = bound
    asyncio.run(hook.callback(args))


def test_it_opens_after_enough_good_looks_in_a_row() -> None:
    balancer = Balancer([GOOD])
    balancer.gate(polls=3, interval=5).wait("api", "group")
    assert balancer.asked == ["group"] * 3
    assert balancer.now == 10


def test_one_bad_look_starts_the_count_again() -> None:
    balancer = Balancer([GOOD], [GOOD], [UNHEALTHY], [GOOD])
    balancer.gate(polls=3).wait("api", "group")
    assert len(balancer.asked) == 6


def test_too_few_healthy_targets_are_a_bad_look() -> None:
    balancer = Balancer([GOOD, NEW], [GOOD, GOOD])
    balancer.gate(wanted=2, polls=1).wait("api", "group")
    assert len(balancer.asked) == 2


def test_where_targets_are_nodes_they_are_counted_and_not_the_replicas() -> None:
    balancer = Balancer([GOOD], [GOOD, GOOD, GOOD])
    balancer.gate(wanted=5, polls=1).wait("api", "group", nodes=3)
    assert len(balancer.asked) == 2


def test_more_than_wanted_are_enough_though_another_is_sick() -> None:
    balancer = Balancer([GOOD, UNHEALTHY, GOOD])
    balancer.gate(wanted=2, polls=1).wait("api", "group")
    assert len(balancer.asked) == 1


def test_an_interrupt_ends_the_wait_between_two_looks() -> None:
    balancer = Balancer([UNHEALTHY])
    gate = Gate(GateOptions(interval=60), balancer.ask, AlbOptions.groups, expected={"api": Expected(1, "/healthz")})
    threading.Timer(0.05, INTERRUPTED.set).start()
    began = time.monotonic()
    try:
        with pytest.raises(GateClosed, match="the traffic of api stays where it is: this run was interrupted"):
            gate.wait("api", "group")
    finally:
        INTERRUPTED.clear()
    assert time.monotonic() - began < 30
    assert len(balancer.asked) == 2


def test_a_time_out_names_target_reason_and_health_path() -> None:
    balancer = Balancer([GOOD, UNHEALTHY])
    with pytest.raises(GateClosed) as closed:
        balancer.gate(wanted=2, timeout=60).wait("api", "group")
    assert str(closed.value) == (
        "the traffic of api stays where it is: 1 of 2 wanted targets are healthy after 60 s."
        " 10.0.0.2 is unhealthy (Target.ResponseCodeMismatch)."
        " The load balancer asks /healthz; see the service's logs, fix it, and run `pulumi up` again."
    )
    assert balancer.now == 60


def test_a_time_out_without_targets_says_so() -> None:
    with pytest.raises(GateClosed, match=r"0 of 1 wanted targets are healthy after 10 s\. No target is registered\."):
        Balancer([]).gate(timeout=10).wait("api", "group")


def test_it_looks_at_least_once() -> None:
    balancer = Balancer([GOOD])
    balancer.gate(polls=1, timeout=0).wait("api", "group")
    assert balancer.asked == ["group"]
    with pytest.raises(GateClosed, match="0 of 1 wanted targets are healthy after 0 s"):
        Balancer([UNHEALTHY]).gate(polls=1, timeout=0).wait("api", "group")


@pytest.mark.parametrize("kind", ["before_create", "before_update"])
def test_before_the_rule_changes_every_group_with_weight_is_asked(kind: str) -> None:
    balancer = Balancer([GOOD])
    run(balancer.gate(polls=1), kind, None, rule(one=90, two=10, three=0))
    assert balancer.asked == ["one", "two"]


class Groups(Balancer):
    """A load balancer with as many healthy targets in each group as is said."""

    def __init__(self, **healthy: int) -> None:
        super().__init__()
        self.healthy = healthy

    def ask(self, group: str) -> list[Health]:
        return [GOOD] * self.healthy[group]


@pytest.mark.parametrize(
    ("replicas", "new", "opens"),
    [
        (5, rule(two=100), False),
        (6, rule(two=100), True),
        (2, rule(one=90, two=10), True),  # a tenth of six is one
        (2, rule(one=50, two=50), False),
        (3, rule(one=50, two=50), True),
    ],
)
def test_a_newcomer_needs_its_share_of_the_replicas_that_serve_now(
    replicas: int, new: dict[str, Any], opens: bool
) -> None:
    balancer = Groups(one=6, two=replicas)
    gate = balancer.gate(wanted=2, polls=1, timeout=60)
    if opens:
        run(gate, "before_update", rule(one=100), new)
        return
    with pytest.raises(
        GateClosed,
        match=rf"raise `services\.api\.replicas` to {balancer.healthy['one'] // len(AlbOptions.groups(new))} ",
    ):
        run(gate, "before_update", rule(one=100), new)


def test_who_has_traffic_already_scales_by_itself() -> None:
    run(Groups(one=6, two=2).gate(wanted=2, polls=1, timeout=0), "before_update", rule(one=90, two=10), rule(two=100))


def test_nodes_are_no_measure_of_replicas() -> None:
    to_nodes = Groups(one=6, two=2).gate(wanted=2, polls=1, timeout=0)
    to_nodes.expected["api"] = Expected(2, "/healthz", nodes=(2,))
    run(to_nodes, "before_update", rule(one=100), rule(two=100))

    nodes: list[Health] = [("i-0123456789abcdef0", "healthy", "")] * 6
    from_nodes = Balancer(nodes, [GOOD]).gate(polls=1, timeout=0)
    run(from_nodes, "before_update", rule(one=100), rule(two=100))


def test_a_sick_group_stops_the_rule() -> None:
    with pytest.raises(GateClosed):
        run(Balancer([UNHEALTHY]).gate(timeout=0), "before_update", rule(one=100), rule(one=0, two=100))


@pytest.mark.parametrize(
    ("old", "new", "waited"),
    [
        (rule(one=100), rule(two=100), 45),
        (rule(one=50, two=50), rule(one=0, two=100), 45),
        (rule(one=100), rule(one=90, two=10), 0),
        (rule(one=100), rule(one=100), 0),
        (rule(one=0, two=100), rule(two=100), 0),
        (None, rule(one=100), 0),
    ],
)
def test_it_settles_only_when_a_group_lost_its_weight(
    old: dict[str, Any] | None, new: dict[str, Any], waited: float
) -> None:
    balancer = Balancer()
    run(balancer.gate(settle=45), "after_update", old, new)
    assert balancer.now == waited


def test_a_rule_without_weights_has_all_traffic_on_its_groups() -> None:
    action = {"type": "forward", "forward": {"targetGroups": [{"arn": "one"}]}}
    assert AlbOptions.groups({"actions": [action, {"type": "redirect"}]}) == {"one": 1}
    assert not AlbOptions.groups({})
