"""Jobs: how a schedule is read and translated, and what each orchestrator makes of one."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from components.schedule import LONGEST, parse
from components.testing.engine import Graph
from tests.pod_security import violations
from tests.program import DIGEST, EXISTING, config_for, run_program
from tests.unit.test_settings import BASE, api, complaint, load

NIGHTLY = {"command": ["sweep", "--all"], "schedule": "0 3 * * 1-5", "time-zone": "Europe/Berlin"}
SCHEDULE = "scheduler/schedule:Schedule"
CRON_JOB = "batch/v1:CronJob"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEK = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

Matches = Callable[[datetime], bool]


def unix(text: str, *, sunday: int | None = None) -> Matches:
    """cron(5), read value by value; where `sunday` is given, no other number is one."""

    def named(field: str, least: int, most: int, names: tuple[str, ...] = ()) -> set[int]:
        for number, name in enumerate(names, least):
            field = field.replace(name, str(number))
        return {value for value in range(least, most + 1) if any(says(each, value, least) for each in field.split(","))}

    def says(each: str, value: int, least: int) -> bool:
        span, _, step = each.partition("/")
        low, _, high = span.partition("-")
        start, end = (least, value) if span == "*" else (int(low), int(high or low))
        return start <= value <= end and (value - start) % int(step or 1) == 0

    minute, hour, day, month, weekday = text.split()
    minutes, hours, months = named(minute, 0, 59), named(hour, 0, 23), named(month, 1, 12, MONTHS)
    days, weekdays = named(day, 1, 31), named(weekday, 0, 7, WEEK)
    assert sunday is None or 7 not in weekdays or "*" in weekday
    either = not {"*", "*/1"}.intersection([*day.split(","), *weekday.split(",")])

    def matches(at: datetime) -> bool:
        on_day, on_weekday = at.day in days, bool({at.isoweekday(), at.isoweekday() % 7} & weekdays)
        wanted = on_day or on_weekday if either else on_day and on_weekday
        return wanted and at.minute in minutes and at.hour in hours and at.month in months

    return matches


def aws(expression: str) -> Matches:
    """EventBridge Scheduler's words, as its user guide has them: its week begins on Sunday, with 1."""
    found = re.fullmatch(r"cron\((.*)\)", expression)
    assert found
    fields = found[1].split(" ")
    assert len(fields) == 6
    assert fields[5] == "*"
    assert (fields[2] == "?") != (fields[4] == "?")

    def allowed(field: str) -> Iterator[int]:
        for each in field.split(","):
            low, _, high = each.partition("-")
            yield from range(int(low), int(high or low) + 1)

    sets = [None if field in "*?" else set(allowed(field)) for field in fields[:5]]

    def matches(at: datetime) -> bool:
        parts = (at.minute, at.hour, at.day, at.month, at.isoweekday() % 7 + 1)
        return all(of is None or part in of for of, part in zip(sets, parts, strict=True))

    return matches


def fields(least: int, most: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    value = st.integers(least, most)
    span = st.tuples(value, value).map(lambda pair: f"{min(pair)}-{max(pair)}")
    stepped = st.tuples(st.just("*") | span, st.integers(1, most)).map(lambda pair: f"{pair[0]}/{pair[1]}")
    one = value.map(str) | span | stepped | (st.sampled_from(names) if names else value.map(str))
    return st.just("*") | st.lists(one, min_size=1, max_size=5).map(",".join)


EXPRESSIONS = st.tuples(fields(0, 59), fields(0, 23), fields(1, 31), fields(1, 12, MONTHS), fields(0, 7, WEEK)).map(
    " ".join
)
YEAR = [datetime(2028, 1, 1) + timedelta(minutes=each) for each in range(0, 366 * 24 * 60, 211)]
"""Moments of a leap year: of all minutes, hours and days."""


def possible(text: str) -> bool:
    try:
        parse(text)
    except ValueError as error:
        return "have no day" not in str(error)
    return True


@given(EXPRESSIONS)
def test_kubernetes_is_told_the_same_minutes(text: str) -> None:
    assume(possible(text))
    told = parse(text).unix
    assert not re.search("[a-z?]", told)
    assert parse(told) == parse(text)
    same, meant = unix(told, sunday=0), unix(text)
    assert [at for at in YEAR if same(at)] == [at for at in YEAR if meant(at)]


@given(EXPRESSIONS)
def test_aws_is_told_the_same_minutes(text: str) -> None:
    assume(possible(text) and not parse(text).on_either_day)
    told, meant = aws(parse(text).aws), unix(text)
    assert len(parse(text).aws) <= 256, "EventBridge Scheduler takes no more"
    assert [at for at in YEAR if told(at)] == [at for at in YEAR if meant(at)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("*/15 * * * *", "cron(0,15,30,45 * * * ? *)"),
        ("0 3 * * mon-FRI", "cron(0 3 ? * 2-6 *)"),
        ("0 3 * * 7", "cron(0 3 ? * 1 *)"),
        ("0 3 * * 0-7", "cron(0 3 * * ? *)"),
        ("30 1 1,15 jan-mar *", "cron(30 1 1,15 1-3 ? *)"),
        ("*/3,1-59/3 */3,1-23/3 1-31/3,2-31/3 */3,2-12/3 *", None),
    ],
)
def test_in_the_words_of_aws(text: str, told: str | None) -> None:
    found = parse(text).aws
    assert found == (told or found)
    assert len(found) <= 256


