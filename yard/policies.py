"""What the policies say of a stack that was brought up, by its state."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from components.shell import command
from config.reader import default_of
from config.stack_file import StackFile
from policy import Violation, violations, waived
from policy.control import Resource
from yard import engine

Told = Mapping[str, str]
"""A violation, for machines: `control`, `level`, `type`, `name`, `says`, `key`."""


def broken(config: StackFile, state: Path) -> list[Violation]:
    """What the stack in the directory `state` breaks, of what its preset asks for and its exceptions leave."""
    preset = str(config.get("preset", default_of(config.project, "preset")))
    exceptions = waived(config.get, config.get("exceptions", {}))
    return [*violations(resources(engine.saved(state, config.stack)), preset, exceptions)]


def resources(state: Mapping[str, Any]) -> Iterable[Resource]:
    """All resources of a state."""
    return [
        Resource(
            each["urn"],
            each["type"],
            each.get("inputs", {}),
            frozenset(each.get("dependencies", ())),
            each.get("parent", ""),
            each.get("provider", "").rpartition("::")[0],
        )
        for each in state.get("resources", ())
    ]


def refusal(found: Sequence[Violation]) -> str:
    """Why mandatory ones stop, and the two ways on."""
    why = command("pulumi", "config", "set", "--path", f'exceptions["{found[0].control.id}"]', "why not here")
    return "\n".join(
        [
            "policies that the preset makes mandatory are broken:",
            *(f"  {each}" for each in found),
            f"Meet them, or say of each why this stack does not: {why}",
        ]
    )


def told(found: Iterable[Violation]) -> list[Told]:
    """The same for machines."""
    return [
        {
            "control": each.control.id,
            "level": each.level,
            "type": each.resource.type,
            "name": each.resource.name,
            "says": each.control.says,
            "key": each.control.key,
        }
        for each in found
    ]
