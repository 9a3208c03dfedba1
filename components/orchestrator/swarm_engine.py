"""Networks, secrets and services on a Docker engine, as dynamic providers: what the Pulumi engine calls.

State holds them pickled by reference, so the names of this module and of the providers must stay.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from docker import APIClient
from docker.errors import APIError, NotFound
from pulumi.dynamic import (
    ConfigureRequest,
    CreateResult,
    ReadResult,
    UpdateResult,
)

from components import dynamic
from components.docker_engine import NO_NEW_PRIVILEGES_SINCE, Engine, SwarmError
from components.dynamic import Props, whole
from components.orchestrator.swarm_parts.connection import connection
from components.orchestrator.swarm_parts.job import once, wait_until_over
from components.orchestrator.swarm_parts.rollout import REVISION, RolledBackError, Rollout, probe
from components.pulumi_internals import speak_in_words
from components.release import PATIENCE
from components.shell import command

LEAVING = 60.0
"""Seconds that containers may take to go: more than their grace to stop."""
MAX_NAME = 63
PIDS = 1024
"""Processes and threads that a replica may have: many for a service, few for a machine."""


class Provider(dynamic.Provider):
    """What the three have in common."""

    def configure(self, req: ConfigureRequest) -> None:
        """Called once in the provider's process, before anything else."""
        speak_in_words(SwarmError)
        if profile := req.config.get("aws:profile"):  # for a swarm on EC2: as Pulumi's own AWS provider does
            os.environ["AWS_PROFILE"] = profile


class NetworkProvider(Provider):
    """An overlay network. Its name has a random end, so that a replacement can stand beside it."""

    watched = ("host", "swarm", "prefix", "encrypt", "attachable")
    fixed = frozenset(watched)

    def create(self, props: Props) -> CreateResult:
        """Make it; a container that is no replica can join where it is `attachable`."""
        options = {"encrypted": ""} if props["encrypt"] else {}
        with connection(props["host"]) as engine:
            network = engine.create_network(
                unique(props["prefix"]),
                driver="overlay",
                options=options,
                attachable=bool(props.get("attachable")),
                labels={"switchyard.stack": props["prefix"]},
            )
        return CreateResult(network["Id"], props)

    def read(self, id_: str, props: Props) -> ReadResult:
        """Is it still there?"""
        with connection(props["host"]) as engine:
            return props_if(lambda: engine.inspect_network(id_), id_, props)

    def delete(self, _id: str, props: Props) -> None:
        """Remove it, once the last container has left it."""
        with connection(props["host"]) as engine:
            deadline = time.monotonic() + LEAVING
            while not removed(engine.remove_network, _id, may_wait=time.monotonic() < deadline):
                time.sleep(1)


class SecretProvider(Provider):
    """A Swarm secret. Its name ends at random, not in a hash, from which the value could be guessed."""

    watched = ("host", "swarm", "prefix", "value")
    fixed = frozenset(watched)

    def create(self, props: Props) -> CreateResult:
        """Hand the value to the managers, who keep it encrypted."""
        name = unique(props["prefix"])
        with connection(props["host"]) as engine:
            secret = engine.create_secret(name, props["value"], labels={"switchyard.stack": props["stack"]})
        return CreateResult(secret["ID"], {**props, "name": name})

    def read(self, id_: str, props: Props) -> ReadResult:
        """Is it still there? Nobody can read its value back."""
        with connection(props["host"]) as engine:
            return props_if(lambda: engine.inspect_secret(id_), id_, props)

    def delete(self, _id: str, props: Props) -> None:
        """Remove it."""
        with connection(props["host"]) as engine:
            removed(engine.remove_secret, _id)


