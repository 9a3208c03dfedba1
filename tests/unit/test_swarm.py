"""Docker Swarm: what an engine is asked for, and what is made of what it answers."""

import asyncio
from functools import cache, partial
from pathlib import Path
from platform import release
from typing import Any

import pulumi
import pytest
from docker.errors import NotFound
from pulumi.dynamic.dynamic import serialize_provider

from components import docker_engine as swarm_client
from components.docker_engine import SwarmError, check_manager, connect, explain
from components.docker_host import DEFAULT_HOST, address
from components.dynamic import whole
from components.edge.proxy_engine import RouteProvider
from components.orchestrator import swarm_engine
from components.orchestrator.swarm import SwarmOptions, has_ipvs, publish_mode
from components.orchestrator.swarm_engine import NetworkProvider, SecretProvider, ServiceProvider, project
from components.orchestrator.swarm_parts import rollout as swarm_rollout
from components.orchestrator.swarm_parts.rollout import REVISION, RolledBackError, Rollout
from components.service import Service
from components.testing.engine import HIDDEN, Graph
from tests.program import DIGEST, config_for, run_program

PASSWORD = "hunter2"
TOKEN = "s3cr3t-token"
RICH = {
    "port": 9000,
    "cpu": 0.3,
    "memory": 700,
    "replicas": 3,
    "health": "/up",
    "env": {"LOG_LEVEL": "info"},
    "secrets": {"DB_PASSWORD": PASSWORD},
    "command": ["serve", "--fast"],
    "architecture": "arm64",
    "user": 1000,
    "writable": ["/tmp", "/cache"],
    "digest": DIGEST,
}


@cache
def rich(publish: str = "ingress", host: str = "unix:///run/engine.sock") -> Graph:
    """A service that uses every field that Swarm has, and a worker that nobody calls."""
    config = config_for("oci", "swarm", api=RICH, worker={"public": False, "digest": DIGEST})
    login = {"host": "registry.example.com", "username": "robot", "password": TOKEN}
    block = {"host": host, "publish": publish, "ports": {"api": 80}}
    return run_program(config | {"swarm": block, "oci": login}, ("services", "oci"))


def inputs(graph: Graph, service: str = "api") -> Any:
    return graph.one("dynamic/swarm:Service", service).inputs


def container(graph: Graph, service: str = "api") -> Any:
    return inputs(graph, service)["spec"]["TaskTemplate"]["ContainerSpec"]


def test_every_field_reaches_the_engine() -> None:
    spec, replica = inputs(rich())["spec"], container(rich())
    assert replica["Image"] == f"registry.example.com/switchyard-dev/api@{DIGEST}"
    assert replica["Args"] == ["serve", "--fast"]
    assert replica["User"] == "1000"
    assert replica["Env"] == [
        "DB_PASSWORD_FILE=/run/secrets/DB_PASSWORD",
        "LOG_LEVEL=info",
        "PORT=9000",
        "SWITCHYARD_ORCHESTRATOR=swarm",
        "SWITCHYARD_SERVICE=api",
    ]
    assert [mount["Target"] for mount in replica["Mounts"]] == ["/tmp", "/cache"]
    assert spec["TaskTemplate"]["Resources"]["Limits"] == {"NanoCPUs": 300_000_000, "MemoryBytes": 700 * 2**20}
    assert spec["TaskTemplate"]["Placement"]["Platforms"] == [{"Architecture": "arm64", "OS": "linux"}]
    assert spec["Mode"]["Replicated"]["Replicas"] == 3


def test_a_replica_may_do_nothing_it_does_not_need() -> None:
    replica = container(rich(), "worker")
    assert replica["ReadOnly"]
    assert replica["CapabilityDrop"] == ["ALL"]
    assert replica["Privileges"] == {"NoNewPrivileges": True}
    assert "Mounts" not in replica
    assert "Args" not in replica


def test_an_update_goes_replica_by_replica_and_is_rolled_back_when_it_fails() -> None:
    update = inputs(rich())["spec"]["UpdateConfig"]
    assert (update["Parallelism"], update["Order"], update["FailureAction"]) == (1, "start-first", "rollback")


@pytest.mark.parametrize(("publish", "mode"), [("ingress", "vip"), ("host", "dnsrr")])
def test_the_port_is_published(publish: str, mode: str) -> None:
    spec = inputs(rich(publish))["spec"]
    assert spec["EndpointSpec"] == {
        "Mode": mode,
        "Ports": [{"Protocol": "tcp", "TargetPort": 9000, "PublishedPort": 80, "PublishMode": publish}],
    }
    # The new replica cannot have the node's port while the old one holds it.
    assert (spec["UpdateConfig"]["Order"] == "stop-first") == (publish == "host")


def kept_hook(kept: dict[str, Any], make: Any, name: str, act: Any) -> Any:
    kept[name] = act
    return make(name, act)


