"""The image of the proxy, for a Docker engine that can pull none: Traefik, built from its Go module, and nothing else.

    python -m tools.proxy           build it, once, and have it on the engine as `switchyard-proxy:VERSION`

What reads routes from elsewhere than a file, and the clients of 150 DNS hosts, are left out: they are most of a build.
The engine is the one that DOCKER_HOST names. Exit 1, with what to do, when something is missing.
"""

import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from functools import partial
from pathlib import Path

import certifi
import docker
from docker.errors import DockerException

from components.docker_host import DEFAULT_HOST
from components.edge.proxy import VERSION
from tools import build

MODULE = Path(__file__).resolve().parent
INSTEAD = MODULE / "instead"
"""Files that go in the place of those of the modules, by the module's name."""
TRAEFIK, LEGO = "github.com/traefik/traefik/v3", "github.com/go-acme/lego/v4"
PROVIDERS = (
    "consulcatalog",
    "docker",
    "ecs",
    "kubernetes/crd",
    "kubernetes/gateway",
    "kubernetes/ingress",
    "kubernetes/ingress-nginx",
    "kv/consul",
    "kv/etcd",
    "kv/redis",
    "kv/zk",
    "nomad",
)
"""Packages of Traefik that read routes from elsewhere."""
NONE = """package {name}

import "github.com/traefik/traefik/v3/pkg/provider/none"

type (
	Entrypoint      = none.Entrypoint
	Provider        = none.Provider
	ProviderBuilder = none.Provider
	SwarmProvider   = none.Provider
)
"""
STAMP = f"-X {TRAEFIK}/pkg/version.Version={VERSION}"
TAG = f"switchyard-proxy:{VERSION}"
DOCKERFILE = b"FROM scratch\nCOPY traefik /usr/local/bin/traefik\nCOPY roots /etc/ssl/certs/ca-certificates.crt\n"
"""With the CAs that Mozilla trusts: a CA that speaks ACME is asked by HTTPS."""

say = partial(build.say, "proxy")


def main() -> int:
    """Build the program and the image."""
    program = traefik()
    if program is None:
        return 1
    host = os.environ.get("DOCKER_HOST") or DEFAULT_HOST
    try:
        load(docker.DockerClient(host, version="auto", use_ssh_client=host.startswith("ssh://")), program)
    except DockerException as error:
        say(f"the Docker engine at {host} did not take the image: {error}")
        return 1
    say(f"{TAG} is on the engine at {host}: set `proxy.image` to it")
    return 0


def kept() -> Path:
    """Where the program is, once it is built."""
    return build.cache() / f"traefik-{VERSION}-{build.key(MODULE)}"


def traefik() -> Path | None:
    """The program, kept per user; None, and why is said, where it cannot be built."""
    if kept().exists():
        return kept()
    go = shutil.which("go")
    if go is None:
        say("Go is not installed, so Traefik cannot be built from source: https://go.dev/dl/")
        return None
    with tempfile.TemporaryDirectory() as scratch:
        source = sources(go, Path(scratch))
        return source and build.program(
            "proxy",
            f"Traefik {VERSION}",
            kept(),
            source,
            "./cmd/traefik",
            takes="about 2 minutes on 2 cores",
            stamp=STAMP,
            env={"CGO_ENABLED": "0"},
        )


def sources(go: str, place: Path) -> Path | None:
    """The two modules in this folder, checked against go.sum, with our files in them; None, and why is said."""
    run = partial(subprocess.run, cwd=MODULE, capture_output=True, text=True)
    fetched = run([go, "mod", "download"])
    if fetched.returncode:
        say(f"Traefik's sources cannot be fetched: {fetched.stderr.strip()}")
        return None
    folders = run([go, "list", "-m", "-f", "{{.Dir}}", TRAEFIK, LEGO], check=True).stdout.splitlines()
    for name, module in zip(("traefik", "lego"), folders, strict=True):
        shutil.copytree(module, place / name, copy_function=shutil.copyfile)
    for folder in [place, *place.rglob("*/")]:
        folder.chmod(0o755)  # in the cache of modules none may be written to
    source = place / "traefik"
    for each in PROVIDERS:
        shutil.rmtree(source / "pkg/provider" / each)
        write_none(source / "pkg/provider" / each)
    shutil.copytree(INSTEAD, place, dirs_exist_ok=True)
    subprocess.run([go, "mod", "edit", "-replace", f"{LEGO}=../lego"], cwd=source, check=True)
    return source


def write_none(folder: Path) -> None:
    """A package without a provider."""
    folder.mkdir(parents=True)
    (folder / "none.go").write_text(NONE.format(name=folder.name.replace("-", "")), encoding="utf-8")


def load(client: docker.DockerClient, program: Path) -> None:
    """Build the image out of the program and nothing else."""
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        archive.add(program, "traefik")
        archive.add(certifi.where(), "roots")
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(DOCKERFILE)
        archive.addfile(entry, io.BytesIO(DOCKERFILE))
    context.seek(0)
    client.images.build(fileobj=context, custom_context=True, tag=TAG, rm=True)


if __name__ == "__main__":
    sys.exit(main())
