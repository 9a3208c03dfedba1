"""`yard up` after images went away from the registry: those that it builds come back, of all others it says which."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from docker.errors import APIError, ImageNotFound, NotFound

from components.build import Build
from tests.program import ROOT, config_for
from yard import image, machine, suggest, up
from yard.local import Local
from yard.machine import Machine, MachineError, Notes

DIGEST, OTHER = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
NGINX = f"docker.io/library/nginx@{DIGEST}"


class Registry:
    """A registry that answers for what it has: host, and the manifests by path."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.has: set[str] = set()


@pytest.fixture
def registry() -> Iterator[Registry]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200 if self.path in found.has else 404)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Registry(f"127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


class Engine:
    """A Docker engine that builds, pushes to `registry`, and asks registries."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.images = self
        self.built: list[str] = []
        self.here: set[str] = set()
        """Images that it has."""
        self.lost: set[str] = set()
        """Images that their registries say they do not have; of others it may not ask."""

    def info(self) -> dict[str, str]:
        return {"Architecture": "x86_64"}

    def build(self, *, tag: str, **_: Any) -> None:
        self.built.append(tag)

    def push(self, repository: str, tag: str, **_: Any) -> list[dict[str, Any]]:
        self.registry.has.add(f"/v2/{repository.partition('/')[2]}/manifests/{DIGEST}")
        return [{"aux": {"Digest": DIGEST}}]

    def get(self, name: str) -> None:
        if name not in self.here:
            raise ImageNotFound(name)

    def get_registry_data(self, name: str) -> None:
        raise NotFound("manifest unknown") if name in self.lost else APIError("denied")


@pytest.fixture
def engine(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setattr(image, "_has_buildkit", lambda: False)
    return Engine(registry)


def on(engine: Engine, folder: Path) -> Machine:
    return Machine("unix:///engine", engine, Notes(folder / ".switchyard"), lambda text: None)  # type: ignore[arg-type]


def test_what_is_built_here_is_pushed_again(engine: Engine, registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    web = image.Source("web", Build(context="app"), tmp_path, "x86_64")
    here, repository = on(engine, tmp_path / "notes"), f"{registry.host}/shop/web"
    for _ in range(2):
        assert image.digest(web, here, repository) == DIGEST
    assert len(engine.built) == 1, "the second time it is there"
    registry.has.clear()  # somebody emptied it, or it is another one
    assert image.digest(web, here, repository) == DIGEST
    assert len(engine.built) == 2
    assert image.is_pushed(repository, DIGEST)


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Local:
    """A stack `local` whose services name their images."""
    services = {
        "api": {"digest": DIGEST, "build": "."},
        "job": {"digest": OTHER, "public": False},
        "web": {"image": NGINX, "public": False},
    }
    (tmp_path / "config").mkdir()
    (tmp_path / "Dockerfile").touch()
    (tmp_path / "Pulumi.yaml").write_bytes((ROOT / "Pulumi.yaml").read_bytes())
    config = {key if ":" in key else f"switchyard:{key}": each for key, each in config_for("oci", "swarm").items()}
    document = {"config": {**config, "switchyard:services": services}}
    (tmp_path / "config/Pulumi.local.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    monkeypatch.setattr(machine, "join_swarm", lambda here: None)
    monkeypatch.setattr(machine, "start_registry", lambda here, host: None)
    monkeypatch.setattr(suggest, "name", lambda: "yard")
    return Local(tmp_path)


def images(local: Local) -> set[str]:
    return {f"{local.repository('api')}@{DIGEST}", f"{local.repository('job')}@{OTHER}", NGINX}


def test_what_the_configuration_names_is_told_with_what_to_do(local: Local, engine: Engine) -> None:
    engine.lost = images(local)
    with pytest.raises(MachineError) as error:
        up.run(local, on(engine, local.root))
    api, job, web = str(error.value).splitlines()
    assert re.fullmatch(rf"services\.api\.digest is {DIGEST}, and \S+/api does not have it: take .*", api)
    assert api.endswith("take services.api.digest out, and `yard up` builds the service")
    assert job.endswith("/job does not have it: push that image again, or set services.job.digest to one that is there")
    assert web == (
        f"services.web.image is {NGINX}, and its registry does not have it: name an image that is there, by its digest"
    )
    assert engine.built == []


@pytest.mark.parametrize("kept", [True, False], ids=["on-the-engine", "nobody-may-ask"])
def test_what_may_be_there_is_left_to_the_engine(
    local: Local, engine: Engine, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Opened(Exception):
        """All was looked at."""

    def opens(self: Local, say: object) -> None:
        raise Opened

    monkeypatch.setattr(Local, "open", opens)
    if kept:
        engine.lost = engine.here = images(local)
    with pytest.raises(Opened):
        up.run(local, on(engine, local.root))