def behind_an_edge(port: int) -> Graph:
    services: dict[str, Any] = {"api": {"port": port, "digest": DIGEST}, "worker": {"public": False, "digest": DIGEST}}
    return run_program(config_for("oci", "swarm", **services) | {"edge": "proxy"})


def test_an_edge_that_has_one_port_for_all_replicas_tries_both_before_they_change_to_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hooks, said = dict[str, Any](), list[tuple[Any, str]]()
    monkeypatch.setattr(pulumi, "ResourceHook", partial(kept_hook, hooks, pulumi.ResourceHook))
    monkeypatch.setattr(RouteProvider, "also", lambda _, props, dial: said.append((props, dial)))
    before, after = behind_an_edge(8080), behind_an_edge(9090)
    assert inputs(before)["spec"]["EndpointSpec"] == inputs(after)["spec"]["EndpointSpec"]
    assert after.one("dynamic/swarm:Service", "api").hooks == {"before_update": ("port-api/swarm",)}
    assert not after.one("dynamic/swarm:Service", "worker").hooks
    assert not rich().one("dynamic/swarm:Service", "api").hooks, "it is behind no edge"
    for old in (before, after):
        args = pulumi.ResourceHookArgs("urn", "id", "api", "type", inputs(after), inputs(old))
        asyncio.run(hooks["port-api/swarm"](args))
    where = {"host": DEFAULT_HOST, "server": "switchyard-dev-edge", "id": "api/swarm"}
    assert said == [(where, "tasks.switchyard-dev-api:9090")]
    assert where["server"] == after.one("dynamic/proxy:Server").inputs["name"]


def test_a_service_that_is_not_public_has_no_port() -> None:
    worker = inputs(rich("host"), "worker")
    assert "Ports" not in worker["spec"]["EndpointSpec"]
    assert worker["spec"]["UpdateConfig"]["Order"] == "start-first"
    assert worker["probe"] == ""
    assert rich("host").export("url")["worker"] is None


def test_health_is_asked_of_this_machine_alone() -> None:
    assert inputs(rich())["probe"] == "http://localhost:80/up"
    remote = rich(host="ssh://ops@swarm.example.com")
    assert inputs(remote)["probe"] == ""
    assert remote.export("url")["api"] == "http://swarm.example.com:80"


def test_values_of_secrets_are_hidden_and_in_no_service() -> None:
    graph = rich()
    secret = graph.one("dynamic/swarm:Secret", "api-DB_PASSWORD")
    assert (secret.inputs["value"], secret.clear["value"]) == (PASSWORD, HIDDEN)
    service = graph.one("dynamic/swarm:Service", "api")
    assert PASSWORD not in str(service.inputs)
    assert service.inputs["login"]["password"] == TOKEN
    assert TOKEN not in str(service.clear)
    (file,) = container(graph)["Secrets"]
    assert file["File"] == {"Name": "DB_PASSWORD", "UID": "1000", "GID": "0", "Mode": 0o400}


def test_ports_are_checked_before_anything_is_made() -> None:
    services = {"api": Service(), "web": Service(), "worker": Service(public=False)}
    options = SwarmOptions(ports={"ghost": 81})
    (wrong,) = options.check(services, False)
    assert wrong == ("ports.ghost", 81, "the name of a service: api, web, worker")
    (twice,) = options.alone(services)
    assert (twice[0], twice[2].startswith("another port than api's")) == ("ports.web", True)
    assert [each[0] for each in options.joins()] == ["ports"], "behind an edge no port is published"
    assert not list(SwarmOptions().joins())


@pytest.mark.parametrize(
    ("host", "want"),
    [
        ("unix:///var/run/docker.sock", "localhost"),
        ("tcp://127.0.0.1:2375", "localhost"),
        ("tcp://10.0.0.4:2376", "10.0.0.4"),
        ("ssh://ops@swarm.example.com", "swarm.example.com"),
    ],
)
def test_where_ports_answer(host: str, want: str) -> None:
    assert address(host) == want


def test_the_mesh_is_used_where_the_kernel_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_ipvs(tmp_path), "no Linux: Docker brings its own"
    (tmp_path / "proc/net").mkdir(parents=True)
    assert not has_ipvs(tmp_path)
    modules = tmp_path / "lib/modules" / release()
    modules.mkdir(parents=True)
    (modules / "modules.dep").write_text("kernel/net/netfilter/ipvs/ip_vs.ko.zst: kernel/lib/libcrc32c.ko\n")
    assert has_ipvs(tmp_path)
    monkeypatch.setattr("components.orchestrator.swarm.has_ipvs", lambda: False)
    assert publish_mode("auto", "unix:///run/engine.sock") == "host"
    assert publish_mode("auto", "tcp://10.0.0.4:2376") == "ingress"
    assert publish_mode("ingress", "unix:///run/engine.sock") == "ingress"


