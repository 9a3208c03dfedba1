"""The proxy on the swarm's own instance, as far as no engine is needed: who waits for whom, who gets in, what is
refused, and what the instance is asked. That Traefik goes by such routes, the live tests show."""

import re
import subprocess
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from docker.errors import NotFound
from requests.exceptions import ConnectionError as NoConnection

from components.docker_engine import SwarmError
from components.edge.proxy_ec2 import ProxyEc2Options
from components.edge.proxy_engine import Reached
from components.edge.proxy_routes import REVISION_HEADER, taken
from components.orchestrator import swarm_engine, swarm_proxy
from components.orchestrator.swarm_parts.ssm import Question, RemoteEngine
from components.testing.engine import Graph
from config.problems import BadConfig
from policy import violations
from tests.conformance.judged import resources
from tests.program import DIGEST, DOMAIN, config_for, run_program

SERVICES: dict[str, Any] = {"api": {"digest": DIGEST, "memory": 128}}
PLAIN: dict[str, Any] = {"edge": "proxy-ec2", "network": "public", "swarm-ec2": {"instance-type": "t3.micro"}}
ACME = {"acme": {"email": "ops@example.com"}}
HTTPS: dict[str, Any] = {**PLAIN, "domain": DOMAIN, "proxy-ec2": ACME}
PROXY = "pulumi-python:dynamic/proxy"
RULE = "vpc/securityGroupIngressRule:SecurityGroupIngressRule"


def made(**more: Any) -> Graph:
    config = config_for("ecr", "swarm-ec2", **SERVICES) | more
    return run_program({key: value for key, value in config.items() if value is not None})


@cache
def by_acme() -> Graph:
    return made(**HTTPS)


def test_callers_are_sent_to_it_in_the_order_in_which_it_can_take_them() -> None:
    graph = by_acme()
    record = graph.one("aws:route53/record:Record")
    order = [*graph.of(RULE)[-2:], record, graph.one(f"{PROXY}:OnInstance"), graph.one(f"{PROXY}:Certificate")]
    order += [graph.one(f"{PROXY}:Group"), graph.one(f"{PROXY}:Rule")]
    assert [each.name for each in order[:2]] == ["edge--80", "edge--443"]
    for before, after in pairwise(order[2:]):
        assert before.urn in graph.waits_for(after)
    assert {each.urn for each in order[:2]} <= graph.waits_for(order[3])
    assert (record.inputs["records"], record.inputs["ttl"]) == (["public-address-of-manager-0"], 60)
    assert graph.export("url") == "https://www.example.com"
    assert made(**PLAIN).export("url") == "http://public-address-of-manager-0"


def test_the_whole_internet_gets_to_the_proxys_ports_and_to_no_other() -> None:
    opened = [each for each in by_acme().of(RULE) if each.inputs.get("cidrIpv4")]
    assert {(each.inputs["fromPort"], each.inputs["toPort"]) for each in opened} == {(80, 80), (443, 443)}
    assert len([each for each in made(**PLAIN).of(RULE) if each.inputs.get("cidrIpv4")]) == 1
    assert [str(each) for each in violations(resources(by_acme()), "trial")] == []
    theirs = {"vpc": {"id": "vpc-1", "public-subnets": ["subnet-1", "subnet-2"]}, "network": None}
    assert not made(**PLAIN | theirs, **{"security-groups": {"replicas": "sg-theirs"}}).of(RULE)


def test_the_role_that_deploys_may_make_what_it_makes() -> None:
    for more, domain in ((HTTPS, True), (PLAIN, False)):
        taken = ProxyEc2Options().taken(own=True, domain=domain, access_logs=False)
        theirs = {each.type for each in made(**more).under("switchyard:edge:ProxyEc2") if each.type.startswith("aws:")}
        assert theirs == set(taken.types)
        assert ("route53:ListHostedZones" in taken.looks_up) is domain


def test_a_service_is_the_same_behind_it_as_behind_a_load_balancer() -> None:
    """So that a move from the one to the other starts no replica anew."""
    balanced = made(**{**PLAIN, "edge": "alb"}).one("pulumi-python:dynamic/swarm:Service")
    assert by_acme().one("pulumi-python:dynamic/swarm:Service").inputs == balanced.inputs
    assert not by_acme().of("aws:lb/targetGroupAttachment:TargetGroupAttachment")


