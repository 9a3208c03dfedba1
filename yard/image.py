"""Images of services: built when something changed, pushed, known by their digests."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

import docker
from docker.errors import BuildError, DockerException, NotFound
from docker.utils.build import exclude_paths

from components.build import PLATFORMS, Build
from components.direct import open_directly
from components.docker_engine import explain
from yard import build_errors, git
from yard.machine import Machine, MachineError, Misconfigured, Notes, architecture

MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json,"
    " application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json"
)


@dataclass(frozen=True)
class Source:
    """What the image of one service is made from."""

    service: str
    build: Build
    root: Path
    """The project's folder, from which the context is told."""
    architecture: str
    made: frozenset[str] = frozenset()
    """Files in the context that an earlier `run` has made."""

    @property
    def context(self) -> Path:
        """The folder that the builder gets."""
        return (self.root / self.build.context).resolve()

    @property
    def dockerfile(self) -> Path:
        """Its Dockerfile."""
        return self.context / self.build.dockerfile

    @property
    def platform(self) -> str:
        """What its replicas run on, as builders call it."""
        return PLATFORMS[self.architecture]

    @property
    def platforms(self) -> list[str]:
        """All that the image is for."""
        return sorted({self.platform, *self.build.platforms})

    def check(self) -> None:
        """Raise `Misconfigured` where the folder or its Dockerfile is not there, or it is built for another CPU."""
        key = f"services.{self.service}.build"
        if not self.context.is_dir():
            raise Misconfigured(
                f"{key} is {self.build.context}, and there is no folder {self.context}: name the folder of the"
                f" service's Dockerfile, from {self.root}"
            )
        if not self.dockerfile.is_file():
            raise Misconfigured(
                f"{key}: there is no {self.build.dockerfile} in {self.context}: write one, or name another with"
                f" {key}.dockerfile"
            )
        if problem := self.build.lacks(self.architecture):
            raise Misconfigured(f"services.{self.service}.{problem}")

    def fingerprint(self) -> str:
        """Names what the image is built from: every file that the builder gets, and what it is told. What `run` makes
        follows from the others."""
        mark = hashlib.sha256(json.dumps([self.build.model_dump(), self.architecture], sort_keys=True).encode())
        for name, content in sorted(self.contents().items()):
            if name not in self.made:
                mark.update(f"{name}\0{content}\0".encode())
        return mark.hexdigest()[:12]

    def contents(self) -> dict[str, str]:
        """Each file that the builder gets -> a hash of its mode and content."""
        files = {name: self.context / name for name in self._files()}
        return {
            name: hashlib.sha256(f"{file.stat().st_mode}\0".encode() + file.read_bytes()).hexdigest()
            for name, file in files.items()
            if file.is_file()
        }

    def _files(self) -> set[str]:
        ignored = [self.context / ".dockerignore", self.dockerfile.with_name(f"{self.dockerfile.name}.dockerignore")]
        lines = [line for file in ignored if file.is_file() for line in file.read_text(encoding="utf-8").splitlines()]
        patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        found: set[str] = exclude_paths(str(self.context), [*patterns, "**/.git"], self.build.dockerfile)
        return found

    def version(self) -> str:
        """The commit that last changed the context, with what it has changed since; outside of git the fingerprint."""
        commit = git.ask(self.context, "log", "-1", "--format=%h", "--", ".")
        if not commit:
            return self.fingerprint()
        changed = git.ask(self.context, "status", "--porcelain", "--untracked-files=normal", "--", ".")
        return f"{commit}-dirty-{self.fingerprint()}" if changed else commit


def digest(source: Source, machine: Machine, repository: str) -> str:
    """The digest of a service's image in `repository` (host/path); built and pushed if the same is not there yet."""
    known = _known(machine, source.service)
    if known.get("made_from") == source.fingerprint() and is_pushed(repository, known["digest"]):
        machine.say(f"{source.service}: image unchanged ({known['version']})")
        return str(known["digest"])
    version = source.version()
    source = build(source, machine, f"{repository}:{version}", version)
    pushed = push(machine, repository, version)
    noted = machine.notes.read().get("images", {})
    new = {
        "version": version,
        "digest": pushed,
        "made_from": source.fingerprint(),
        "repository": repository,
        "architecture": source.architecture,
    }
    machine.notes.write(images={**noted, source.service: new})
    machine.say(f"{source.service}: pushed {repository}:{version}")
    return pushed


def made(notes: Notes, service: str) -> frozenset[str]:
    """What earlier builds of a service have left in its context."""
    return frozenset(notes.read().get("made", {}).get(service, []))


def _known(machine: Machine, service: str) -> dict[str, Any]:
    found: dict[str, Any] = machine.notes.read().get("images", {}).get(service, {})
    return found


def build(source: Source, machine: Machine, tag: str, version: str) -> Source:
    """Build `tag` for the CPU of the replicas: with BuildKit where the docker command has it, else with the engine's
    classic builder. Returns the source that knows what `run` has made."""
    source.check()
    has_buildkit = _has_buildkit()
    if not has_buildkit:
        _check_classic(source, machine, [source.platform])
    source = prepared(source, machine, variables(source, version))
    if has_buildkit:
        machine.say(f"{source.service}: building the image with BuildKit (version {version})")
        _build_with_buildkit(source, machine, tag, version, "--load", "--platform", source.platform)
    else:
        machine.say(f"{source.service}: building the image (version {version})")
        _build_classic(source, machine, tag, version)
    return source


