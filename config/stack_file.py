"""A stack's file as it is written, for whoever looks at a stack without running it: nothing in it is decrypted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi
import yaml

ROOT = Path(__file__).resolve().parent.parent
"""The project's directory, as long as it is where its program is."""
PLACEHOLDER = "placeholder"
"""Stands for every secret."""

Steps = tuple[str | int, ...]
"""The way to a value: the full key, then keys of maps and places in lists."""


class NoStack(Exception):
    """There is no such stack, or its file is none; the message says which there are."""


class StackFile:
    """`config/Pulumi.<stack>.yaml`, and what Pulumi.yaml says besides."""

    def __init__(self, root: Path, stack: str) -> None:
        self.stack = stack
        self.path = root / "config" / f"Pulumi.{stack}.yaml"
        if not self.path.exists():
            known = sorted(each.stem.partition(".")[2] for each in self.path.parent.glob("Pulumi.*.yaml"))
            raise NoStack(f"there is no stack {stack!r}: config/ has {', '.join(known)}")
        self.document: dict[str, Any] = _map(self.path)
        self.project: dict[str, Any] = _map(root / "Pulumi.yaml")
        self.prefix = f"{self.project['name']}:"
        self.values: dict[str, Any] = self.document.get("config") or {}

    def get(self, key: str, default: Any = None) -> Any:
        """The value of one of the project's keys."""
        return self.values.get(self.prefix + key, default)

    @classmethod
    def running(cls) -> StackFile | None:
        """That of the stack that runs, where it is in its place."""
        try:
            return cls(ROOT, pulumi.get_stack())
        except (NoStack, OSError):
            return None

    def at(self, steps: tuple[str, ...]) -> Any:
        """What stands there, from the name of a key on; None: nothing."""
        found: Any = self.values.get(self.prefix + steps[0])
        for step in steps[1:]:
            found = found.get(step) if isinstance(found, dict) else None
        return found

    def without_secrets(self) -> tuple[dict[str, Any], list[Steps]]:
        """The values with PLACEHOLDER for each secret, and where the secrets are."""
        found: list[Steps] = []
        return _with_placeholders(self.values, (), found), found

    def handed(self) -> tuple[dict[str, str], list[str]]:
        """What Pulumi hands to the program, placeholders for secrets: the values, and the keys that have a secret."""
        values, secrets = self.without_secrets()
        defaults = {
            key if ":" in key else self.prefix + key: said.get("value", said.get("default"))
            for key, said in (self.project.get("config") or {}).items()
        }
        texts = {key: _text(value) for key, value in {**defaults, **values}.items() if value is not None}
        return texts, sorted({str(steps[0]) for steps in secrets})


def _map(path: Path) -> dict[str, Any]:
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise NoStack(f"{path} is no YAML: {error}") from error
    if not isinstance(read, dict) or not isinstance(read.get("config") or {}, dict):
        raise NoStack(f"{path} is no map with a map `config` in it")
    return read


def _with_placeholders(value: Any, steps: Steps, found: list[Steps]) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"secure"}:
            found.append(steps)
            return PLACEHOLDER
        return {key: _with_placeholders(each, (*steps, key), found) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_placeholders(each, (*steps, index), found) for index, each in enumerate(value)]
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
