"""The gate before the traffic: the load balancer itself says that the copies are healthy, or the weights stay.

A load balancer does not fail over between weighted groups: a weight on a group without healthy targets is lost
requests. So a resource hook on the traffic rule asks for the health of every target in it before the rule changes.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pydantic import Field

from components.model import Model

Health = tuple[str, str, str]
"""One target: address, state, reason code."""
AskHealth = Callable[[str], list[Health]]
"""Target group ARN -> its targets."""


class GateOptions(Model):
    """How long the gate looks before traffic moves, and how long the old copies stay after it has."""

    polls: int = Field(default=3, ge=1, le=20, description="Looks in a row that must all find enough healthy targets.")
    interval: float = Field(default=5, ge=0, le=60, description="Seconds between two looks.")
    timeout: float = Field(
        default=600, ge=0, le=3600, description="Seconds until the gate gives up and the weights stay."
    )
    settle: float = Field(
        default=45,
        ge=0,
        le=3600,
        description="Seconds that whatever lost its traffic keeps running, for requests under way.",
    )


class GateClosed(Exception):
    """Traffic may not move; the message says which targets are not healthy and why."""


@dataclass(frozen=True)
class Gate:
    """Guards the traffic rule of one service."""

    service: str
    wanted: int
    """Healthy targets that each group with weight must have."""
    health: str
    """The path the load balancer asks, for the message."""
    options: GateOptions
    ask: AskHealth
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def binding(self) -> pulumi.ResourceHookBinding:
        """The hooks to bind to the traffic rule."""
        check = pulumi.ResourceHook(f"gate-{self.service}", self._check)
        settle = pulumi.ResourceHook(f"settle-{self.service}", self._settle)
        return pulumi.ResourceHookBinding(before_create=[check], before_update=[check], after_update=[settle])

    def _check(self, args: pulumi.ResourceHookArgs) -> None:
        for group in weighted_groups(args.new_inputs or {}):
            self.wait(group)

    def _settle(self, args: pulumi.ResourceHookArgs) -> None:
        before, after = (set(weighted_groups(each or {})) for each in (args.old_inputs, args.new_inputs))
        if before - after:
            self.sleep(self.options.settle)

    def wait(self, group: str) -> None:
        """Return once `group` was healthy for enough looks in a row; raise `GateClosed` when time is up."""
        deadline = self.clock() + self.options.timeout
        good = 0
        while True:
            targets = self.ask(group)
            good = good + 1 if sum(state == "healthy" for _, state, _ in targets) >= self.wanted else 0
            if good >= self.options.polls:
                return
            if self.clock() >= deadline:
                raise GateClosed(self._why(targets))
            self.sleep(self.options.interval)

    def _why(self, targets: list[Health]) -> str:
        states = Counter(state for _, state, _ in targets)
        sick = "; ".join(
            f"{address} is {state} ({reason or 'no reason given'})"
            for address, state, reason in targets
            if state != "healthy"
        )
        return (
            f"the traffic of {self.service} stays where it is:"
            f" {states['healthy']} of {self.wanted} wanted targets are healthy"
            f" after {self.options.timeout:g} s. {sick or 'No target is registered'}."
            f" The load balancer asks {self.health}; see the service's logs, mend it, and run `pulumi up` again."
        )


def weighted_groups(rule: Mapping[str, Any]) -> Iterator[str]:
    """The ARNs of the target groups that a listener rule's inputs give a weight above 0."""
    for action in rule.get("actions", []):
        for group in (action.get("forward") or {}).get("targetGroups", []):
            if group.get("weight", 1) > 0:
                yield group["arn"]


def aws_health(region: str, profile: str | None) -> AskHealth:
    """Ask Elastic Load Balancing, with the credentials that `pulumi up` runs with."""

    def ask(group: str) -> list[Health]:
        import boto3  # half a second to import, and only an `up` that moves traffic needs it

        client = boto3.Session(region_name=region, profile_name=profile).client("elbv2")
        answer = client.describe_target_health(TargetGroupArn=group)
        return [
            (each["Target"]["Id"], each["TargetHealth"]["State"], each["TargetHealth"].get("Reason", ""))
            for each in answer["TargetHealthDescriptions"]
        ]

    return ask