def test_traefik_has_a_file_to_watch_from_its_first_start_on(tmp_path: Any) -> None:
    spec = by_acme().one(f"{PROXY}:OnInstance").inputs["spec"]["TaskTemplate"]["ContainerSpec"]
    *shell, script, watched = spec["Command"]
    told = script.replace("/usr/local/bin/traefik", "echo")
    for _ in range(2):
        ran = subprocess.run([*shell, told, str(tmp_path / "it.yml"), *spec["Args"]], capture_output=True, text=True)
        assert ran.stdout.split() == spec["Args"]
        assert (tmp_path / "it.yml").read_text() == "{}\n"
    assert f"--providers.file.filename={watched}" in spec["Args"]
    assert "--certificatesresolvers.acme.acme.email=ops@example.com" in spec["Args"]


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        (
            {"proxy-ec2": {"certificate": {"chain": "x", "key": "y"}}},
            "proxy-ec2.certificate: there is no such key: its key would stand in the history",
        ),
        ({"proxy-ec2": {"host": "ssh://a"}}, "proxy-ec2.host: there is no such key: the proxy stands on the instance"),
        ({"proxy-ec2": {"image": "traefik:3"}}, "proxy-ec2.image is 'traefik:3'; want an image by its digest"),
        ({"domain": DOMAIN}, "proxy-ec2.acme is not set; want {email} beside `domain`"),
        ({"domain": {"name": "a.example.com"}, "proxy-ec2": ACME}, "domain.zone is not set; want the public zone"),
        ({"swarm-ec2": {"managers": 3}}, "swarm-ec2.managers is 3; want 1 with an edge on its instance"),
        ({"preset": "production"}, "swarm-ec2.managers is not set; want 1 with an edge on its instance"),
        ({"services": {"api": {"digest": DIGEST, "memory": 320}}}, "takes 128 MiB"),
        ({"network": "nat-single"}, "network is 'nat-single'; want public where `edge` is proxy-ec2"),
        ({"orchestrator": "ecs-fargate"}, "edge is 'proxy-ec2'; want an orchestrator that can stand behind it"),
        ({"traffic": {"swarm-ec2": 90, "eks": 10}}, "want an orchestrator that can stand behind it, not eks"),
        ({"guard": {"errors": 1}}, "want another edge than proxy-ec2"),
        ({"strict": True}, "strict is true; want another edge than proxy-ec2"),
    ],
)
def test_what_cannot_be_is_refused_at_its_key(more: dict[str, Any], wanted: str) -> None:
    with pytest.raises(BadConfig, match=re.escape(wanted)):
        made(**PLAIN | more)


class Answers:
    """An instance that answers each question with the next of these."""

    instance = "i-1"

    def __init__(self, *answers: str | NoConnection) -> None:
        self.answers, self.asked = list(answers), list[Question | None]()

    def run(self, script: str) -> str:
        self.asked.append(Question.read(script))
        if isinstance(found := self.answers.pop(0), NoConnection):
            raise found
        return found


def engine(answers: Answers) -> RemoteEngine:
    made = RemoteEngine.__new__(RemoteEngine)  # without a look for the engine's version
    made.adapter = answers  # type: ignore[assignment]
    return made


def test_a_question_is_read_as_it_was_asked() -> None:
    for each in (Question("https://a.example/", verified=True), Question("http://127.0.0.1/up", ("a: $(b)'", "c: d"))):
        assert Question.read(each.script()) == each
        assert subprocess.run(["bash", "-n"], input=each.script(), text=True, check=False).returncode == 0
    assert Question.read("#!/bin/bash\nmethod=GET") is None


def test_only_the_proxy_that_has_a_revision_is_taken_for_it() -> None:
    answers = Answers(
        f"HTTP/1.1 200 OK\r\nX-Switchyard-Revision: {taken('r1')}\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-Switchyard-Revision: r1\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\n\r\n",
        NoConnection("i-1: the command ended with Failed: curl: (7)"),
    )
    said = [swarm_proxy.behind(engine(answers), "r1") for _ in range(4)]
    assert said == ["", "it answers 200", "it answers 404", "it answers i-1: the command ended with Failed: curl: (7)"]
    assert answers.asked[0] == Question("http://127.0.0.1/", (f"{REVISION_HEADER}: r1",))


def test_a_certificate_is_there_once_callers_of_each_name_take_it() -> None:
    why = NoConnection("curl: (60) SSL certificate problem")
    answers = Answers("HTTP/1.1 404 Not Found\r\nServer: x\r\n\r\n", why)
    proxy: Any = Reached(engine(answers), "c", lambda _: "")
    missing = swarm_proxy.CertificateProvider().missing(proxy, {"names": ["a.example", "b.example"]})
    assert missing == f"b.example: {why}"
    assert answers.asked == [Question(f"https://{each}.example/", verified=True) for each in "ab"]


class Swarm:
    """A manager that knows services by name, and none by an id of another swarm."""

    def __init__(self, *names: str) -> None:
        self.names, self.volumes = names, ["v"]

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None: ...

    def tasks_of(self, identity: str) -> list[dict[str, Any]]:
        raise NotFound(f"service {identity} not found")

    remove_service = tasks_of

    def containers(self, **_: Any) -> list[Any]:
        return []

    def service(self, name: str) -> dict[str, Any]:
        if name in self.names:
            return {"ID": "another", "Spec": {"Labels": {"switchyard.stack": "dev"}}}
        raise NotFound(f"service {name} not found")

    def remove_volume(self, name: str) -> None:
        self.volumes.remove(name)


@pytest.mark.parametrize(("names", "left"), [(["dev-edge"], ["v"]), ([], [])])
def test_the_volume_of_a_successor_on_another_swarm_stays(
    monkeypatch: pytest.MonkeyPatch, names: list[str], left: list[str]
) -> None:
    swarm, spec = Swarm(*names), {"Labels": {"switchyard.stack": "dev"}}
    for module in (swarm_engine, swarm_proxy):
        monkeypatch.setattr(module, "connection", lambda _: swarm)
    swarm_proxy.ServerProvider().delete("x", {"host": "ssh://h", "name": "dev-edge", "volume": "v", "spec": spec})
    assert swarm.volumes == left


def test_a_route_that_is_looked_for_where_no_proxy_runs_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swarm_proxy, "connection", lambda _: Swarm())
    provider = swarm_proxy.RouteProvider()
    assert provider.read("api", {"host": "ssm://r/s", "server": "x"}).id == ""
    provider.delete("api", {"host": "ssm://r/s", "server": "x"})
    with pytest.raises(SwarmError, match="the proxy x does not run; `pulumi up --refresh` makes one that is gone"):
        provider.create({"host": "ssm://r/s", "server": "x", "id": "api", "route": {}})
