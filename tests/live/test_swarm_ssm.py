"""Swarm through Systems Manager: the very commands that a manager would run, on this machine's engine and registry.

The API of Systems Manager is the rehearsal's, and `aws` a script that knows one secret; all else is real.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import ImageNotFound

from components.docker_engine import SwarmError
from components.edge import proxy_engine, traefik
from components.orchestrator import swarm_proxy
from components.orchestrator.swarm_engine import NetworkProvider, SecretProvider, ServiceProvider
from components.orchestrator.swarm_nodes import identity, joined
from components.orchestrator.swarm_parts import boot as swarm_boot
from components.orchestrator.swarm_parts import ssm as swarm_ssm
from components.orchestrator.swarm_parts.connection import connection
from rehearsal.apis import ssm
from rehearsal.traffic.replica import free_port
from tests.live.conftest import HOST
from tests.live.login_registry import PASSWORD, USER, login_registry
from tests.live.project import ROOT, example
from yard import image, machine

STACK = "swarm-over-ssm"
REGION = "eu-central-1"
SSM = f"ssm://{REGION}/{STACK}"
SOCKET = HOST.removeprefix("unix://")
ARN = f"arn:aws:secretsmanager:{REGION}:123456789012:secret"
VALUE = "correct horse\nbattery staple\n"
SECRETS = {"value-1": VALUE, "login-1": json.dumps({"username": USER, "password": PASSWORD}), "login-0": "{}"}
AWS = """#!/bin/bash
[[ "$1 $2" == "secretsmanager get-secret-value" ]] || { echo "no such command: $*" >&2; exit 2; }
cat "$SECRETS/$8" && echo
"""


@dataclass
class Instance:
    """This machine, as an instance of the account."""

    place: Path
    ran: list[str] = field(default_factory=list)

    def run(self, instance: str, script: str) -> ssm.CommandResult:
        """Run what `swarm_ssm` wrote, and nothing else."""
        assert instance == "i-manager"
        ours = re.fullmatch(r"#!/bin/bash\ntail -c \+\d+ /[\w./-]+ \| head -c \d+(\nrm -f /[\w./-]+)?", script)
        asked = swarm_ssm.Question.read(script)
        assert ours or (asked or swarm_ssm.Request.read(script)).script() == script
        self.ran.append(script)
        local = script.replace("/var/run/docker.sock", SOCKET)
        env = {"PATH": f"{self.place}:{os.environ['PATH']}", "SECRETS": str(self.place), "TMPDIR": str(self.place)}
        done = subprocess.run(["bash", "-c", local], capture_output=True, text=True, timeout=90, env=env, check=False)
        return ssm.CommandResult(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory, client: docker.DockerClient) -> Iterator[Instance]:
    """A manager that is reached by commands alone."""
    if not HOST.startswith("unix://"):
        pytest.skip("the commands go to a socket of this machine")
    place = tmp_path_factory.mktemp("instance")
    (place / "aws").write_text(AWS, encoding="utf-8")
    (place / "aws").chmod(0o700)
    for version, value in SECRETS.items():
        (place / version).write_text(value, encoding="utf-8")
    instance = Instance(place)
    endpoint = ssm.serve(lambda tag, value: ["i-manager"] * ((tag, value) == (swarm_boot.TAG, STACK)), instance.run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_SSM", endpoint.url)
        patch.setenv("AWS_ACCESS_KEY_ID", "stand-in")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "stand-in")
        yield instance
    endpoint.close()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory, client: docker.DockerClient) -> Iterator[str]:
    """A private repository with the example's image, and a swarm; both gone afterwards."""
    home = tmp_path_factory.mktemp("registry")
    notes = machine.Notes(home / "notes")
    here = machine.Machine(HOST, client, notes, print)
    machine.join_swarm(here)
    host = f"localhost:{free_port()}"
    with login_registry(home / "registry", host):
        repository = f"{host}/{STACK}"
        image.build(example(ROOT), here, f"{repository}:test", "test")
        client.login(USER, PASSWORD, registry=host, reauth=True)
        yield f"{repository}@{image.push(here, repository, 'test')}"
    machine.leave_swarm(here)
    for each in client.images.list(repository):
        try:
            client.images.remove(str(each.id), force=True)
        except ImageNotFound:
            continue


def props(image: str, secret: dict[str, str], **container: Any) -> dict[str, Any]:
    """A service as SwarmEc2 asks for it, but without a port: not every kernel has the routing mesh."""
    file = {"Name": "KEY", "UID": "65532", "GID": "0", "Mode": 0o400}
    return {
        "host": SSM,
        "swarm": "",
        "name": STACK,
        "spec": {
            "Labels": {"switchyard.stack": STACK},
            "TaskTemplate": {
                "ContainerSpec": {
                    "Image": image,
                    "Env": ["SWITCHYARD_DRAIN=0s"],
                    "Labels": {"switchyard.stack": STACK},
                    "User": "65532",
                    "Secrets": [{"SecretID": secret["id"], "SecretName": secret["name"], "File": file}],
                    **container,
                },
                "RestartPolicy": {"Condition": "any", "Delay": 10**9},
                "Placement": {"Platforms": [{"Architecture": "amd64", "OS": "linux"}]},
            },
            "Mode": {"Replicated": {"Replicas": 2}},
            "UpdateConfig": {
                "Parallelism": 1,
                "Monitor": 5 * 10**9,
                "Order": "start-first",
                "FailureAction": "rollback",
            },
            "EndpointSpec": {"Mode": "dnsrr"},
        },
        "login": {"from": f"{ARN}:login:::login-1"},
        "probe": "",
        "timeout": 120,
    }


