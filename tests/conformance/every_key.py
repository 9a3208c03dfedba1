"""Configurations that have every key there is, among them, and which keys those are."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from pydantic import BaseModel

from config.reader import Keys
from tests.certificates import Authority
from tests.program import BLOCKS, DIGEST, DOMAIN, EXISTING, config_for
from tools.keys import KINDS, with_options

SECRETS = ("correct-horse-battery-staple", "tr0ub4dor-and-3-more")
"""What may never be shown: of a service, and of a registry."""
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
POLICY = "arn:aws:iam::123456789012:policy/boundary"
AMI = "ami-0123456789abcdef0"
LOGIN = {"username": "robot", "password": SECRETS[1], "repositories": {"api": "ours"}}
API: Mapping[str, Any] = {
    "port": 9000,
    "cpu": 0.25,
    "memory": 512,
    "replicas": 2,
    "health": "/up",
    "env": {"LEVEL": "debug"},
    "secrets": {"KEY": SECRETS[0]},
    "secrets-as": "file",
    "command": ["serve"],
    "release": ["migrate"],
    "public": True,
    "build": {"context": "app", "dockerfile": "Dockerfile", "target": "prebuilt", "args": {"A": "1"}, "run": "make"},
    "digest": DIGEST,
    "architecture": "x86_64",
    "user": 1000,
    "writable": ["/tmp"],
}
"""What every orchestrator takes."""
WEB = {"image": f"docker.io/library/nginx@{DIGEST}", "public": False, "replicas": 1}
ON_ECS = {
    "replicas": {"min": 2, "max": 4, "cpu": 60},
    "secrets-as": "env",
    "jobs": {"night": {"command": ["tidy"], "schedule": "0 3 * * *", "time-zone": "UTC"}},
    "path": "/api",
    "host": "api.example.com",
    "permissions": [
        {
            "actions": ["s3:GetObject"],
            "resources": ["arn:aws:s3:::shop/*"],
            "conditions": {"StringEquals": {"aws:ResourceTag/team": ["shop"]}},
        }
    ],
}
PLATFORMS = {"build": {"context": "app", "platforms": ["linux/amd64", "linux/arm64"]}}
GATE = {"polls": 2, "interval": 1, "timeout": 60, "settle": 5}
GUARD = {"errors": 1, "latency": 2, "samples": 100, "restarts": 1, "patience": 60}
USAGE = {
    "preset": "medium",
    "image-size": 100,
    "deploys": 30,
    "layer-reuse": 0.8,
    "requests": 1_000_000,
    "response-size": 4,
    "requests-per-connection": 10,
    "logs": 1,
    "audit-logs": 1,
    "flow-logs": 1,
    "hours": 730,
    "load": 0.5,
    "free-allowances": True,
    "extended-support": False,
    "github-plan": "team",
    "cluster": "unknown",
}
GITHUB = {
    "repository": "acme/shop",
    "repository-id": 1,
    "owner-id": 2,
    "environment": "production",
    "branch": "main",
    "permissions-boundary": POLICY,
    "provider": "make",
    "orchestrators": ["ecs-fargate", "eks"],
    "state-bucket": "acme-state",
    "state-key": KEY,
}
IN_PRODUCTION = {
    "domain": DOMAIN,
    "network": "nat-per-az",
    "zones": 3,
    "flow-logs": "all",
    "log-days": 90,
    "protect": True,
    "access-logs": True,
    "strict": True,
    "permissions-boundary": POLICY,
    "kms-key": KEY,
    "waf": "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/shop/a1b2c3d4-5678-90ab-cdef-1234567890ab",
    "tls-policy": "ELBSecurityPolicy-TLS13-1-3-PQ-2025-09",
    "exceptions": {"ELB.5": "the proxy in front of it keeps the logs"},
    "github": GITHUB,
    "gate": GATE,
    "guard": {**GUARD, "alarms": ["too-slow"]},
    "usage": USAGE,
    "ecr": {"keep": 10, "repositories": {"api": "team/api"}},
    "ecs-fargate": {"cluster": "arn:aws:ecs:us-east-1:123456789012:cluster/theirs", "spot": True},
}
THEIRS = {
    **EXISTING,
    "vpc": {**EXISTING["vpc"], "private-subnets": ["subnet-3", "subnet-4"]},
    "security-groups": {"replicas": "sg-replicas"},
    "dockerhub": {**LOGIN, "namespace": "acme", "login": "cache", "public": False},
    "ecs-ec2": {"instance-types": ["t3.large"], "min": 1, "max": 3, "disk": 40, "ami": AMI, "isolated": True},
}
ON_SWARM = {"instance-type": "t3.large", "managers": 3, "workers": 1, "disk": 20, "ami": AMI, "timeout": 300}
A_MOVE = {
    "plain-http": True,
    "traffic": {"swarm-ec2": 90, "eks": 10},
    "vpc": EXISTING["vpc"],
    "security-groups": {"load-balancer": "sg-callers"},
    "pull-from": "ecr",
    "ghcr": {**LOGIN, "owner": "acme", "login": "direct", "public": False},
    "swarm-ec2": {**ON_SWARM, "ports": {"api": 21_000}},
    "eks": {"version": "1.34", "access": ["203.0.113.0/24"], "admins": ["arn:aws:iam::123456789012:role/ops"]},
}
GOOGLE = {
    "project": "acme",
    "location": "us",
    "repository": "images",
    "keep": 10,
    "service-account-key": SECRETS[1],
    "workload-identity-provider": "projects/1/locations/global/workloadIdentityPools/github/providers/github",
    "service-account": "push@acme.iam.gserviceaccount.com",
}
PRIVATE = {"artifact-registry": GOOGLE, "eks": {"private-access": ["10.0.0.0/8"]}}
HARBOR = {"host": "registry.example.com", "namespace": "shop", "username": "robot", "password": SECRETS[1]}
ENGINE = {"host": "tcp://10.0.0.4:2376", "publish": "ingress", "encrypt": True, "timeout": 60}
CLUSTER = {**BLOCKS["kubernetes"], "namespace": "shop", "drain": 30}
INLINE = f"{{contexts: [{{name: prod}}]}} # {SECRETS[0]}"
PROXY = {
    "edge": "proxy",
    "domain": {"name": "www.example.com"},
    "gate": GATE,
    "guard": GUARD,
    "access-logs": True,
}
ON_THE_INSTANCE = {
    "edge": "proxy-ec2",
    "network": "public",
    "domain": DOMAIN,
    "proxy-ec2": {"acme": {"email": "ops@example.com", "challenge": "tls"}, "image": f"traefik@{DIGEST}"},
    "swarm-ec2": {**ON_SWARM, "managers": 1, "workers": 0},
}
PORTS = {"http": 8080, "https": 8443, "metrics": 9100}


def _whole(registry: str, orchestrator: str, more: Mapping[str, Any], **api: Any) -> dict[str, Any]:
    preset = "production" if "zones" in more else "standard"
    return {**config_for(registry, orchestrator, preset, api={**API, **api}, web=WEB), **more}


@cache
def every() -> tuple[dict[str, Any], ...]:
    """The configurations, each of which is right."""
    with TemporaryDirectory() as place:
        chain, key = Authority.at(Path(place) / "ca").certificate("www.example.com")
    acme = {"email": "ops@example.com", "server": "https://ca.example.com/dir", "challenge": "tls", "root": chain}
    own = {"chain": chain, "key": f"{key}# {SECRETS[1]}\n"}
    behind = {"host": "tcp://10.0.0.4:2376", "ports": PORTS, "image": "traefik:3.6"}
    nodes = {
        **CLUSTER,
        "kubeconfig-file": None,
        "kubeconfig": INLINE,
        "exposure": "nodeport",
        "address": "nodes.example.com",
        "node-ports": {"api": 30_080},
    }
    ingress = {"ingress-class": "nginx", "ingress-host": "www.example.com", "ingress-tls": "certificate"}
    shared = {**CLUSTER, "exposure": "ingress", "annotations": {"a/b": "c"}, "callers": ["10.0.0.0/8"], **ingress}
    return (
        _whole("ecr", "ecs-fargate", IN_PRODUCTION, **ON_ECS),
        _whole("dockerhub", "ecs-ec2", THEIRS, **PLATFORMS, **{"secrets-as": "env"}),
        _whole("ghcr", "swarm-ec2", A_MOVE),
        _whole("ecr", "swarm-ec2", ON_THE_INSTANCE),
        _whole("artifact-registry", "eks", PRIVATE, **{"secrets-as": "env"}),
        _whole("oci", "swarm", {"oci": HARBOR, "swarm": {**ENGINE, "ports": {"api": 8081}}}),
        _whole("oci", "swarm", {**PROXY, "oci": HARBOR, "swarm": ENGINE, "proxy": {**behind, "acme": acme}}),
        _whole(
            "oci", "kubernetes", {**PROXY, "oci": HARBOR, "kubernetes": nodes, "proxy": {**behind, "certificate": own}}
        ),
        _whole("oci", "kubernetes", {"oci": HARBOR, "kubernetes": shared}, path="/api"),
    )


def known() -> Iterator[str]:
    """Each key that a stack can set, and each below it, by its path without the names that a stack gives itself."""
    yield from _of(Keys)
    for rows in KINDS.values():
        for name, options in with_options(rows):
            yield from (f"{name}.{path}" for path in _of(options))


def has(config: Mapping[str, Any], path: str) -> bool:
    """Whether a configuration sets such a key."""
    head, *steps = path.split(".")
    return head in config and _reaches(config[head], steps)


def _reaches(value: Any, steps: Sequence[str]) -> bool:
    if not steps:
        return True
    named = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    places = [each for each in (value, *named) if isinstance(each, dict)]
    return any(steps[0] in each and _reaches(each[steps[0]], steps[1:]) for each in places)


def _of(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = field.alias or name
        yield key
        for inner in _models(field.annotation):
            yield from (f"{key}.{path}" for path in _of(inner))


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models(each)
