"""`yard upgrade` with two programs, each in processes of its own, over the real engine."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from tests.commands.test_init import git
from tests.engine.record_states import LISTENER
from tests.program import EXISTING, ROOT
from yard import upgrade
from yard.starting import program
from yard.starting.program import Version

pytestmark = pytest.mark.engine

CONFIG: Mapping[str, Any] = {
    "aws:region": "us-east-1",
    "registry": "ecr",
    "orchestrator": "ecs-fargate",
    "services": {"api": {"secrets": {"TOKEN": {"secure": "v1:of:another"}}}},
    **EXISTING,
    "load-balancer": {**EXISTING["load-balancer"], "listener": LISTENER},
}
ELSEWHERE = {"registry": "oci", "orchestrator": "swarm", "oci": {"host": "localhost:5000"}, "services": {"api": {}}}
RENAMED = (
    "components/aws/vault.py",
    "LogGroup(\n            name,\n            # Fixed",
    'LogGroup(\n            f"{name}-logs",\n            # Fixed',
)
"""A file, and how the name of a resource in it is written, before and after."""


def commit(root: Path, tag: str) -> None:
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", tag)
    git(root, "tag", tag)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """This program in a repository; a later version that names a resource otherwise, and one that does not."""
    root = tmp_path / "program"
    for name in ("components", "config", "policy", "rehearsal", "yard"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", ".venv"))
    for name in ("__main__.py", "Pulumi.yaml"):
        shutil.copy(ROOT / name, root / name)
    (root / ".gitignore").write_text(".venv\n.tools\n__pycache__\n", encoding="utf-8")
    git(root, "init", "--quiet")
    commit(root, "v1.0.0")
    path, before, after = RENAMED
    text = (root / path).read_text(encoding="utf-8")
    (root / path).write_text(text.replace(before, after), encoding="utf-8")
    assert before in text
    commit(root, "v1.1.0")
    (root / path).write_text(text, encoding="utf-8")
    (root / "CHANGELOG.md").write_text("# Changes\n\n## 1.1.1\n\n- The name is back.\n", encoding="utf-8")
    commit(root, "v1.1.1")
    return root


@pytest.fixture
def shop(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the first of these versions. All have this checkout's packages and tools, but their own code."""

    def equip(folder: Path, like: Path | None = None) -> None:
        for name in (".venv", ".tools"):
            if not (folder / name).exists():
                (folder / name).symlink_to(ROOT / name)

    root = tmp_path / "shop"
    (root / "config").mkdir(parents=True)
    (root / "Pulumi.yaml").write_text(
        "name: shop\nruntime: python\nmain: switchyard\nstackConfigDir: config\n", encoding="utf-8"
    )
    for stack, config in {"dev": CONFIG, "local": ELSEWHERE}.items():
        (root / f"config/Pulumi.{stack}.yaml").write_text(yaml.safe_dump({"config": config}), encoding="utf-8")
    program.place(root, Version(str(source), "v1.0.0"), as_copy=True)
    equip(root / "switchyard")
    monkeypatch.setattr(program, "equip", equip)
    monkeypatch.setattr(upgrade, "ROOT", root)
    return root


def test_only_a_version_that_replaces_and_deletes_nothing_is_moved_to(shop: Path, source: Path) -> None:
    files = {path: path.read_bytes() for path in (shop / "config").iterdir()}
    refused = CliRunner().invoke(upgrade.upgrade, ["--yes", "--to", "v1.1.0"])
    assert refused.exit_code == 1, refused.output
    assert "\n  deleted: vault (aws:cloudwatch/logGroup:LogGroup)\n" in refused.output
    assert "stack local: not rehearsed: the rehearsal has AWS and Kubernetes on it, and swarm runs" in refused.output
    assert "nothing was moved: v1.1.0 would not leave dev as they are" in refused.output
    assert Version.of(shop / "switchyard").commit == git(source, "rev-parse", "v1.0.0")

    moved = CliRunner().invoke(upgrade.upgrade, ["--yes"])
    assert moved.exit_code == 0, moved.output
    assert "- The name is back." in moved.output
    assert "stack dev: 0 replaced, 0 deleted\n" in moved.output
    assert Version.of(shop / "switchyard").commit == git(source, "rev-parse", "v1.1.1")
    assert files == {path: path.read_bytes() for path in (shop / "config").iterdir()}
