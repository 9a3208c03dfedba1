"""What CHANGELOG.md says of the way from one version to another."""

import re
from collections.abc import Iterator

UNRELEASED = "## Unreleased"
ENTRY = re.compile(r"^(?=[-#])", re.MULTILINE)
"""Where a heading or an entry of a list begins."""


def between(old: str, new: str) -> str:
    """The entries of the newer file above the older one's last release, without those that the older one had as
    unreleased already; below their headings. Empty where nothing was written."""
    headings: list[str] = []
    lines: list[str] = []
    for part in _above(old, new):
        if part.startswith("#"):
            level = part.split()[0]
            headings = [*(each for each in headings if len(each.split()[0]) < len(level)), part]
        elif part.startswith("-") and part not in old:
            lines += [*headings, part]
            headings = []
    return "\n".join(lines)


def _above(old: str, new: str) -> Iterator[str]:
    """The parts of the newer file down to the older one's last release."""
    releases = {part.rstrip() for part in ENTRY.split(old) if part.startswith("## ")} - {UNRELEASED}
    for part in map(str.rstrip, ENTRY.split(new)):
        if part in releases:
            return
        if not part.startswith("# "):
            yield part