def test_both_kinds_of_days_are_not_for_aws() -> None:
    assert parse("0 3 1 * mon").on_either_day
    assert not parse("0 3 1-31 * mon").on_either_day, "that is every day"
    with pytest.raises(ValueError, match="no day of the month beside"):
        _ = parse("0 3 1 * mon").aws


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("0 3 * *", "want five fields of cron"),
        ("@daily", "want five fields of cron"),
        ("60 3 * * *", "minute: a number from 0 to 59, not 60"),
        ("0 24 * * *", "hour: a number from 0 to 23, not 24"),
        ("0 3 0 * *", "day of the month: a number from 1 to 31, not 0"),
        ("0 3 * jux *", "month: a number from 1 to 12, or jan to dec, not jux"),
        ("0 3 * * 8", "day of the week: a number from 0 to 7, or sun to sat, not 8"),
        ("0 3 * * fri-mon", "day of the week: a range goes from the lower to the higher value, not fri-mon"),
        ("5/10 * * * *", "minute: before / stands * or a range such as 0-59, not 5"),
        ("*/0 * * * *", "minute: after / stands a number from 1 to 59, not 0"),
        ("*/ * * * *", "minute: after / stands a number from 1 to 59, not nothing"),
        ("1, * * * *", "minute: a number from 0 to 59, not nothing"),
        ("0 3 L * *", "day of the month: a number from 1 to 31, not l"),
        ("0 3 30 feb *", "day of the month: the months that it names have no day 30"),
    ],
)
def test_a_wrong_schedule_is_told_at_its_key(schedule: str, said: str) -> None:
    text = complaint({**BASE, **api(jobs={"nightly": {**NIGHTLY, "schedule": schedule}})})
    assert "switchyard:services.api.jobs.nightly.schedule" in text
    assert said in text


@pytest.mark.parametrize("zone", ["CET", "Europe/Nowhere", "Europe", "../etc/passwd", "posix/Europe/Berlin"])
def test_a_time_zone_has_its_iana_name(zone: str) -> None:
    text = complaint({**BASE, **api(jobs={"nightly": {**NIGHTLY, "time-zone": zone}})})
    assert "switchyard:services.api.jobs.nightly.time-zone" in text
    assert "want UTC, or a time zone by its IANA name, such as Europe/Berlin" in text


def test_a_job_has_a_command_and_a_name_like_a_services() -> None:
    assert "nightly.command is a list" in complaint({**BASE, **api(jobs={"nightly": {**NIGHTLY, "command": []}})})
    assert "want lower-case letters" in complaint({**BASE, **api(jobs={"Nightly!": NIGHTLY})})
    assert load({**BASE, **api(jobs={"a": {**NIGHTLY, "time-zone": "UTC"}})}).services["api"].jobs["a"].when.hours == (
        3,
    )


def test_a_leap_day_is_a_day() -> None:
    assert LONGEST[1] == 29
    assert parse("0 3 29 feb *").aws == "cron(0 3 29 2 ? *)"


@cache
def made(orchestrator: str, asks: bool = True) -> Graph:
    service = {"digest": DIGEST, "writable": ["/tmp"], **({"jobs": {"nightly": NIGHTLY}} if asks else {})}
    return run_program({**config_for("ecr", orchestrator, api=service), **EXISTING})


