"""Our prices in AWS's lists: one product for each key, or words why there is none."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from components.prices import Row
from yard.pricelist import PriceListError
from yard.pricelist.fetch import AWS
from yard.pricelist.items import ITEMS, UNITS, Item, bare
from yard.pricelist.offer import Dimension, Offer, Product

PLACES = ("regionCode", "fromRegionCode")
KINDS = ("locationType", "fromLocationType")
"""Local zones and outposts are priced apart. An attribute that a product does not have says nothing."""


@dataclass
class Found:
    """What the lists of a region say."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    """Keys of instance types that the region does not have."""
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Listed:
    """A price as it is listed, in our unit."""

    tiers: tuple[tuple[Decimal, Decimal], ...]
    """From where, and how much."""
    sku: str


def look_up(region: str, offers: Mapping[str, Offer], held: Collection[str]) -> Found:
    """Every key whose service is in `offers`. A type that is not sold here is no problem unless it is in `held`."""
    found = Found()
    for key, item in ITEMS.items():
        if item.service not in offers:
            continue
        try:
            found.rows[key] = list(_rows(key, region, offers))
        except PriceListError as error:
            if key not in held and _not_sold(item, offers):
                found.absent.append(key)
            else:
                found.problems.append(f"{key}: {error}")
    return found


def _not_sold(item: Item, offers: Mapping[str, Offer]) -> bool:
    """Whether the region has no such instance at all: then it is no filter of ours that misses it."""
    return item.instance is not None and "AmazonEC2" in offers and item.instance not in offers["AmazonEC2"].instances


def _rows(key: str, region: str, offers: Mapping[str, Offer]) -> Iterator[Row]:
    item = ITEMS[key]
    head = offers[item.service].head
    listed = _listed(item, region, offers[item.service])
    if item.plus:
        listed = _sum(listed, _listed(ITEMS[item.plus], region, offers[item.service]))
    for start, usd in listed.tiers:
        row = {
            "key": key,
            "from": start or None,
            "usd": usd,
            "unit": item.unit,
            "status": "verified",
            "as_of": head.published.date().isoformat(),
            "source": f"{AWS}/{head.service}/current/{region}/index.json (version {head.version}, SKU {listed.sku})",
            "note": item.note,
        }
        yield {name: value for name, value in row.items() if value is not None}


def _listed(item: Item, region: str, offer: Offer) -> Listed:
    candidates = [product for product in offer.products if _is(item, product, region)]
    if not candidates:
        raise PriceListError(f"{item.service} has no product for it ({_wanted(item)})")
    found = [(product.usage, _price(item, product, offer)) for product in candidates]
    usages, prices = {usage for usage, _ in found}, {price.tiers for _, price in found}
    # us-east-1 lists some usage types twice, without its prefix and with it.
    if len(usages) < len(found) or len(prices) > 1:
        skus = ", ".join(f"{product.sku} {product.usage}" for product in candidates)
        raise PriceListError(f"{item.service} has {len(found)} products for it, not one: {skus}")
    return min(found)[1]


def _is(item: Item, product: Product, region: str) -> bool:
    attributes = product.attributes
    return (
        bare(product.usage) in item.usages
        and all(attributes.get(name) == value for name, value in item.where.items())
        and all(attributes.get(name) in (None, "", region) for name in PLACES)
        and all(attributes.get(name) in (None, "", "AWS Region") for name in KINDS)
    )


def _wanted(item: Item) -> str:
    return ", ".join([" or ".join(item.usages), *item.where.values()])


def _price(item: Item, product: Product, offer: Offer) -> Listed:
    terms = offer.terms.get(product.sku, [])
    if len(terms) != 1:
        raise PriceListError(f"SKU {product.sku} has {len(terms)} prices on demand, not one")
    tiers = sorted(terms[0].dimensions.values(), key=lambda each: each.begin)
    for each in tiers:
        _check_tier(item, product, each)
    _check_tiers(product, tiers)
    return Listed(tuple((each.begin / item.factor, each.price["USD"] * item.factor) for each in tiers), product.sku)


def _check_tier(item: Item, product: Product, tier: Dimension) -> None:
    if tier.price.keys() != {"USD"}:
        raise PriceListError(f"SKU {product.sku} is priced in {', '.join(tier.price) or 'nothing'}, not in USD")
    pattern = UNITS.get(item.unit) or UNITS[item.unit.rpartition("-")[2]]
    if not re.fullmatch(pattern, tier.unit, re.IGNORECASE):
        raise PriceListError(f"SKU {product.sku} is charged by {tier.unit!r}, which is not {item.unit}")


def _check_tiers(product: Product, tiers: list[Dimension]) -> None:
    """That the tiers follow each other from nothing to no end, and cost something."""
    starts = [Decimal(0), *[each.end for each in tiers[:-1]]]
    if [each.begin for each in tiers] != starts or tiers[-1].end.is_finite():
        spans = ", ".join(f"{each.begin} to {each.end}" for each in tiers)
        raise PriceListError(f"SKU {product.sku} has tiers that do not follow each other: {spans}")
    if not any(each.price["USD"] for each in tiers):
        raise PriceListError(f"SKU {product.sku} costs nothing: look at it yourself")


def _sum(one: Listed, other: Listed) -> Listed:
    """Two prices without tiers, added up."""
    if len(one.tiers) != 1 or len(other.tiers) != 1:
        raise PriceListError(f"SKU {one.sku} and SKU {other.sku} have tiers, so they cannot be added up")
    return Listed(((Decimal(0), one.tiers[0][1] + other.tiers[0][1]),), f"{other.sku} + {one.sku}")
