"""`yard status`, `logs`, `run` and `exec` on a real swarm: of a service that is not ours."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import docker
import pytest
import yaml

from rehearsal.traffic.replica import free_port
from tests.live.conftest import HOST
from tests.live.project import Project, copy_of_project
from tests.live.test_local import settled
from tests.terminal import Terminal

SECRET = "correct horse battery staple"
TOOL = """
package main

import ("fmt"; "net/http"; "os"; "strconv"; "time")

func main() {
    if len(os.Args) == 1 {
        fmt.Println("serving")
        http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Println("asked for " + r.URL.Path) })
        http.ListenAndServe(":" + os.Getenv("PORT"), nil)
    }
    switch os.Args[1] {
    case "exit":
        secret, _ := os.ReadFile(os.Getenv("DB_PASSWORD_FILE"))
        fmt.Println(os.Getenv("GREETING"))
        fmt.Fprintln(os.Stderr, string(secret))
        code, _ := strconv.Atoi(os.Args[2])
        os.Exit(code)
    case "count":
        until, _ := strconv.Atoi(os.Args[2])
        for n := 1; n <= until; n++ { fmt.Println(n) }
    case "wait":
        fmt.Println("waiting")
        time.Sleep(time.Hour)
    }
}
"""
DOCKERFILE = (
    'FROM scratch\nCOPY tool /tool\nENTRYPOINT ["/tool"]\nHEALTHCHECK --interval=1s CMD ["/tool", "count", "0"]\n'
)
SERVICE = "switchyard-local-tool"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, client: docker.DockerClient, vacancy: None) -> Iterator[Project]:
    """Up once for all tests of this file. After the last, `down` leaves nothing."""
    project, engine = copy_of_project(tmp_path_factory.mktemp("project"), HOST), settled(client)
    folder = project.root / "tool"
    folder.mkdir()
    (folder / "main.go").write_text(TOOL, encoding="utf-8")
    (folder / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    build = ["go", "build", "-o", "tool", "main.go"]
    subprocess.run(build, cwd=folder, check=True, env={**os.environ, "CGO_ENABLED": "0"})
    file = yaml.safe_load(project.local.file.read_text(encoding="utf-8"))
    services = {"tool": {"build": "tool", "port": 8080, "memory": 64, "health": "/up", "env": {"GREETING": "good day"}}}
    file["config"] |= {"switchyard:services": services}
    file["config"]["switchyard:swarm"]["ports"] = {"tool": free_port()}
    project.local.file.write_text(yaml.safe_dump(file), encoding="utf-8")
    project.set_secret("services.tool.secrets.DB_PASSWORD", SECRET)
    project.yard("up", "--json").json  # noqa: B018 - it raises where it failed
    yield project
    assert project.yard("down", "--yes").code == 0
    assert settled(client) == engine


def test_status_tells_what_runs(project: Project) -> None:
    found = project.yard("status", "--stack", "local", "--json").json
    tool = found["services"]["tool"]
    on = tool["on"]["swarm"]
    assert found["traffic"] == {"swarm": 100}
    assert (on["wanted"], on["healthy"], on["failure"]) == (1, 1, "")
    assert [each["digest"] for each in on["replicas"]] == [tool["digest"]]
    assert tool["url"].startswith("http://localhost:")
    assert "swarm: 1 of 1 replicas healthy" in project.yard("status", "--stack", "local").out


def test_logs_are_what_was_written(project: Project) -> None:
    done = project.yard("logs", "tool", "--stack", "local", "--since", "1h")
    assert done.code == 0, done.err
    assert done.out.splitlines()[0] == "serving"
    assert "asked for /up" in done.out.splitlines()
    assert project.yard("logs", "--stack", "local", "--since", "0s").out == ""


def test_logs_are_followed_until_ctrl_c(project: Project) -> None:
    url = project.yard("status", "--stack", "local", "--json").json["services"]["tool"]["url"]
    with yard(project, "logs", "--follow") as terminal:
        terminal.wait_for("asked for /up")
        urlopen(f"{url}/now", timeout=10).close()
        terminal.wait_for("asked for /now")
        terminal.interrupt()
        assert terminal.end() == 130
    assert "Traceback" not in terminal.screen


@pytest.mark.parametrize("code", [0, 3])
def test_run_has_the_services_environment_and_secrets(project: Project, client: docker.DockerClient, code: int) -> None:
    done = project.yard("run", "tool", "--stack", "local", "--", "exit", str(code))
    assert (done.code, sorted(done.out.splitlines())) == (code, [SECRET, "good day"]), done.err
    assert jobs(client) == []


def test_run_shows_every_line_once(project: Project) -> None:
    done = project.yard("run", "tool", "--stack", "local", "--", "count", "5000")
    assert (done.code, done.out.split()) == (0, [str(number) for number in range(1, 5001)]), done.err


def test_ctrl_c_stops_what_runs(project: Project, client: docker.DockerClient) -> None:
    with yard(project, "run", "tool", "--", "wait") as terminal:
        terminal.wait_for("waiting")
        assert len(jobs(client)) == 2
        terminal.interrupt()
        assert terminal.end() == 130
    assert terminal.screen.rstrip().endswith("Stopped. The task was stopped.")
    assert jobs(client) == []


@pytest.mark.parametrize("code", [0, 3])
def test_exec_runs_inside_a_replica(project: Project, code: int) -> None:
    done = project.yard("exec", "tool", "--stack", "local", "--", "/tool", "exit", str(code))
    assert (done.code, sorted((done.out + done.err).splitlines())) == (code, [SECRET, "good day"])


def test_a_replica_that_ends_is_told(project: Project, client: docker.DockerClient) -> None:
    (container,) = client.containers.list(filters={"label": f"com.docker.swarm.service.name={SERVICE}"})
    container.kill()
    deadline = time.monotonic() + 60
    while not (failure := of_tool(project)["failure"]) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert "the replica was killed" in failure


def of_tool(project: Project) -> Any:
    """What the swarm says of the service."""
    return project.yard("status", "--stack", "local", "--json").json["services"]["tool"]["on"]["swarm"]


def jobs(client: docker.DockerClient) -> list[str]:
    """Services that `yard run` has made, and containers of such: an engine may keep these when the service has gone."""
    services = [each.name for each in client.services.list()]
    containers = [each.name for each in client.containers.list(all=True)]
    return [each for each in services + containers if each.startswith(f"{SERVICE}-run-")]


def yard(project: Project, verb: str, *words: str) -> Terminal:
    """A verb on stack `local`, in a terminal."""
    command = [sys.executable, "-m", "yard", verb, "--stack", "local", *words]
    return Terminal(command, project.root, {"PYTHONPATH": str(project.root)})
