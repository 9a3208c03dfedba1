"""Docker Swarm on an engine given by host: this machine's own, or any manager."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from platform import release
from typing import Any, Literal

import pulumi
from pydantic import Field

from components import dynamic, hooks, quotas
from components.cost import COLUMNS, Demand, Item, Unpriced
from components.docker_host import DEFAULT_HOST, EngineAddress, Port, address
from components.model import Contradiction
from components.needs import Need, Quota, SwarmManager
from components.orchestrator import HONOURED, Of, Orchestrator, OrchestratorOptions, refused, translated
from components.pull import Anonymous, Login
from components.release import fingerprint
from components.service import EITHER_DAY, IN_ENV, IN_FILES, Name, Service, of_no_service
from components.shell import command
from components.workflow import Access, Setting, Step
from components.workload import Address, Image, Target, Workload

SECOND = 10**9
"""The engine counts time in nanoseconds, and CPU in billionths of one."""
MEBIBYTE = 2**20
GRACE = 30 * SECOND
"""From SIGTERM to SIGKILL, as on Kubernetes and ECS."""
MONITOR = 5 * SECOND
"""How long a new replica is watched before the next is replaced; a failure within it rolls the update back."""
PLATFORMS = {"x86_64": "amd64", "arm64": "arm64"}

SSH_KEY = Setting("SWARM_SSH_KEY", "a private key, in OpenSSH's form, of a user who may use the engine", secret=True)
SSH_HOSTS = Setting("SWARM_KNOWN_HOSTS", "the line that `ssh-keyscan HOST` prints, compared with the host's own key")
WRITE_SSH_KEY = """\
umask 077
mkdir -p ~/.ssh
printf '%s\\n' "$KEY" > ~/.ssh/id_ed25519
printf '%s\\n' "$HOSTS" >> ~/.ssh/known_hosts
"""

NO_SCHEDULER = refused("Swarm has no scheduler: call `yard run` from a cron of your own")


class SwarmOptions(OrchestratorOptions):
    """`swarm`."""

    key = "swarm"
    target = "address"
    pulls_by = (Anonymous, Login)
    operated_by = "components.operations.swarm:OnSwarm"
    verbs = {
        "status": HONOURED,
        "logs": HONOURED,
        "run": translated("a service of one task that is not started again; it goes when the task has ended"),
        "exec": translated("docker exec, where a replica runs on the node whose engine the stack names"),
    }
    capabilities = {
        "port": translated(
            "published on the engine's host, under `swarm.ports` where that is given; behind an edge it is not, and"
            " `swarm.ports` is refused"
        ),
        "cpu": HONOURED,
        "memory": translated("reserved and limited: a replica that needs more is killed"),
        "replicas": HONOURED,
        "autoscaling": refused("Swarm has no autoscaler; give replicas as one number"),
        "health": translated(
            "the image's own HEALTHCHECK tells Swarm; on this machine `up` also waits until the path answers"
        ),
        "env": HONOURED,
        "secrets": translated(
            "Swarm secret, a file for the service's user alone: NAME_FILE=/run/secrets/NAME is set in place of NAME, "
            "which an engine would show to all who may inspect"
        ),
        IN_ENV: refused(
            "Swarm has secrets in files alone, and a variable is shown to all who may inspect: let the process read the"
            " file that NAME_FILE names and say `secrets-as: file`, or take another orchestrator"
        ),
        IN_FILES: HONOURED,
        "command": HONOURED,
        "release": translated("a service of one task, before the service changes"),
        "jobs": NO_SCHEDULER,
        EITHER_DAY: NO_SCHEDULER,
        "path": refused("there is no edge before Swarm; each service answers on a port of its own"),
        "host": refused("there is no edge before Swarm; each service answers on a port of its own"),
        "public": translated("false: no port is published; services of the stack reach it by its name"),
        "digest": HONOURED,
        "image": HONOURED,
        "architecture": translated("placement on nodes of that platform"),
        "user": HONOURED,
        "writable": translated("tmpfs: in memory, and within the service's memory"),
        "permissions": refused("Swarm knows no roles on AWS; give the service a key of its own under secrets"),
    }

    host: EngineAddress | None = Field(
        default=None,
        description=f"The engine of a Swarm manager. Unset: DOCKER_HOST, otherwise {DEFAULT_HOST}.",
    )
    publish: Literal["auto", "ingress", "host"] = Field(
        default="auto",
        description="ingress: every node answers; needs IPVS in the kernel. host: only nodes with a replica answer,"
        " one replica a node, and an update stops the old one first. auto: host if the engine is on this machine"
        " and its kernel has no IPVS, otherwise ingress.",
    )
    ports: dict[Name, Port] = Field(
        default={},
        description="A map of service to its published port. Unset: the service's own port. Refused behind an edge.",
    )
    encrypt: bool = Field(default=False, description="Encrypt traffic between nodes (IPsec in the kernel).")
    timeout: int = Field(
        default=300, ge=10, le=3600, description="Seconds in which all replicas of a service must be healthy."
    )

    def needs(self, stack: str, services: Mapping[str, Service], protect: bool) -> Iterator[Need]:
        yield SwarmManager(self.host)
        yield overlay_addresses(services, 1, virtual=self.publish == "ingress")

    def workflow_access(self, region: str) -> Access:
        """The way of `host` by SSH: a key, and who answers to it."""
        if self.host is None or not self.host.startswith("ssh://"):
            lacks = (
                f"swarm.host is {self.host or 'not set'}: a runner of GitHub's reaches an engine by SSH alone. Set it"
                " to ssh://USER@HOST, or give the jobs a runner of your own beside the engine"
            )
            return Access(lacks=(lacks,))
        env = {"KEY": SSH_KEY.expression, "HOSTS": SSH_HOSTS.expression}
        return Access((Step("Write the SSH key", run=WRITE_SSH_KEY, env=env),), (), (SSH_KEY, SSH_HOSTS))

    def check(self, services: Mapping[str, Service], protect: bool) -> Iterator[Contradiction]:
        """Ports that no service has."""
        yield from of_no_service("ports", self.ports, services)

    def joins(self) -> Iterator[Contradiction]:
        if self.ports:
            yield "ports", self.ports, "nothing behind an edge: it finds the replicas itself, and no port is published"

    def alone(self, services: Mapping[str, Service]) -> Iterator[Contradiction]:
        """Ports that two services would take."""
        taken: dict[int, str] = {}
        for name, service in services.items():
            port = self.ports.get(name, service.port)
            if service.public and (other := taken.setdefault(port, name)) != name:
                yield f"ports.{name}", port, f"another port than {other}'s, which is published under the same"

    def notes(self, services: Mapping[str, Service]) -> Iterator[str]:
        yield from unsaid(services)

    def logs(self, stack: str, service: str) -> str:
        """The engine keeps them, rotated."""
        return command("docker", "service", "logs", "--follow", f"{stack}-{service}")

    def costs(self, demand: Demand) -> Iterator[Item]:
        """It runs on machines that are there already."""
        for column in COLUMNS:
            if column != "registry":
                yield Unpriced(
                    column, "the swarm", "its machines exist already, and only their owner knows what they cost"
                )


def unsaid(services: Mapping[str, Service]) -> Iterator[str]:
    """What an ordinary process would run into: its variable is empty, and nobody has said that it reads files."""
    for name, service in services.items():
        if service.secrets and service.secrets_as is None:
            yield (
                f"{name} finds no {', '.join(sorted(service.secrets))} in its environment: Swarm hands secrets over as"
                f" files, {', '.join(f'{key}={path}' for key, path in service.secret_files.items())}. Where the process"
                f" reads these, say so with services.{name}.secrets-as: file"
            )


class Network(dynamic.Resource, module="swarm", name="Network"):
    """An overlay network."""

    kept_by = "components.orchestrator.swarm_engine:NetworkProvider"


class Secret(dynamic.Resource, module="swarm", name="Secret"):
    """A value that replicas read as a file. Swarm's secrets never change, so a new value is a new secret."""

    kept_by = "components.orchestrator.swarm_engine:SecretProvider"
    name: pulumi.Output[str]


