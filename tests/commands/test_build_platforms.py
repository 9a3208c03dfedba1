"""`build.platforms`: what is built for which CPU, by which builder, and what is refused."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import NotFound
from pydantic import ValidationError

from components.build import Build, Platform
from components.service import Service
from yard import deploy, image
from yard.machine import Machine, MachineError, Misconfigured, Notes

BOTH: tuple[Platform, ...] = ("linux/amd64", "linux/arm64")
DIGEST = f"sha256:{'a' * 64}"
REPOSITORY = "registry.example.com/web"


class Engine:
    """A Docker engine on x86_64, and the registry that it asks."""

    def __init__(self) -> None:
        self.built: list[str] = []
        self.registry: dict[str, list[dict[str, str]]] = {}
        self.images = self

    def info(self) -> dict[str, Any]:
        return {"Architecture": "x86_64"}

    def build(self, *, tag: str, **_: Any) -> None:
        self.built.append(tag)

    def push(self, repository: str, tag: str, **_: Any) -> list[dict[str, Any]]:
        assert f"{repository}:{tag}" in self.built
        return [{"aux": {"Digest": DIGEST}}]

    def get_registry_data(self, tag: str) -> SimpleNamespace:
        if tag not in self.registry:
            raise NotFound(tag)
        return SimpleNamespace(id=DIGEST, attrs={"Platforms": self.registry[tag]})


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def here(engine: Engine, tmp_path: Path) -> Machine:
    return Machine("unix:///engine", engine, Notes(tmp_path / "notes"), lambda text: None)  # type: ignore[arg-type]


Docker = Callable[[bool], list[list[str]]]


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> Docker:
    """Have a docker command, with or without buildx; returns what it is called with."""
    calls: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        if "--metadata-file" in command:
            file = Path(command[command.index("--metadata-file") + 1])
            file.write_text(json.dumps({"containerimage.digest": DIGEST}), encoding="utf-8")
        return subprocess.CompletedProcess(command, 0, "", "")

    def have(buildx: bool) -> list[list[str]]:
        monkeypatch.setattr(image, "_has_buildkit", lambda: buildx)
        monkeypatch.setattr(subprocess, "run", run)
        return calls

    return have


def source(root: Path, *platforms: str, architecture: str = "x86_64") -> image.Source:
    (root / "Dockerfile").write_text("FROM scratch\nCOPY . /\n", encoding="utf-8")
    return image.Source("web", Build.model_validate({"context": ".", "platforms": platforms}), root, architecture)


def value(command: list[str], option: str) -> str:
    return command[command.index(option) + 1]


class TestConfiguration:
    def test_the_cpu_of_the_replicas_is_among_them(self) -> None:
        build = {"context": ".", "platforms": ("linux/arm64",)}
        assert Service.model_validate({"build": build, "architecture": "arm64"}).build
        with pytest.raises(ValidationError, match=r"build\.platforms has no linux/amd64, and replicas run on x86_64"):
            Service.model_validate({"build": build})

    def test_a_command_makes_files_for_one_alone(self) -> None:
        assert Build(context=".", run="make", platforms=("linux/arm64",)).run
        with pytest.raises(ValidationError, match="run makes files for one platform, and platforms has several"):
            Build(context=".", run="make", platforms=BOTH)

    def test_another_platform_is_told_which_there_are(self) -> None:
        with pytest.raises(ValidationError, match="linux/amd64 or linux/arm64"):
            Build.model_validate({"context": ".", "platforms": ("linux/s390x",)})

    def test_an_engine_on_another_cpu_is_told_so_before_it_builds(self, tmp_path: Path) -> None:
        with pytest.raises(Misconfigured, match=r"services\.web\.build\.platforms has no linux/arm64"):
            source(tmp_path, "linux/amd64", architecture="arm64").check()

    def test_other_platforms_are_another_image(self, tmp_path: Path) -> None:
        assert source(tmp_path).fingerprint() != source(tmp_path, *BOTH).fingerprint()


class TestWithBuildKit:
    def test_several_are_one_index_that_it_pushes(self, docker: Docker, here: Machine, tmp_path: Path) -> None:
        calls = docker(True)
        assert image.build_and_push(source(tmp_path, *BOTH), here, REPOSITORY, "1") == DIGEST
        (command,) = calls
        assert (value(command, "--platform"), value(command, "--tag")) == ("linux/amd64,linux/arm64", f"{REPOSITORY}:1")
        assert {"--push", "--provenance=false"} < {*command}
        assert "--load" not in command

    def test_one_goes_by_way_of_the_engine(self, docker: Docker, here: Machine, engine: Engine, tmp_path: Path) -> None:
        calls = docker(True)
        engine.built.append(f"{REPOSITORY}:1")
        image.build_and_push(source(tmp_path, architecture="arm64"), here, REPOSITORY, "1")
        (command,) = calls
        assert (value(command, "--platform"), "--load" in command, "--push" in command) == ("linux/arm64", True, False)

    def test_for_this_machine_one_is_enough(self, docker: Docker, here: Machine, tmp_path: Path) -> None:
        calls = docker(True)
        image.build(source(tmp_path, *BOTH), here, "localhost:5000/web:1", "1")
        assert value(calls[0], "--platform") == "linux/amd64"


class TestWithTheClassicBuilder:
    def test_it_builds_for_its_own_cpu(self, docker: Docker, here: Machine, engine: Engine, tmp_path: Path) -> None:
        docker(False)
        assert image.build_and_push(source(tmp_path, "linux/amd64"), here, REPOSITORY, "1") == DIGEST
        assert engine.built == [f"{REPOSITORY}:1"]

    @pytest.mark.parametrize(("platforms", "architecture"), [(BOTH, "x86_64"), (BOTH, "arm64"), ((), "arm64")])
    def test_anything_else_is_refused(
        self,
        platforms: tuple[str, ...],
        architecture: str,
        docker: Docker,
        here: Machine,
        engine: Engine,
        tmp_path: Path,
    ) -> None:
        docker(False)
        said = "the image of web does not build for linux/arm64: without the plugin buildx .* alone, linux/amd64"
        with pytest.raises(MachineError, match=said):
            image.build_and_push(source(tmp_path, *platforms, architecture=architecture), here, REPOSITORY, "1")
        assert engine.built == []


class TestWhatTheRegistryHas:
    PUSH = f"docker tag web {REPOSITORY}:1\ndocker push {REPOSITORY}:$(git rev-parse --short HEAD)"

    def test_a_version_that_is_there_for_all_is_not_built(
        self, docker: Docker, here: Machine, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        web = source(tmp_path, *BOTH)
        monkeypatch.setattr(image.Source, "version", lambda self: "3f2c1ab")
        calls = docker(True)
        arm = {"os": "linux", "architecture": "arm64", "variant": "v8"}
        engine.registry = {f"{REPOSITORY}:3f2c1ab": [arm]}
        assert deploy._pushed(web, here, self.PUSH).digest == DIGEST
        assert len(calls) == 1  # it was there for one of them
        engine.registry = {f"{REPOSITORY}:3f2c1ab": [arm, {"os": "linux", "architecture": "amd64"}]}
        assert deploy._pushed(web, here, self.PUSH).digest == DIGEST
        assert len(calls) == 1
