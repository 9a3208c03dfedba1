"""`yard up` where there is no Docker engine, and the small decisions on the way."""

import json
import re
import socket
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner
from docker.errors import APIError, DockerException, ImageNotFound
from requests import Response

from components.build import Build
from components.edge.proxy import IMAGE
from config.releases import Change
from config.stack_file import NoStack
from tests.program import ROOT
from yard import engine, image, local_proxy, machine
from yard.__main__ import COMMANDS
from yard.down import down
from yard.local import Local
from yard.up import tell, up


def test_who_names_another_stack_is_told_what_brings_that_up() -> None:
    result = CliRunner().invoke(up, ["--stack", "dev"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "this is for stack local: `pulumi up --stack dev` brings dev up" in result.stderr


def test_without_docker_the_rehearsal_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    @click.command()
    @click.option("--stack")
    @click.option("--json", "as_json", is_flag=True)
    def rehearse(stack: str, as_json: bool) -> None:
        click.echo(f"rehearsal of {stack}, json {as_json}")

    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setattr("yard.rehearse.rehearse", rehearse)
    result = CliRunner().invoke(up, ["--json"])
    assert result.exit_code == 0
    assert result.stdout == "rehearsal of dev, json True\n"
    (line,) = result.stderr.splitlines()
    assert f"no Docker engine answers at unix://{tmp_path}/none.sock: start it (sudo systemctl start docker" in line


def source(root: Path, **build: Any) -> image.Source:
    """A service built from the folder `shop`, which has a Dockerfile."""
    (root / "shop").mkdir(exist_ok=True)
    (root / "shop/Dockerfile").write_text("FROM scratch\nCOPY index.html /\n", encoding="utf-8")
    (root / "shop/index.html").write_text("hello", encoding="utf-8")
    return image.Source("web", Build(context="shop", **build), root, "x86_64")


class TestSource:
    def test_its_fingerprint_is_of_what_the_builder_gets(self, tmp_path: Path) -> None:
        web = source(tmp_path)
        (web.context / ".dockerignore").write_text("# what a build leaves\ndist\n", encoding="utf-8")
        first = web.fingerprint()
        (web.context / "dist").mkdir()
        (web.context / "dist/app").write_text("built")
        assert web.fingerprint() == first
        (web.context / "index.html").write_text("hello again")
        changed = web.fingerprint()
        assert changed != first
        others = [source(tmp_path, target="slim"), source(tmp_path, args={"A": "1"}), source(tmp_path, run="make")]
        assert len({first, changed, *(each.fingerprint() for each in others)}) == 5

    def test_what_its_command_makes_follows_from_the_rest(self, tmp_path: Path) -> None:
        web = source(tmp_path, run="mkdir -p dist && cp index.html dist/page && echo $VERSION > dist/version")
        here = machine.Machine("unix:///none", None, machine.Notes(tmp_path / "notes"), print)  # type: ignore[arg-type]
        first = web.fingerprint()
        prepared = image.prepared(web, here, {"VERSION": "1"})
        assert prepared.made == {"dist/page", "dist/version"} == image.made(here.notes, "web")
        assert prepared.fingerprint() == first != web.fingerprint()
        (web.context / "index.html").write_text("changed")
        assert prepared.fingerprint() != first

    def test_its_version_is_the_commit_of_its_own_folder(self, tmp_path: Path) -> None:
        web = source(tmp_path)
        assert web.version() == web.fingerprint()  # not in git
        git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-C", str(tmp_path)]
        for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
            subprocess.run([*git, *words], check=True)
        commit = web.version()
        assert re.fullmatch(r"[0-9a-f]{7,}", commit)
        (tmp_path / "beside.txt").write_text("of another folder")
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-qm", "second"], check=True)
        assert web.version() == commit
        (web.context / "index.html").write_text("changed")
        assert web.version() == f"{commit}-dirty-{web.fingerprint()}"

    def test_what_is_not_there_is_named(self, tmp_path: Path) -> None:
        web = source(tmp_path, dockerfile="Containerfile")
        with pytest.raises(machine.MachineError, match=r"services\.web\.build: there is no Containerfile in .*/shop"):
            web.check()
        gone = image.Source("web", Build(context="../none"), tmp_path, "x86_64")
        with pytest.raises(machine.MachineError, match=r"services\.web\.build is \.\./none, and there is no folder"):
            gone.check()


def test_only_locks_of_killed_runs_are_taken_away(tmp_path: Path) -> None:
    locks = tmp_path / ".pulumi/locks/organization/switchyard/local"
    locks.mkdir(parents=True)
    here = {"username": "u", "hostname": socket.gethostname()}
    for name, lock in {
        "killed": {**here, "pid": 2**22 + 1},
        "another-program": {**here, "pid": 1},
        "elsewhere": {**here, "hostname": "elsewhere.example.com", "pid": 2**22 + 1},
    }.items():
        (locks / f"{name}.json").write_text(json.dumps(lock))
    stacks = tmp_path / ".pulumi/stacks/switchyard"
    stacks.mkdir(parents=True)
    (stacks / "local.json.attrs").touch()  # killed as it wrote
    (stacks / "other.json.attrs").write_text("{}")
    assert engine.unlock(tmp_path)
    assert [file.name for file in stacks.iterdir()] == ["other.json.attrs"]
    assert [file.stem for file in locks.iterdir()] == ["elsewhere"]
    assert not engine.unlock(tmp_path)


def test_the_cli_speaks_through_its_errors() -> None:
    said = " code: 255\n stdout: \n stderr: error: stack is locked\n  by someone\n"
    assert engine.plain(said) == "stack is locked"
    nobody = " stderr: error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions\n"
    none = "error: no stack named 'dev' found"
    assert engine.plain(none) == "the state has no stack 'dev' yet: `pulumi stack select --create dev` makes it"
    assert engine.plain(nobody).startswith("nobody is logged in to Pulumi: `pulumi login`, or ")
    assert engine.plain("no marker") == "no marker"


def test_a_registry_elsewhere_is_not_started_here() -> None:
    assert machine.local_port("localhost:5001") == 5001
    with pytest.raises(machine.MachineError, match=r"no registry answers at harbor\.example\.com"):
        machine.local_port("harbor.example.com")


def test_what_to_try_next_exists(capsys: pytest.CaptureFixture[str]) -> None:
    answered = {"status": 200, "seconds": 0.0123, "answer": "hello"}
    api = {"url": "http://localhost:8080", **answered, "logs": "docker service logs api"}
    worker = {"url": None, "status": None, "seconds": None, "answer": None, "logs": None}
    note = "api finds no DB_PASSWORD in its environment"
    tell({"changes": {}, "seconds": 1, "notes": [note], "services": {"api": api, "worker": worker}})
    printed = capsys.readouterr().out
    assert note in printed
    assert "http://localhost:8080  answers 200 OK in 12 ms\n    hello\n" in printed
    assert "worker                 runs; it is not public" in printed
    named = re.findall(r"\.venv/bin/yard (\w+)", printed)
    assert set(named) <= set(COMMANDS)
    assert "compare" in named


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Local:
    """A checkout, whose stack `local` is as it comes."""
    (tmp_path / "config").mkdir()
    (tmp_path / "app").mkdir()
    for name in ("Pulumi.yaml", "config/Pulumi.local.yaml", "app/Dockerfile"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    for command in ("up", "down"):
        monkeypatch.setattr(f"yard.{command}.ROOT", tmp_path)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(machine, "find", lambda host, notes, say: machine.Machine(host, None, notes, say))  # type: ignore[arg-type]
    return Local(tmp_path)


class TestConfiguration:
    def test_it_says_where_things_are(self, local: Local) -> None:
        assert local.repository("api") == "localhost:5000/switchyard-local/api"
        assert (local.built, local.digest("api")) == (["api"], None)
        local.check()

    def test_what_was_built_is_told_to_the_engine_and_stands_in_no_file_of_the_users(self, local: Local) -> None:
        before = local.file.read_bytes()
        digest = f"sha256:{'1' * 64}"
        new = {"digest": digest, "version": "3f2c1ab", "architecture": "arm64", "repository": "localhost:5000/it/api"}
        local.notes.write(images={"api": new})
        local.lay_out()
        (written,) = [yaml.safe_load(file.read_text()) for file in local.place.glob("config/*.yaml")]
        service = written["config"]["switchyard:services"]["api"]
        assert (service["architecture"], service["port"], "digest" in service) == ("arm64", 8080, False)
        assert local.file.read_bytes() == before
        assert local.digest("api") == digest
        assert local.changes == {"api": Change(digest=digest, commit="3f2c1ab")}

    def test_a_digest_in_the_configuration_is_what_runs(self, local: Local) -> None:
        local.file.write_text("config: {services: {api: {build: app, digest: 'sha256:2'}}}", encoding="utf-8")
        local.notes.write(images={"api": {"digest": "sha256:1", "architecture": "arm64"}})
        assert (local.built, local.digest("api"), local.changes) == ([], "sha256:2", {})

    def test_an_image_that_someone_else_built_is_handed_over_as_it_is(self, local: Local) -> None:
        nginx = f"docker.io/library/nginx@sha256:{'1' * 64}"
        document = yaml.safe_load(local.file.read_text(encoding="utf-8"))
        document["config"]["switchyard:services"] = {"web": {"image": nginx}}
        local.file.write_text(yaml.safe_dump(document), encoding="utf-8")
        local.notes.write(images={"web": {"digest": "sha256:2", "architecture": "arm64"}})
        local.check()
        assert (local.built, local.image("web"), local.digest("web")) == ([], nginx, f"sha256:{'1' * 64}")
        local.lay_out()
        (written,) = [yaml.safe_load(file.read_text()) for file in local.place.glob("config/*.yaml")]
        assert written["config"]["switchyard:services"]["web"] == {"image": nginx}

    def test_the_salt_of_earlier_runs_is_kept(self, local: Local) -> None:
        local.lay_out()
        (file,) = local.place.glob("config/*.yaml")
        file.write_text("encryptionsalt: v1:x\n", encoding="utf-8")
        local.lay_out()
        assert "encryptionsalt: v1:x" in file.read_text(encoding="utf-8")

    def test_keys_need_no_namespace(self, local: Local) -> None:
        local.file.write_text("config: {oci: {host: 'localhost:5001', namespace: acme}}", encoding="utf-8")
        assert local.repository("api") == "localhost:5001/acme/api"

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (b"", "has no services, which are what `yard up` builds and runs: edit config/Pulumi.local.yaml"),
            (b"config:", "has no services"),
            (b"config: {services: {api: x}}", r"services.api in .* is not a map, such as {build: \.\./api}"),
            (b"config: {services: {api: {}}}", "services.api says neither how its image is built nor which it is"),
            (b"config: {services: {api: {build: nowhere}}}", "services.api.build is nowhere, and there is no folder"),
            (b"config: {services: {api: {build: {}}}}", "says neither how its image is built"),
            (b"config: {services: {api: {build: {dockerfile: x}}}}", "services.api.build.context is not set"),
            (
                b"config: {services: x}",
                "services in .* is not a map, such as {key: value}: edit config/Pulumi.local.yaml",
            ),
            (b"config: {swarm: x}", "swarm in .* is not a map"),
            (b"config: x", "is not a map with a map `config` in it"),
            (b"config: {a: caf\xe9}", "is not text in UTF-8"),
        ],
    )
    def test_up_stops_before_it_makes_anything(self, local: Local, text: bytes, said: str) -> None:
        local.file.write_bytes(text)
        result = CliRunner().invoke(up)
        assert result.exit_code == 2
        assert re.search(f"^Error: .*{said}", result.stderr)

    def test_what_any_stack_is_told_is_told_before_anything_is_built(self, local: Local) -> None:
        text = local.file.read_text(encoding="utf-8").replace("port: 8080", "port: 80")
        local.file.write_text(text, encoding="utf-8")
        result = CliRunner().invoke(up)
        assert result.exit_code == 2
        assert "services.api.port is 80; want a port from 1024" in result.stderr
        assert not local.notes.directory.exists()

    @pytest.mark.parametrize("text", [b"", b"config:", b"config: {services: x}", b"config: {services: {api: x}}"])
    def test_down_takes_out_only_what_is_there(self, local: Local, text: bytes) -> None:
        local.file.write_bytes(text)
        assert local.registry == "localhost:5000"

    def test_a_stack_that_is_not_there(self, local: Local) -> None:
        local.file.unlink()
        with pytest.raises(NoStack, match=r"there is no stack 'local'"):
            local.check()


class TestNotes:
    def test_they_add_up(self, local: Local) -> None:
        assert local.notes.read() == {}
        local.notes.write(swarm="x")
        local.notes.write(bridged=False)
        assert local.notes.read() == {"swarm": "x", "bridged": False}
        assert list(local.notes.directory.iterdir()) == [local.notes.file]

    def test_a_run_that_is_killed_while_it_writes_leaves_the_old_ones(
        self, local: Local, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        local.notes.write(swarm="x")

        def write_half(path: Path, text: str, encoding: str) -> None:
            path.write_bytes(text[:5].encode(encoding))
            raise OSError("No space left on device")

        with monkeypatch.context() as full:
            full.setattr(Path, "write_text", write_half)
            with pytest.raises(OSError, match="No space left"):
                local.notes.write(bridged=False)
        assert local.notes.read() == {"swarm": "x"}
        assert list(local.notes.directory.iterdir()) == [local.notes.file]

    @pytest.mark.parametrize("text", ['{"swarm": ', "[]", ""])
    @pytest.mark.parametrize("command", [up, down])
    def test_those_of_an_earlier_version_may_be_broken(
        self, local: Local, monkeypatch: pytest.MonkeyPatch, command: click.Command, text: str
    ) -> None:
        local.notes.directory.mkdir()
        local.notes.file.write_text(text, encoding="utf-8")
        monkeypatch.setattr(machine, "join_swarm", lambda here: here.notes.write(swarm="x"))
        monkeypatch.setattr(Local, "open", lambda self, say: self.notes.read())
        result = CliRunner().invoke(command, ["--yes"] if command is down else [])
        assert result.exit_code == 1
        assert (
            "local.json, where `yard up` notes what it makes, is broken: delete it and call this again" in result.stderr
        )
        assert "docker swarm leave --force" in result.stderr


class Images:
    """An engine's images, by name; one of them runs in a container of someone else's."""

    def __init__(self, used: str, *names: str) -> None:
        self.used, self.names = used, list(names)

    def list(self, repository: str) -> list[Any]:
        return [type("Image", (), {"attrs": {"RepoTags": [*self.names], "RepoDigests": []}})()]

    def remove(self, name: str) -> None:
        if name == self.used:
            answer = Response()
            answer.status_code = 409
            raise APIError("conflict: container 1 is using its image", answer)
        self.names.remove(name)


def test_down_removes_names_of_its_own_alone_and_goes_on_where_an_image_is_used(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    ours = "localhost:5000/switchyard-local/api"
    images = Images(f"{ours}:1", f"{ours}:1", f"{ours}:2", "theirs:latest", f"{ours}-other:1")
    client: Any = type("Client", (), {"images": images, "api": None})()
    monkeypatch.setattr(machine, "wait_for_containers", lambda *_: None)
    machine.remove_images(machine.Machine("unix:///none", client, local.notes, said.append), "switchyard-local", [ours])
    assert images.names == [f"{ours}:1", "theirs:latest", f"{ours}-other:1"]
    assert said == [f"{ours}:1 stays: another container uses it"]


class TestProxy:
    def test_the_engine_gets_the_one_of_this_machine(self, local: Local) -> None:
        document = yaml.safe_load(local.file.read_text(encoding="utf-8"))
        document["config"]["switchyard:swarm"] = {"host": "unix:///run/other.sock"}
        local.file.write_text(yaml.safe_dump(document), encoding="utf-8")
        local.notes.write(proxy=local_proxy.BUILT)
        local.lay_out()
        (written,) = [yaml.safe_load(file.read_text()) for file in local.place.glob("config/*.yaml")]
        proxy = written["config"]["switchyard:proxy"]
        assert proxy == {"ports": {"http": 8080}, "host": "unix:///run/other.sock", "image": local_proxy.BUILT}
        assert local.proxy_image == local_proxy.BUILT

    def test_without_one_nothing_is_added(self, local: Local) -> None:
        document = yaml.safe_load(local.file.read_text(encoding="utf-8"))
        for key in ("edge", "proxy", "gate"):
            del document["config"][f"switchyard:{key}"]
        local.file.write_text(yaml.safe_dump(document), encoding="utf-8")
        local.lay_out()
        (written,) = [yaml.safe_load(file.read_text()) for file in local.place.glob("config/*.yaml")]
        assert written == document

    @pytest.mark.parametrize(
        ("wanted", "there", "pulls", "asked", "noted"),
        [
            (IMAGE, [IMAGE], False, [], None),
            (IMAGE, [], True, ["pull"], None),
            (IMAGE, [], False, ["pull", "build"], local_proxy.BUILT),
            (IMAGE, [local_proxy.BUILT], False, ["pull"], local_proxy.BUILT),
            (local_proxy.BUILT, [local_proxy.BUILT], True, [], None),
            (local_proxy.BUILT, [], True, ["build"], local_proxy.BUILT),
            ("traefik:v3", [], True, [], None),  # the stack's own choice, which its provider pulls
        ],
    )
    def test_its_image_is_pulled_or_else_built(
        self,
        local: Local,
        monkeypatch: pytest.MonkeyPatch,
        wanted: str,
        there: list[str],
        pulls: bool,
        asked: list[str],
        noted: str | None,
    ) -> None:
        done: list[str] = []

        def get(name: str) -> None:
            if name not in there:
                raise ImageNotFound("no such image")

        def pull(name: str) -> None:
            done.append("pull")
            if not pulls:
                raise DockerException("no route to host")

        def build(command: list[str], **_: Any) -> Any:
            done.append("build")
            return subprocess.CompletedProcess(command, 0)

        monkeypatch.setattr(subprocess, "run", build)
        client: Any = type("Client", (), {"images": SimpleNamespace(get=get, pull=pull)})()
        local_proxy.have_image(machine.Machine("unix:///none", client, local.notes, print), wanted)
        notes = local.notes.read()
        assert (done, notes.get("proxy")) == (asked, noted)
        assert notes.get("proxy_is_ours", False) == ("build" in done), "what was there before stays after `down`"

    def test_what_cannot_be_had_is_said_with_the_way_without(
        self, local: Local, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(local_proxy, "is_there", lambda *_: False)
        monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1))
        here = machine.Machine("unix:///none", None, local.notes, print)  # type: ignore[arg-type]
        with pytest.raises(machine.MachineError, match=r"neither be pulled nor built, and why is above\. Without"):
            local_proxy.have_image(here, local_proxy.BUILT)

    def test_what_an_interrupted_run_left_of_it_goes(self, local: Local) -> None:
        removed: list[str] = []

        def named(name: str, **labels: str) -> SimpleNamespace:
            return SimpleNamespace(name=name, labels=labels, remove=lambda **_: removed.append(name))

        task = named("api.1", **{"com.docker.swarm.service.id": "x"})
        containers, volumes = [task, named("shop-edge"), named("shop-kept")], [named("shop-volume")]
        client: Any = SimpleNamespace(
            containers=SimpleNamespace(list=lambda **_: containers), volumes=SimpleNamespace(list=lambda **_: volumes)
        )
        here = machine.Machine("unix:///none", client, local.notes, lambda _: None)
        local_proxy.remove_lost(here, "shop", {"shop-kept"})
        assert removed == ["shop-edge", "shop-volume"]
