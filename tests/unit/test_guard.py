"""The guard of a switch: what is compared, what is said, and what is asked of AWS."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from components.edge import alb_asked
from components.edge.alb import GROUP, RULE, AlbOptions
from components.edge.alb_asked import METRICS, Group, Metrics
from components.guard import EARLIER, GuardOptions, Seen, SeenOf, Watch, breaches
from components.operations import End
from yard.guarding import Guard

START = datetime(2026, 1, 1, tzinfo=UTC)
OPTIONS = GuardOptions()
GOOD = Seen(1000, 2, 0.1, 2)


class TestBreaches:
    @pytest.mark.parametrize(
        ("new", "old", "says"),
        [
            (GOOD, GOOD, None),
            (Seen(1000, 12, 0.1), GOOD, None),  # 1 % more is allowed
            (Seen(1000, 13, 0.1), GOOD, "1.3 % of 1,000 requests to eks failed, 0.2 % of 1,000 to ecs-fargate"),
            (Seen(99, 99, 9.0), GOOD, None),  # too few to say anything
            (Seen(1000, 0, 0.25), GOOD, None),  # twice as long, and what is noise
            (Seen(1000, 0, 0.26), GOOD, "99 of 100 requests to eks take 0.26 s, to ecs-fargate 0.1 s"),
            (Seen(1000, 0, None), GOOD, None),
            (Seen(1000, 20, 9.0), None, "nothing is known of ecs-fargate"),
            (Seen(1000, 5, 9.0), None, None),
            (Seen(0, 0, None, 0), GOOD, "no target of eks is healthy any more"),
        ],
    )
    def test_a_newcomer_may_be_so_much_worse(self, new: Seen, old: Seen | None, says: str | None) -> None:
        before = {"api": old} if old else {}
        found = list(breaches(OPTIONS, "eks", "ecs-fargate", {"api": {"eks": new}}, before))
        assert len(found) == (says is not None)
        assert says is None or says in found[0]

    @given(st.integers(0, 10**6), st.integers(0, 100), st.floats(0, 60), st.builds(GuardOptions))
    def test_one_that_is_as_the_old_one_is_never_too_bad(
        self, requests: int, percent: int, p99: float, options: GuardOptions
    ) -> None:
        same = Seen(requests, requests * percent // 100, p99, 1)
        assert not list(breaches(options, "eks", "swarm", {"api": {"eks": same}}, {"api": same}))


class Hour:
    """A clock that only sleep moves, and what callers got by then."""

    def __init__(
        self, seen: Mapping[str, Seen], *, options: GuardOptions = OPTIONS, alarms: Sequence[str] = ()
    ) -> None:
        self.at, self.said, self.spans = START, list[str](), list[tuple[datetime, datetime]]()
        self.seen, self.alarms = seen, alarms
        watch = Watch(self.ask, lambda _: self.alarms)
        self.guard = Guard(options, lambda: watch, self.said.append, self.sleep, lambda: self.at)

    def ask(self, start: datetime, end: datetime) -> SeenOf:
        self.spans.append((start, end))
        return {"api": self.seen}

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def look(self) -> list[str]:
        return self.guard.look_over("ecs-fargate", "eks", 60)


class TestGuard:
    def test_it_watches_as_long_as_it_was_told(self) -> None:
        hour = Hour({"eks": GOOD, "ecs-fargate": GOOD})
        assert hour.look() == []
        assert (hour.at - START).total_seconds() == 60
        assert not hour.said
        assert hour.spans[0] == (START - EARLIER, START)
        assert {start for start, _ in hour.spans[1:]} == {START}

    def test_what_is_wrong_is_said_at_the_first_look(self) -> None:
        hour = Hour({"eks": Seen(500, 400, 0.1), "ecs-fargate": GOOD})
        assert "80 % of 500 requests to eks failed" in hour.look()[0]
        assert (hour.at - START).total_seconds() == 10

    def test_the_old_one_is_remembered_when_it_has_nothing_left(self) -> None:
        hour = Hour({"eks": GOOD, "ecs-fargate": Seen(1000, 50, 0.1)})
        assert hour.look() == []
        hour.seen = {"eks": Seen(1000, 55, 0.1), "ecs-fargate": Seen()}
        assert hour.look() == []
        hour.seen = {"eks": Seen(1000, 61, 0.1), "ecs-fargate": Seen()}
        assert "6.1 % of 1,000 requests to eks failed, 5 % of 1,000 to ecs-fargate" in hour.look()[0]

    def test_too_few_requests_are_waited_for_and_said(self) -> None:
        hour = Hour({"eks": Seen(7, 7), "ecs-fargate": GOOD}, options=GuardOptions(patience=30))
        assert hour.look() == []
        assert (hour.at - START).total_seconds() == 90
        assert hour.said == ["  api: 7 requests came to eks; `guard.samples` wants 100 to compare, so nothing was"]

    def test_an_alarm_is_enough(self) -> None:
        hour = Hour({"eks": GOOD, "ecs-fargate": GOOD}, alarms=["the alarm slow is in state ALARM: so"])
        assert hour.look() == ["the alarm slow is in state ALARM: so"]

    def test_what_cannot_be_asked_is_waited_for(self) -> None:
        hour = Hour({})
        hour.guard.watch = lambda: 1 / 0  # type: ignore[assignment, return-value]
        assert hour.look() == []
        assert (hour.at - START).total_seconds() == 60
        assert hour.said == [
            "  what callers get cannot be asked, so this step is watched without: ZeroDivisionError: division by zero"
        ]

    def test_the_newcomer_that_came_with_the_first_step_is_known_in_it(self) -> None:
        """Before it is prepared, no state has a group of it."""
        hour = Hour({"eks": GOOD, "ecs-fargate": GOOD})
        known = Watch(lambda *_: {"api": {"ecs-fargate": GOOD}}, lambda _: ())
        hour.guard.watch = lambda: known
        hour.look()
        assert "api: 0 requests came to eks" in hour.said[0]
        known = Watch(hour.ask, lambda _: ())
        hour.seen = {"eks": Seen(500, 400, 0.1), "ecs-fargate": GOOD}
        assert "80 % of 500 requests to eks failed" in hour.look()[0]

    @pytest.mark.parametrize("asked", [True, False], ids=["with-figures", "without"])
    def test_a_newcomer_whose_replicas_end_is_too_bad(self, asked: bool) -> None:
        hour = Hour({"eks": GOOD, "ecs-fargate": GOOD})
        ended = dict[str, list[End]]()
        hour.guard.ends = lambda key, _: {"api": ended.get(key, [])}
        if not asked:
            hour.guard.watch = lambda: None
        assert hour.look() == []
        ended["eks"] = [End("one", START, "exit code 1 (Error)")]
        assert hour.look() == [], "one may have had an accident"
        ended["eks"] *= 2
        assert hour.look() == [], "that is the same one"
        ended["eks"].append(End("one", START + timedelta(seconds=9), "exit code 137 (OOMKilled)"))
        assert hour.look() == [
            "api: 2 times a replica of eks ended by itself, 0 times one of ecs-fargate; `guard.restarts` allows 1 more."
            " The last one: exit code 137 (OOMKilled)"
        ]
        ended["ecs-fargate"] = [End("two", START, "exit code 1")]
        assert hour.look() == []

    def test_ends_are_kept_from_look_to_look(self) -> None:
        """A cluster tells of the last one alone."""
        hour = Hour({"eks": GOOD, "ecs-fargate": GOOD})
        hour.guard.ends = lambda key, _: {"api": [End("one", hour.at, "exit code 1")] if key == "eks" else []}
        assert "2 times a replica of eks ended" in hour.look()[0]
        assert (hour.at - START).total_seconds() == 20

    def test_ends_that_cannot_be_asked_for_are_said_once(self) -> None:
        hour = Hour({"eks": GOOD, "ecs-fargate": GOOD})
        hour.guard.ends = lambda *_: 1 / 0  # type: ignore[assignment]
        assert hour.look() == hour.look() == []
        assert hour.said == [
            "  whether replicas end by themselves cannot be asked: ZeroDivisionError: division by zero"
        ]

    @pytest.mark.parametrize("bake", [0, 60])
    def test_nobody_to_ask_is_as_before(self, bake: float) -> None:
        hour = Hour({})
        hour.guard.watch = lambda: None
        assert hour.guard.look_over("ecs-fargate", "eks", bake) == []
        assert (hour.at - START).total_seconds() == bake


ARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012"
LISTENER = f"{ARN}:listener/app/edge/50dc6c495c0c9188/f2f7dc8efc522ab2"
DIMENSIONS = [
    {"Name": "TargetGroup", "Value": "targetgroup/api-1/73e2d6bc24d8a067"},
    {"Name": "LoadBalancer", "Value": "app/edge/50dc6c495c0c9188"},
]


@pytest.fixture
def stubbed(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Metrics, Stubber]]:
    """Metrics of one group, whose answers must fit AWS's own model of the API."""
    group = Group("api", "eks", f"{ARN}:targetgroup/api-1/73e2d6bc24d8a067", LISTENER)
    monkeypatch.setattr(alb_asked, "aws_health", lambda *_: lambda _: [("10.0.0.1", "healthy", "")])
    client = boto3.client("cloudwatch", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    metrics = Metrics([group], "us-east-1", None)
    metrics.__dict__["client"] = client
    with Stubber(client) as stub:
        yield metrics, stub


class TestCloudWatch:
    def test_the_minutes_of_a_group_are_added(self, stubbed: tuple[Metrics, Stubber]) -> None:
        metrics, stub = stubbed
        minutes = [START, START + timedelta(minutes=1)]
        values: Mapping[str, list[float]] = {
            "requests": [100, 300],
            "failed": [1, 2],
            "refused": [0, 4],
            "p99": [0.1, 0.5],
        }
        queries: Any = [
            {
                "Id": f"{name}0",
                "MetricStat": {
                    "Metric": {"Namespace": "AWS/ApplicationELB", "MetricName": metric, "Dimensions": DIMENSIONS},
                    "Period": 60,
                    "Stat": statistic,
                },
            }
            for name, (metric, statistic) in METRICS.items()
        ]
        results = [{"Id": f"{name}0", "Timestamps": minutes, "Values": each} for name, each in values.items()]
        asked = {"MetricDataQueries": queries, "StartTime": START, "EndTime": minutes[1]}
        stub.add_response("get_metric_data", {"MetricDataResults": results}, asked)
        seen = metrics.seen(START, minutes[1])["api"]["eks"]
        assert (seen.requests, seen.errors, seen.healthy) == (400, 7, 1)
        assert seen.p99 == pytest.approx(0.4)

    def test_a_group_without_requests_has_none(self, stubbed: tuple[Metrics, Stubber]) -> None:
        metrics, stub = stubbed
        stub.add_response("get_metric_data", {"MetricDataResults": []})
        assert metrics.seen(START, START) == {"api": {"eks": Seen(healthy=1)}}

    def test_alarms_that_ring_or_are_not_there_are_named(self, stubbed: tuple[Metrics, Stubber]) -> None:
        metrics, stub = stubbed
        assert metrics.alarms([]) == []
        alarms = [
            {"AlarmName": "slow", "StateValue": "ALARM", "StateReason": "so"},
            {"AlarmName": "b", "StateValue": "OK"},
        ]
        stub.add_response("describe_alarms", {"MetricAlarms": alarms, "CompositeAlarms": []})
        assert metrics.alarms(["slow", "b", "gone"]) == [
            "the alarm gone of `guard.alarms` does not exist",
            "the alarm slow is in state ALARM: so",
        ]

    def test_groups_are_found_in_a_state(self) -> None:
        group = {"urn": "urn::api-eks", "type": GROUP, "outputs": {"arn": f"{ARN}:targetgroup/api-1/73e2d6bc24d8a067"}}
        actions = [{"forward": {"targetGroups": [{"arn": group["outputs"]["arn"], "weight": 0}]}}]  # type: ignore[index]
        rule = {"urn": "urn::api", "type": RULE, "inputs": {"actions": actions, "listenerArn": LISTENER}}
        redirect = {"urn": "urn::edge-redirect", "type": RULE, "inputs": {"actions": [{"redirect": {}}]}}
        watch = AlbOptions.watch([group, rule, redirect], "us-east-1", None)
        assert watch is not None
        (found,) = watch.seen.__self__.groups  # type: ignore[attr-defined]
        assert (found.service, found.orchestrator, found.dimensions) == ("api", "eks", DIMENSIONS)
