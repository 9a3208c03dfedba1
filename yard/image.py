"""The example service's image: built when its sources changed, pushed, known by its digest."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

from docker.errors import BuildError

from components.direct import open_directly
from components.orchestrator.swarm_parts.client import explain
from yard.machine import Machine, MachineError

GO_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
MANIFESTS = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"


def digest(app: Path, machine: Machine, repository: str) -> str:
    """The digest of an image of `app` that is in `repository` (host/path); built and pushed if it is not yet."""
    version = fingerprint(app)
    known = machine.notes.read().get("image", {})
    if known.get("version") == version and is_pushed(repository, known["digest"]):
        machine.say(f"image unchanged ({version})")
        return str(known["digest"])
    build(app, machine, f"{repository}:{version}", version)
    pushed = push(machine, repository, version)
    machine.notes.write(image={"version": version, "digest": pushed})
    machine.say(f"pushed {repository}:{version}")
    return pushed


def fingerprint(app: Path) -> str:
    """Names what the image is built from: every file under `app` but what a build itself leaves there."""
    mark = hashlib.sha256()
    files = sorted(each for each in app.rglob("*") if each.is_file() and app / "bin" not in each.parents)
    for file in files:
        mark.update(f"{file.relative_to(app)}\0{file.stat().st_mode}\0".encode() + file.read_bytes() + b"\0")
    return mark.hexdigest()[:12]


def build(app: Path, machine: Machine, tag: str, version: str) -> None:
    """Build `tag`: from a binary compiled here where Go is, since that pulls nothing; else all in Docker."""
    if shutil.which("go"):
        machine.say(f"building the image from a binary compiled here (version {version})")
        architecture = GO_ARCHITECTURES.get(machine.client.info()["Architecture"], "amd64")
        env = {"VERSION": version, "GOARCH": architecture}
        run([str(app / "scripts/build.sh")], "the example service does not compile", env)
        arguments = {"VERSION": version}
        try:
            machine.client.images.build(path=str(app), target="prebuilt", tag=tag, buildargs=arguments, rm=True)
        except BuildError as error:
            raise MachineError(f"the image does not build: {error}") from error
        return
    machine.say(f"building the image in Docker (version {version}); the first time its base image is pulled")
    command = ["docker", "build", "--build-arg", f"VERSION={version}", "--tag", tag, str(app)]
    run(command, "the image does not build", {"DOCKER_HOST": machine.host})


def run(command: list[str], complaint: str, env: dict[str, str]) -> None:
    """Run a build; when it fails, its last lines are the error."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **env})
    except OSError as error:
        raise MachineError(f"{complaint}: {error}") from error
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise MachineError(f"{complaint} ({' '.join(command)}):\n{tail}")


def push(machine: Machine, repository: str, tag: str) -> str:
    """Push; returns the digest that the registry gave."""
    answer: dict[str, Any]
    found = ""
    for answer in machine.client.images.push(repository, tag=tag, stream=True, decode=True):
        if "error" in answer:
            raise MachineError(f"{repository}:{tag} cannot be pushed: {explain(answer['error'])}")
        found = answer.get("aux", {}).get("Digest", found)
    return found


def is_pushed(repository: str, wanted: str) -> bool:
    """Whether the registry still has the image: someone may have emptied it."""
    host, _, path = repository.partition("/")
    request = Request(f"http://{host}/v2/{path}/manifests/{wanted}", method="HEAD", headers={"Accept": MANIFESTS})
    try:
        with open_directly(request, timeout=5) as response:
            return bool(response.status == 200)
    except HTTPError:
        return False
