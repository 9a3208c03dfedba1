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
from yard.importing import compose
from yard.importing.draft import Draft, Given, Rules
from yard.importing.source import Report


class NoImport(Exception):
    """A file cannot be imported; the message says which, why, and how to fix it."""


@dataclass(frozen=True)
class Dialect:
    """A kind of file of another tool."""

    title: str
    is_one: Callable[[Mapping[str, Any]], bool]
    """Whether a document is in it."""
    read: Callable[[Given], tuple[list[Draft], Report]]
    tables: Mapping[str, Rules]
    """What becomes of its fields, under a heading each."""


DIALECTS: Mapping[str, Dialect] = {
    "compose": Dialect(
        "Docker Compose",
        lambda document: "services" in document,
        compose.read,
        {"Of a service": compose.RULES, "Of the file": compose.TOP},
    ),
}


@dataclass(frozen=True)
class Imported:
    """What came of a file."""

    dialect: str
    services: Mapping[str, Mapping[str, Any]]
    report: Report


def load(path: Path, root: Path, named: str | None, stack: str | None, environment: str | None) -> Imported:
    """Read a file for the project in `root`, in the dialect `named` or else by what is in it. Raises `NoImport`."""
    document = _document(path)
    name = named or next((key for key, each in DIALECTS.items() if each.is_one(document)), None)
    if name is None:
        raise NoImport(
            f"{path} is in no dialect that is known by what is in it: say which with --as {'|'.join(DIALECTS)}"
        )
    given = Given(document, _base(path, root), stack, environment)
    drafts, report = DIALECTS[name].read(given)
    if not drafts:
        reasons = "; ".join(dict.fromkeys(f"{each.path}: {each.why}" for each in report.lines)) or "it has none"
        raise NoImport(f"{path} has no service that can run here: {reasons}")
    return Imported(name, {each.name: _in_order(each.values) for each in drafts}, report)


def _in_order(values: Mapping[str, Any]) -> dict[str, Any]:
    """A service's fields as the configuration's documents list them."""
    return {name: values[name] for name in Service.model_fields if name in values}


def _document(path: Path) -> dict[str, Any]:
    try:
        found = read_yaml(path.read_bytes(), PLAIN_LOADER)
    except OSError as error:
        raise NoImport(f"{path} cannot be read: {error.strerror}") from error
    except BadYaml as error:
        raise NoImport(f"{path} {error}") from error
    if not isinstance(found, dict):
        raise NoImport(f"{path} is no map: want a file of {', '.join(each.title for each in DIALECTS.values())}")
    return found


def _base(path: Path, root: Path) -> str:
    """The folder that a file's paths begin in, from the project's."""
    return Path(os.path.relpath(path.resolve().parent, root.resolve())).as_posix()
