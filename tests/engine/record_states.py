"""Record stacks of every kind, for test_recorded_states.py: `python -m tests.engine.record_states`, some minutes.

What is recorded is the word of the program that records. So this is for the program of a release whose stacks the next
one must not touch, never for one under change: check that commit out first. Names after the command record these anew
and keep the others.
"""

import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, Self

import yaml
from pulumi.runtime.proto import provider_pb2

from components.orchestrator import ORCHESTRATORS
from components.registry import REGISTRIES
from rehearsal import Cloud, kubernetes, wire
from rehearsal.apis import kms
from rehearsal.aws import types
from rehearsal.package import Urn
from rehearsal.server import Server, Servicer
from rehearsal.state import CloudResource, CloudState
from tests.engine import states
from tests.engine.passage import GATE
from tests.program import BLOCKS, DIGEST, EXISTING
from tests.stack import Stack
from yard.rehearsing import environment

ON_AWS = ("ecs-fargate", "ecs-ec2", "eks", "swarm-ec2")
REFUSED = {("ecr", "kubernetes"), ("ecr", "swarm")}
"""Pairs that are an error."""
PAIRS = sorted(set(product(REGISTRIES, ORCHESTRATORS)) - REFUSED)

MOVES = (
    ("ecs-fargate", "ecs-ec2"),
    ("ecs-fargate", "swarm-ec2"),
    ("ecs-ec2", "eks"),
    ("eks", "ecs-fargate"),
    ("eks", "swarm-ec2"),
    ("swarm-ec2", "ecs-ec2"),
)
"""Each two of those on AWS, every one of them both as the old and as the new one."""

LISTENER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/main/1/2"
NAMESPACE = "apps"
SERVER = "https://cluster.example.com"
KUBECONFIG = f"""\
current-context: prod
contexts: [{{name: prod, context: {{cluster: prod, user: prod}}}}]
clusters: [{{name: prod, cluster: {{server: "{SERVER}"}}}}]
users: [{{name: prod, user: {{token: correct-horse}}}}]
"""
PLAIN: Mapping[str, Mapping[str, Any]] = {
    **{key: {name: each for name, each in block.items() if name != "password"} for key, block in BLOCKS.items()},
    "artifact-registry": {"project": "acme", "location": "us", "repository": "images"},
    "oci": {"host": "registry.example.com", "username": "robot"},
    "ecs-ec2": {"isolated": True, "instance-types": ["t3.medium", "t4g.medium"]},
    "kubernetes": {"context": "prod"},
    "swarm": {"host": "ssh://admin@swarm.example.com"},
}
"""The block of each backend that has one, without what is encrypted in it."""
ENCRYPTED = {
    "artifact-registry": ("service-account-key", '{"type": "service_account"}'),
    "dockerhub": ("password", "dckr-correct-horse"),
    "ghcr": ("password", "ghp-correct-horse"),
    "oci": ("password", "oci-correct-horse"),
    "kubernetes": ("kubeconfig", KUBECONFIG),
}
"""The rest of it: field and value."""

API: Mapping[str, Any] = {
    "digest": DIGEST,
    "port": 9000,
    "cpu": 0.5,
    "memory": 1024,
    "health": "/ready",
    "env": {"LOG_LEVEL": "info", "WORKERS": 4},
    "command": ["--verbose", "--color=never"],
    "user": 1001,
    "writable": ["/tmp", "/var/cache"],
}
WORKER: Mapping[str, Any] = {"digest": DIGEST, "public": False}
SCALING = {"min": 2, "max": 4, "cpu": 60}
ROUTE = {"path": "/v1", "host": "api.example.com"}
SECRETS = {"api.secrets.DB_PASSWORD": "correct-horse-battery", "worker.secrets.TOKEN": "staple"}


@dataclass(frozen=True)
class Case:
    """How a stack came to be."""

    registries: tuple[str, ...]
    """The one of its images; then the one that they move to, if they do."""
    orchestrators: tuple[str, ...]
    """The one that runs it; then the one that it moves to, if it does."""
    more: Mapping[str, Any] = field(default_factory=dict)
    exists: tuple[str, ...] = ()
    """Ids and ARNs of what others made."""

    @property
    def on_aws(self) -> bool:
        """Whether it stands behind the load balancer."""
        return set(self.orchestrators) <= {*ON_AWS}

    def config(self) -> dict[str, Any]:
        """The values of its file at first, without what is encrypted."""
        blocks = {key: PLAIN[key] for key in (*self.registries, *self.orchestrators) if key in PLAIN}
        blocks |= {"gate": GATE} if self.on_aws else {}
        return {
            "aws:region": "us-east-1",
            "registry": self.registries[0],
            "orchestrator": self.orchestrators[0],
            "services": self._services(),
            **blocks,
            **self.more,
        }

    def _services(self) -> dict[str, Any]:
        asked: dict[str, Any] = {**API, "replicas": 2}
        worker = WORKER
        if not any(key.startswith("swarm") for key in self.orchestrators):
            asked["replicas"], worker = SCALING, {**WORKER, "architecture": "arm64"}
        if self.on_aws:
            asked |= ROUTE
        return {"api": asked, "worker": worker}

    def secrets(self) -> dict[str, str]:
        """Path in the file -> value to be encrypted."""
        chosen = [key for key in (*self.registries, *self.orchestrators) if key in ENCRYPTED]
        return {f"switchyard:{key}.{ENCRYPTED[key][0]}": ENCRYPTED[key][1] for key in chosen} | {
            f"switchyard:services.{path}": value for path, value in SECRETS.items()
        }

    def then(self) -> dict[str, Any]:
        """What is set once it is up."""
        if len(self.registries) > 1:
            return {"registry": self.registries[1], "pull_from": self.registries[0]}
        if len(self.orchestrators) > 1:
            return {"traffic": dict(zip(self.orchestrators, (90, 10), strict=True))}
        return {}