class SwarmService(dynamic.Resource, module="swarm", name="Service"):
    """A service; made only when every replica is healthy."""

    kept_by = "components.orchestrator.swarm_engine:ServiceProvider"


class Job(dynamic.Resource, module="swarm", name="Job"):
    """A task that runs once; made only when it has ended well. Nothing of it stays on the swarm."""

    kept_by = "components.orchestrator.swarm_engine:JobProvider"


class SwarmRuntime(Orchestrator[Of]):
    """What services on a swarm need, whoever keeps the swarm."""

    publish: Literal["ingress", "host"]
    """How ports are published; `build` sets it, and the next."""
    overlay: Network

    @abstractmethod
    def secret(self, service: str, variable: str, value: str) -> Secret:
        """The Swarm secret behind one variable of one service."""

    def release(
        self, name: str, service: Service, image: Image, props: dict[str, Any], before: Sequence[pulumi.Resource]
    ) -> list[pulumi.Resource]:
        """The run of a service's release command; none where it does not run here. `props` are the service's own."""
        if self.args.releases.get(name) not in ("due", "done"):
            return []
        of_service: dict[str, Any] = {
            key: props[key] for key in ("host", "swarm", "name", "spec", "login") if key in props
        }
        job = {"command": list(service.release), "run": fingerprint(service.release, image.digest)}
        opts = pulumi.ResourceOptions(parent=self, depends_on=[*before], additional_secret_outputs=["login"])
        return [Job(f"{name}--release", {**of_service, **job}, opts)]

    def dial(self, name: str, service: Service) -> str:
        """Where an edge on the network finds the replicas of a service: by this name, and not by the service's own,
        they are found where the kernel has no IPVS too."""
        return f"tasks.{self.args.stack}-{name}:{service.port}"

    def tried_on_both_ports(self, name: str, target: Target | None, dial: str) -> pulumi.ResourceHookBinding | None:
        """While the replicas change to another port, one by one, an edge that has one port for all of them tries both:
        the new one at `dial` as well."""
        if target is None or target.also is None:
            return None
        also = target.also

        def both(args: pulumi.ResourceHookArgs) -> None:
            if own_port(args.old_inputs) != own_port(args.new_inputs):
                also(dial)

        return pulumi.ResourceHookBinding(before_update=[hooks.waiting(f"port-{name}/{self.options.key}", both)])

    @abstractmethod
    def log_driver(self, service: str) -> dict[str, Any]:
        """Where the replicas of a service write their logs, as the engine is told."""