@pytest.mark.parametrize("provider", [NetworkProvider, SecretProvider, ServiceProvider])
def test_the_state_holds_a_providers_name_and_not_its_code(provider: type[Any]) -> None:
    # Code would be a change in every stack whenever a line of it is edited.
    first, again = (serialize_provider(provider()) for _ in range(2))
    assert first == again
    assert len(first) < 200


def test_a_diff_is_by_value() -> None:
    old = {"host": "unix:///a", "name": "n", "spec": {"Mode": 1.0}, "probe": "", "timeout": 300, "__provider": "x"}
    new = {**old, "spec": {"Mode": 1}, "timeout": 60, "__provider": "y"}
    same = ServiceProvider().diff("id", old, new)
    assert not same.changes
    changed = ServiceProvider().diff("id", old, {**new, "spec": {"Mode": 2}})
    assert changed.changes
    assert not changed.replaces
    assert ServiceProvider().diff("id", old, {**new, "host": "unix:///b"}).replaces == ["host"]
    assert SecretProvider().diff("id", {"value": "a"}, {"value": "b"}).replaces == ["value"]


def test_drift_is_what_differs_from_the_wish_and_nothing_else() -> None:
    wanted = {"Mode": {"Replicas": 2}, "Env": ["A=1"], "Mounts": [{"Target": "/tmp"}]}
    live = {"Mode": {"Replicas": 5, "Max": 9}, "Env": ["A=1"], "Mounts": [{"Target": "/tmp", "Opts": {}}], "ID": "x"}
    assert project(live, wanted) == {**wanted, "Mode": {"Replicas": 5}}
    assert project({"Env": ["A=1", "B=2"]}, {"Env": ["A=1"], "Mode": {}}) == {"Env": ["A=1", "B=2"], "Mode": None}


def test_numbers_are_whole_for_the_engine() -> None:
    assert str(whole({"a": [1.0, {"b": 2.0}], "c": 0.5, "d": True})) == "{'a': [1, {'b': 2}], 'c': 0.5, 'd': True}"


def test_nobody_at_home(tmp_path: Path) -> None:
    with pytest.raises(SwarmError, match=r"no Docker engine answers at unix:///.*: start it .*swarm\.host"):
        connect(f"unix://{tmp_path}/none.sock")


class Fake:
    """An engine that answers from a script; the last line of it for ever."""

    def __init__(self, *moments: tuple[str | None, list[dict[str, Any]]], swarm: dict[str, Any] | None = None) -> None:
        self.moments = list(moments)
        self.swarm = swarm

    def info(self) -> dict[str, Any]:
        return {"Swarm": self.swarm}

    def service(self, _: str) -> dict[str, Any]:
        state = self.moments[0][0]
        return {"UpdateStatus": {"State": state}} if state else {}

    def tasks_of(self, _: str) -> list[dict[str, Any]]:
        tasks = self.moments[0][1]
        if len(self.moments) > 1:
            del self.moments[0]
        return tasks

    def log_tail(self, *_: str) -> list[str]:
        return ["no such file"]

    def inspect_container(self, _: str) -> dict[str, Any]:
        raise NotFound("it is on another node")


def task(name: str, state: str, error: str = "", *, desired: str = "running", revision: str = "new") -> dict[str, Any]:
    return {
        "ID": name,
        "CreatedAt": name,
        "DesiredState": desired,
        "Spec": {"ContainerSpec": {"Labels": {REVISION: revision}}},
        "Status": {"State": state, "Err": error, "Message": "", "ContainerStatus": {"ExitCode": 0}},
    }


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time that passes only while someone sleeps."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("time.sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return now


def roll(*moments: tuple[str | None, list[dict[str, Any]]], replicas: int = 1) -> None:
    engine: Any = Fake(*moments)
    Rollout(engine).wait("id", "new", replicas, timeout=60)


def test_it_waits_until_every_replica_runs_and_the_engine_is_done(clock: list[float]) -> None:
    old, one, two = task("0", "running", revision="old"), task("1", "running"), task("2", "running")
    starting = task("2", "starting")
    roll(("updating", [old, starting]), ("updating", [one, starting]), ("completed", [one, two]), replicas=2)
    assert clock[0] >= swarm_rollout.SETTLE


def test_a_rolled_back_update_tells_why(clock: list[float]) -> None:
    failed = task("1", "failed", "task: non-zero exit (137)", desired="shutdown")
    with pytest.raises(RolledBackError, match=r"(?s)raise the service's memory.*\| no such file"):
        roll(("updating", [task("1", "running")]), ("rollback_completed", [failed]))


