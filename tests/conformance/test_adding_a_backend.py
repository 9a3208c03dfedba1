"""The lines that docs/adding-a-backend.md counts are those of the example."""

import ast
import re
from pathlib import Path

import pytest

from tests.program import ROOT

HERE = Path(__file__).parent / "third_party"
DOCUMENT = (ROOT / "docs/adding-a-backend.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| [a-z ,A-Z]+ \| (`Acme.*?`) \| (\d+) \|$", DOCUMENT, re.MULTILINE)


def lines_of(file: str) -> dict[str, int]:
    """What stands at the top level of a module -> its lines."""
    found: dict[str, int] = {}
    for node in ast.parse((HERE / file).read_text(encoding="utf-8")).body:
        name = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "name", "")
        found[name.id if isinstance(name, ast.Name) else str(name)] = (node.end_lineno or 0) - node.lineno + 1
    return found


@pytest.mark.parametrize(("names", "count"), ROWS)
def test_a_backend_has_so_many_lines(names: str, count: str) -> None:
    lines = lines_of("acme.py")
    assert sum(lines[each] for each in re.findall(r"`(\w+)`", names)) == int(count)


def test_every_row_is_counted() -> None:
    assert len(ROWS) == 4
    rows = lines_of("acme_rehearsal.py")
    prices = (HERE / "acme_prices/global.json").read_text(encoding="utf-8").splitlines()
    count = rows["SPACE"] + rows["APP"]
    assert f"{count} lines are its rows for the rehearsal (`SPACE`, `APP`), and {len(prices)} its prices" in DOCUMENT
