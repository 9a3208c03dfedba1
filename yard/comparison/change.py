"""What the edited configuration adds to the month's cost, or saves, against the last `pulumi up`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from components.cost import COLUMNS
from config.estimates import as_output
from yard.comparison import settings_of

TOTAL = "total"


@dataclass(frozen=True)
class Row:
    """What one column comes to, USD a month; None where nobody knows."""

    before: Decimal | None
    after: Decimal | None

    @property
    def change(self) -> Decimal | None:
        """What is added."""
        return None if self.before is None or self.after is None else self.after - self.before

    def json(self) -> dict[str, str | None]:
        """The same as text."""
        figures = {"before": self.before, "after": self.after, "change": self.change}
        return {name: None if usd is None else str(usd) for name, usd in figures.items()}


@dataclass(frozen=True)
class Change:
    """The stack's output `cost`, as the last `up` left it and as the next would."""

    stack: str
    before: Mapping[str, Any] | None
    """None: nothing is up. Without amounts: the last `up` told none."""
    after: Mapping[str, Any]

    def columns(self) -> Mapping[str, Row]:
        """By column, the total at the end."""
        return {column: Row(_usd(self.before, column), _usd(self.after, column)) for column in (*COLUMNS, TOTAL)}

    def json(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            "stack": self.stack,
            "unit": "USD a month",
            "was_up": self.before is not None,
            "columns": {column: row.json() for column, row in self.columns().items()},
            "unknown": {"before": (self.before or {}).get("unknown", []), "after": self.after["unknown"]},
        }


def change(root: Path, stack: str) -> Change:
    """Ask the stack's state, and its file; raises `click.ClickException` where one of them cannot be read."""
    after = as_output(settings_of(root, stack))
    from yard.state import outputs as outputs_of  # only this asks the CLI

    outputs = outputs_of(root, stack)
    return Change(stack, outputs.get("cost", {}) if outputs else None, after)


def _usd(cost: Mapping[str, Any] | None, column: str) -> Decimal | None:
    """An amount out of the output. Of nothing it is 0."""
    if cost is None:
        return Decimal(0)
    text = cost.get("usd", "?") if column == TOTAL else cost.get("columns", {}).get(column, "?")
    return None if text == "?" else Decimal(text)
