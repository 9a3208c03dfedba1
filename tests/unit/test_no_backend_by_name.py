"""The doctor, the documents and the checks of the configuration know no backend by name: a third party's is treated
like ours."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.edge import EDGES
from components.orchestrator import ORCHESTRATORS
from components.registry import REGISTRIES
from tests.program import ROOT

NAMES = {*ORCHESTRATORS, *REGISTRIES, *EDGES}
FILES = [
    ROOT / "yard/doctor.py",
    ROOT / "tools/docs.py",
    ROOT / "tools/support.py",
    *ROOT.glob("yard/checks/*.py"),
    *ROOT.glob("config/*.py"),
]


def named(source: str) -> Iterator[str]:
    """Backends that a module of Python names in a string, or imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in NAMES:
            yield node.value
        if isinstance(node, ast.ImportFrom) and node.module:
            parts = node.module.split(".")
            if parts[:1] == ["components"] and {each.replace("_", "-") for each in parts[2:]} & NAMES:
                yield node.module


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_it_names_none(path: Path) -> None:
    assert list(named(path.read_text(encoding="utf-8"))) == []


def test_a_name_would_be_found() -> None:
    assert list(named('from components.registry.ecr_public import REGION\nx = "eks" in y')) == [
        *("components.registry.ecr_public", "eks"),
    ]
