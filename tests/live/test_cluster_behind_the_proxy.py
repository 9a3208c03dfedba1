"""Stack local behind its proxy: from real Swarm to real Kubernetes by `yard switch` while requests flow, back by one
`up`."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml

from components.edge.proxy import ProxyOptions
from components.guard import Seen
from rehearsal.server import Server
from rehearsal.traffic.replica import free_port
from tests.live.apply import ApplyServicer
from tests.live.behind_the_proxy import has_traefik
from tests.live.calling import call
from tests.live.conftest import HOST
from tests.live.load import Load
from tests.live.on_cluster import DRAIN, namespaces
from tests.live.project import Project, copy_of_project
from tests.live.test_local import settled
from tools.kube import node
from tools.kube.api import Api
from yard import engine, state
from yard.local import STACK

SWITCH = ("switch", "kubernetes", "--stack", STACK, "--bake", "1", "--yes")


@pytest.fixture
def project(
    tmp_path: Path,
    client: docker.DockerClient,
    api: Api,
    provider: ApplyServicer,
    vacancy: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Project]:
    """A checkout as it comes, but for ports, and for a guard that waits for nobody. Not up yet."""
    has_traefik()
    before, on_engine = namespaces(api), settled(client)
    server = Server(provider)
    monkeypatch.setenv("PULUMI_DEBUG_PROVIDERS", f"kubernetes:{server.port}")
    monkeypatch.setenv(engine.NO_PLUGINS, "true")
    monkeypatch.setenv("KUBECONFIG", str(node.KUBECONFIG))
    project = copy_of_project(tmp_path / "project", HOST, proxied=True)
    project.configure("proxy", ports={"http": free_port()})
    project.configure("kubernetes", drain=DRAIN)
    project.set("access-logs", True)
    project.set("guard", {"patience": 0})
    yield project
    down = project.yard("down", "--yes")
    server.stop()
    assert down.code == 0, down.err
    assert settled(client) == on_engine
    assert namespaces(api) == before
    assert not project.local.state.exists()
    assert not project.local.notes.directory.exists()


def seen(project: Project, start: datetime) -> Mapping[str, Seen]:
    """What callers of the service got since, by the access log."""
    resources = state.resources(project.local.place, STACK, state=project.local.state)
    watch = ProxyOptions.watch(resources, None, None)
    assert watch is not None
    return watch.seen(start, datetime.now(UTC) + timedelta(minutes=1))["api"]


def up(project: Project) -> Any:
    """What `yard up` changed, and who answers then, where."""
    outcome = project.yard("up", "--json").json
    api = outcome["services"]["api"]
    return outcome["changes"], api["answer"]["orchestrator"], api["url"]


def configuration(project: Project) -> dict[str, Any]:
    """What stands in the stack's own file."""
    found: dict[str, Any] = yaml.safe_load(project.local.file.read_text(encoding="utf-8"))["config"]
    return found


def killed_at(text: str, project: Project) -> None:
    """Begin the switch, and kill it without a word once it says this."""
    words = [sys.executable, "-m", "yard", *SWITCH]
    with subprocess.Popen(words, cwd=project.root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = list(takewhile(lambda line: text not in line, process.stdout))
        process.kill()
    assert process.returncode == -signal.SIGKILL, said


def test_nobody_notices_that_the_orchestrator_changes(project: Project, client: docker.DockerClient) -> None:
    _, first, url = up(project)
    assert first == "swarm"
    assert up(project) == ({}, "swarm", url)
    (container,) = client.containers.list(filters={"name": "switchyard-local-edge"})
    before = configuration(project)
    start = datetime.now(UTC) - timedelta(minutes=1)
    with Load(url, callers=1, kept=1) as load:
        killed_at("kubernetes has 10 %", project)
        switched = project.yard(*SWITCH)
        assert switched.code == 0, switched.err
        assert call(url)["orchestrator"] == "kubernetes"
        now = configuration(project)
        assert now.pop("switchyard:orchestrator") == "kubernetes"
        assert now.keys() == before.keys() - {"switchyard:orchestrator"}
        project.set("orchestrator", "swarm")
        assert up(project)[1:] == ("swarm", url)
    load.check()
    logged = seen(project, start)
    assert {key: each.errors for key, each in logged.items()} == {"swarm": 0, "kubernetes": 0}
    # Besides the callers this test and the program ask a few times.
    assert load.good <= sum(each.requests for each in logged.values()) <= load.good * 1.01
    container.restart()
    with Load(url) as again:
        while not again.good:
            assert len(again.failed) < 1000, "it has forgotten its routes"
