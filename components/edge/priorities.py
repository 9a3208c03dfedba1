"""The order of a load balancer's rules: each has a priority, and the first that matches answers."""

import hashlib
from collections.abc import Mapping

import pulumi

from components.service import MAX_SEGMENTS, Service

LAST = 50_000
"""The last priority that a listener has; those of `priorities` are below it."""
BANDS = 2 * (MAX_SEGMENTS + 1)
"""Kinds of route, from the most specific to the least: with a host or without, by the number of path segments."""
WARM_UP_SLOTS, TRAFFIC_SLOTS = 4000, 900
"""Rules of one kind: a service has one for traffic, and a warm-up rule for every orchestrator there is. All together
stay below the 50,000 priorities of a listener."""


def priorities(routes: Mapping[str, Service], orchestrators: list[str]) -> dict[tuple[str, str | None], int]:
    """(service, orchestrator) -> priority of its warm-up rule; (service, None) -> of its traffic rule.

    Warm-up rules come before all traffic rules, and the more specific route before the less. Within a kind the place
    follows from the names, and every orchestrator has one whether it is up or not: a listener refuses a priority that
    is still taken, so a move must not shift the rules that are there.
    """
    taken: set[int] = set()
    table: dict[tuple[str, str | None], int] = {}
    for name in sorted(routes):
        start = BANDS * WARM_UP_SLOTS + _band(routes[name]) * TRAFFIC_SLOTS
        table[name, None] = _place(taken, start, TRAFFIC_SLOTS, name)
    for name in sorted(routes):
        for key in sorted(orchestrators):
            start = _band(routes[name]) * WARM_UP_SLOTS
            table[name, key] = _place(taken, start, WARM_UP_SLOTS, f"{name}/{key}")
    return table


def _band(service: Service) -> int:
    segments = len([part for part in service.path.split("/") if part])
    return (0 if service.host else MAX_SEGMENTS + 1) + MAX_SEGMENTS - segments


def _place(taken: set[int], start: int, slots: int, key: str) -> int:
    """A free priority among the `slots` after `start`, from the key's hash onwards."""
    first = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big")
    for step in range(slots):
        place = 1 + start + (first + step) % slots
        if place not in taken:
            taken.add(place)
            return place
    raise pulumi.RunError(f"more than {slots} rules of one kind of route: a load balancer cannot order them")
