"""Every pair, every preset and every move: what the invariants are looked at on."""

from functools import cache
from itertools import permutations
from typing import Any

from components.orchestrator import ORCHESTRATORS, load
from components.pulling import cell
from components.registry import REGISTRIES
from components.testing.engine import Graph
from config.presets import PRESETS
from tests.program import BLOCKS, DIGEST, config_for, registry_options, run_program, runtime_options

SECRETS = ("correct-horse", "battery-staple")
LOGINS = {
    "artifact-registry": {"service-account-key": SECRETS[1]},
    "dockerhub": {"password": SECRETS[1]},
    "ghcr": {"password": SECRETS[1]},
    "oci": {"username": "robot", "password": SECRETS[1]},
}
TABLE = {(one, two): cell(registry_options(one), runtime_options(two)) for one in REGISTRIES for two in ORCHESTRATORS}
REFUSED = {pair: found.why for pair, found in TABLE.items() if found.how == "refused"}
PAIRS = [pair for pair in TABLE if pair not in REFUSED]
EVERY = [(*pair, preset) for pair in PAIRS for preset in PRESETS]
ON_AWS = [key for key in ORCHESTRATORS if load(key).Options.platform == "aws"]
MOVES = [(registry, *both) for registry in REGISTRIES for both in permutations(ON_AWS, 2)]


def services(on_aws: bool, scales: bool) -> dict[str, Any]:
    """Three services: one that asks for all it can, one beside it, and a worker."""
    api: dict[str, Any] = {"digest": DIGEST, "secrets": {"KEY": SECRETS[0]}, "writable": ["/tmp"]}
    web: dict[str, Any] = {"digest": DIGEST, "port": 9000}
    if on_aws:
        api |= {"replicas": {"min": 2, "max": 4} if scales else 2, "host": "api.example.com"}
        web |= {"path": "/web"}
    return {"api": api, "web": web, "worker": {"digest": DIGEST, "public": False}}


def configuration(registry: str, orchestrator: str, preset: str = "trial", newcomer: str = "") -> dict[str, Any]:
    """The configuration of a pair; with a newcomer, in the middle of a move to it."""
    on_aws = orchestrator in ON_AWS
    runtimes = [load(key).Options for key in (orchestrator, newcomer) if key]
    # Not with trial, with which all moves are: only a service that every orchestrator takes stays as it is in a move.
    scales = preset != "trial" and all(each.capabilities["autoscaling"].how != "refused" for each in runtimes)
    found = config_for(registry, orchestrator, preset, **services(on_aws, scales)) | {
        **{key: {**BLOCKS[key], **login} for key, login in LOGINS.items()},
        **{key: BLOCKS[key] for key in ("ecs-ec2", "eks", "swarm-ec2")},
    }
    if on_aws:
        found |= {"domain": {"name": "example.com", "zone": "example.com"}}
    if newcomer:
        found |= {"traffic": {orchestrator: 90, newcomer: 10}}
    return found


@cache
def graph(registry: str, orchestrator: str, preset: str = "trial", newcomer: str = "") -> Graph:
    """The graph that `configuration` makes."""
    return run_program(configuration(registry, orchestrator, preset, newcomer), ("services", *LOGINS))


again = cache(graph.__wrapped__)
"""The same, of another run: whoever comes back is at the configuration of the beginning."""
