"""What is asked of AWS about a load balancer: the health of its targets, and what callers got.

Metrics of Application Load Balancers come a value a minute, and none for a minute without requests
(https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from components.gate import AskHealth, Health
from components.guard import Seen, SeenOf, Watch

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client

NAMESPACE = "AWS/ApplicationELB"
MINUTE = 60
METRICS: Mapping[str, tuple[str, str]] = {
    "requests": ("RequestCount", "Sum"),
    "failed": ("HTTPCode_Target_5XX_Count", "Sum"),
    # The load balancer answers 502 for these, which it counts for itself alone and for no group.
    "refused": ("TargetConnectionErrorCount", "Sum"),
    "p99": ("TargetResponseTime", "p99"),
}
AT_ONCE = 500
"""Queries that one GetMetricData takes (CloudWatch API)."""


def aws_health(region: str | None, profile: str | None) -> AskHealth:
    """Ask Elastic Load Balancing, with the credentials that `pulumi up` runs with."""

    @cache
    def client() -> ElasticLoadBalancingv2Client:
        import boto3  # half a second to import, and only an `up` that moves traffic needs it

        return boto3.Session(region_name=region, profile_name=profile).client("elbv2")

    def ask(group: str) -> list[Health]:
        answer = client().describe_target_health(TargetGroupArn=group)
        return [
            (each["Target"]["Id"], each["TargetHealth"]["State"], each["TargetHealth"].get("Reason", ""))
            for each in answer["TargetHealthDescriptions"]
        ]

    return ask


@dataclass(frozen=True)
class Group:
    """A target group of a service on an orchestrator, and the listener whose rule names it, by their ARNs."""

    service: str
    orchestrator: str
    arn: str
    listener: str

    @property
    def dimensions(self) -> Any:
        """What CloudWatch knows it by: the ends of its own ARN and its load balancer's, which a listener's holds."""
        return [
            {"Name": "TargetGroup", "Value": self.arn.rpartition(":")[2]},
            {"Name": "LoadBalancer", "Value": "/".join(self.listener.split("/")[1:4])},
        ]


@dataclass(frozen=True)
class Metrics:
    """Asks about groups, with the credentials that `pulumi up` runs with."""

    groups: Sequence[Group]
    region: str | None
    profile: str | None

    @property
    def watch(self) -> Watch:
        """What the guard asks."""
        return Watch(self.seen, self.alarms)

    @cached_property
    def client(self) -> Any:
        """CloudWatch; `boto3` takes half a second to import."""
        import boto3

        return boto3.Session(region_name=self.region, profile_name=self.profile).client("cloudwatch")

    def seen(self, start: datetime, end: datetime) -> SeenOf:
        """What callers got in the whole minutes of a time."""
        values = self._values(start, end)
        found: dict[str, dict[str, Seen]] = {}
        for index, each in enumerate(self.groups):
            its = {name: values.get(f"{name}{index}", {}) for name in METRICS}
            healthy = sum(state == "healthy" for _, state, _ in self._health(each.arn))
            found.setdefault(each.service, {})[each.orchestrator] = _seen(its, healthy)
        return found

    @cached_property
    def _health(self) -> AskHealth:
        return aws_health(self.region, self.profile)

    def _values(self, start: datetime, end: datetime) -> dict[str, dict[datetime, float]]:
        """Query -> minute -> value."""
        queries = [query for index, each in enumerate(self.groups) for query in _queries(index, each)]
        found: dict[str, dict[datetime, float]] = {}
        for first in range(0, len(queries), AT_ONCE):
            pages = self.client.get_paginator("get_metric_data").paginate(
                MetricDataQueries=queries[first : first + AT_ONCE], StartTime=start, EndTime=end
            )
            for page in pages:
                for result in page["MetricDataResults"]:
                    minutes = zip(result["Timestamps"], result["Values"], strict=True)
                    found.setdefault(result["Id"], {}).update(minutes)
        return found

    def alarms(self, names: Sequence[str]) -> list[str]:
        """What is wrong with these alarms now; nothing without names, for CloudWatch would tell of all."""
        if not names:
            return []
        answer = self.client.describe_alarms(AlarmNames=list(names), AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        states = {
            each["AlarmName"]: (each["StateValue"], each.get("StateReason", ""))
            for each in [*answer["MetricAlarms"], *answer["CompositeAlarms"]]
        }
        missing = [f"the alarm {name} of `guard.alarms` does not exist" for name in names if name not in states]
        return missing + [
            f"the alarm {name} is in state ALARM: {why}" for name, (state, why) in states.items() if state == "ALARM"
        ]


def _queries(index: int, group: Group) -> Iterator[Mapping[str, Any]]:
    for name, (metric, statistic) in METRICS.items():
        what = {"Namespace": NAMESPACE, "MetricName": metric, "Dimensions": group.dimensions}
        yield {"Id": f"{name}{index}", "MetricStat": {"Metric": what, "Period": MINUTE, "Stat": statistic}}


def _seen(values: Mapping[str, Mapping[datetime, float]], healthy: int) -> Seen:
    """Of a p99 a minute their mean, weighted by the requests."""
    requests, p99 = values["requests"], values["p99"]
    timed = sum(requests.get(minute, 0) for minute in p99)
    return Seen(
        requests=round(sum(requests.values())),
        errors=round(sum(values["failed"].values()) + sum(values["refused"].values())),
        p99=sum(value * requests.get(minute, 0) for minute, value in p99.items()) / timed if timed else None,
        healthy=healthy,
    )
