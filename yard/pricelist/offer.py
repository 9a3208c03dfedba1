"""One of AWS's price lists, "offer" in its own words: the products that are asked for and what they cost on demand.

The format: https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/reading-an-offer.html
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import takewhile
from typing import IO, Any

import ijson
from pydantic import BaseModel, Field

from yard.pricelist import PriceListError
from yard.pricelist.items import bare


class Dimension(BaseModel):
    """A tier of a price."""

    unit: str
    begin: Decimal = Field(Decimal(0), alias="beginRange")
    end: Decimal = Field(Decimal("Infinity"), alias="endRange", allow_inf_nan=True)
    price: dict[str, Decimal] = Field(alias="pricePerUnit")
    """By currency."""


class Term(BaseModel):
    """What a product costs under one kind of contract."""

    dimensions: dict[str, Dimension] = Field(alias="priceDimensions", min_length=1)


class Head(BaseModel):
    """Whose list it is, and of when."""

    service: str = Field(alias="offerCode")
    version: str
    published: datetime = Field(alias="publicationDate")


@dataclass(frozen=True)
class Product:
    """Something that is sold."""

    sku: str
    usage: str
    attributes: Mapping[str, Any]
    """`productFamily` among them."""


@dataclass
class Offer:
    """What was kept of a list."""

    products: list[Product] = field(default_factory=list)
    instances: set[str] = field(default_factory=set)
    """All instance types that any product is about."""
    terms: dict[str, list[Term]] = field(default_factory=dict)
    """On demand, by SKU."""
    head: Head = field(init=False)


def read(file: IO[bytes], service: str, usages: Container[str]) -> Offer:
    """Read a list to its end and keep the products with one of `usages`; raises `PriceListError`."""
    try:
        offer = _read(file, usages)
    except (ValueError, ijson.JSONError) as error:  # pydantic's are the first
        raise PriceListError(f"is not a complete price list in AWS's format: {_short(error)}") from error
    if offer.head.service != service:
        raise PriceListError(f"is the price list of {offer.head.service}")
    return offer


def _read(file: IO[bytes], usages: Container[str]) -> Offer:
    """Piece by piece, once for each part: a list can be larger than memory."""
    offer = Offer()
    for sku, product in ijson.kvitems(file, "products"):
        _keep(offer, sku, _object(product), usages)
    kept = {product.sku for product in offer.products}
    file.seek(0)
    for sku, terms in ijson.kvitems(file, "terms.OnDemand"):
        if sku in kept:
            offer.terms[sku] = [Term.model_validate(each) for each in _object(terms).values()]
    file.seek(0)
    offer.head = _head(file)
    return offer


def _keep(offer: Offer, sku: str, product: Mapping[str, Any], usages: Container[str]) -> None:
    attributes = {"productFamily": product.get("productFamily"), **_object(product.get("attributes", {}))}
    usage = str(attributes.get("usagetype", ""))
    offer.instances.add(attributes.get("instanceType", ""))
    if bare(usage) in usages:
        offer.products.append(Product(sku, usage, attributes))


def _head(file: IO[bytes]) -> Head:
    """What stands before the products."""
    wanted = {field.alias or name for name, field in Head.model_fields.items()}
    before = takewhile(lambda event: event[0] != "products", ijson.parse(file))
    return Head.model_validate({prefix: value for prefix, _, value in before if prefix in wanted})


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r:.40} is not an object")
    return value


def _short(error: Exception) -> str:
    return str(error).splitlines()[0]