def build_and_push(source: Source, machine: Machine, repository: str, version: str) -> str:
    """Build an image for all its platforms and push it; returns its digest. That of several is an index, which an
    engine without containerd's image store cannot keep: BuildKit pushes it itself."""
    tag = f"{repository}:{version}"
    if len(source.platforms) == 1:
        build(source, machine, tag, version)
        return push(machine, repository, version)
    source.check()
    if not _has_buildkit():
        _check_classic(source, machine, source.platforms)
    platforms = ",".join(source.platforms)
    machine.say(f"{source.service}: building the image for {platforms} with BuildKit, and pushing (version {version})")
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder, "metadata.json")
        # Without provenance there are no images in the repository but those of the platforms, as retention counts them.
        how = ("--push", "--provenance=false", "--metadata-file", str(told), "--platform", platforms)
        _build_with_buildkit(source, machine, tag, version, *how)
        return str(json.loads(told.read_text(encoding="utf-8"))["containerimage.digest"])


def _check_classic(source: Source, machine: Machine, platforms: Collection[str]) -> None:
    """Raise `MachineError` for what the classic builder cannot do: it builds for the CPU of its engine alone."""
    own = PLATFORMS[architecture(machine)]
    if others := [each for each in platforms if each != own]:
        raise MachineError(
            f"{_complaint(source)} for {', '.join(others)}: without the plugin buildx Docker builds for the CPU of its"
            f" engine alone, {own}. Install buildx (Debian, Ubuntu: docker-buildx or docker-buildx-plugin), or take an"
            " engine on that CPU"
        )


def _complaint(source: Source) -> str:
    return f"the image of {source.service} does not build"


def arguments(source: Source, version: str) -> dict[str, str]:
    """The build arguments."""
    return {**source.build.args, "VERSION": version}


def variables(source: Source, version: str) -> dict[str, str]:
    """The environment of `build.run`."""
    return {"VERSION": version, "TARGETARCH": source.platform.partition("/")[2]}


def prepared(source: Source, machine: Machine, env: Mapping[str, str]) -> Source:
    """The source once its `run`, if it has one, has run."""
    command = source.build.run
    if command is None:
        return source
    machine.say(f"{source.service}: {command}")
    before = source.contents()
    complaint = f"the command of services.{source.service}.build.run failed"
    run(command, complaint, {**env, "DOCKER_HOST": machine.host}, source.context)
    made = {name for name, content in source.contents().items() if before.get(name) != content} | source.made
    noted = machine.notes.read().get("made", {})
    machine.notes.write(made={**noted, source.service: sorted(made)})
    return replace(source, made=frozenset(made))


def _build_classic(source: Source, machine: Machine, tag: str, version: str) -> None:
    complaint = _complaint(source)
    try:
        machine.client.images.build(
            path=str(source.context),
            dockerfile=source.build.dockerfile,
            target=source.build.target,
            tag=tag,
            buildargs=arguments(source, version),
            rm=True,
        )
    except BuildError as error:
        text = source.dockerfile.read_text(encoding="utf-8")
        why = build_errors.of_classic(error.build_log, source.build.dockerfile, text)
        raise MachineError(f"{complaint}: {why}") from error
    except DockerException as error:
        why = explain(str(getattr(error, "explanation", error)))
        raise MachineError(f"{complaint}: {build_errors.of_unreadable(why, source.build.dockerfile)}") from error


def _has_buildkit() -> bool:
    """Whether the docker command has the plugin buildx, which speaks to the engine's BuildKit."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "buildx", "version"], capture_output=True).returncode == 0


def _build_with_buildkit(source: Source, machine: Machine, tag: str, version: str, *how: str) -> None:
    words = [*_buildx(source, tag, version), *how, str(source.context)]
    done = _done(words, _complaint(source), {"DOCKER_HOST": machine.host})
    if done.returncode:
        raise MachineError(f"{_complaint(source)}: {build_errors.of_buildkit(done.stdout + done.stderr)}")


def _buildx(source: Source, tag: str, version: str) -> Iterator[str]:
    yield from ("docker", "buildx", "build", "--progress", "plain", "--tag", tag, "--file", str(source.dockerfile))
    if source.build.target:
        yield from ("--target", source.build.target)
    for key, value in arguments(source, version).items():
        yield from ("--build-arg", f"{key}={value}")


def run(command: list[str] | str, complaint: str, env: Mapping[str, str], folder: Path | None = None) -> None:
    """Run a build (text: in a shell); when it fails, its last lines are the error."""
    done = _done(command, complaint, env, folder)
    if done.returncode:
        shown = command if isinstance(command, str) else " ".join(command)
        raise MachineError(f"{complaint} ({shown}):\n{build_errors.tail(done.stdout + done.stderr)}")


def _done(
    command: list[str] | str, complaint: str, env: Mapping[str, str], folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            shell=isinstance(command, str),
            cwd=folder,
            capture_output=True,
            text=True,
            env={**os.environ, **env},
        )
    except OSError as error:
        raise MachineError(f"{complaint}: {error}") from error


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


def pushed(source: Source, machine: Machine, tag: str) -> str | None:
    """The digest of what the registry has under a tag; None where it has nothing, or not all of the platforms."""
    try:
        found = machine.client.images.get_registry_data(tag)
    except DockerException:
        return None
    known = {f"{each['os']}/{each['architecture']}" for each in found.attrs.get("Platforms") or []}
    return str(found.id) if len(source.platforms) == 1 or known.issuperset(source.platforms) else None


def is_lost(client: docker.DockerClient, image: str) -> bool:
    """Whether the image's registry says that it is not there. One that this machine may not ask has it: the `up` will
    find out, and what runs serves on."""
    try:
        client.images.get_registry_data(image)
    except NotFound:
        return True
    except DockerException as error:
        return "manifest unknown" in str(error)
    return False


def is_here(client: docker.DockerClient, image: str) -> bool:
    """Whether the engine has the image, and can run it without its registry."""
    try:
        client.images.get(image)
    except DockerException:
        return False
    return True
