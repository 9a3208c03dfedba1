"""What every registry costs with every orchestrator, for a stack's services, and the ways to show it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import click
import pulumi

from components import prices
from components.estimate import Charge, Estimate
from components.prices import Tier
from components.usage import Usage
from config.estimates import every_pair
from config.load import of_file
from config.settings import Settings
from config.stack_file import NoStack, StackFile
from config.usage_file import BadUsage
from config.usage_file import read as read_usage
from yard import exits, suggest

REGION = "us-east-1"
"""For a stack that has no region of its own."""


@dataclass(frozen=True)
class Comparison:
    """The estimates of every pair: the cheapest first, then those without a price, then those that are refused."""

    stack: str
    region: str
    usage: Usage
    settings: Settings
    estimates: tuple[Estimate, ...]
    meant: str = ""
    """The region that the stack is for, where the prices of `region` stand for its own, which nobody has here."""

    @classmethod
    def of(
        cls, root: Path, stack: str, region: str | None = None, usage: str | None = None, like: str | None = None
    ) -> Comparison:
        """Compare for a stack by its file; raises `click.ClickException` with everything that is wrong. `like`: take
        the prices of this region for those of the one that is meant."""
        settings = settings_of(root, stack)
        try:
            wanted = read_usage(usage) if usage else settings.config.usage
            where = region or settings.region or REGION
            return cls(stack, like or where, wanted, settings, (), where if like else "").priced(settings)
        except BadUsage as error:
            raise exits.Misused(f"--usage {error}") from error
        except prices.NoPrices as error:
            other = suggest.yard("compare", "--stack", stack, "--region", where, "--like", REGION)
            why = str(error).replace("`yard ", f"`{suggest.yard()} ")
            raise click.ClickException(f"{why}; `{other}` takes those of {REGION} for them, marked ~") from error

    def priced(self, settings: Settings) -> Comparison:
        """The same for other settings of the stack; raises `prices.NoPrices`."""
        found = sorted(every_pair(settings, self.usage, self.region), key=_order)
        return replace(self, settings=settings, estimates=tuple(map(self.marked, found)))

    def marked(self, found: Estimate) -> Estimate:
        """The estimate with none of its prices confirmed, where they are another region's."""
        return replace(found, charges=tuple(map(_borrowed, found.charges))) if self.meant else found

    @property
    def place(self) -> str:
        """Where it is priced, in words."""
        return f"{self.meant}, at the prices of {self.region}" if self.meant else self.region

    def is_own(self, found: Estimate) -> bool:
        """Whether it is the pair that the stack has chosen."""
        keys = self.settings.config
        return (found.registry, found.orchestrators) == (keys.registry, (keys.orchestrator,))

    @property
    def known(self) -> tuple[Estimate, ...]:
        """The pairs whose replicas have a price."""
        return tuple(each for each in self.estimates if not each.runs_unpriced)

    @property
    def unpriced(self) -> tuple[Estimate, ...]:
        """The pairs that work, but nobody here knows what their replicas cost."""
        return tuple(each for each in self.estimates if each.runs_unpriced and not each.refused)

    @property
    def working(self) -> tuple[Estimate, ...]:
        """The pairs that can be, those whose replicas have a price first."""
        return (*self.known, *self.unpriced)

    @property
    def refused(self) -> tuple[Estimate, ...]:
        """The pairs that are refused."""
        return tuple(each for each in self.estimates if each.refused)

    def assumptions(self) -> Iterator[str]:
        """What the figures hold for, a sentence each."""
        usage, keys = self.usage, self.settings.config
        yield f"The stack has {self._services()}."
        yield (
            f"It is up {usage.hours:g} hours a month. Each service is deployed {usage.deploys:,} times, with an image"
            f" of {usage.image_size:,} MB; {usage.layer_reuse * 100:.0f} % of that is there already."
        )
        yield (
            f"Callers send {usage.requests:,} requests, {usage.requests_per_connection:,} on each connection, and get"
            f" {usage.response_size:g} KB for each."
        )
        if any(each.replicas.scales for each in self.settings.services.values()):
            yield f"The number of replicas is on average {usage.load * 100:.0f} % of the way from `min` to `max`."
        yield (
            f"All replicas together write {usage.logs:g} GB of logs, which are kept {keys.log_days} days, at the size"
            " at which they were written."
        )
        yield "A registry holds what a year of deployments leaves in it."
        yield (
            f"The network is {keys.network}, in {keys.zones} zones. A pair that cannot work in it is priced with"
            " nat-single."
        )
        yield "Each node, or on Fargate each replica, pulls the image once a deployment. Nothing else starts."
        free = "all for this stack" if usage.free_allowances else "used up by others"
        yield f"What AWS gives each account free every month (100 GB out, 5 GB of logs) is {free}. Tax is not counted."
        yield "All is paid for on demand: no Spot, no Savings Plan, nothing reserved."
        yield (
            "These are too small to count, or the same for all pairs: traffic between zones, DNS queries, alarms of"
            " autoscaling, the rotation of secrets, the second orchestrator during a move."
        )
        yield "A registry or orchestrator that the stack has no block for is priced with its defaults."

    def _services(self) -> str:
        of = self.settings.services
        each = "; ".join(
            f"{name}: {found.replicas.min} x {found.cpu:g} vCPU and {found.memory} MiB" for name, found in of.items()
        )
        return f"{len(of)} service{'s' * (len(of) > 1)} ({each})"

    def briefly(self) -> Iterator[str]:
        """What matters most of that."""
        usage = self.usage
        yield self._services()
        yield (
            f"{usage.deploys:,} deployments of each service a month, images of {usage.image_size:,} MB,"
            f" {usage.requests:,} requests"
        )

    @property
    def evidence(self) -> tuple[Tier, ...]:
        """The prices that the figures rest on."""
        return evidence_of(self.known)

    def price_dates(self, today: date) -> str | None:
        """A warning where prices in the figures are old or have no date; None where all are fresh."""
        stale = _stale(self.evidence, today)
        if not stale:
            return None
        dated = sorted(as_of for _, as_of, _ in stale if as_of)
        oldest = f", the oldest of {dated[0]}" if dated else ""
        return (
            f"{len(stale)} prices in these figures are older than {prices.STALE.days} days or have no date{oldest}:"
            f" `{suggest.yard('prices', 'refresh', self.region)}` fetches AWS's anew (it needs the internet)"
        )


