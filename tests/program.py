"""Running the whole program, `__main__.py`, over the pretend cloud."""

import json
import runpy
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from components import orchestrator, registry
from components.orchestrator import OrchestratorOptions
from components.registry import RegistryOptions
from components.testing.cloud import Cloud
from components.testing.engine import Graph, deploy, start

ROOT = Path(__file__).parents[1]
DIGEST = f"sha256:{'a' * 64}"
SERVICE: Mapping[str, Any] = {"digest": DIGEST}
BLOCKS: Mapping[str, Mapping[str, Any]] = {
    "artifact-registry": {"project": "acme", "location": "us", "repository": "images", "service-account-key": "{}"},
    "dockerhub": {"namespace": "acme", "username": "robot", "password": "registry-token"},
    "ghcr": {"owner": "acme", "username": "robot", "password": "registry-token"},
    "oci": {"host": "registry.example.com"},
    "eks": {"access": ["203.0.113.0/24"]},
    "ecs-ec2": {"isolated": True},
    "swarm-ec2": {"instance-type": "t3.medium", "workers": 1},
    "kubernetes": {"context": "prod", "kubeconfig-file": str(ROOT / "tests" / "kubeconfig.yaml")},
}
"""The smallest block of each backend that cannot do without one. Presets matter: eks needs it with production, ecs-ec2
with trial. Swarm's nodes must have room for the replicas."""
SECRETS = ('"secrets": {"', '"password": "', '"service-account-key": "', '"kubeconfig": "', '"key": "')
"""What a value has in it, as JSON, when it has something to encrypt."""
DOMAIN: Mapping[str, Any] = {"name": "www.example.com", "zone": "example.com"}
"""What production has behind a load balancer."""
EXISTING: Mapping[str, Any] = {
    "vpc": {"id": "vpc-1", "public-subnets": ["subnet-1", "subnet-2"]},
    "load-balancer": {
        "listener": "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/theirs/1/2",
        "security-group": "sg-lb",
        "url": "https://api.example.com",
    },
}
"""Someone else's network and load balancer. With these a stack on AWS makes little but what its registry and its
orchestrator are about, so it is the quicker one to ask about them."""


def runtime_options(key: str) -> OrchestratorOptions:
    """An orchestrator's, of the smallest block that works."""
    return orchestrator.load(key).Options.model_validate_json(json.dumps(BLOCKS.get(key, {})))


def registry_options(name: str) -> RegistryOptions:
    """A registry's, likewise."""
    return registry.load(name).Options.model_validate_json(json.dumps(BLOCKS.get(name, {})))


def config_for(registry: str, orchestrator: str, preset: str = "trial", **services: Any) -> dict[str, Any]:
    """A configuration that is right, as the values of a stack file. Without services: one, `api`."""
    blocks = {key: BLOCKS[key] for key in (registry, orchestrator) if key in BLOCKS}
    on_aws = runtime_options(orchestrator).platform == "aws"
    return {
        "aws:region": "us-east-1",
        "registry": registry,
        "orchestrator": orchestrator,
        "preset": preset,
        "services": services or {"api": SERVICE},
        **({"domain": DOMAIN} if preset == "production" and on_aws else {}),
        **blocks,
    }


def as_pulumi(config: Mapping[str, Any], project: str = "switchyard") -> dict[str, str]:
    """As Pulumi hands it to a program: full keys, and JSON for what is not text."""
    return {
        key if ":" in key else f"{project}:{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in config.items()
    }


def run_program(
    config: Mapping[str, Any],
    secret_keys: Iterable[str] = BLOCKS,
    project: str = "switchyard",
    stack: str = "dev",
) -> Graph:
    """Run `__main__.py` with `config` (as from `config_for`); the graph of what it registers.

    The secrets under `secret_keys` count as encrypted.
    """
    values = as_pulumi(config, project)
    full = (f"{project}:{key}" for key in secret_keys)
    encrypted = tuple(key for key in full if any(each in values.get(key, "") for each in SECRETS))
    engine = start(Cloud(), values, encrypted, project, stack)

    def program() -> None:
        runpy.run_path(str(ROOT / "__main__.py"))

    deploy(program)
    return engine.graph
