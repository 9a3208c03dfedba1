"""What the edited configuration adds to the month's cost, or saves, against the last `pulumi up`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from components.cost import COLUMNS
from config.estimates import as_output
from yard.comparison import settings_of

TOTAL = "total"


@dataclass(frozen=True)
class Change:
    """The stack's output `cost`, as the last `up` left it and as the next would."""

    stack: str
    before: Mapping[str, Any] | None
    """None: there was no `up` yet, or none that knew a cost."""
    after: Mapping[str, Any]

    def columns(self) -> Mapping[str, tuple[Decimal, Decimal]]:
        """USD a month before and after, by column, the total at the end."""
        return {column: (usd(self.before, column), usd(self.after, column)) for column in (*COLUMNS, TOTAL)}

    def json(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            "stack": self.stack,
            "unit": "USD a month",
            "was_up": self.before is not None,
            "columns": {
                column: {"before": str(before), "after": str(after), "change": str(after - before)}
                for column, (before, after) in self.columns().items()
            },
            "unknown": {"before": (self.before or {}).get("unknown", []), "after": self.after["unknown"]},
        }


def change(root: Path, stack: str) -> Change:
    """Ask the stack's state, and its file; raises `click.ClickException` where one of them cannot be read."""
    # Imported here: only this asks the engine.
    from yard import engine
    from yard.local import STACK, Local

    after = as_output(settings_of(root, stack))
    try:
        opened = engine.stack(stack, root, state=Local(root).state if stack == STACK else None)
        before = engine.outputs(opened).get("cost")
    except engine.EngineError as error:
        raise click.ClickException(f"the last `pulumi up` of {stack} cannot be looked up: {error}") from error
    return Change(stack, before if isinstance(before, dict) else None, after)


def usd(cost: Mapping[str, Any] | None, column: str) -> Decimal:
    """An amount out of the output; 0 where it has none."""
    cost = cost or {}
    return Decimal(cost.get("usd", "0") if column == TOTAL else cost.get("columns", {}).get(column, "0"))
