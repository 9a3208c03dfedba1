"""Markdown that the generated documents are made of."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table: a line for its head, and one for each row."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def one_of(values: Iterable[object]) -> str:
    """Values as code, one after the other."""
    return ", ".join(f"`{each}`" for each in values)
