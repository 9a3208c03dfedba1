"""Workflows as text: YAML in its order, pinned actions with their versions, permissions with their reasons."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from components.workflow import ACTIONS, Step

REASONS = {
    "contents: read": "to check the repository out",
    "contents: write": "to push what `yard switch` wrote into the stack's file",
    "id-token: write": "to log in at the cloud without a key",
    "packages: write": "to push to GitHub's registry",
    "pull-requests: write": "to comment",
}
"""Why a job is allowed something: whoever reads the workflow is told beside it."""
PLAIN: Mapping[str, bool | int] = {"true": True, "false": False, "0": 0, "2": 2}
"""What an input is to look like in YAML, where it is no text."""
PINS = {f"{each.name}@{each.commit}": each.pinned for each in ACTIONS}
USES = re.compile(r"(?m)^(\s*(?:- )?uses: )(\S+)$")
PERMITS = re.compile(r"(?m)^( +)([a-z-]+: (?:read|write))$")


class _Dumper(yaml.SafeDumper):
    """Text of several lines as it is, and lists below their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
        return super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def text(document: Mapping[str, Any]) -> str:
    """A workflow, or Dependabot's file."""
    dumped = yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=10**6, allow_unicode=True)
    dumped = re.sub(r"(?m)^'on':", "on:", dumped)  # YAML 1.1 takes the word for true, and GitHub does not
    dumped = USES.sub(lambda found: found[1] + PINS.get(found[2], found[2]), dumped)
    dumped = PERMITS.sub(lambda found: f"{found[1]}{found[2]}  # {REASONS[found[2]]}", dumped)
    return re.sub(r"(?m)^(?=(?:on|permissions|jobs|updates):)", "\n", dumped)


def step(each: Step) -> dict[str, Any]:
    """A step as a workflow has it."""
    found: dict[str, Any] = {"name": each.name}
    if each.id:
        found["id"] = each.id
    if each.when:
        found["if"] = each.when
    if each.uses:
        found["uses"] = f"{each.uses.name}@{each.uses.commit}"
    if each.inputs:
        found["with"] = {key: PLAIN.get(value, value) for key, value in each.inputs.items()}
    if each.env:
        found["env"] = dict(each.env)
    if each.run:
        found["run"] = each.run
    return found
