"""A stack's file as it is written, for whoever looks at a stack without running it: nothing in it is decrypted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pulumi

from config import place
from config.yaml_text import BadYaml, read

READ = frozenset({"config", "environment", "secretsprovider", "encryptionsalt", "encryptedkey"})
"""What Pulumi reads in a stack's file (pulumi/sdk/go/common/workspace/project.go, ProjectStack)."""
PLACEHOLDER = "placeholder"
"""Stands for every secret."""

Steps = tuple[str | int, ...]
"""The way to a value: the full key, then keys of maps and places in lists."""


PLAIN_STEP = re.compile(r"[^.\[]+")


def dotted(steps: Steps) -> str:
    """The way to a value, as `pulumi config set --path` reads it and messages write it. (In a key with a dot or a
    bracket, a backslash before a quote cannot be said there.)"""
    path = str(steps[0])
    for step in steps[1:]:
        if isinstance(step, int):
            path += f"[{step}]"
        elif PLAIN_STEP.fullmatch(name := str(step)):  # YAML has keys that are no text as well
            path += f"{'' if path.endswith(':') else '.'}{name}"
        else:
            path += '["{}"]'.format(name.replace('"', '\\"'))
    return path


STEP = re.compile(r'\.?([^.\[]+)|\[(\d+)\]|\["((?:[^"\\]|\\"|\\(?!"))*)"\]')


def steps_of(path: str) -> Steps:
    """The steps of a path that `dotted` wrote."""
    return tuple(
        int(place) if place else plain or quoted.replace('\\"', '"') for plain, place, quoted in STEP.findall(path)
    )


class NoStack(Exception):
    """There is no such stack; the message says which there are."""


class BadStack(NoStack):
    """Its file, or the project's, cannot be read; the message says which, why, and how to fix it."""


class StackFile:
    """`config/Pulumi.<stack>.yaml`, and what Pulumi.yaml says besides. `lenient`: with what Pulumi does not read."""

    def __init__(self, root: Path, stack: str, *, lenient: bool = False) -> None:
        self.stack = stack
        self.path = root / "config" / f"Pulumi.{stack}.yaml"
        if "/" in stack or not self.path.exists():
            raise NoStack(_unknown(stack, root / "config"))
        self.document: dict[str, Any] = _map(self.path)
        project = root / "Pulumi.yaml"
        self.project: dict[str, Any] = _map(project)
        if "name" not in self.project:
            raise BadStack(f"{project} has no `name`, which every Pulumi project has")
        self.prefix = f"{self.project['name']}:"
        self.values = dict(_full(self.document, self.prefix, self.path))
        self.declared = dict(_full(self.project, self.prefix, project))
        """What Pulumi.yaml says of each key."""
        if unread := [str(key) for key in self.document if key not in READ and not lenient]:
            raise BadStack(
                f"{self.path} has {', '.join(unread)} outside `config`, where nobody reads it: move it there"
            )

    def get(self, key: str, default: Any = None) -> Any:
        """The value of one of the project's keys, where the stack sets it."""
        return self.values.get(self.prefix + key, default)

    @classmethod
    def running(cls) -> StackFile | None:
        """That of the stack that runs, where it is in its place."""
        try:
            return cls(place.project(), pulumi.get_stack(), lenient=True)
        except NoStack:
            return None

    def at(self, steps: Steps) -> Any:
        """What stands there, from the name of a key on; None: nothing."""
        found: Any = self.values.get(f"{self.prefix}{steps[0]}")
        for step in steps[1:]:
            if isinstance(found, list):
                found = dict(enumerate(found))
            found = found.get(step) if isinstance(found, dict) else None
        return found

    def without_secrets(self) -> tuple[dict[str, Any], list[Steps]]:
        """The values with PLACEHOLDER for each secret, and where the secrets are."""
        found: list[Steps] = []
        return _with_placeholders(self.values, (), found), found

    def encrypted(self, key: str) -> list[Steps]:
        """The way to each encrypted value of one of the project's keys, from below the key on."""
        return [steps[1:] for steps in self._secrets if steps[0] == self.prefix + key]

    @cached_property
    def _secrets(self) -> list[Steps]:
        return self.without_secrets()[1]

    def handed(self) -> tuple[dict[str, str], list[str]]:
        """What Pulumi hands to the program, placeholders for secrets: the values, and the keys that have a secret."""
        values, secrets = self.without_secrets()
        defaults = {key: declared_value(declared) for key, declared in self.declared.items()}
        texts = {key: _text(value) for key, value in {**defaults, **values}.items() if value is not None}
        return texts, sorted({str(steps[0]) for steps in secrets})


def declared_value(declared: Any) -> Any:
    """What Pulumi.yaml gives a key, by what it says of it; None: nothing."""
    return declared.get("value", declared.get("default")) if isinstance(declared, dict) else declared


def _unknown(stack: str, directory: Path) -> str:
    known = sorted(each.stem.partition(".")[2] for each in directory.glob("Pulumi.*.yaml"))
    message = f"there is no stack {stack!r}: {directory.name}/ has {', '.join(known) or 'none'}"
    return f"{message}; leave organisation and project out of the name" if "/" in stack else message


def _map(path: Path) -> dict[str, Any]:
    try:
        found = read(path.read_bytes()) or {}
    except OSError as error:
        raise BadStack(f"{path} cannot be read: {error.strerror}") from error
    except BadYaml as error:
        raise BadStack(f"{path} {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("config") or {}, dict):
        raise BadStack(f"{path} is not a map with a map `config` in it")
    return found


def _full(document: dict[str, Any], prefix: str, path: Path) -> Iterator[tuple[str, Any]]:
    """The keys under `config` with their values; as for Pulumi, one without a namespace is the project's."""
    config = document.get("config") or {}
    for key, value in config.items():
        if not isinstance(key, str):
            raise BadStack(f"{path} has the key {key!r} under `config`, and a key is text: take it out")
        if ":" not in key and prefix + key in config:  # Pulumi 3.259 takes now one, now the other
            raise BadStack(f"{path} has both {key} and {prefix}{key}, which are one key: take one out")
        yield key if ":" in key else prefix + key, value


def is_encrypted(value: Any) -> bool:
    """Whether a value of a stack's file is what Pulumi writes for an encrypted one."""
    return isinstance(value, dict) and value.keys() == {"secure"}


def _with_placeholders(value: Any, steps: Steps, found: list[Steps]) -> Any:
    if is_encrypted(value):
        found.append(steps)
        return PLACEHOLDER
    if isinstance(value, dict):
        return {key: _with_placeholders(each, (*steps, key), found) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_placeholders(each, (*steps, index), found) for index, each in enumerate(value)]
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
