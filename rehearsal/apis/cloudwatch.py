"""CloudWatch's own API, as far as the guard of a switch asks it: GetMetricData of target groups, and DescribeAlarms."""

from collections.abc import Callable, Mapping
from typing import Any

from rehearsal.apis.endpoint import BadRequest, Endpoint, JsonHandler
from rehearsal.traffic.passed import MINUTE, Minute

Ask = Callable[[str, float, float], Mapping[float, Minute]]
"""The end of a target group's ARN, and from when to when -> begin of a minute -> what was in it."""
METRICS: Mapping[tuple[str, str], Callable[[Minute], float]] = {
    ("RequestCount", "Sum"): lambda minute: minute.requests,
    ("HTTPCode_Target_5XX_Count", "Sum"): lambda minute: minute.failed,
    # Those that a replica broke off are among them here; Elastic Load Balancing counts these for no group.
    ("TargetConnectionErrorCount", "Sum"): lambda minute: minute.refused,
    ("TargetResponseTime", "p99"): lambda minute: minute.p99,
}


def serve(ask: Ask) -> Endpoint:
    """Answer until closed."""
    return Endpoint(_Handler, ask=staticmethod(ask))


class _Handler(JsonHandler):
    ask: Ask

    def on_GetMetricData(self, asked: Any) -> Any:  # noqa: N802
        results = [self._result(query, asked["StartTime"], asked["EndTime"]) for query in asked["MetricDataQueries"]]
        return {"MetricDataResults": results, "Messages": []}

    def _result(self, query: Any, start: float, end: float) -> Any:
        of = query["MetricStat"]
        name, statistic = of["Metric"]["MetricName"], of["Stat"]
        value = METRICS.get((name, statistic))
        if value is None or of["Period"] != MINUTE:
            what = f"{statistic} of {name} for {of['Period']} s"
            raise BadRequest("InvalidParameterValue", f"the rehearsal has a value a minute, and not {what}")
        dimensions = {each["Name"]: each["Value"] for each in of["Metric"]["Dimensions"]}
        minutes = self.ask(dimensions["TargetGroup"], start, end)
        # There is none where it would be zero (ELB user guide, "CloudWatch metrics", reporting criteria).
        found = {at: value(minute) for at, minute in sorted(minutes.items(), reverse=True) if value(minute)}
        return {
            "Id": query["Id"],
            "Label": name,
            "StatusCode": "Complete",
            "Timestamps": [*found],
            "Values": [*found.values()],
        }

    def on_DescribeAlarms(self, asked: Any) -> Any:  # noqa: N802
        # They are somebody else's, whose word is taken that they exist.
        alarms = [{"AlarmName": name, "StateValue": "INSUFFICIENT_DATA"} for name in asked.get("AlarmNames", [])]
        return {"MetricAlarms": alarms, "CompositeAlarms": []}