@pytest.mark.parametrize("key", ["ecs-fargate", "ecs-ec2"])
def test_on_ecs_the_scheduler_runs_a_task_where_the_replicas_run(key: str) -> None:
    graph = made(key)
    schedule, service = graph.one(SCHEDULE, "api--nightly"), graph.one("ecs/service:Service", "api")
    assert schedule.inputs["scheduleExpression"] == "cron(0 3 ? * 2-6 *)"
    assert schedule.inputs["scheduleExpressionTimezone"] == "Europe/Berlin"
    assert schedule.inputs["flexibleTimeWindow"] == {"mode": "OFF"}
    target = schedule.inputs["target"]
    assert target["arn"] == service.inputs["cluster"]
    assert target["retryPolicy"] == {"maximumRetryAttempts": 0}
    assert json.loads(target["input"]) == {"containerOverrides": [{"name": "api", "command": ["sweep", "--all"]}]}
    ecs = target["ecsParameters"]
    assert ecs["taskDefinitionArn"] == service.inputs["taskDefinition"]
    assert ecs["capacityProviderStrategies"] == service.inputs["capacityProviderStrategies"]
    assert ecs["networkConfiguration"] == service.inputs["networkConfiguration"]
    policy = graph.one("iam/rolePolicy:RolePolicy", "api-jobs")
    assert {service.urn, policy.urn} <= graph.waits_for(schedule)
    assert not made(key, asks=False).of(SCHEDULE)


def test_the_scheduler_may_run_this_services_tasks_alone() -> None:
    graph = made("ecs-fargate")
    role = graph.one("iam/role:Role", "api-jobs")
    (trust,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    cluster = graph.one("ecs/service:Service", "api").inputs["cluster"]
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": cluster.split(":")[4]}}
    run, tag, hand_on = json.loads(graph.one("iam/rolePolicy:RolePolicy", "api-jobs").inputs["policy"])["Statement"]
    assert run["Action"] == ["ecs:RunTask"]
    assert [each.rpartition("/")[2] for each in run["Resource"]] == ["switchyard-dev-api:*"]
    assert run["Condition"] == {"ArnEquals": {"ecs:cluster": cluster}}
    assert tag["Condition"] == {"StringEquals": {"ecs:CreateAction": "RunTask"}}
    assert tag["Resource"] == [cluster.replace(":cluster/", ":task/") + "/*"]
    task = graph.one("ecs/taskDefinition:TaskDefinition", "api").inputs
    assert hand_on["Action"] == ["iam:PassRole"]
    assert hand_on["Resource"] == [task["executionRoleArn"], task["taskRoleArn"]]
    assert hand_on["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}


def test_on_eks_it_is_a_cron_job_that_gets_no_requests() -> None:
    graph = made("eks")
    job, deployment = graph.one(CRON_JOB, "api--nightly"), graph.one("apps/v1:Deployment", "api")
    spec = job.inputs["spec"]
    assert (spec["schedule"], spec["timeZone"]) == ("0 3 * * 1-5", "Europe/Berlin")
    assert spec["concurrencyPolicy"] == "Forbid"
    run = spec["jobTemplate"]["spec"]
    assert run["backoffLimit"] == 0
    (container,) = run["template"]["spec"]["containers"]
    (server,) = deployment.inputs["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["sweep", "--all"]
    assert {key: container[key] for key in ("image", "env", "securityContext", "volumeMounts")} == {
        key: server[key] for key in ("image", "env", "securityContext", "volumeMounts")
    }
    assert "readinessProbe" not in container
    assert violations(run["template"]["spec"]) == []
    selector = deployment.inputs["spec"]["selector"]["matchLabels"]
    assert not selector.items() <= run["template"]["metadata"]["labels"].items()
    assert deployment.urn in graph.waits_for(job)
    assert not made("eks", asks=False).of(CRON_JOB)


@pytest.mark.parametrize("key", ["swarm", "swarm-ec2"])
def test_on_swarm_they_are_refused_by_name(key: str) -> None:
    text = complaint(config_for("oci", key, api={"digest": DIGEST, "jobs": {"nightly": NIGHTLY}}))
    assert "services.api.jobs is" in text
    assert f"want what {key} can do: Swarm has no scheduler: call `yard run` from a cron of your own" in text


def test_either_day_is_refused_where_aws_keeps_the_time() -> None:
    jobs = {"nightly": {**NIGHTLY, "schedule": "0 3 1 * mon"}}
    text = complaint(config_for("ecr", "ecs-fargate", api={"digest": DIGEST, "jobs": jobs}))
    assert "services.api.jobs is" in text
    assert "EventBridge Scheduler takes a day of the month or a day of the week" in text
    service: dict[str, Any] = {"digest": DIGEST, "jobs": jobs}
    graph = run_program({**config_for("ecr", "eks", api=service), **EXISTING})
    assert graph.one(CRON_JOB, "api--nightly").inputs["spec"]["schedule"] == "0 3 1 * 1"
