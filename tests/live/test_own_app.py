"""An app that is not ours: `yard init` in its folder, `yard up`, a change, a service by its digest, the daily verbs,
the way back, `yard down`."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml

from tests.live.conftest import HOST
from tests.live.project import ROOT, copy_of_project, free_port
from tests.live.test_local import settled

SERVER = """
package main

import ("fmt"; "net/http"; "os")

func main() {
    if len(os.Args) > 1 {
        fmt.Println("%s", os.Args[1])
        os.Exit(3)
    }
    fmt.Println("serving")
    http.ListenAndServe(":"+os.Getenv("PORT"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
        fmt.Fprint(w, "%s")
    }))
}
"""


class Shop:
    """A repository with one service, a static binary on nothing; and its project."""

    def __init__(self, place: Path) -> None:
        self.root = place / "shop"
        (self.root / "hello").mkdir(parents=True)
        dockerfile = 'FROM scratch\nCOPY server /server\nEXPOSE 9000\nENTRYPOINT ["/server"]\n'
        (self.root / "hello/Dockerfile").write_text(dockerfile, encoding="utf-8")
        self.says("one")
        git(self.root, "init", "--quiet")
        self.program = copy_of_project(place / "program", HOST).root
        for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "x"]):
            git(self.program, *words)

    def says(self, text: str) -> None:
        """Compile a version of the service."""
        source = self.root / "hello/main.go"
        source.write_text(SERVER % (text, text), encoding="utf-8")
        build = ["go", "build", "-ldflags=-s -w", "-o", "server", "main.go"]
        subprocess.run(build, cwd=source.parent, check=True, env={**os.environ, "CGO_ENABLED": "0"})

    def init(self) -> None:
        """`yard init`, from a checkout."""
        self._run(sys.executable, "-m", "yard", "init", "--yes", "--from", str(self.program), PYTHONPATH=str(ROOT))

    def yard(self, *words: str, code: int = 0) -> str:
        """The project's own yard, which must end with this exit code."""
        return self._run(str(self.root / "switchyard/.venv/bin/yard"), *words, code=code)

    def up(self) -> Any:
        """What each service answers, and its digest."""
        return json.loads(self.yard("up", "--json"))["services"]

    def configure(self, **keys: Any) -> None:
        """Change keys of stack local; maps are added to."""
        file = self.root / "config/Pulumi.local.yaml"
        written = yaml.safe_load(file.read_text(encoding="utf-8"))
        for key, value in keys.items():
            written["config"].setdefault(key, {}).update(value)
        file.write_text(yaml.safe_dump(written), encoding="utf-8")

    def _run(self, *command: str, code: int = 0, **env: str) -> str:
        done = subprocess.run(
            command, cwd=self.root, capture_output=True, text=True, timeout=600, env={**os.environ, **env}, check=False
        )
        assert done.returncode == code, done.stderr + done.stdout
        return done.stdout


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def shop(tmp_path: Path, client: docker.DockerClient, vacancy: None) -> Iterator[Shop]:
    before = settled(client)
    shop = Shop(tmp_path)
    yield shop
    if (shop.root / ".switchyard").exists():
        shop.yard("down", "--yes")
    assert settled(client) == before, "something is left on the engine"


def test_an_app_of_ones_own_from_an_empty_folder_to_nothing_left(shop: Shop, client: docker.DockerClient) -> None:
    start = time.monotonic()
    shop.init()
    begun = time.monotonic()
    registry = f"localhost:{free_port()}"
    shop.configure(oci={"host": registry}, swarm={"host": HOST, "ports": {"hello": free_port()}, "timeout": 120})
    first = shop.up()
    print(f"init {begun - start:.0f} s, up {time.monotonic() - begun:.0f} s")
    assert first["hello"]["answer"] == "one"

    # Another service, whose image somebody has pushed: it is known by its digest alone.
    repository = f"{registry}/shop-local/fixed"
    image = client.images.get(f"{registry}/shop-local/hello@{first['hello']['digest']}")
    image.tag(repository, "theirs")
    client.images.push(repository, tag="theirs")
    digest = client.images.get_registry_data(f"{repository}:theirs").id
    client.images.remove(f"{repository}:theirs")
    shop.configure(services={"fixed": {"digest": digest, "port": 9001, "health": "/"}})
    shop.says("two")
    second = shop.up()
    assert {name: each["answer"] for name, each in second.items()} == {"hello": "two", "fixed": "one"}

    local = ("--stack", "local")
    status = json.loads(shop.yard("status", *local, "--json"))["services"]
    assert {name: next(iter(each["on"].values()))["healthy"] for name, each in status.items()} == {
        "hello": 1,
        "fixed": 1,
    }
    assert "serving" in shop.yard("logs", "hello", *local)
    assert "two again" in shop.yard("run", "hello", *local, "--", "again", code=3)
    assert len(json.loads(shop.yard("releases", "hello", *local, "--json"))) == 2
    shop.yard("rollback", "hello", *local, "--yes")
    assert json.loads(shop.yard("status", *local, "--json"))["services"]["hello"]["digest"] == first["hello"]["digest"]

    assert "nothing of it is left" in shop.yard("down", "--yes")
    assert not (shop.root / ".state").exists()