class Swarm(SwarmRuntime[SwarmOptions]):
    """A network for the stack, and a Swarm service for each service."""

    token = "switchyard:orchestrator:Swarm"

    def build(self, child: pulumi.ResourceOptions) -> dict[str, pulumi.Input[str]]:
        """An overlay network of the stack's own, on which services find each other by name."""
        self.host = self.options.host or os.environ.get("DOCKER_HOST") or DEFAULT_HOST
        self.publish = publish_mode(self.options.publish, self.host)
        wanted = {"host": self.host, "prefix": self.args.stack, "encrypt": self.options.encrypt}
        # Before an edge that finds the replicas there, its container joins; without one nothing changes for a stack.
        joined = {"attachable": True} if self.args.behind_edge else {}
        self.overlay = Network(self.options.key, {**wanted, **joined}, child)
        return {"host": self.host, "publish": self.publish}

    def run(self, name: str, service: Service, image: Image, target: Target | None) -> Workload:
        """A Swarm service; done when every replica is healthy and, on this machine, the health path answers."""
        published = service.public and target is None
        port = self.options.ports.get(name, service.port) if published else None
        url = f"http://{address(self.host)}:{port}" if port else None
        for note in unsaid({name: service}):
            pulumi.log.warn(note, self)
        props = {
            "host": self.host,
            "name": f"{self.args.stack}-{name}",
            "spec": spec(self, name, service, image, port),
            "login": login(image.pull),
            "probe": f"{url}{service.health}" if url and self.is_local else "",
            "timeout": self.options.timeout,
        }
        released, dial = self.release(name, service, image, props, []), self.dial(name, service)
        workload = SwarmService(
            name,
            props,
            pulumi.ResourceOptions(
                parent=self,
                depends_on=released,
                additional_secret_outputs=["login"],
                hooks=self.tried_on_both_ports(name, target, dial),
            ),
        )
        if target:
            return Workload(healthy=(workload,), address=Address(workload.id.apply(lambda _: dial), self.overlay.id))
        done = workload.id.apply(lambda _: url) if url else None
        return Workload(healthy=(workload,), url=done)

    def secret(self, service: str, variable: str, value: str) -> Secret:
        """The Swarm secret behind one variable of one service."""
        return Secret(
            f"{service}-{variable}",
            {
                "host": self.host,
                "stack": self.args.stack,
                "prefix": f"{self.args.stack}-{service}-{variable}",
                "value": pulumi.Output.secret(value),
                "name": None,
            },
            pulumi.ResourceOptions(parent=self, additional_secret_outputs=["value"]),
        )

    def log_driver(self, service: str) -> dict[str, Any]:
        """The engine's own that rotates by itself; its default fills the disk."""
        return {"Name": "local"}

    @property
    def is_local(self) -> bool:
        """Whether the published ports are this machine's."""
        return address(self.host) == "localhost"