class ServiceProvider(Provider):
    """A Swarm service, made or changed only when all its replicas are healthy."""

    watched = ("host", "swarm", "name", "spec", "login", "probe")
    fixed = frozenset({"host", "swarm", "name"})

    def create(self, props: Props) -> CreateResult:
        """Make it, or take over what an interrupted run left; a failed one is removed again."""
        with connection(props["host"]) as engine:
            left = left_behind(engine, props)
            if left is None:
                wait_for_containers(engine, f"com.docker.swarm.service.name={props['name']}")
            check_room(engine, props, taken=published(left["Spec"]) if left else set())
            check_image(engine, props)
            identity = left["ID"] if left else None
            try:
                identity = roll_out(engine, identity, props)
            except SwarmError as error:
                if found := left_behind(engine, props):
                    remove_service(engine, found["ID"])
                raise SwarmError(f"service {props['name']} was not started: {error}") from error
        return CreateResult(identity, props)

    def read(self, id_: str, props: Props) -> ReadResult:
        """What the engine has now, in the words of what was asked for: a difference is drift."""
        with connection(props["host"]) as engine:
            try:
                live = engine.service(id_)["Spec"]
            except NotFound:
                return gone()
            if engine.older_than(NO_NEW_PRIVILEGES_SINCE):
                privileges = props["spec"]["TaskTemplate"]["ContainerSpec"].get("Privileges")
                live["TaskTemplate"]["ContainerSpec"]["Privileges"] = privileges
        return ReadResult(id_, {**props, "spec": project(live, props["spec"])})

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        """Replace replica by replica. When it fails the service is as before, by the engine's rollback or by ours."""
        with connection(news["host"]) as engine:
            check_room(engine, news, taken=published(olds["spec"]))
            check_image(engine, news)
            try:
                roll_out(engine, _id, news)
            except SwarmError as error:
                if not isinstance(error, RolledBackError):
                    put(engine, _id, olds)
                Rollout(engine).wait_back(_id)
                raise SwarmError(f"service {news['name']} is as it was before: {error}") from error
        return UpdateResult(news)

    def delete(self, _id: str, props: Props) -> None:
        """Remove it and wait for its containers, which hold its network, its secrets and its port."""
        with connection(props["host"]) as engine:
            remove_service(engine, _id)


class JobProvider(Provider):
    """One run of a release command. Another command or image is another run; what else changes of the service is no
    reason for one, and so is not looked at."""

    watched = ("host", "swarm", "run")
    fixed = frozenset(watched)

    def create(self, props: Props) -> CreateResult:
        """Run it to its end; nothing of it stays on the swarm, well or not."""
        with connection(props["host"]) as engine:
            check_image(engine, props)
            job = unique(f"{props['name']}-release")
            try:
                engine.new_service(once(whole(props["spec"]), job, props["command"]), props.get("login"))
                wait_until_over(engine, job, PATIENCE)
            except SwarmError as error:
                raise SwarmError(f"service {props['name']} is as it was before its release command: {error}") from error
            finally:
                remove_job(engine, job)
        return CreateResult(props["run"], props)

    def delete(self, _id: str, _props: Props) -> None:
        """There is nothing of it."""


def roll_out(engine: Engine, identity: str | None, props: Props) -> str:
    """Bring the service to `props` and wait; returns its id."""
    rollout = Rollout(engine, identity, props["probe"])
    identity = put(engine, identity, props)
    replicas = int(props["spec"]["Mode"]["Replicated"]["Replicas"])
    rollout.wait(identity, revision(props["spec"]), replicas, props["timeout"])
    if props["probe"]:
        probe(props["probe"])
    return identity


def check_image(engine: Engine, props: Props) -> None:
    """Have the registry say that it gives the image, with this login, for this CPU."""
    login: dict[str, str] | None = props.get("login")  # absent where anyone may pull
    if login:
        engine.registry_login(login)
    task = props["spec"]["TaskTemplate"]
    (platform,) = task["Placement"]["Platforms"]
    engine.check_image(task["ContainerSpec"]["Image"], platform["Architecture"], login)


def put(engine: Engine, identity: str | None, props: Props) -> str:
    """Tell the engine what is wanted."""
    spec = whole(props["spec"])
    spec["Name"] = props["name"]
    spec["TaskTemplate"]["ContainerSpec"]["Labels"][REVISION] = revision(props["spec"])
    # Here and not in what is asked for, so that no service is rolled for it: each has it from its next change on.
    spec["TaskTemplate"].setdefault("Resources", {}).setdefault("Limits", {})["Pids"] = PIDS
    if identity is None:
        return engine.new_service(spec, props.get("login"))
    version = engine.service(identity)["Version"]["Index"]
    engine.change_service(identity, version, spec, props.get("login"))
    return identity


