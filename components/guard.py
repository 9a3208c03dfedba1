"""The guard of a switch: what callers get from the newcomer, held against what they get from the old orchestrator.

The gate asks whether replicas are healthy before they get requests. One whose health path is fine may still answer
everything else with 500: that is seen in the requests alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import Field

from components.model import Model, Number

BARELY = 0.05
"""Seconds of a p99 that are noise, whatever multiple of another they are."""


LOOK = 10.0
"""Seconds between two looks."""
EARLIER = timedelta(minutes=10)
"""How far back the old orchestrator is looked at before it loses its requests."""


def now() -> datetime:
    """The time, as the figures are asked for."""
    return datetime.now(UTC)


class GuardOptions(Model):
    """How much worse than the old orchestrator a newcomer may be."""

    errors: Number = Field(
        default=1,
        ge=0,
        le=100,
        description="How many percent more of the newcomer's requests may fail (5xx) than of the old orchestrator's.",
    )
    latency: Number = Field(
        default=2,
        ge=1,
        le=100,
        description="How many times as long as the old orchestrator's the newcomer's p99 may be.",
    )
    samples: int = Field(
        default=100,
        ge=1,
        le=1_000_000,
        description="Requests that the newcomer must have had; with fewer, nothing is compared.",
    )
    restarts: int = Field(
        default=1,
        ge=0,
        le=1000,
        description="How many more replicas may end by themselves in a step at the newcomer than at the old"
        " orchestrator.",
    )
    patience: Number = Field(
        default=180,
        ge=0,
        le=3600,
        description="Seconds that a step watches on after `--bake`, if there were not `samples` requests yet.",
    )
    alarms: tuple[str, ...] = Field(
        default=(),
        description="Names of your own CloudWatch alarms. If one is in state ALARM, all traffic goes back, too.",
    )


@dataclass(frozen=True)
class Seen:
    """What callers of one service got from one orchestrator in a time."""

    requests: int = 0
    errors: int = 0
    """Those that were answered by 5xx, or reached no replica."""
    p99: float | None = None
    """Seconds that 99 of 100 requests took at most; None: nothing is known of it."""
    healthy: int | None = None
    """Targets that are healthy at the end of it; None: that is not known."""

    @property
    def failed(self) -> float:
        """Percent of the requests."""
        return 100 * self.errors / self.requests if self.requests else 0.0


SeenOf = Mapping[str, Mapping[str, Seen]]
"""Service -> orchestrator -> what its callers got."""


EndedOf = Mapping[str, Mapping[str, Sequence[str]]]
"""Service -> orchestrator -> why each of its replicas ended that did so by itself, the last one last."""


@dataclass(frozen=True)
class Watch:
    """Who can be asked while a switch watches."""

    seen: Callable[[datetime, datetime], SeenOf]
    """From when to when -> what callers got."""
    alarms: Callable[[Sequence[str]], Sequence[str]]
    """Names -> those that are in state ALARM, and those that do not exist, each in words."""


def falls(options: GuardOptions, to: str, home: str, ended: EndedOf) -> Iterator[str]:
    """Where too many of the newcomer's replicas end by themselves, in words."""
    for name, of in ended.items():
        new, old = of.get(to, ()), of.get(home, ())
        if len(new) > len(old) + options.restarts:
            yield (
                f"{name}: {len(new)} times a replica of {to} ended by itself, {len(old)} times one of {home};"
                f" `guard.restarts` allows {options.restarts} more. The last one: {new[-1]}"
            )


def few(options: GuardOptions, to: str, seen: SeenOf) -> dict[str, int]:
    """The services whose newcomer had too few requests to be compared, with how many it had."""
    had = {name: of.get(to, Seen()).requests for name, of in seen.items()}
    return {name: requests for name, requests in had.items() if requests < options.samples}


def uncompared(options: GuardOptions, name: str, to: str, requests: int) -> str:
    """That a service's newcomer had too few requests, in words."""
    return (
        f"{name}: {requests} requests came to {to}; `guard.samples` wants {options.samples} to compare, so nothing was"
    )


def breaches(options: GuardOptions, to: str, home: str, seen: SeenOf, before: Mapping[str, Seen]) -> Iterator[str]:
    """In what the newcomer is too bad, in words. `before` is what the old one was like when it last had enough
    requests, for it has none at the end; of a service without, no request may be slower or fail by nothing known."""
    for name, of in seen.items():
        new, old = of.get(to, Seen()), before.get(name)
        if new.healthy == 0:
            yield f"{name}: no target of {to} is healthy any more"
        if new.requests < options.samples:
            continue
        beside = f"{old.failed:.2g} % of {old.requests:,} to {home}" if old else f"nothing is known of {home}"
        if new.failed > (old.failed if old else 0) + options.errors:
            yield (
                f"{name}: {new.failed:.3g} % of {new.requests:,} requests to {to} failed, {beside};"
                f" `guard.errors` allows {options.errors:g} % more"
            )
        if old and new.p99 is not None and old.p99 is not None and new.p99 > old.p99 * options.latency + BARELY:
            yield (
                f"{name}: 99 of 100 requests to {to} take {new.p99:.3g} s, to {home} {old.p99:.3g} s;"
                f" `guard.latency` allows {options.latency:g} times as long"
            )
