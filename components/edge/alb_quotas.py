"""The room that a stack needs on an Application Load Balancer."""

from collections.abc import Iterator

from components import quotas
from components.edge import Traffic
from components.needs import Quota


def of(traffic: Traffic) -> Iterator[Quota]:
    """Now, and at the most, which is in a move."""
    moving = traffic.in_a_move
    yield Quota(quotas.TARGET_GROUPS, _groups(traffic), _groups(moving))
    yield Quota(quotas.LISTENER_RULES, _rules(traffic), _rules(moving))
    yield Quota(quotas.TARGETS, traffic.targets, moving.targets)
    if traffic.names:
        yield Quota(quotas.CERTIFICATE_NAMES, traffic.names)


def _groups(traffic: Traffic) -> int:
    """One for each service and orchestrator."""
    return traffic.public * traffic.orchestrators


def _rules(traffic: Traffic) -> int:
    """For each service its traffic, and a warm-up rule for each orchestrator; with HTTPS two that redirect."""
    return traffic.public * (1 + traffic.orchestrators) + (2 if traffic.names else 0)
