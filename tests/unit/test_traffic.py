"""Requests over the rehearsed cloud: what its state asks for, who gets them, what came of them. Nothing runs here."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from rehearsal.aws import types
from rehearsal.state import Swarm
from rehearsal.traffic import figures
from rehearsal.traffic.balancer import matcher, routes
from rehearsal.traffic.callers import Answer, entry
from rehearsal.traffic.mistakes import mistakes
from rehearsal.traffic.plane import Shares, missing, surplus
from rehearsal.traffic.replica import Life, Pace, Replica
from rehearsal.traffic.starts import Start, container, process
from rehearsal.traffic.wanted import Check, Container, Rule, Workload, wanted
from tests.land import Land
from yard.__main__ import main
from yard.carrying import Load, _too_long, check

CONTAINER = Container("api", (), (("SWITCHYARD_ORCHESTRATOR", "eks"), ("SWITCHYARD_SERVICE", "api")), 8080)
WORKLOAD = Workload(CONTAINER, drain=30, grace=60, patience=90)


class TestWanted:
    """From the cloud's state alone."""

    def test_both_orchestrators_stand_and_each_has_its_way_to_stop(self) -> None:
        land = Land()
        land.rule(old=90, new=10)
        land.task(2)
        land.pods(count=3)
        found = wanted(land.state)
        assert found.counts == {"urn:ecs": 2, "urn:pods": 3}
        ecs, pods = found.workloads["urn:ecs"], found.workloads["urn:pods"]
        assert (ecs.drain, ecs.grace, ecs.patience) == (30, 60, 60 + 10 * 2)
        assert (pods.drain, pods.grace, pods.patience) == (40, 30, 300)
        assert (ecs.service, ecs.orchestrator, ecs.container.port) == ("api", "x", 8080)
        assert found.groups["api-new"].members == ("urn:pods",)
        (rule,) = found.rules
        assert (rule.paths, dict(rule.weights)) == (("/*",), {"api-old": 90, "api-new": 10})

    def test_what_goes_is_not_wanted_and_no_target(self) -> None:
        land = Land()
        land.rule(new=100)
        land.task().ready = False
        land.pods()
        found = wanted(land.state)
        assert found.counts == {"urn:pods": 1}
        assert "urn:ecs" not in found.workloads
        assert found.groups["api-old"].members == ()

    def test_without_weight_a_group_is_in_no_rule(self) -> None:
        land = Land()
        land.rule(old=100, new=0)
        assert [dict(each.weights) for each in wanted(land.state).rules] == [{"api-old": 100}]

    def test_what_nothing_lets_in_gets_nothing(self) -> None:
        land = Land()
        land.task()
        land.make(types.INGRESS_RULE, "other", securityGroupId="sg", fromPort=1, toPort=2)
        land.make(types.ECS_SERVICE, "shut", taskDefinition="task", loadBalancers=[
            {"targetGroupArn": "api-new", "containerName": "api", "containerPort": 8080}
        ], securityGroups=["sg"])  # fmt: skip
        assert wanted(land.state).counts == {"urn:ecs": 2}

    def test_a_swarm_stops_at_once_and_any_node_leads_to_every_replica(self) -> None:
        land = Land()
        of = {"Image": "api", "Env": ["SWITCHYARD_SERVICE=api"], "StopGracePeriod": 30 * 10**9}
        ports = [{"PublishedPort": 30000, "TargetPort": 8080}]
        spec = {"TaskTemplate": {"ContainerSpec": of}, "Mode": {"Replicated": {"Replicas": 2}}}
        land.state.swarms["dev"] = Swarm("s", services={"one": {"Spec": {**spec, "EndpointSpec": {"Ports": ports}}}})
        for node in ("i-1", "i-2", "i-3"):
            land.make(types.INSTANCE, node)
            land.make(types.TARGET_GROUP_ATTACHMENT, f"at-{node}", targetGroupArn="api-new", targetId=node, port=30000)
        found = wanted(land.state)
        assert found.counts == {"one": 2}
        assert (found.workloads["one"].drain, found.workloads["one"].grace) == (0, 30)


def a_replica(workload: Workload = WORKLOAD) -> Replica:
    """One that is not started."""
    return Replica(1, "key", workload, lambda *_: Start([], {}), Path("log"), lambda: None)


