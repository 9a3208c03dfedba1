"""The gate before the traffic: the edge itself says that the replicas are healthy, or the weights stay.

A load balancer does not fail over between weighted groups: a weight on a group without healthy targets is lost
requests. So a resource hook on the traffic rule asks for the health of every target in it before the rule changes.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil
from typing import Any

import pulumi
from pydantic import Field

from components import hooks
from components.guard import now
from components.hooks import INTERRUPTED
from components.last_look import LastLook
from components.model import Model, Number

Health = tuple[str, str, str]
"""One target: address, state, reason code."""
AskHealth = Callable[[str], list[Health]]
"""Group -> its targets."""
Groups = Callable[[Mapping[str, Any]], dict[str, int]]
"""A traffic rule's inputs -> its groups, each with its weight, in their order."""


class GateOptions(Model):
    """How long the gate looks before traffic moves, and how long the old replicas stay afterwards."""

    polls: int = Field(default=3, ge=1, le=20, description="How many looks in a row must find enough healthy targets.")
    interval: Number = Field(default=5, ge=0, le=60, description="Seconds between two looks.")
    timeout: Number = Field(
        default=600, ge=0, le=3600, description="Seconds until the gate gives up. The weights then stay."
    )
    settle: Number = Field(
        default=45,
        ge=0,
        le=3600,
        description="Seconds that the old replicas go on after they lost their traffic, to finish their requests.",
    )


class GateClosed(Exception):
    """Traffic may not move; the message says which targets are not healthy and why."""


@dataclass(frozen=True)
class Expected:
    """What must be so before a service gets traffic."""

    healthy: int
    """Healthy targets in each group with weight."""
    path: str
    """What the load balancer asks them, for the message."""
    nodes: tuple[int | None, ...] = ()
    """For each group of the rule, in its order: the healthy targets wanted in it, where these are not the replicas but
    nodes before them; None, or nothing: the replicas."""
    orchestrators: tuple[str, ...] = ()
    """That of each group of the rule, in its order."""


@dataclass(frozen=True)
class Gate:
    """Guards the traffic rules of an edge; each rule is named as its service."""

    options: GateOptions
    ask: AskHealth
    groups: Groups
    sleep: Callable[[float], object] = INTERRUPTED.wait
    clock: Callable[[], float] = time.monotonic
    expected: dict[str, Expected] = field(default_factory=dict)
    look: LastLook | None = None
    """Before what lost its traffic is removed; None: nobody looks."""

    @cached_property
    def binding(self) -> pulumi.ResourceHookBinding:
        """The hooks to bind to a traffic rule: the same two for all, for each one costs every preview a call."""
        check, settle = hooks.waiting("gate", self._check), hooks.waiting("settle", self._settle)
        return pulumi.ResourceHookBinding(before_create=[check], before_update=[check], after_update=[settle])

    def _check(self, args: pulumi.ResourceHookArgs) -> None:
        before, after = (self._weights(each or {}) for each in (args.old_inputs, args.new_inputs))
        newcomers = after.keys() - before.keys()
        serving = self._serving(before) if newcomers else 0
        nodes = dict(zip(self.groups(args.new_inputs or {}), self.expected[args.name].nodes, strict=False))
        for group, weight in after.items():
            share = ceil(weight * serving / sum(after.values())) if group in newcomers else 0
            self.wait(args.name, group, share, nodes.get(group))

    def _settle(self, args: pulumi.ResourceHookArgs) -> None:
        moved, rule = now(), args.new_inputs or {}
        before, after = (self._weights(each or {}) for each in (args.old_inputs, rule))
        if not before.keys() - after.keys():
            return
        self.sleep(self.options.settle)
        groups = self.groups(rule)
        called = dict(zip(groups, self.expected[args.name].orchestrators, strict=False))
        removed = before.keys() - groups.keys()
        if self.look and removed:
            former = max(removed, key=lambda group: before[group])
            for group in after.keys() - before.keys():
                self.look.over(args.name, rule, (former, group), called[group], moved)

    def _weights(self, rule: Mapping[str, Any]) -> dict[str, int]:
        """Those groups of a rule that have a weight above 0."""
        return {group: weight for group, weight in self.groups(rule).items() if weight > 0}

    def _serving(self, groups: Iterable[str]) -> int:
        """How many replicas serve now. They may have been scaled out far beyond the least that a newcomer begins with.
        Nodes, which are registered by their instances' ids, are no measure of replicas."""
        targets = [target for group in groups for target in self.ask(group)]
        return sum(state == "healthy" and not address.startswith("i-") for address, state, _ in targets)

    def wait(self, service: str, group: str, share: int = 0, nodes: int | None = None) -> None:
        """Return once `group` was healthy for enough looks in a row; raise `GateClosed` when time is up. `share` is how
        many replicas it takes to serve what the group is about to get, where that is more than the service's least;
        `nodes`, how many targets are wanted where these are nodes."""
        deadline = self.clock() + self.options.timeout
        wanted, good = nodes or max(self.expected[service].healthy, share), 0
        while True:
            targets = self.ask(group)
            good = good + 1 if sum(state == "healthy" for _, state, _ in targets) >= wanted else 0
            if good >= self.options.polls:
                return
            if not good and self.clock() >= deadline:  # what is healthy now gets the looks that are left
                raise GateClosed(self._why(service, wanted, targets))
            if INTERRUPTED.is_set():
                raise GateClosed(f"the traffic of {service} stays where it is: this run was interrupted")
            self.sleep(self.options.interval)

    def _why(self, service: str, wanted: int, targets: list[Health]) -> str:
        states = Counter(state for _, state, _ in targets)
        unhealthy = "; ".join(
            f"{address} is {state} ({reason or 'no reason given'})"
            for address, state, reason in targets
            if state != "healthy"
        )
        least = self.expected[service].healthy
        scaled = (
            f" So many replicas serve its traffic now, and {least} is the least that a newcomer begins with: raise"
            f" `services.{service}.replicas` to {wanted} for the switch."
        )
        others = "There is no other." if targets else "No target is registered."
        return (
            f"the traffic of {service} stays where it is:"
            f" {states['healthy']} of {wanted} wanted targets are healthy"
            f" after {self.options.timeout:g} s. {f'{unhealthy}.' if unhealthy else others}"
            f" The load balancer asks {self.expected[service].path};"
            " see the service's logs, fix it, and run `pulumi up` again."
            f"{scaled if wanted > least and states['healthy'] >= least else ''}"
        )
