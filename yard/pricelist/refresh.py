"""A region's prices anew: all of them, or the reasons why not."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from rich.progress import Progress

from components.prices import Row, plain, rows_of
from yard.pricelist import PriceListError, Unreachable, files, offer
from yard.pricelist.fetch import fetched, regions
from yard.pricelist.items import ITEMS, SERVICES
from yard.pricelist.lookup import look_up

VENDOR = "aws"


@dataclass(frozen=True)
class Change:
    """What became of one key."""

    key: str
    old: str | None
    """In words, tier by tier; None: it is new."""
    new: str

    @property
    def kind(self) -> str:
        """new, changed or same."""
        return "new" if self.old is None else "same" if self.old == self.new else "changed"


@dataclass
class Refreshed:
    """A region's file as it is to be; with problems it is not."""

    region: str
    path: Path
    problems: list[str]
    absent: list[str] = field(default_factory=list)
    """Keys of instance types that the region does not have."""
    rows: list[Row] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """Keys that AWS's lists do not have; their rows stay."""

    @property
    def text(self) -> str:
        """What is to be in the file."""
        return files.text(VENDOR, self.region, self.rows)

    @property
    def differs(self) -> bool:
        """Whether the file is another one now."""
        return not self.path.exists() or self.path.read_text(encoding="utf-8") != self.text


def refresh(region: str, directory: Path, base: str, progress: Progress) -> Refreshed:
    """Read the lists of a region under `base`; `directory` has the vendors' price files. Nothing is written."""
    path = directory / VENDOR / f"{region}.json"
    old = rows_of(path)
    offers, problems = _offers(region, base, progress)
    found = look_up(region, offers, {row["key"] for row in old})
    if problems or found.problems:
        return Refreshed(region, path, [*problems, *found.problems])
    rows = files.merged(old, (row for rows in found.rows.values() for row in rows))
    kept = [row["key"] for row in rows if row["key"] not in ITEMS]
    changes = [Change(key, _words(old, key), _words(rows, key) or "") for key in found.rows]
    return Refreshed(region, path, [], found.absent, rows, changes, list(dict.fromkeys(kept)))


def offered(base: str, progress: Progress) -> list[str]:
    """The regions for which AWS lists every service that is looked up. Raises `PriceListError`."""
    return sorted(set.intersection(*(regions(base, each, progress) for each in SERVICES)))


def _offers(region: str, base: str, progress: Progress) -> tuple[dict[str, offer.Offer], list[str]]:
    offers: dict[str, offer.Offer] = {}
    problems: list[str] = []
    for service in SERVICES:
        usages = {usage for item in ITEMS.values() if item.service == service for usage in item.usages}
        try:
            with fetched(base, service, region, progress) as file:
                offers[service] = offer.read(file, service, usages)
        except Unreachable as error:
            return offers, [*problems, f"{service}: {error}"]
        except PriceListError as error:
            problems.append(f"{service}: {error}")
    return offers, problems


def _words(rows: Iterable[Row], key: str) -> str | None:
    """A price in USD; where there are tiers, each with the quantity that it starts at."""
    tiers = [
        plain(row["usd"]) + (f" from {plain(row['from'])}" if "from" in row else "")
        for row in rows
        if row["key"] == key
    ]
    return ", ".join(tiers) or None