def spec(swarm: SwarmRuntime[Any], name: str, service: Service, image: Image, port: int | None) -> dict[str, Any]:
    """What the engine is asked for, in its own terms (Docker Engine API, ServiceCreate)."""
    labels = {"switchyard.stack": swarm.args.stack, "switchyard.service": name}
    order = "stop-first" if swarm.publish == "host" and port else "start-first"
    change = {"Parallelism": 1, "Monitor": MONITOR, "Order": order}
    return {
        "Labels": labels,
        "TaskTemplate": {
            "ContainerSpec": container(swarm, name, service, image, labels),
            "Resources": {
                "Limits": {"NanoCPUs": round(service.cpu * SECOND), "MemoryBytes": service.memory * MEBIBYTE},
                "Reservations": {"MemoryBytes": service.memory * MEBIBYTE},
            },
            "RestartPolicy": {"Condition": "any", "Delay": SECOND},
            "Placement": {"Platforms": [{"Architecture": PLATFORMS[service.architecture], "OS": "linux"}]},
            "Networks": [{"Target": swarm.overlay.id, "Aliases": [name]}],
            "LogDriver": swarm.log_driver(name),
        },
        "Mode": {"Replicated": {"Replicas": service.replicas.min}},
        "UpdateConfig": {**change, "FailureAction": "rollback"},
        "RollbackConfig": {**change, "FailureAction": "pause"},
        "EndpointSpec": endpoint(swarm.publish, service.port, port),
    }


def container(
    swarm: SwarmRuntime[Any], name: str, service: Service, image: Image, labels: dict[str, str]
) -> dict[str, Any]:
    """One replica: nothing but its own user, a file system it cannot write to, and no capabilities."""
    secrets = {key: swarm.secret(name, key, value.get_secret_value()) for key, value in service.secrets.items()}
    env = {**service.environment(name, swarm.options.key), **service.secret_files}
    wanted: dict[str, Any] = {
        "Image": image.ref,
        "Args": list(service.command),
        "Env": [f"{key}={value}" for key, value in sorted(env.items())],
        "Labels": labels,
        "User": str(service.user),
        "ReadOnly": True,
        "CapabilityDrop": ["ALL"],
        "Privileges": {"NoNewPrivileges": True},
        "StopGracePeriod": GRACE,
        "Mounts": [{"Type": "tmpfs", "Target": path} for path in service.writable],
        "Secrets": [secret_file(key, each, service.user) for key, each in sorted(secrets.items())],
    }
    return {key: value for key, value in wanted.items() if value != []}


def own_port(inputs: Any) -> str:
    """The port on which replicas are told to listen, by their resource's inputs."""
    env: list[str] = inputs["spec"]["TaskTemplate"]["ContainerSpec"]["Env"]
    return next(each for each in env if each.startswith("PORT="))


def secret_file(variable: str, secret: Secret, user: int) -> dict[str, Any]:
    """The secret as /run/secrets/VARIABLE, for the service's user alone."""
    file = {"Name": variable, "UID": str(user), "GID": "0", "Mode": 0o400}
    return {"SecretID": secret.id, "SecretName": secret.name, "File": file}


def endpoint(publish: str, inside: int, outside: int | None) -> dict[str, Any]:
    """How the service is reached. Without IPVS there is no virtual IP, so names resolve to the replicas."""
    wanted: dict[str, Any] = {"Mode": "dnsrr" if publish == "host" else "vip"}
    if outside:
        port = {"Protocol": "tcp", "TargetPort": inside, "PublishedPort": outside, "PublishMode": publish}
        wanted["Ports"] = [port]
    return wanted


def overlay_addresses(services: Mapping[str, Service], nodes: int, *, virtual: bool = True) -> Quota:
    """Each replica has an address on the stack's network, each node one, and where they are `virtual` each service."""
    replicas = sum(each.replicas.min for each in services.values())
    return Quota(quotas.OVERLAY_ADDRESSES, nodes + replicas + (len(services) if virtual else 0))


def login(pull: object) -> dict[str, Any] | None:
    """What the engine shows the registry; None where anyone may pull."""
    if not isinstance(pull, Login):
        return None
    return {"serveraddress": pull.server, "username": pull.username, "password": pull.password}


def publish_mode(wanted: Literal["auto", "ingress", "host"], host: str) -> Literal["ingress", "host"]:
    """`auto` decided: the routing mesh needs IPVS, and only this machine's kernel can be asked."""
    if wanted != "auto":
        return wanted
    return "host" if address(host) == "localhost" and not has_ipvs() else "ingress"


def has_ipvs(root: Path = Path("/")) -> bool:
    """Whether this Linux kernel has IPVS, loaded or not. Elsewhere Docker brings a kernel that has."""
    if not (root / "proc/net").exists():
        return True
    modules = root / "lib/modules" / release()
    listed = (file.read_text() for file in (modules / "modules.dep", modules / "modules.builtin") if file.exists())
    return (root / "proc/net/ip_vs").exists() or any("/ip_vs.ko" in text for text in listed)
