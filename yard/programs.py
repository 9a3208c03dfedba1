"""A program, this one or another version of it, asked in a process of its own: the two are different code."""

import json
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from yard import interrupts

FATES = {"create": "created", "update": "updated", "delete": "deleted", "discard": "deleted"}


def fate(op: str) -> str:
    """What a step of the engine does to a resource: created, updated, replaced or deleted; empty where it stays."""
    return "replaced" if "replace" in op else FATES.get(op, "")


def ask(program: Path, module: str, *words: str | Path) -> Mapping[str, Any]:
    """What a module of the program in a folder answers, a JSON document; with `refused` where it could not."""
    command = [program / ".venv/bin/python", "-m", module, *words]
    code, out, err = _run(list(map(str, command)), program)
    if code:
        return {"refused": "\n".join(err.strip().splitlines()[-5:])}
    answer: Mapping[str, Any] = json.loads(out)
    return answer


def can_tell(program: Path, module: str) -> bool:
    """Whether a version has the module, and can be asked."""
    return (program / f"{module.replace('.', '/')}.py").is_file()


def _run(words: Sequence[str], folder: Path) -> tuple[int, str, str]:
    """Exit code and output of a process that a Ctrl-C reaches by way of this one, so that its engine ends in order."""
    process: subprocess.Popen[str] | None = None

    def pass_on(_: int) -> None:
        if process:
            process.send_signal(signal.SIGINT)

    with interrupts.held(pass_on) as received:
        group = 0 if interrupts.can_be_held() else None
        pipe = subprocess.PIPE
        process = subprocess.Popen(words, cwd=folder, stdout=pipe, stderr=pipe, text=True, process_group=group)
        if received:
            pass_on(1)  # it came before there was anything to pass it on to
        with process:
            out, err = process.communicate()
        return process.returncode, out, err