def revision(spec: Props) -> str:
    """Names what a replica is made from: its task and its port. Replicas are replaced when it changes."""
    text = json.dumps(whole([spec["TaskTemplate"], spec["EndpointSpec"]]), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def project(live: Any, wanted: Any) -> Any:
    """The part of `live` that `wanted` speaks of, so that what the engine fills in is not taken for drift."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        return {key: project(live.get(key), each) for key, each in wanted.items()}
    if isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live):
        return [project(there, each) for there, each in zip(live, wanted, strict=True)]
    return live


def left_behind(engine: Engine, props: Props) -> dict[str, Any] | None:
    """The service of that name, when it is this stack's own; someone else's is an error."""
    try:
        found: dict[str, Any] = engine.service(props["name"])
    except NotFound:
        return None
    if found["Spec"].get("Labels", {}).get("switchyard.stack") != props["spec"]["Labels"]["switchyard.stack"]:
        raise SwarmError(
            f"the engine has a service {props['name']} that this stack did not make: remove it "
            f"({command('docker', 'service', 'rm', props['name'])}) or give the stack another name"
        )
    return found


def check_room(engine: Engine, props: Props, taken: set[int]) -> None:
    """Say at once what the engine would leave pending, or not notice. `taken`: ports the service has already."""
    spec = props["spec"]
    ports = spec["EndpointSpec"].get("Ports", [])
    replicas = int(spec["Mode"]["Replicated"]["Replicas"])
    nodes = len(engine.nodes())
    if any(port["PublishMode"] == "host" for port in ports) and replicas > nodes:
        raise SwarmError(
            f"{replicas} replicas on {nodes} node(s), and publish mode host puts one replica on a node: lower "
            "replicas, add nodes, or set swarm.publish to ingress where the kernel has IPVS"
        )
    for port in published(spec) - taken:
        if props["probe"] and answers(urlsplit(props["probe"]).hostname or "localhost", port):
            raise SwarmError(
                f"port {port} of this machine is taken by another program: stop it, or publish another port "
                "with swarm.ports"
            )


def published(spec: Props) -> set[int]:
    """The ports a service takes."""
    return {int(port["PublishedPort"]) for port in spec["EndpointSpec"].get("Ports", [])}


def answers(host: str, port: int) -> bool:
    """Whether something listens there."""
    with suppress(OSError), socket.create_connection((host, port), timeout=2):
        return True
    return False


def remove_service(engine: Engine, identity: str) -> None:
    """Remove a service and wait until this node's containers of it are gone."""
    removed(engine.remove_service, identity)
    wait_for_containers(engine, f"com.docker.swarm.service.id={identity}")


def remove_job(engine: Engine, name: str) -> None:
    """Remove a service that runs once, by the name that whoever made it knows in any case, and wait as above."""
    removed(engine.remove_service, name)
    wait_for_containers(engine, f"com.docker.swarm.service.name={name}")


def wait_for_containers(engine: APIClient, label: str) -> None:
    """Return when this node has no containers with `label` any more: until then they hold their port and network."""
    deadline = time.monotonic() + LEAVING
    while engine.containers(all=True, filters={"label": label}) and time.monotonic() < deadline:
        time.sleep(0.5)


def removed(remove: Callable[[str], object], identity: str, *, may_wait: bool = False) -> bool:
    """Remove something that may be gone already. False: it is in use, and may be tried again."""
    try:
        remove(identity)
    except NotFound:
        return True
    except APIError as error:
        if may_wait and ("in use" in str(error.explanation) or "active endpoints" in str(error.explanation)):
            return False
        raise
    return True


def props_if(look: Callable[[], object], identity: str, props: Props) -> ReadResult:
    """Unchanged when `look` finds it."""
    try:
        look()
    except NotFound:
        return gone()
    return ReadResult(identity, props)


def gone() -> ReadResult:
    """How a dynamic provider says that a resource does not exist any more."""
    return ReadResult("", {})


def unique(prefix: str) -> str:
    """A name nobody else has, within the engine's limit."""
    return f"{prefix[: MAX_NAME - 9]}-{secrets.token_hex(4)}"
