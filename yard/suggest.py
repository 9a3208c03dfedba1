"""Commands that `yard` suggests, as they run where it was called."""

import os
import re
import shutil
from pathlib import Path

from components.shell import command
from config.place import HOME

OWN = HOME / ".venv/bin/yard"
LOCAL = "local"
"""The stack of this machine, whose state the CLI finds only with the help of `yard`."""
QUOTED = r"(?<!\w)'[^']*'|\"'\""
"""What `shlex.quote` makes of a word, in parts."""
ABOUT_A_STACK = re.compile(
    rf"{QUOTED}|<stack>|pulumi (?:config (?:set|rm)|import|preview|refresh)\b(?:{QUOTED}|[^;`&'\"\n])*(?<!\s)"
)
"""A command in words, or the stack's name; or quoted text, in which neither is to be found."""


def yard(*words: str) -> str:
    """A command of `yard`: by its name where that leads to it, else by its path."""
    return command(name(), *words)


def bring_up(stack: str) -> str:
    """What brings a stack up as it is configured."""
    return yard("up") if stack == LOCAL else command("pulumi", "up", "--stack", stack)


def name() -> str:
    """How `yard` is called here."""
    found = shutil.which("yard")
    if found and (Path(found) == OWN or (Path(found).resolve().parent.parent / "yard/here.py").is_file()):
        return "yard"
    relative = os.path.relpath(OWN)
    return str(OWN) if relative.startswith("..") else relative


def about(stack: str, text: str) -> str:
    """The text, with the stack's name in its commands: those without one are about the stack that is selected. For
    stack local they go by way of `yard pulumi`, which knows where its state is."""

    def named(found: re.Match[str]) -> str:
        if found[0] == "<stack>":
            return stack
        if not found[0].startswith("pulumi"):
            return found[0]
        told = "--stack" in re.sub(QUOTED, "", found[0])
        whole = found[0] if told else f"{found[0]} {command('--stack', stack)}"
        if stack != LOCAL:
            return whole
        return yard("up") if found[0].startswith("pulumi preview") else f"{yard()} {whole}"

    return ABOUT_A_STACK.sub(named, text)
