"""A month's usage as someone asks for it: a preset's name, a file, or what the stack says."""

import json
from pathlib import Path

from pydantic import ValidationError

from components.usage import PRESETS, Usage
from config.problems import Problem, nearest, translate
from config.yaml_text import BadYaml
from config.yaml_text import read as read_yaml


class BadUsage(Exception):
    """What is wrong with a usage, all of it at once."""


def read(given: str) -> Usage:
    """A preset by its name, or the YAML file at a path: a map of the same fields as the key `usage`."""
    if given in PRESETS:
        return Usage.model_validate({"preset": given})
    file = Path(given)
    if not file.is_file():
        raise BadUsage(f"{given} is neither a file nor a preset: {', '.join(PRESETS)}{nearest(given, PRESETS)}")
    try:
        value = read_yaml(file.read_bytes())
    except BadYaml as error:
        raise BadUsage(f"{given} {error}") from error
    try:
        # As the reader of the stack's own key has it.
        return Usage.model_validate_json(json.dumps({} if value is None else value))
    except (ValidationError, TypeError) as error:
        if isinstance(error, TypeError):
            raise BadUsage(f"{given}: want a map of plain values, such as {{image-size: 200}}: {error}") from error
        problems = [
            str(Problem(each.key, each.value, each.want, f"edit {given}")) for each in translate(error, "usage", Usage)
        ]
        raise BadUsage("\n".join([f"{given} needs a change:", *problems])) from error