def test_a_service_that_never_ran_is_given_up_after_three_replicas(clock: list[float]) -> None:
    tries = [task(str(n), "complete", desired="shutdown") for n in range(3)]
    with pytest.raises(SwarmError, match=r"do not stay up: the process ended by itself \(exit code 0\)"):
        roll((None, tries))


def test_a_replica_that_ends_in_order_because_it_was_unhealthy_is_told_as_such(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine tells only of its exit code, 0."""
    tries = [task(str(n), "complete", desired="shutdown") for n in range(3)]
    engine: Any = Fake((None, [task("0", "starting")]), (None, tries))
    engine.inspect_container = lambda _: {"State": {"Health": {"Status": "unhealthy", "Log": [{"Output": "teapot\n"}]}}}
    monkeypatch.setattr(swarm_rollout, "ask", lambda url: "418")
    with pytest.raises(SwarmError) as error:
        Rollout(engine, health="http://localhost:8080/healthz").wait("id", "new", 1, timeout=60)
    assert str(error.value).startswith(
        "its replicas do not stay up: unhealthy container; http://localhost:8080/healthz answered 418, and 200 is"
        " wanted (HEALTHCHECK wrote: teapot): the image's HEALTHCHECK failed"
    )


def test_failures_from_before_do_not_count(clock: list[float]) -> None:
    tries = [task(str(n), "failed", desired="shutdown") for n in range(3)]
    engine: Any = Fake((None, [*tries, task("9", "running")]))
    Rollout(engine, "id").wait("id", "new", 1, timeout=60)


def test_a_replica_without_a_node_is_not_progress(clock: list[float]) -> None:
    homeless = task("1", "pending", "no suitable node (insufficient resources on 1 node)")
    with pytest.raises(SwarmError, match="no node has that much memory left"):
        roll(("updating", [homeless]))
    assert swarm_rollout.PATIENCE < clock[0] < 60


def test_a_timeout_says_how_far_it_came(clock: list[float]) -> None:
    with pytest.raises(SwarmError, match=r"after 60 s \(swarm.timeout\): 2 wanted.*preparing"):
        roll((None, [task("1", "running"), task("2", "preparing")]), replicas=2)


@pytest.mark.parametrize(
    ("swarm", "words"),
    [
        ({"LocalNodeState": "inactive"}, r"is in no swarm .*swarm init --advertise-addr 127\.0\.0\.1"),
        ({"LocalNodeState": "locked"}, "swarm unlock"),
        ({"LocalNodeState": "active", "ControlAvailable": False}, "is a worker .*name a manager"),
    ],
)
def test_only_a_manager_will_do(swarm: dict[str, Any], words: str) -> None:
    engine: Any = Fake(swarm=swarm)
    with pytest.raises(SwarmError, match=words):
        check_manager(engine, "unix:///run/engine.sock")


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        ("rpc error: code = InvalidArgument desc = port '80' is already in use by service 'x'", "remove that service"),
        ("Error starting userland proxy: listen tcp4 0.0.0.0:80: bind: address already in use", "has the port"),
        ("no suitable node (host-mode port already in use on 1 node)", "at most one replica on a node"),
        ("no suitable node (unsupported platform on 1 node)", "no node has that CPU"),
        ("pull access denied, no basic auth credentials", "refuses the login"),
        ("No such image: api@sha256:0", "push it"),
        ("exec /api: exec format error", "for another CPU"),
        ("task: unhealthy container", "HEALTHCHECK failed"),
    ],
)
def test_what_engines_say_comes_with_what_to_do(said: str, fix: str) -> None:
    assert fix in explain(said)
    assert explain("something new") == "something new"


def test_every_replica_has_a_limit_of_processes() -> None:
    made: list[Any] = []
    engine: Any = Fake()
    engine.new_service = lambda spec, login: made.append(spec)
    swarm_engine.put(engine, None, {"name": "shop-api", "spec": inputs(rich())["spec"]})
    assert made[0]["TaskTemplate"]["Resources"]["Limits"]["Pids"] == 1024


def test_someone_elses_service_is_not_taken_over() -> None:
    class Other(Fake):
        def service(self, _: str) -> dict[str, Any]:
            return {"Spec": {"Labels": {}}}

    props = {"name": "switchyard-local-api", "spec": {"Labels": {"switchyard.stack": "switchyard-local"}}}
    engine: Any = Other()
    with pytest.raises(SwarmError, match="this stack did not make"):
        swarm_engine.left_behind(engine, props)


def test_what_is_gone_already_needs_no_removing() -> None:
    def gone(_: str) -> None:
        raise NotFound("gone")

    assert swarm_engine.removed(gone, "id")


def test_logins_travel_in_a_header_and_only_when_there_is_one() -> None:
    assert swarm_client.registry_auth(None) == {}
    assert list(swarm_client.registry_auth({"username": "a", "password": "b"})) == ["X-Registry-Auth"]
