"""A file has at most 450 lines, and a function 45: what is longer is split."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.program import ROOT

FOLDERS = ("components", "config", "policy", "rehearsal", "yard", "tools", "tests", "benchmarks")
FOUND = [*ROOT.glob("*.py"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))]
SOURCES = [path for path in FOUND if ".venv" not in path.parts]
FILE, FUNCTION = 450, 45


def long_functions(source: str, most: int = FUNCTION) -> Iterator[str]:
    """The functions of a module that have more than so many lines, from `def` to the last one."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            if lines > most:
                yield f"{node.name} has {lines}"


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_no_file_is_longer() -> None:
    assert len(SOURCES) > 200
    counts = {str(path.relative_to(ROOT)): text(path).count("\n") for path in SOURCES}
    assert {name: count for name, count in counts.items() if count > FILE} == {}


def test_no_function_is_longer() -> None:
    found = {str(path.relative_to(ROOT)): [*long_functions(text(path))] for path in SOURCES}
    assert {name: each for name, each in found.items() if each} == {}


def test_a_long_function_is_found_also_inside_a_class() -> None:
    source = (
        "class A:\n    async def long(self):\n        a = 1\n        return a\n    def short(self):\n        return 1\n"
    )
    assert list(long_functions(source, 2)) == ["long has 3"]