class TestFollowing:
    """Whom to start and to stop."""

    def replicas(self, *workloads: Workload) -> list[Replica]:
        return [a_replica(each) for each in workloads]

    def test_what_is_missing_is_started_and_what_is_too_much_stopped(self) -> None:
        two = self.replicas(WORKLOAD, WORKLOAD)
        assert (missing(two, WORKLOAD, 3), surplus(two, WORKLOAD, 3)) == (1, [])
        assert (missing(two, WORKLOAD, 1), surplus(two, WORKLOAD, 1)) == (0, two[1:])

    def test_an_earlier_revision_goes_when_the_new_one_is_healthy(self) -> None:
        old, new = self.replicas(WORKLOAD, replace(WORKLOAD, container=replace(CONTAINER, image="next")))
        assert (missing([old], new.workload, 1), surplus([old, new], new.workload, 1)) == (1, [])
        new.state = "healthy"
        assert surplus([old, new], new.workload, 1) == [old]


class TestStarts:
    """What a replica is here."""

    def test_a_process_gets_the_environment_of_its_service_and_nothing_of_the_callers(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
        start = process(["api"], WORKLOAD, 4711)
        assert start.env["PORT"] == "4711"
        assert start.env["SWITCHYARD_SERVICE"] == "api"
        assert "AWS_SECRET_ACCESS_KEY" not in start.env

    def test_a_container_answers_on_the_loopback_interface_alone_and_its_values_are_on_no_command_line(self) -> None:
        workload = replace(WORKLOAD, container=replace(CONTAINER, env=(("TOKEN", "s3cret"),), command=("serve",)))
        start = container("acme/api", workload, 4711)
        words = " ".join(start.words)
        assert "--publish 127.0.0.1:4711:8080 --env TOKEN acme/api serve" in words
        assert "s3cret" not in words
        assert start.env["TOKEN"] == "s3cret"
        assert start.remove[-1] in start.words


class TestBalancer:
    """In Traefik's words."""

    def test_conditions(self) -> None:
        rule = Rule("api", 1, ("/orders", "/orders/*"), ("*.acme.com",), (("x-to", ("eks",)),), ())
        assert matcher(rule) == (
            r"(PathRegexp(`^/orders$`) || PathRegexp(`^/orders/.*$`)) && (HostRegexp(`^.*\.acme\.com$`))"
            " && (Header(`x-to`, `eks`))"
        )
        assert entry(rule) == ("/orders", "*.acme.com")

    def test_a_group_without_targets_fails_over_to_no_other(self) -> None:
        rule = Rule("api", 7, ("/*",), (), (), (("a", 9), ("b", 1)))
        found = routes({"a": "api-old", "b": "api-new"}, {"a": ["127.0.0.1:1"], "b": []}, [rule], 60)
        shares = [{"name": "api-old", "weight": 9}, {"name": "api-new", "weight": 1}]
        assert found["services"]["to/api"] == {"weighted": {"services": shares}}
        assert found["services"]["api-new"]["loadBalancer"]["servers"] == []
        assert found["serversTransports"]["targets"]["forwardingTimeouts"]["idleConnTimeout"] == "60s"

    @pytest.mark.parametrize(("code", "good"), [(200, True), (299, True), (302, True), (301, False), (0, False)])
    def test_codes(self, code: int, good: bool) -> None:
        assert Check("/", "200-299,302", 10, 5, 2, 3).good(code) is good


def answer(at: float, group: str = "api-old", code: int = 200, seconds: float = 0.01, error: str = "") -> Answer:
    return Answer(at, seconds, code, error, "/", "api", group, "127.0.0.1:1")


class TestFigures:
    """What came of them."""

    def test_shares_count_what_was_sent_and_answered_within_a_step(self) -> None:
        sent = [answer(n / 100, "api-new" if n % 10 == 0 else "api-old") for n in range(1000)]
        over = answer(10.04, "api-new", seconds=0.1)
        (part,) = figures.parts([*sent, over], [Shares(0, 10.05, {"api": {"api-old": 90, "api-new": 10}})])
        assert (part.requests, part.got, part.deviations) == (1000, {"new": 100, "old": 900}, 0.0)

    def test_one_request_to_a_group_without_weight_is_too_much(self) -> None:
        (part,) = figures.parts([answer(1), answer(2, "api-new")], [Shares(0, 9, {"api": {"api-old": 100}})])
        assert abs(part.deviations) > figures.DEVIATIONS

    def test_a_share_that_chance_does_not_explain(self) -> None:
        sent = [answer(n / 100, "api-new" if n % 5 == 0 else "api-old") for n in range(1000)]
        (part,) = figures.parts(sent, [Shares(0, 11, {"api": {"api-old": 90, "api-new": 10}})])
        assert abs(part.deviations) > figures.DEVIATIONS

    def test_losses_by_reason(self) -> None:
        sent = [
            answer(0, code=502),
            answer(1, code=0, error="EOF"),
            answer(2, code=0, error="Client.Timeout"),
            answer(3),
        ]
        assert figures.lost(sent, {"127.0.0.1:1"}) == {"502": 1, "reset": 1, "timeout": 1}
        assert figures.lost(sent[3:], set()) == {figures.MISTAKEN: 1}


LIVES = {
    "dies at SIGTERM": (Life(1, 2, 10, 40, 40.01, code=-15), "does not handle SIGTERM", 40.0, 502),
    "ends with requests under way": (Life(1, 2, 10, 40, 42, code=0), "ended with requests under way, 2.0 s", 41.5, 502),
    "has longer requests": (
        Life(1, 2, 10, 40, 42, code=0),
        "longer than the 30 s for which a replica on eks",
        9.0,
        502,
    ),
    "does not end": (Life(1, 2, 10, 40, 100, killed=True, code=-9), "60 s after SIGTERM it still ran", 100.5, 502),
    "closes idle connections": (Life(1, 2, idle=5.02), "closes an idle connection after 5 s", 0, 0),
    "is slow to start": (Life(1, 50), "took 49 s until it answered", 0, 0),
    "is not ready": (Life(1, 2), "for 2.0 s after its health path was well a new replica answered 500", 4.0, 500),
    "ends by itself": (Life(1, 2, 9, 0, 9, code=3), "ended by itself, with exit code 3", 0, 0),
}


class TestMistakes:
    """A service's own, by the lives of its replicas."""

    @pytest.mark.parametrize("name", LIVES)
    def test_each_is_said_with_its_fix(self, name: str) -> None:
        life, what, at, code = LIVES[name]
        replica = a_replica()
        replica.port, replica.life = 1, life
        took = 32.5 if name == "has longer requests" else 0
        sent = [answer(at, code=code, seconds=took)] if code else []
        (found,) = mistakes(sent, [replica], 60, Pace())
        assert what in found.what
        assert found.fix
        assert found.lost == len(sent)
        assert "api" in found.service

    def test_none_where_all_is_well(self) -> None:
        replica = a_replica()
        replica.life = Life(1, 2, 10, 40, 45, code=0, idle_for=60)
        assert mistakes([answer(5)], [replica], 60, Pace()) == []


class TestCall:
    """What keeps a load from being carried is said before anything begins."""

    def test_of_the_stack(self) -> None:
        services = {"api": {"health": "/healthz"}, "web": {"health": "/up"}, "job": {"health": "/x", "public": False}}
        (wrong,) = check(Load(), services)
        assert wrong.startswith("services.web.health is /up")
        assert "--run web=" in wrong
        assert [*check(Load(run={"web": ["node"]}), services)] == []
        (unknown,) = check(Load(run={"wep": ["node"]}), {"api": {}})
        assert unknown == "--run wep=...: there is no service wep, but api"
        (nobody,) = check(Load(), {"job": {"public": False}})
        assert nobody == "--load: nobody calls job: requests go to services that are public"

    def test_steps_that_outlast_the_callers(self) -> None:
        assert not [*_too_long(Load(bake=195), {})]
        (wrong,) = _too_long(Load(bake=60), {"patience": 316})
        assert wrong.startswith("--bake 60: with `guard.patience`, which is 316 here, 4 steps can take longer than")
        assert wrong.endswith("use --bake 59 or less")
        (longer,) = _too_long(Load(bake=60), {"patience": 600})
        assert longer.endswith("set it to less than 315")

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--rate", "9"], "--rate is about the requests of --load: give that too"),
            (["--load", "--requests", "1000000"], "take too long: use --rate 667 or more"),
            (["--load", "--path", "slow"], "--path slow: want a path that begins with /"),
            (["--load", "--image", "api"], "--image api: want SERVICE=IMAGE"),
            (["--load", "--run", "api"], "--run api: want SERVICE=COMMAND"),
            (["--post", "/orders", "{}"], "--post is about the requests of --load: give that too"),
            (["--load", "--post", "orders", "{}"], "--post orders: want a path that begins with /"),
            (["--load", "--post", "/orders", "@no-such"], "--post /orders @no-such: no-such cannot be read"),
            (["--load", "--expect", "/a b", "x"], "--expect /a b: want a path that begins with /"),
            (["--load", "--websocket", "ws"], "--websocket ws: want a path that begins with /"),
            (["--load", "--run", "api=no-such-program x"], "there is no program no-such-program here"),
        ],
    )
    def test_of_the_call(self, arguments: list[str], said: str) -> None:
        result = CliRunner().invoke(main, ["rehearse", *arguments])
        assert result.exit_code == 2
        assert said in " ".join(result.stderr.split())
