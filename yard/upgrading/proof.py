"""What another version would do to a stack, by a rehearsal: up with the old program, then the new one's preview."""

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from yard import programs

MODULE = "yard.rehearsed"
LOSING = ("replaced", "deleted")
"""What may become of a resource that someone needs."""


@dataclass(frozen=True)
class Outcome:
    """What was found of a stack."""

    says: str
    """In words; names what would be lost."""
    holds: bool
    """Whether nothing is against the move."""
    lost: Mapping[str, str] = field(default_factory=dict)
    """Resource -> replaced or deleted."""


def outcome(project: Path, stack: str, old: Path, new: Path) -> Outcome:
    """Bring a stack up with the old program on a pretend cloud, and see what the new one would do to it."""
    with tempfile.TemporaryDirectory(prefix="switchyard-upgrade-") as place:
        home = Path(place) / "stack"
        made = programs.ask(old, MODULE, "up", project, stack, home)
        if "beyond" in made:
            return Outcome(f"not rehearsed: {made['beyond']}", holds=True)
        if "refused" in made:
            return Outcome(f"cannot be rehearsed, for the version of today refuses it: {made['refused']}", holds=False)
        found = programs.ask(new, MODULE, "preview", project, stack, home)
    if "refused" in found:
        return Outcome(f"the other version refuses it: {found['refused']}", holds=False)
    fates = [(programs.fate(op), f"{name} ({kind})") for op, kind, name in sorted(found["steps"])]
    lost = {name: fate for fate, name in fates if fate in LOSING}
    counts = Counter(dict.fromkeys(LOSING, 0))
    counts.update(lost.values())
    counts.update(fate for fate, _ in fates if fate and fate not in LOSING)
    counted = ", ".join(f"{count} {what}" for what, count in counts.items())
    named = "".join(f"\n  {fate}: {name}" for name, fate in lost.items())
    return Outcome(f"{counted}{named}", not lost, lost)
