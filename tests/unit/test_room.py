"""More of something than any quota has room for is refused by name before anything is made."""

from collections.abc import Mapping
from typing import Any

import pytest

from components import quotas
from components.testing.cloud import Cloud
from components.testing.engine import deploy, start
from config import digests
from config.load import running
from config.problems import BadConfig
from tests.program import DIGEST, as_pulumi, config_for
from tests.unit.test_settings import complaint, load


def many(count: int, **fields: Any) -> dict[str, Any]:
    """So many public services."""
    return {f"s{each}": {"digest": DIGEST, "path": f"/{each}", "memory": 128, **fields} for each in range(count)}


NAMED: dict[str, Any] = {name: {**each, "host": f"{name}.example.com"} for name, each in many(100).items()}
PORTS = {f"s{each}": 20_000 + each for each in range(100)}
"""Those that follow from the names may be two services' one: then `up` asks for others."""
SWARM = {"instance-type": "m7i.8xlarge", "managers": 1}
GROUPS = (
    "nobody raises that quota any further (ELB user guide, Quotas for your Application Load Balancers): divide the"
    " services among several stacks, each with a load balancer of its own"
)
TOO_MUCH: Mapping[str, tuple[dict[str, Any], str]] = {
    "101 services on one load balancer": (
        config_for("ecr", "ecs-fargate", **many(101)),
        "is 101 services, 101 of them public; want what needs at most 100 target groups on a load balancer, not 101;"
        f" {GROUPS}",
    ),
    "51 services in a move": (
        {**config_for("ecr", "ecs-fargate", **many(51)), "traffic": {"ecs-fargate": 9, "eks": 1}},
        "want what needs at most 100 target groups on a load balancer, not 102;",
    ),
    "101 names on a certificate": (
        {
            **config_for("ecr", "ecs-fargate", **NAMED),
            "domain": {"name": "www.example.com", "zone": "example.com"},
        },
        "want what needs at most 100 names on a certificate, not 101;",
    ),
    "51 services on a swarm's workers": (
        {**config_for("ecr", "swarm-ec2", **many(51)), "swarm-ec2": {**SWARM, "workers": 1}},
        "want what needs at most 50 target groups of an Auto Scaling group, not 51;",
    ),
    "replicas for which a swarm's network has no addresses": (
        {**config_for("ecr", "swarm-ec2", **many(50, replicas=5)), "swarm-ec2": SWARM},
        "want what needs at most 253 addresses of the swarm's overlay network, not 301;",
    ),
}


@pytest.mark.parametrize(("config", "says"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_it_is_refused_with_the_figures(config: Mapping[str, Any], says: str) -> None:
    told = complaint(config)
    assert "switchyard:services is " in told
    assert says in told


@pytest.mark.parametrize("orchestrator", ["ecs-fargate", "ecs-ec2", "eks", "swarm-ec2"])
def test_100_services_come_up_everywhere(orchestrator: str) -> None:
    room = {
        "swarm-ec2": {**SWARM, "ports": PORTS},
        "ecs-ec2": {"isolated": True, "instance-types": ["m7i.2xlarge"], "max": 40},
    }
    config = config_for("ecr", orchestrator, **many(100))
    settings = load({**config, **{key: block for key, block in room.items() if key == orchestrator}})
    assert {each.limit: each.needed for each in settings.quotas}[quotas.TARGET_GROUPS] == 100


@pytest.mark.parametrize(("last", "count", "refused"), [("eks", 51, True), ("eks", 50, False), ("swarm", 51, False)])
def test_an_orchestrator_of_the_last_up_counts_until_traffic_has_left_it(
    monkeypatch: pytest.MonkeyPatch, last: str, count: int, refused: bool
) -> None:
    """One `up` makes the new one beside the old: the configuration alone does not show both."""
    monkeypatch.setattr(digests, "recorded", lambda: {"orchestrator": last})
    start(Cloud(), as_pulumi(config_for("ecr", "ecs-fargate", **many(count))))
    if not refused:
        deploy(lambda: running() and None)
        return
    with pytest.raises(BadConfig, match="in the move from eks, while both are up, needs at most 100 target"):
        deploy(lambda: running() and None)
