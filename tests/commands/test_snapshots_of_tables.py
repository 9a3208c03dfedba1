"""The first user's table, and what became of another tool's file, as test_snapshots.py holds it."""

import shutil
from pathlib import Path

import pytest

from tests.commands.test_import import CASES
from tests.commands.test_snapshots import call, held, width  # noqa: F401
from tests.program import ROOT
from yard import import_


def test_the_first_users_table(width: int) -> None:  # noqa: F811
    held("seed", width, call(width, "compare", "--seed"))


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a file of Compose beside it; no line depends on where it lies."""
    (tmp_path / "config").mkdir()
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    shutil.copy(CASES / "compose/shop.yaml", tmp_path / "compose.yaml")
    (tmp_path / "config/Pulumi.dev.yaml").write_text("config:\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(import_, "ROOT", Path())
    monkeypatch.setattr("yard.here.ROOT", Path())
    return tmp_path


def test_import(width: int, shop: Path) -> None:  # noqa: F811
    shown = [call(width, "import", "compose.yaml"), call(width, "import", "compose.yaml", "--stack", "dev")]
    shown += [call(width, "import", "compose.yaml", "--stack", "dev"), call(width, "import", "config")]
    for wrong in ("services:\n\tweb: {}\n", "services: {db: {image: postgres}}\n", "a: 1\n"):
        (shop / "wrong.yaml").write_text(wrong, encoding="utf-8")
        shown.append(call(width, "import", "wrong.yaml"))
    held("import", width, "\n".join(shown))
