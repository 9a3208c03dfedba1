"""This machine's side of stack `local`: a swarm of one node on its Docker engine, and a registry."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import docker
from docker.errors import APIError, DockerException, NotFound

from components.direct import open_directly
from components.docker_engine import check_manager, connect
from components.docker_host import DEFAULT_HOST
from components.orchestrator.swarm_engine import wait_for_containers
from yard import files, interrupts

REGISTRY_IMAGE = "registry@sha256:1be55279f18a2fe1a74edf2664cac61c1bea305b7b4642dab412e7affdcb3e33"
"""Distribution 3, by its digest: the tag `registry:3` can be put on another image."""
REGISTRY_NAME = "switchyard-registry"
"""Of the container and of its volume."""
START_TIMEOUT = 20.0
ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64"}
"""What an engine calls its CPU -> what a service calls it."""
BRIDGE = "docker_gwbridge"
"""Docker makes this network with a swarm, and leaves it behind."""

Say = Callable[[str], None]


class MachineError(Exception):
    """What this machine lacks, and what to do about it."""


class Misconfigured(MachineError):
    """What is wrong with the configuration, or with the call; nothing was done."""


class Notes:
    """What `up` made here, kept in a file so that `down` removes that and no more."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.file = directory / "local.json"

    def read(self) -> dict[str, Any]:
        """Everything noted; empty when nothing was made."""
        try:
            noted = json.loads(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError:
            noted = None
        if not isinstance(noted, dict):
            raise MachineError(
                f"{self.file}, where `yard up` notes what it makes, is broken: delete it and call this again. A"
                " registry and a swarm that `yard up` made are then yours to remove, if nobody else uses them:"
                f" docker rm --force {REGISTRY_NAME}; docker volume rm {REGISTRY_NAME}; docker swarm leave --force"
            )
        return noted

    def write(self, **notes: Any) -> None:
        """Note some more."""
        self.directory.mkdir(parents=True, exist_ok=True)
        files.write(self.file, json.dumps({**self.read(), **notes}, indent=2) + "\n")


@dataclass(frozen=True)
class Machine:
    """A Docker engine and what was made around it."""

    host: str
    client: docker.DockerClient
    notes: Notes
    say: Say


def engine_host(swarm: dict[str, Any]) -> str:
    """The engine that the stack's own block names, else the one that every Docker tool takes."""
    return str(swarm.get("host") or os.environ.get("DOCKER_HOST") or DEFAULT_HOST)


def find(host: str, notes: Notes, say: Say) -> Machine:
    """The engine at `host`; raises `SwarmError` when none answers."""
    connect(host).close()
    client = docker.DockerClient(host, version="auto", use_ssh_client=host.startswith("ssh://"))
    return Machine(host, client, notes, say)


def architecture(machine: Machine) -> str:
    """The engine's CPU, which is what images run on here."""
    return ARCHITECTURES.get(machine.client.info()["Architecture"], "x86_64")


def join_swarm(machine: Machine) -> None:
    """Make the engine the only node of a swarm, when it is in none; on loopback, so that no other node can join."""
    if machine.client.info()["Swarm"]["LocalNodeState"] != "inactive":
        engine = connect(machine.host)
        check_manager(engine, machine.host)
        engine.close()
        return
    bridged = bool(machine.client.networks.list(names=[BRIDGE]))
    with interrupts.held():  # what is made is noted
        machine.client.swarm.init(advertise_addr="127.0.0.1", listen_addr="127.0.0.1:2377")
        machine.notes.write(swarm=machine.client.info()["Swarm"]["Cluster"]["ID"], bridged=bridged)
    machine.say("made the Docker engine a swarm of one node (`yard down` undoes it)")


def leave_swarm(machine: Machine) -> None:
    """Undo `join_swarm`, unless someone else has come to use the swarm."""
    noted = machine.notes.read()
    cluster = machine.client.info()["Swarm"].get("Cluster") or {}
    if not cluster or cluster.get("ID") != noted.get("swarm"):
        return
    if others := [service.name for service in machine.client.services.list()]:
        machine.say(f"the swarm stays, because it runs other services: {', '.join(others)}")
        return
    machine.client.swarm.leave(force=True)
    if not noted["bridged"]:
        with suppress(APIError):
            machine.client.networks.get(BRIDGE).remove()
    machine.say("left the swarm")


def registry_answers(host: str) -> bool:
    """Whether a registry answers at `host`. Something else there is an error."""
    try:
        with open_directly(f"http://{host}/v2/", timeout=5) as response:
            status, headers = response.status, response.headers
    except HTTPError as error:
        status, headers = error.code, error.headers
    except OSError:
        return False
    if status in (200, 401) and headers.get("Docker-Distribution-Api-Version"):
        return True
    raise MachineError(
        f"what answers at {host} is not a registry: stop it, or take another port with "
        "`pulumi config set --path oci.host localhost:5001 --stack local`"
    )


def start_registry(machine: Machine, host: str) -> None:
    """Have a registry at `host`: the one that runs, else a container, else Debian's program."""
    if registry_answers(host):
        return
    port = local_port(host)
    has_image = pull_registry(machine.client)
    with interrupts.held():  # what is started is noted
        if has_image:
            started = start_container(machine.client, port)
        else:
            started = start_process(host, machine.notes.directory / "registry")
        machine.notes.write(registry=started)
    deadline = time.monotonic() + START_TIMEOUT
    while not registry_answers(host):
        if time.monotonic() > deadline:
            raise MachineError(f"the registry that was started does not answer at {host}: see {started['log']}")
        time.sleep(0.2)
    machine.say(f"started a registry at {host} ({started['kind']})")


def local_port(host: str) -> int:
    """The port of a host on this machine; a registry elsewhere is not ours to start."""
    name, _, port = host.partition(":")
    if name not in ("localhost", "127.0.0.1"):
        raise MachineError(f"no registry answers at {host} (oci.host of stack local)")
    return int(port or 80)


def pull_registry(client: docker.DockerClient) -> bool:
    """Whether the registry's image is here, pulled if need be."""
    try:
        client.images.get(REGISTRY_IMAGE)
    except NotFound:
        try:
            client.images.pull(REGISTRY_IMAGE)
        except DockerException:
            return False
    return True


def start_container(client: docker.DockerClient, port: int) -> dict[str, Any]:
    """The Distribution registry in a container."""
    with suppress(NotFound):  # stopped, with the machine for example
        client.containers.get(REGISTRY_NAME).remove(force=True)
    client.containers.run(
        REGISTRY_IMAGE,
        name=REGISTRY_NAME,
        detach=True,
        ports={"5000/tcp": ("127.0.0.1", port)},
        volumes={REGISTRY_NAME: {"bind": "/var/lib/registry", "mode": "rw"}},
    )
    return {"kind": "container", "name": REGISTRY_NAME, "log": f"docker logs {REGISTRY_NAME}"}


def start_process(host: str, directory: Path) -> dict[str, Any]:
    """Debian's build of the same registry, in the background; raises `MachineError` where it is not installed."""
    program = shutil.which("docker-registry")
    if program is None:
        raise MachineError(
            f"no registry answers at {host}, the image {REGISTRY_IMAGE} cannot be pulled, and the program "
            "docker-registry is not installed: install it (Debian, Ubuntu: sudo apt-get install docker-registry), "
            "or name a registry with `pulumi config set --path oci.host HOST --stack local`"
        )
    config, log = directory / "config.json", directory / "log"
    settings = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(directory / "storage")}},
        "http": {"addr": f"127.0.0.1:{local_port(host)}"},
    }
    directory.mkdir(parents=True, exist_ok=True)
    config.write_text(json.dumps(settings), encoding="utf-8")  # it wants YAML, and JSON is YAML
    with log.open("ab") as sink:
        process = subprocess.Popen(
            [program, "serve", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,  # it outlives this command, and a Ctrl-C in its terminal
        )
    return {"kind": "process", "pid": process.pid, "config": str(config), "log": str(log)}


def stop_registry(machine: Machine) -> None:
    """Undo `start_registry`, its images included."""
    started = machine.notes.read().get("registry", {})
    if started.get("kind") == "container":
        with suppress(NotFound):
            machine.client.containers.get(started["name"]).remove(force=True)
        with suppress(APIError):
            machine.client.volumes.get(started["name"]).remove()
        machine.say("removed the registry and its images")
    if started.get("kind") == "process" and is_ours(started):
        os.kill(started["pid"], signal.SIGTERM)
        machine.say("stopped the registry")


def is_ours(started: dict[str, Any]) -> bool:
    """Whether the process is still the registry that was started, and not one that got its number since."""
    with suppress(OSError):
        return started["config"] in Path(f"/proc/{started['pid']}/cmdline").read_text()
    return False


def remove_leftovers(machine: Machine, stack: str, known: Collection[str]) -> None:
    """What an interrupted run left on the engine without a trace in the state, which has the ids `known`. Some things
    are known by their names."""
    client = machine.client
    if not client.info()["Swarm"].get("ControlAvailable"):
        return
    for kind in (client.services, client.secrets, client.networks):
        for each in kind.list(filters={"label": f"switchyard.stack={stack}"}):
            if each.id in known or each.name in known:
                continue
            each.remove()
            # Until its containers are gone, they hold the secrets and the network.
            wait_for_containers(client.api, f"com.docker.swarm.service.id={each.id}")
            machine.say(f"removed {each.name}, which an interrupted run left")


def remove_images(machine: Machine, stack: str, repositories: Collection[str]) -> None:
    """The images that were pushed, once the stack's containers are gone: without a swarm nobody removes those. Other
    names of the same images stay, and so does an image that another container uses."""
    wait_for_containers(machine.client.api, f"switchyard.stack={stack}")
    for repository in repositories:
        for image in machine.client.images.list(repository):
            names = [*image.attrs.get("RepoTags", []), *image.attrs.get("RepoDigests", [])]
            for name in [each for each in names if each.startswith((f"{repository}:", f"{repository}@"))]:
                try:
                    machine.client.images.remove(name)
                except NotFound:
                    pass  # the last of them may have taken the others along
                except APIError as error:
                    if error.status_code != HTTPStatus.CONFLICT:
                        raise
                    machine.say(f"{name} stays: another container uses it")
