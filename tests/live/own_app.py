"""An app that is not ours, in a repository of its own, and a whole day of it: the same words wherever it runs."""

import json
import os
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import docker
import yaml

from tests.live.calling import call
from tests.live.conftest import HOST
from tests.live.load import Load
from tests.live.on_cluster import PATIENCE
from tests.live.project import ROOT, copy_of_project
from yard import image
from yard.machine import Machine, Notes

SERVER = """
package main

import ("encoding/json"; "fmt"; "net/http"; "os")

func main() {
    if len(os.Args) > 1 {
        fmt.Println("VERSION", os.Args[1])
        os.Exit(3)
    }
    host, _ := os.Hostname()
    fmt.Println("serving")
    http.ListenAndServe(":"+os.Getenv("PORT"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
        json.NewEncoder(w).Encode(map[string]string{"says": "VERSION", "host": host})
    }))
}
"""
DOCKERFILE = 'FROM scratch\nCOPY server /server\nEXPOSE 9000\nENTRYPOINT ["/server"]\n'
NEWS = "- What the next version of the program has.\n"


class Shop(ABC):
    """A repository with a service, a static binary on nothing; and its project, with the program at a version."""

    stack: str
    init_options: Sequence[str] = ()
    deploys: Sequence[str]
    """The words of `yard` that bring what the folder has to where it runs."""
    removes: Sequence[str]
    """The words that take all of it away."""
    proof: str
    """What `yard upgrade` says of stack `dev`."""
    repositories: str
    """Where the images of its services are: registry and path."""

    def __init__(self, place: Path, **env: str) -> None:
        self.environment = {**os.environ, **env}
        self.root = place / "shop"
        (self.root / "hello").mkdir(parents=True)
        (self.root / "hello/Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
        self.says("one")
        git(self.root, "init", "--quiet")
        self.program = copy_of_project(place / "program", HOST).root
        for shared in (".venv", ".tools"):
            (self.program / shared).unlink()  # what set-up makes is in no commit
        git(self.program, "init", "--quiet")
        self.commit_program("today")

    @abstractmethod
    def check(self, load: Load) -> None:
        """What may become of constant requests while another version comes."""

    def says(self, text: str) -> None:
        """Compile a version of the service."""
        source = self.root / "hello/main.go"
        source.write_text(SERVER.replace("VERSION", text), encoding="utf-8")
        build = ["go", "build", "-ldflags=-s -w", "-o", "server", "main.go"]
        subprocess.run(build, cwd=source.parent, check=True, env={**os.environ, "CGO_ENABLED": "0"})

    def commit_program(self, message: str) -> None:
        """Another version of the program."""
        git(self.program, "add", ".")
        git(self.program, "commit", "--quiet", "--message", message)

    def init(self) -> str:
        """`yard init`, from a checkout; what it says."""
        words = ("init", "--yes", "--from", str(self.program), *self.init_options)
        return self._run(sys.executable, "-m", "yard", *words, PYTHONPATH=str(ROOT))

    def yard(self, *words: str, code: int = 0) -> str:
        """The project's own yard, which must end with this exit code."""
        return self._run(str(self.root / "switchyard/.venv/bin/yard"), *words, code=code)

    def ask(self, verb: str, *words: str) -> Any:
        """A verb on the stack that answers as JSON."""
        return json.loads(self.yard(verb, *words, "--stack", self.stack, "--json"))

    def deploy(self) -> Any:
        """Bring the folder's version out; its outcome for `hello`."""
        return json.loads(self.yard(*self.deploys, "--json"))["services"]["hello"]

    def configure(self, **keys: Any) -> None:
        """Change keys of the stack; maps are added to. What the CLI has written bears the project's name."""
        file = self.root / f"config/Pulumi.{self.stack}.yaml"
        written = yaml.safe_load(file.read_text(encoding="utf-8"))
        config = written["config"]
        for key, value in keys.items():
            name = f"shop:{key}" if f"shop:{key}" in config else key
            config.setdefault(name, {}).update(value)
        file.write_text(yaml.safe_dump(written), encoding="utf-8")

    def _run(self, *command: str, code: int = 0, **env: str) -> str:
        done = subprocess.run(
            command,
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=600,
            env={**self.environment, **env},
            check=False,
        )
        assert done.returncode == code, done.stderr + done.stdout
        return done.stdout


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    done = subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def whole_day(shop: Shop, client: docker.DockerClient) -> None:
    """From the first version to the evening's, each word as a person types it."""
    first = shop.deploy()
    wait_for(first["url"], "one")
    add_fixed(shop, client, first["digest"])
    shop.says("two")
    with Load(first["url"], callers=4) as load:
        second = shop.deploy()
        wait_for(second["url"], "two")
        shop.check(load)
    look(shop, second["digest"])
    with Load(first["url"], callers=4) as load:
        shop.yard("rollback", "hello", "--stack", shop.stack, "--yes")
        wait_for(first["url"], "one")
        shop.check(load)
    assert shop.ask("status")["services"]["hello"]["digest"] == first["digest"]
    assert [each["back_to"] for each in shop.ask("releases", "hello")] == [1, None, None]
    upgrade(shop)
    evening = shop.deploy()
    assert evening["digest"] == second["digest"], "the new program builds what is there already"
    wait_for(evening["url"], "two")


def wait_for(url: str, text: str) -> None:
    """Until callers reach this version: a moment after it is healthy, another may still answer."""
    deadline = time.monotonic() + PATIENCE
    while (said := said_at(url)) != text:
        assert time.monotonic() < deadline, f"{url} still says {said}"
        time.sleep(0.2)


def said_at(url: str) -> Any:
    """What a caller hears; a node's port opens a moment after the Service is there."""
    try:
        answer = call(url)
    except OSError as error:
        return error
    return answer["says"] if isinstance(answer, dict) else answer


def add_fixed(shop: Shop, client: docker.DockerClient, digest: str) -> None:
    """Another service, whose image somebody has pushed: it is known by its digest alone."""
    theirs = f"{shop.repositories}/fixed"
    assert client.images.get(f"{shop.repositories}/hello@{digest}").tag(theirs, "theirs")
    pushed = image.push(Machine(HOST, client, Notes(shop.root), print), theirs, "theirs")
    client.images.remove(f"{theirs}:theirs")
    shop.configure(services={"fixed": {"digest": pushed, "port": 9001, "health": "/"}})


def look(shop: Shop, digest: str) -> None:
    """The daily verbs."""
    services = shop.ask("status")["services"]
    healthy = {name: [each["healthy"] for each in service["on"].values()] for name, service in services.items()}
    assert healthy == {"hello": [1], "fixed": [1]}
    assert services["hello"]["digest"] == digest
    wait_for(services["fixed"]["url"], "one")
    assert "serving" in shop.yard("logs", "hello", "--stack", shop.stack)
    assert "two again" in shop.yard("run", "hello", "--stack", shop.stack, "--", "again", code=3)
    assert [each["digest"] == digest for each in shop.ask("releases", "hello")] == [True, False]


def upgrade(shop: Shop) -> None:
    """From the program's version of today to one that has a commit on top."""
    file = shop.program / "CHANGELOG.md"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("\n## ", f"\n## 99.0.0\n\n{NEWS}\n## ", 1), encoding="utf-8")
    shop.commit_program("tomorrow")
    said = shop.yard("upgrade", "--yes")
    assert NEWS in said
    assert shop.proof in said
    assert git(shop.root / "switchyard", "rev-parse", "HEAD") == git(shop.program, "rev-parse", "HEAD")
    assert "nothing newer" in shop.yard("upgrade", "--check")
