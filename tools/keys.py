"""The keys of a stack, as Switchyard's own `Pulumi.yaml` declares them and `docs/configuration.md` lists them."""

from collections.abc import Iterator, Mapping
from pkgutil import resolve_name
from typing import Any

import yaml
from pydantic import BaseModel

from components.edge import EDGES
from components.orchestrator import ORCHESTRATORS
from components.registry import REGISTRIES
from config.load import FROM_PRESET
from config.reader import DEFAULTS, TEXT, Keys

KINDS: Mapping[str, Mapping[str, str]] = {"registry": REGISTRIES, "orchestrator": ORCHESTRATORS, "edge": EDGES}
"""Key that chooses a backend -> what it may be."""


def declared() -> Iterator[tuple[str, str, str | dict[str, Any]]]:
    """Each key, what it means, and what stands for it where a stack does not set it."""
    for name, field in Keys.model_fields.items():
        key = field.alias or name
        unset: str | dict[str, Any] = "" if key in TEXT else {}
        yield key, field.description or "", "preset" if name in FROM_PRESET else DEFAULTS.get(key, unset)
    for kind, rows in KINDS.items():
        for key, options in with_options(rows):
            fields = ", ".join(field.alias or name for name, field in options.model_fields.items())
            yield key, f"Only for {kind} {key}: {{{fields}}}.", {}


def with_options(rows: Mapping[str, str]) -> Iterator[tuple[str, type[BaseModel]]]:
    """The rows that have a block of their own, and its model."""
    for name, path in rows.items():
        if (options := resolve_name(path).Options).model_fields:
            yield name, options


LATER = frozenset(
    {"edge", "exceptions", "flow-logs", "github", "guard", "permissions-boundary", "plain-http", "proxy", "tls-policy"}
    | {"kms-key", "proxy-ec2", "security-groups", "waf"}
)
"""Keys that came when the file needed none any more: a provider of swarms would see a change in its configuration."""
PROJECT = """\
# Written by `make docs`. A project needs none of the keys under `config`: the program knows by itself what they say.
# They stay because the provider of swarms keeps the whole configuration in its state, so that none sees a change.
name: switchyard
description: Run a team's container services with the registry and the orchestrator of its choice.
runtime:
  name: python
  options: {toolchain: pip, virtualenv: .venv}
stackConfigDir: config
"""


def project() -> str:
    """Switchyard's own Pulumi.yaml."""
    keys: dict[str, Any] = {
        key: {"type": "string" if isinstance(default, str) else "object", "description": meaning, "default": default}
        for key, meaning, default in declared()
        if key not in LATER
    }
    keys["aws:defaultTags"] = {"value": {"tags": {"managed-by": "switchyard"}}}
    return PROJECT + yaml.safe_dump({"config": keys}, sort_keys=False, width=10**6)
