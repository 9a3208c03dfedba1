"""What `make check` asks of imports, over small packages with the names of ours: a wrong import is found."""

import subprocess
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from tests.program import ROOT

LAYERS = ("yard", "rehearsal", "config", "components", "policy")
"""From the top down."""
CONTRACTS = ROOT / "pyproject.toml"
LINT = Path(sys.executable).with_name("lint-imports")
WAYS = {
    "at the top": "import {}\n",
    "in a function": "def later():\n    import {}\n",
    "for mypy alone": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import {}\n",
}


def lint(place: Path, modules: Mapping[str, str]) -> tuple[int, str]:
    """Exit code and words of the linter over the layers, with `modules` (file -> text) in them."""
    for name, text in {**{f"{layer}/__init__.py": "" for layer in LAYERS}, **modules}.items():
        file = place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    done = subprocess.run([LINT, "--no-cache", "--no-logo", CONTRACTS], cwd=place, capture_output=True, text=True)
    return done.returncode, done.stdout


def test_imports_from_below_are_right(tmp_path: Path) -> None:
    modules = {f"{layer}/a.py": f"import {below}.a\n" for layer, below in pairwise(LAYERS)} | {f"{LAYERS[-1]}/a.py": ""}
    code, said = lint(tmp_path, modules)
    assert (code, "2 kept, 0 broken" in said) == (0, True), said


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("above", "layer"), list(pairwise(LAYERS)))
def test_an_import_from_above_is_found(tmp_path: Path, above: str, layer: str, way: str) -> None:
    code, said = lint(tmp_path, {f"{above}/a.py": "", f"{layer}/b.py": WAYS[way].format(f"{above}.a")})
    assert (code, f"{layer}.b -> {above}.a" in said) == (1, True), said


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("layer", LAYERS)
def test_two_modules_that_import_each_other_are_found(tmp_path: Path, layer: str, way: str) -> None:
    circle = {f"{layer}/a.py": f"import {layer}.b\n", f"{layer}/b.py": WAYS[way].format(f"{layer}.a")}
    code, said = lint(tmp_path, circle)
    assert (code, "1 kept, 1 broken" in said) == (1, True), said


def test_two_packages_that_import_each_other_are_found(tmp_path: Path) -> None:
    """No module of theirs is in a circle."""
    packages = {f"components/{name}/{file}.py": "" for name in "ab" for file in ("__init__", "low")}
    ours = {"components/a/high.py": "import components.b.low\n", "components/b/high.py": "import components.a.low\n"}
    code, said = lint(tmp_path, packages | ours)
    assert (code, "1 kept, 1 broken" in said) == (1, True), said
