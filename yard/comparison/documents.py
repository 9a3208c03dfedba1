"""The comparison for machines: JSON and CSV. Amounts are text, so that no reader makes binary fractions of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from components.cost import COLUMNS
from components.estimate import Amount, Charge, Estimate
from components.prices import plain
from yard.comparison import Comparison


def document(found: Comparison, today: date) -> dict[str, Any]:
    """Everything, every line of every pair with its source among it."""
    return {
        "stack": found.stack,
        "region": found.meant or found.region,
        "prices_of": found.region,
        "usage": found.usage.model_dump(mode="json", by_alias=True),
        "unit": "USD a month",
        "pairs": [_pair(each, found.is_own(each)) for each in found.estimates],
        "assumed": list(found.assumptions()),
        "warnings": [warning] if (warning := found.price_dates(today)) else [],
    }


def _pair(each: Estimate, own: bool) -> dict[str, Any]:
    known = {"registry": each.registry, "orchestrator": each.orchestrators[0], "own": own}
    if each.refused:
        return known | {"refused": list(each.refused)}
    return known | {
        "network": each.network or None,
        "total": amount(each.amount()),
        "columns": {column: amount(each.amount(column)) for column in COLUMNS},
        "lines": [line(charge) for charge in each.charges],
        "unknown": each.unknown,
        "notes": list(each.notes),
    }


def amount(of: Amount) -> dict[str, Any]:
    """A sum as text with two digits, null where nothing is known of it, and how far it can be trusted."""
    return {"usd": None if of.known is None else str(of.known), "confirmed": of.confirmed, "whole": of.whole}


def line(charge: Charge) -> dict[str, Any]:
    """One line, its price by tier."""
    line, usd = charge.line, charge.usd
    return {
        "column": line.column,
        "what": line.what,
        "quantity": number(line.quantity),
        "free": number(charge.free),
        "unit": line.unit,
        "usd": None if usd is None else number(usd),
        "only_if": line.only_if or None,
        "prices": [
            {
                "usd": number(tier.usd),
                "from": number(tier.start),
                "status": tier.status,
                "as_of": tier.as_of,
                "source": tier.source,
            }
            for tier in charge.tiers
        ],
    }


def number(value: Decimal) -> str:
    """At most eight digits behind the point, and no more than it has."""
    return plain(value.quantize(Decimal("1e-8")))


def rows(found: Comparison, by_line: bool) -> str:
    """CSV: a row for each pair, or for each line of each."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(_lines(found) if by_line else _pairs(found))
    return text.getvalue()


def _pairs(found: Comparison) -> Iterator[list[object]]:
    sums = [f"{column} usd" for column in (*COLUMNS, "total")]
    yield ["registry", "orchestrator", "network", *sums, "confirmed", "whole", "refused"]
    for each in found.estimates:
        amounts, total = [each.amount(column) for column in (*COLUMNS, None)], each.amount()
        figures: list[object] = ["?" if of.known is None else of.known for of in amounts]
        figures += [total.confirmed, total.whole]
        if each.refused:
            figures = [""] * len(figures)
        yield [each.registry, each.orchestrators[0], each.network, *figures, "; ".join(each.refused)]


def _lines(found: Comparison) -> Iterator[list[object]]:
    names = ["column", "what", "quantity", "free", "unit", "usd", "only if", "price", "status", "as of", "source"]
    yield ["registry", "orchestrator", *names]
    for each in found.estimates:
        for charge in each.charges:
            row = line(charge)
            tiers = row.pop("prices")
            prices = ["; ".join(str(tier[key] or "") for tier in tiers) for key in ("usd", "status", "as_of", "source")]
            yield [
                each.registry,
                each.orchestrators[0],
                *["" if each is None else each for each in row.values()],
                *prices,
            ]
