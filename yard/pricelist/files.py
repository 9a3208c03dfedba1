"""The text of the price files under components/prices/, with every digit as it is."""

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from components.prices import Row, plain
from yard.pricelist.items import ITEMS

RANK = {key: rank for rank, key in enumerate(ITEMS)}


def text(vendor: str, region: str, found: Iterable[Row]) -> str:
    """A file's whole text, one row a line."""
    lines = ",\n".join(f"    {_object(row)}" for row in found)
    return f'{{\n  "vendor": {_value(vendor)},\n  "region": {_value(region)},\n  "prices": [\n{lines}\n  ]\n}}\n'


def merged(old: Iterable[Row], new: Iterable[Row]) -> list[Row]:
    """The new rows, and those of the old whose key is not among them, kind by kind as in the table of items."""
    fresh = list(new)
    keys = {row["key"] for row in fresh}
    return sorted([*fresh, *[row for row in old if row["key"] not in keys]], key=_order)


def _order(row: Row) -> tuple[str, int]:
    key = row["key"]
    return key.partition(".")[0], RANK.get(key, len(RANK))


def _object(row: Row) -> str:
    return "{" + ", ".join(f"{_value(name)}: {_value(value)}" for name, value in row.items()) + "}"


def _value(value: Any) -> str:
    return plain(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)
