"""Which dialects there are, which one a file is in, and how it is read."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.service import Service
from config.yaml_text import PLAIN_LOADER, BadYaml
from config.yaml_text import read as read_yaml
from yard.importing import compose, copilot, score
from yard.importing.draft import Draft, Given, Rules
from yard.importing.source import NoImport, Report


@dataclass(frozen=True)
class Dialect:
    """A kind of file of another tool."""

    title: str
    is_one: Callable[[Mapping[str, Any]], bool]
    """Whether a document is in it."""
    read: Callable[[Given], tuple[list[Draft], Report]]
    tables: Mapping[str, Rules]
    """What becomes of its fields, under a heading each."""
    folder: Callable[[Path], Path] = lambda file: file.parent
    """Where the paths in a file begin."""
    environments: bool = False


DIALECTS: Mapping[str, Dialect] = {
    "compose": Dialect(
        "Docker Compose",
        lambda document: "services" in document,
        compose.read,
        {"Of a service": compose.RULES, "Of the file": compose.TOP},
    ),
    "copilot": Dialect(
        "AWS Copilot",
        copilot.is_one,
        copilot.read,
        {"Of a manifest": copilot.RULES},
        copilot.workspace,
        environments=True,
    ),
    "score": Dialect(
        "Score",
        score.is_one,
        score.read,
        {"Of the first container": score.CONTAINER, "Of the workload": score.TOP},
    ),
}


@dataclass(frozen=True)
class Imported:
    """What came of a file."""

    dialect: str
    services: Mapping[str, Mapping[str, Any]]
    report: Report


def load(path: Path, root: Path, named: str | None, environment: str | None) -> Imported:
    """Read a file for the project in `root`, in the dialect `named` or else by what is in it. Raises `NoImport`."""
    document = _document(path)
    name = named or next((key for key, each in DIALECTS.items() if each.is_one(document)), None)
    if name is None:
        raise NoImport(
            f"{path} is in no dialect that is known by what is in it: say which with --as {'|'.join(DIALECTS)}"
        )
    dialect = DIALECTS[name]
    if environment and not dialect.environments:
        raise NoImport(f"{path} is of {dialect.title}, which has no environments: leave --environment out")
    folder = dialect.folder(path.resolve())
    base = Path(os.path.relpath(folder, root.resolve())).as_posix()
    drafts, report = dialect.read(Given(document, base, environment))
    if not drafts:
        reasons = "; ".join(dict.fromkeys(f"{each.path}: {each.why}" for each in report.lines)) or "it has none"
        raise NoImport(f"{path} has no service that can run here: {reasons}")
    return Imported(name, {each.name: _in_order(each.values) for each in drafts}, report)


def _in_order(values: Mapping[str, Any]) -> dict[str, Any]:
    """A service's fields as the configuration's documents list them."""
    return {name: values[name] for name in Service.model_fields if name in values}


def _document(path: Path) -> dict[str, Any]:
    """What is in a file; of a folder, what is in its manifests, by their folders."""
    if path.is_dir():
        manifests = sorted(each for each in path.glob("**/manifest.y*ml") if each.is_file())
        if not manifests:
            raise NoImport(f"{path} has no manifest.yml in its folders: want one of {', '.join(_titles())}")
        return {each.parent.relative_to(path).as_posix(): _document(each) for each in manifests}
    try:
        found = read_yaml(path.read_bytes(), PLAIN_LOADER)
    except OSError as error:
        raise NoImport(f"{path} cannot be read: {error.strerror}") from error
    except BadYaml as error:
        raise NoImport(f"{path} {error}") from error
    if not isinstance(found, dict):
        raise NoImport(f"{path} is not a map: want a file of {', '.join(_titles())}")
    return found


def _titles() -> list[str]:
    return [each.title for each in DIALECTS.values()]