def cases() -> dict[str, Case]:
    """Name -> how a stack came to be."""
    existing = {**EXISTING, "load-balancer": {**EXISTING["load-balancer"], "listener": LISTENER}}
    others = ("vpc-1", "subnet-1", "subnet-2", "sg-lb", LISTENER)
    production = {"preset": "production", "domain": {"name": "www.example.com", "zone": "example.com"}}
    closed = {"network": "endpoints"}
    ingress = {"kubernetes": {**PLAIN["kubernetes"], "exposure": "ingress", "ingress-host": "api.example.com"}}
    nodes = {"exposure": "nodeport", "address": "nodes.example.com", "node-ports": {"api": 30080}}
    node_ports = {"kubernetes": {**PLAIN["kubernetes"], "namespace": NAMESPACE, **nodes}}
    waiting = {"services": {"api": {"port": 9000}, "worker": {"public": False}}}
    return {
        **{f"{registry}-{key}": Case((registry,), (key,)) for registry, key in PAIRS},
        **{f"production-{key}": Case(("ecr",), (key,), production) for key in ON_AWS},
        **{f"endpoints-{key}": Case(("ecr",), (key,), closed) for key in ON_AWS},
        "existing-ecs-fargate": Case(("ecr",), ("ecs-fargate",), existing, others),
        "waiting-ecs-fargate": Case(("ecr",), ("ecs-fargate",), waiting),
        "ingress-kubernetes": Case(("ghcr",), ("kubernetes",), ingress),
        "nodeport-kubernetes": Case(("ghcr",), ("kubernetes",), node_ports),
        **{f"moving-{old}-to-{new}": Case(("ecr",), (old, new)) for old, new in MOVES},
        **{f"images-ecr-to-ghcr-{key}": Case(("ecr", "ghcr"), (key,)) for key in ON_AWS},
    }


class Echo(Servicer):
    """The provider of Swarm's resources without a swarm: it makes what it is asked for out of nothing."""

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.ProviderHandshakeResponse()

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.ConfigureResponse()

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.CheckResponse(inputs=request.news)

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        urn, made = Urn.parse(request.urn), wire.load(request.properties)
        made_up = CloudState.stable(urn.text, 25)
        if urn.type.endswith(":Secret"):
            made["name"] = made_up  # its provider names it
        return provider_pb2.CreateResponse(id=made_up, properties=wire.dump(made))


class Sky(Cloud):
    """A rehearsal cloud, with a cluster and a swarm beside it that are not on AWS."""

    def __init__(self, case: Case) -> None:
        self._case = case
        super().__init__(existing=case.exists, images=[DIGEST])

    def __enter__(self) -> Self:
        super().__enter__()
        if "kubernetes" in self._case.orchestrators:
            facts = {"endpoint": SERVER, "arn": "prod", "name": "prod"}
            self.state.add(CloudResource(types.EKS_CLUSTER, "prod", "prod", "", {}, facts, ready=True))
            inputs = {"kind": "Namespace", "metadata": {"name": NAMESPACE}}
            apps = CloudResource(kubernetes.NAMESPACE, NAMESPACE, NAMESPACE, "", {}, inputs, cluster=SERVER, ready=True)
            self.state.add(apps)
        if "swarm" in self._case.orchestrators:
            self._servers["pulumi-python"] = Server(Echo("aws"))
        return self


def record(case: Case) -> dict[str, Any]:
    """Bring a stack up, and read its file and its state."""
    with tempfile.TemporaryDirectory() as place, Sky(case) as sky, environment(sky):
        stack = Stack(Path(place) / "stack", sky.env, case.config(), case.secrets(), kms.SECRETS_PROVIDER)
        stack.up()
        if case.then():
            stack.set(**case.then())
            stack.up()
        file = yaml.safe_load((Path(place) / "stack" / "config" / "Pulumi.dev.yaml").read_text(encoding="utf-8"))
        revealed = stack.stack.export_stack().deployment
        return {"file": file, "state": _small(json.loads(stack.saved()), revealed), "exists": case.exists}


TOLD_BY_TIME_AND_PLACE = ("created", "modified", "sourcePosition", "stackTrace")


def _small(state: Any, revealed: Any) -> dict[str, Any]:
    """The state with its secrets in plain text, which is made up here, and without what each run writes anew."""
    latest = {**revealed, "manifest": {**revealed["manifest"], "time": "2026-01-01T00:00:00Z"}}
    latest["resources"] = [
        {key: each for key, each in resource.items() if key not in TOLD_BY_TIME_AND_PLACE}
        for resource in revealed["resources"]
    ]
    return {**state, "checkpoint": {**state["checkpoint"], "latest": latest}}


def main(names: list[str]) -> None:
    """Record all cases, or those that are named."""
    kept = dict(states.recorded()) if names else {}
    for name, case in cases().items():
        if not names or name in names:
            print(name, flush=True)
            kept[name] = record(case)
    states.write({name: kept[name] for name in cases()})


if __name__ == "__main__":
    main(sys.argv[1:])
