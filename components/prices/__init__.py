"""Prices as data: what a vendor charges, in one file for each vendor and region, each number with source and date."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from itertools import groupby
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Literal

from components import backends
from components.shell import command

HERE = Path(__file__).parent
GLOBAL = "global"
"""The region of what a vendor charges alike everywhere."""
GROUP = "switchyard.prices"
"""Entry points by which packages add a vendor: its name -> their package with its price files."""
STALE = timedelta(days=180)
"""Older prices are warned of."""

Row = dict[str, Any]
"""One line of a price file."""
Status = Literal["verified", "recorded", "third-party", "derived", "memory"]
"""verified: read in the vendor's own text or price list. recorded: read where somebody else has recorded the vendor's
list, such as another project's tests. third-party: read elsewhere. derived: worked out from one of the first two.
memory: found in no text."""


class NoPrices(Exception):
    """There is no file for a region; the message says which there are."""


@dataclass(frozen=True)
class Tier:
    """A price from one quantity to another."""

    start: Decimal
    end: Decimal | None
    """None: without an end."""
    usd: Decimal
    """For each unit."""
    status: Status
    as_of: str | None
    """The day (or year, or month) on which it was so, in ISO's form; None where the source has no date."""
    source: str
    note: str

    @property
    def confirmed(self) -> bool:
        """Whether it is the vendor's own number, read there or in somebody's record of it."""
        return self.status in ("verified", "recorded")

    def is_stale(self, today: date) -> bool:
        """Whether it is older than STALE, or of no date at all."""
        if self.as_of is None:
            return True
        year, month, day = (*map(int, self.as_of.split("-")), 1, 1)[:3]
        return today - date(year, month, day) > STALE


@dataclass(frozen=True)
class Price:
    """What a unit costs: one tier, or several that follow each other."""

    key: str
    unit: str
    tiers: tuple[Tier, ...]
    quantity: Decimal | None
    """Of an allowance: how many units are free."""

    def reached(self, quantity: Decimal) -> tuple[Tier, ...]:
        """The tiers that `quantity` units fall into; at least the first."""
        return tuple(each for each in self.tiers if each.start < quantity) or self.tiers[:1]

    def cost(self, quantity: Decimal) -> Decimal | None:
        """USD for `quantity` units; None where no tier says."""
        last = self.tiers[-1]
        if last.end is not None and quantity > last.end:
            return None
        ends = [*[each.start for each in self.tiers[1:]], quantity]
        spans = zip(self.tiers, ends, strict=True)
        return sum((max(Decimal(0), min(quantity, end) - each.start) * each.usd for each, end in spans), Decimal(0))


@dataclass(frozen=True)
class Book:
    """The prices of one vendor in one region, those that are the same everywhere among them."""

    vendor: str
    region: str
    prices: Mapping[str, Price]

    def find(self, key: str) -> Price | None:
        """The price behind a key; None: not known here."""
        return self.prices.get(key)


@cache
def load(vendor: str, region: str) -> Book:
    """The book of a region. Where the vendor has no file for it, only what is the same everywhere is known."""
    return Book(vendor, region, {each.key: each for name in (GLOBAL, region) for each in _read(vendor, name)})


def directory(vendor: str) -> Path:
    """Where a vendor's price files are. Ours win over third parties'; of a vendor that nobody has, there are none."""
    package = backends.third_party(GROUP).get(vendor)
    own = HERE / vendor
    return own if own.exists() or package is None else Path(str(resolve_name(package).__path__[0]))


def price_files() -> Iterator[tuple[str, Path]]:
    """Every price file with its vendor, third parties' included."""
    for vendor in sorted({*(each.name for each in HERE.iterdir() if each.is_dir()), *backends.third_party(GROUP)}):
        for file in sorted(directory(vendor).glob("*.json")):
            yield vendor, file


def regions(vendor: str) -> list[str]:
    """The regions that a vendor has a file for, sorted."""
    return sorted(file.stem for file in directory(vendor).glob("*.json") if file.stem != GLOBAL)


def require(vendor: str, region: str) -> None:
    """Raise `NoPrices` where there is no file for the region."""
    if region == GLOBAL or not (directory(vendor) / f"{region}.json").exists():
        raise NoPrices(
            f"there are no prices for {region}: there are for {', '.join(regions(vendor))}."
            f" `{command('yard', 'prices', 'refresh', region)}` fetches them (it needs the internet)"
        )


def rows_of(file: Path) -> list[Row]:
    """The rows of a price file, numbers as `Decimal`; none where there is no file."""
    if not file.exists():
        return []
    document = json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal, parse_int=Decimal)
    found: list[Row] = document["prices"]
    return found


def plain(number: Decimal) -> str:
    """A number as people write it: no exponent, no zeros at the end."""
    digits = format(number, "f")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def _read(vendor: str, region: str) -> Iterator[Price]:
    for key, same in groupby(rows_of(directory(vendor) / f"{region}.json"), lambda row: str(row["key"])):
        found = list(same)
        yield Price(key, found[0]["unit"], tuple(map(_tier, found)), found[0].get("quantity"))


def _tier(row: Mapping[str, Any]) -> Tier:
    start, end = row.get("from", Decimal(0)), row.get("to")
    return Tier(start, end, row["usd"], row["status"], row["as_of"], row["source"], row.get("note", ""))