@pytest.fixture(scope="module")
def secret(instance: Instance, repository: str) -> Iterator[dict[str, str]]:
    """A Swarm secret whose value was fetched by the manager."""
    wanted = {"host": SSM, "swarm": "", "stack": STACK, "prefix": STACK, "value": f"{ARN}:key:::value-1", "name": None}
    made = SecretProvider().create(wanted)
    assert made.outs is not None
    yield {"id": made.id, "name": made.outs["name"]}
    SecretProvider().delete(made.id, made.outs)


def running(client: docker.DockerClient, service: str) -> list[Any]:
    """The containers of a service that run."""
    containers: list[Any] = client.containers.list(filters={"label": f"com.docker.swarm.service.id={service}"})
    return containers


def test_a_service_is_made_changed_rolled_back_and_removed(
    client: docker.DockerClient, instance: Instance, repository: str, secret: dict[str, str]
) -> None:
    provider, first = ServiceProvider(), props(repository, secret)
    with pytest.raises(SwarmError, match="the registry refuses the login"):
        provider.create({**first, "login": {"from": f"{ARN}:login:::login-0"}})

    made = provider.create(first).id
    try:
        assert len(running(client, made)) == 2
        inside = Path("/proc", str(running(client, made)[0].attrs["State"]["Pid"]), "root", "run/secrets/KEY")
        assert inside.read_text() == VALUE
        assert provider.diff(made, first, provider.read(made, first).outs or {}).changes is False

        second = props(repository, secret, Env=["LOG_LEVEL=debug"])
        provider.update(made, first, second)
        assert all("LOG_LEVEL=debug" in each.attrs["Config"]["Env"] for each in running(client, made))

        bad = props(repository, secret, Args=["-no-such-flag"])
        with pytest.raises(SwarmError, match="is as it was before: the new version failed") as failure:
            provider.update(made, second, bad)
        assert "flag provided but not defined" in str(failure.value)
        assert len(running(client, made)) == 2
        assert provider.diff(made, second, provider.read(made, second).outs or {}).changes is False
    finally:
        provider.delete(made, first)
    assert not running(client, made)
    told = "".join(instance.ran)
    assert not [each for each in (PASSWORD, *VALUE.split("\n")) if each and each in told]


def test_what_a_proxy_keeps_is_put_there_and_read_and_its_instance_asks_it(
    client: docker.DockerClient, instance: Instance, repository: str, secret: dict[str, str]
) -> None:
    """The example stands in for Traefik, which needs no engine for its routes; who is asked answers nothing of them."""
    volume, port = f"{STACK}-edge", free_port()
    wanted = {**props(repository, secret, Mounts=[{"Type": "volume", "Source": volume, "Target": traefik.HOME}])}
    spec = wanted["spec"]
    spec["Mode"] = {"Replicated": {"Replicas": 1}}
    published = {"Protocol": "tcp", "TargetPort": 8080, "PublishedPort": port, "PublishMode": "host"}
    spec["EndpointSpec"]["Ports"] = [published]
    wanted["volume"] = volume
    made = swarm_proxy.ServerProvider().create(wanted).id
    try:
        routes = {"api": {"routers": {"api": {"rule": "PathRegexp(`^(/|$)`)"}}}}
        with swarm_proxy.RouteProvider().reach({"host": SSM, "server": made}) as proxy:
            assert proxy_engine.kept(proxy.engine, proxy.container) == {}
            proxy_engine.write(proxy.engine, proxy.container, routes)
            assert proxy_engine.kept(proxy.engine, proxy.container) == routes
            assert json.loads(proxy_engine.file_of(proxy.engine, proxy.container, traefik.WATCHED))["http"]
            assert proxy.behind("r1").startswith("it answers ")
        assert swarm_proxy.status(SSM, None, f"http://127.0.0.1:{port}/healthz", {"x-switchyard-to": "one"}) == "200"
        assert "curl: (7)" in swarm_proxy.status(SSM, None, f"http://127.0.0.1:{free_port()}/", {})
    finally:
        swarm_proxy.ServerProvider().delete(made, wanted)
    assert volume not in [each.name for each in client.volumes.list()]


def test_a_network_comes_and_goes(client: docker.DockerClient, instance: Instance, repository: str) -> None:
    wanted = {"host": SSM, "swarm": "", "prefix": STACK, "encrypt": False}
    made = NetworkProvider().create(wanted)
    assert client.networks.get(made.id).attrs["Driver"] == "overlay"
    NetworkProvider().delete(made.id, wanted)
    assert not client.networks.list(names=[STACK])


def test_a_long_answer_comes_in_pieces(
    client: docker.DockerClient, instance: Instance, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swarm_ssm, "PIECE", 100)
    monkeypatch.setattr(swarm_ssm, "SCRIPT", swarm_ssm.SCRIPT.replace("20000", "100"))
    before = len(instance.ran)
    with connection(SSM) as engine:
        assert engine.info()["ID"] == client.info()["ID"]
    assert len(instance.ran) - before > 10
    assert not list(instance.place.glob("tmp.*"))


def test_the_swarm_and_its_manager_are_known(client: docker.DockerClient, instance: Instance, repository: str) -> None:
    swarm = client.info()["Swarm"]
    assert identity(SSM) == swarm["Cluster"]["ID"]
    with connection(SSM) as engine:
        assert joined(engine, swarm["NodeAddr"]) == swarm["NodeID"]
        assert joined(engine, "192.0.2.1") is None


def test_a_swarm_that_nobody_answers_for_is_named(instance: Instance) -> None:
    with pytest.raises(SwarmError, match="no manager of the swarm elsewhere answers by Systems Manager"):
        identity(f"ssm://{REGION}/elsewhere")