def old(tiers: Iterable[Tier], today: date) -> int:
    """How many of these prices are old, or have no date."""
    return len(_stale(tiers, today))


def _stale(tiers: Iterable[Tier], today: date) -> set[tuple[str, str | None, Decimal]]:
    return {(tier.source, tier.as_of, tier.usd) for tier in tiers if tier.is_stale(today)}


def _borrowed(charge: Charge) -> Charge:
    """At another region's price, from which this one is only guessed."""
    if charge.price is None:
        return charge
    tiers = tuple(replace(tier, status="derived") for tier in charge.price.tiers)
    return replace(charge, price=replace(charge.price, tiers=tiers))


def evidence_of(found: Iterable[Estimate]) -> tuple[Tier, ...]:
    """The prices that estimates rest on."""
    return tuple(tier for each in found for charge in each.charges for tier in charge.evidence)


def settings_of(root: Path, stack: str) -> Settings:
    """A stack's settings by its file, secrets as placeholders; raises `click.ClickException` with what is wrong."""
    try:
        return of_file(StackFile(root, stack))
    except (NoStack, pulumi.RunError) as error:
        why = str(error) if isinstance(error, NoStack) else f"stack {stack} cannot be priced: {error}"
        raise exits.Misused(suggest.about(stack, why)) from error


def _order(found: Estimate) -> tuple[object, ...]:
    return bool(found.refused), found.runs_unpriced, found.amount().usd, found.registry, found.orchestrators
