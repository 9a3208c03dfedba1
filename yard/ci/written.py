"""The files that `yard ci init` writes, and what became of them since: a person's changes are theirs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from components.shell import command
from yard import files
from yard.ci import render, workflows
from yard.ci.subject import Subject

MARK = "# As written: "
PIN = re.compile(r"(?m)(uses: )([\w./-]+)@[0-9a-f]{40}(?: # v([\w.]+))?$")
State = Literal["new", "same", "old", "changed"]
"""new: it is not there. same: as it would be written. old: as it was written, and what is written has changed since.
changed: a person has changed it, or it was never ours."""


@dataclass(frozen=True)
class Written:
    """One file."""

    path: Path
    """From the repository's folder."""
    before: str | None
    """What is in it; None: it is not there."""
    after: str
    """What would be written."""

    @property
    def state(self) -> State:
        """What is to be done with it."""
        if self.before is None:
            return "new"
        if self.before == self.after:
            return "same"
        return "old" if _is_as_written(self.before) else "changed"

    def write(self, top: Path) -> None:
        """Write it in the repository."""
        (top / self.path).parent.mkdir(parents=True, exist_ok=True)
        files.write(top / self.path, self.after)


def all_of(subject: Subject) -> list[Written]:
    """Every file, with the newer versions of actions that Dependabot has brought into it."""
    found = []
    for name, document in workflows.documents(subject).items():
        there = subject.top / name
        before = there.read_text(encoding="utf-8") if there.is_file() else None
        found.append(Written(Path(name), before, marked(subject, document, before or "")))
    return found


def marked(subject: Subject, document: Mapping[str, Any], before: str) -> str:
    """The text of a file, which says of itself how it was written. Pins that the file has stay, unless older."""
    pins = {found[2]: found for found in PIN.finditer(before)} if _is_as_written(before) else {}
    text = PIN.sub(lambda found: _newer(found, pins.get(found[2]))[0], render.text(document))
    init = command("yard", "ci", "init", "--stack", subject.stack)
    return f"# Written by `{init}`, which asks before it takes back what you change here.\n{MARK}{_hash(text)}\n{text}"


def _newer(ours: re.Match[str], theirs: re.Match[str] | None) -> re.Match[str]:
    """Of two pins of one action; theirs stays where it says no version."""
    if theirs and (not theirs[3] or _numbers(theirs[3]) >= _numbers(ours[3])):
        return theirs
    return ours


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def _is_as_written(text: str) -> bool:
    _, _, rest = text.partition(f"\n{MARK}")
    said, _, body = rest.partition("\n")
    return bool(rest) and said == _hash(body)


def _hash(text: str) -> str:
    """Names a text; which versions its actions have does not count."""
    return hashlib.sha256(PIN.sub(r"\1\2", text).encode()).hexdigest()[:16]
