"""Commands that `yard` suggests, as they run where it was called."""

import os
import shutil
from pathlib import Path

from components.shell import command
from config.place import HOME

OWN = HOME / ".venv/bin/yard"


def yard(*words: str) -> str:
    """A command of `yard`: by its name where that leads to it, else by its path."""
    return command(name(), *words)


def name() -> str:
    """How `yard` is called here."""
    found = shutil.which("yard")
    if found and (Path(found) == OWN or (Path(found).resolve().parent.parent / "yard/here.py").is_file()):
        return "yard"
    relative = os.path.relpath(OWN)
    return str(OWN) if relative.startswith("..") else relative
