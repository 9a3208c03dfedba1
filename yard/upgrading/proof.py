"""What another version would do to a stack, by a rehearsal: up with the old program, then the new one's preview."""

import json
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yard import interrupts

MODULE = "yard.rehearsed"
KEEPING = {"create": "created", "update": "updated"}
"""What a step may be that loses nothing, and is worth telling."""


@dataclass(frozen=True)
class Outcome:
    """What was found of a stack."""

    says: str
    """In words; names what would be lost."""
    holds: bool
    """Whether nothing is against the move."""
    lost: Mapping[str, str] = field(default_factory=dict)
    """Resource -> replaced or deleted."""


def can_tell(program: Path) -> bool:
    """Whether a version can be asked."""
    return (program / f"{MODULE.replace('.', '/')}.py").is_file()


def outcome(project: Path, stack: str, old: Path, new: Path) -> Outcome:
    """Bring a stack up with the old program on a pretend cloud, and see what the new one would do to it."""
    with tempfile.TemporaryDirectory(prefix="switchyard-upgrade-") as place:
        made = _ask(old, "up", project, stack, place)
        if "beyond" in made:
            return Outcome(f"not rehearsed: {made['beyond']}", holds=True)
        if "refused" in made:
            return Outcome(f"cannot be rehearsed, for the version of today refuses it: {made['refused']}", holds=False)
        found = _ask(new, "preview", project, stack, place)
    if "refused" in found:
        return Outcome(f"the other version refuses it: {found['refused']}", holds=False)
    lost = {f"{name} ({kind})": _fate(op) for op, kind, name in sorted(found["steps"]) if _fate(op)}
    counts = Counter({"replaced": 0, "deleted": 0})
    counts.update(lost.values())
    counts.update(KEEPING[op] for op, _, _ in found["steps"] if op in KEEPING)
    counted = ", ".join(f"{count} {what}" for what, count in counts.items())
    named = "".join(f"\n  {fate}: {name}" for name, fate in lost.items())
    return Outcome(f"{counted}{named}", not lost, lost)


def _fate(op: str) -> str:
    """What a step does to what is there; empty where it stays."""
    if "replace" in op:
        return "replaced"
    return "deleted" if op in ("delete", "discard") else ""


def _ask(program: Path, run: str, project: Path, stack: str, place: str) -> Mapping[str, Any]:
    """A program's answer, from a process of its own: the two are different code."""
    words = [program / ".venv/bin/python", "-m", MODULE, run, project, stack, Path(place) / "stack"]
    code, out, err = _run(list(map(str, words)), program)
    if code:
        return {"refused": "\n".join(err.strip().splitlines()[-5:])}
    answer: Mapping[str, Any] = json.loads(out)
    return answer


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
