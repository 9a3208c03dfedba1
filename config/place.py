"""Where things are: the program, and the project that it runs for. In Switchyard's own checkout both are one folder."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pulumi

from components.transform import Transform

HOME = Path(__file__).resolve().parent.parent
"""The program's folder, with its tools."""
PROJECT = "Pulumi.yaml"
"""The file that makes a folder a project."""
_projects: list[Path] = []


@contextmanager
def running_for(folder: Path) -> Iterator[None]:
    """Within, a program that runs in this process runs for that project: of this, the engine says nothing to it."""
    _projects.append(folder)
    try:
        yield
    finally:
        _projects.remove(folder)


def project() -> Path:
    """The folder of the Pulumi.yaml of the stack that runs."""
    root: str | None = pulumi.get_root_directory()
    return Path(root) if root else next(reversed(_projects), HOME)


def transforms() -> Sequence[Transform]:
    """What `transforms.py` beside the project's Pulumi.yaml does to resources; nothing where there is none."""
    file = project() / "transforms.py"
    spec = importlib.util.spec_from_file_location("transforms", file)
    if not file.is_file() or spec is None or spec.loader is None:
        return ()
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Sequence[Transform] = module.TRANSFORMS
    return found
