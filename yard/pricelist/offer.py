"""One of AWS's price lists, "offer" in its own words: the products that are asked for and what they cost on demand.

The format: https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/reading-an-offer.html
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, TextIO

from pydantic import BaseModel, Field

from yard.pricelist import PriceListError
from yard.pricelist.items import bare
from yard.pricelist.stream import Stream


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


def read(file: TextIO, service: str, usages: Container[str]) -> Offer:
    """Read a list to its end and keep the products with one of `usages`; raises `PriceListError`."""
    try:
        offer = _read(Stream(file), usages)
    except ValueError as error:  # pydantic's and the decoder's own are such, too
        raise PriceListError(f"is no complete price list in AWS's format: {_short(error)}") from error
    if offer.head.service != service:
        raise PriceListError(f"is the price list of {offer.head.service}")
    return offer


def _read(stream: Stream, usages: Container[str]) -> Offer:
    offer, head = Offer(), {}
    for key in stream.members():
        if key == "products":
            _products(stream, usages, offer)
        elif key == "terms":
            _terms(stream, offer)
        else:
            head[key] = stream.value()
    stream.end()
    offer.head = Head.model_validate(head)
    return offer


def _products(stream: Stream, usages: Container[str], offer: Offer) -> None:
    for sku in stream.members():
        product = _object(stream.value())
        attributes = {"productFamily": product.get("productFamily"), **_object(product.get("attributes", {}))}
        usage = str(attributes.get("usagetype", ""))
        offer.instances.add(attributes.get("instanceType", ""))
        if bare(usage) in usages:
            offer.products.append(Product(sku, usage, attributes))


def _terms(stream: Stream, offer: Offer) -> None:
    """Products come first in the published order: what is not known yet has no price here."""
    kept = {product.sku for product in offer.products}
    for kind in stream.members():
        for sku in stream.members():
            terms = _object(stream.value())
            if kind == "OnDemand" and sku in kept:
                offer.terms[sku] = [Term.model_validate(each) for each in terms.values()]


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r:.40} is no object")
    return value


def _short(error: ValueError) -> str:
    return str(error).splitlines()[0]
