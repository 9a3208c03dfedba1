"""Who gets the requests that callers send, on the rehearsal's cloud."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from rehearsal.aws import types
from rehearsal.state import CloudResource, CloudState


class Share(NamedTuple):
    """What a target group gets of the requests for a service."""

    orchestrator: str
    weight: int


Shares = Mapping[str, Share]
"""By the group's ARN."""


def shares(state: CloudState) -> dict[str, Shares]:
    """Service -> who gets the requests that callers send to it."""
    with state.lock:
        rules = [each for each in state.every(types.LISTENER_RULE) if each.ready]
        return {
            rule.name: found
            for rule in rules
            if not rule.get("conditions.httpHeader") and (found := dict(_shares_of(state, rule)))
        }


def _shares_of(state: CloudState, rule: CloudResource) -> Iterator[tuple[str, Share]]:
    groups = [each for forward in rule.all("actions.forward") for each in forward.get("targetGroups", [])]
    serving = [each for each in groups if each.get("weight", 1)]
    for each in serving:
        group = state.find(types.TARGET_GROUP, each["arn"])
        name = group.name.removeprefix(f"{rule.name}-") if group else each["arn"]
        yield each["arn"], Share(name, int(each.get("weight", 1)) if len(serving) > 1 else 100)


def told(of_service: Shares) -> str:
    """In words."""
    alone = len(of_service) == 1
    return ", ".join(
        each.orchestrator if alone else f"{each.orchestrator} {each.weight}" for each in of_service.values()
    )
