"""What a build that failed says: the line of the Dockerfile, why, and the last lines of that step."""

import re
from collections.abc import Iterable, Iterator, Mapping
from textwrap import shorten
from typing import Any

TAIL = 15
"""Lines of a build that failed which are shown."""
WIDTH = 100
"""Characters of an instruction that are shown."""
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
"""The classic builder marks what a command writes to its standard error."""
TIME = re.compile(r"^\d+\.\d+ ")
"""BuildKit puts the seconds since the step began before what a command writes."""
EXIT = re.compile(r"(?:exit code: |returned a non-zero code: )(\d+)")
UNREADABLE = re.compile(r"dockerfile parse error (?:on )?line (\d+): (.*)", re.I | re.S)
LOCATED = re.compile(r"^(\S.*):(\d+)\n-+\n((?:\s*\d+ \|.*\n)+)", re.M)
"""BuildKit's excerpt of the Dockerfile: its name, the line, and the lines around it."""
MARKED = re.compile(r"^\s*\d+ \| >>> (.*)$", re.M)
LOG = re.compile(r"^-{6}\n > .*:\n(.*?)^-{6}$", re.M | re.S)
"""BuildKit says again, between dashes, the last lines that the step wrote."""
SOLVING = re.compile(r"^ERROR: (?:failed to build: )?(?:failed to solve: )?(.*)$", re.M)
STEP = re.compile(r"^Step (\d+)/\d+ : (.*)$")
ESCAPE = re.compile(r"#\s*escape\s*=\s*(\S)\s*$", re.I)


def tail(text: str) -> str:
    """The last lines of what a build wrote."""
    return "\n".join(text.splitlines()[-TAIL:])


def of_buildkit(output: str) -> str:
    """What BuildKit's plain output says of a failure, as `docker buildx build --progress plain` writes it."""
    reasons, found = SOLVING.findall(output), LOCATED.search(output)
    if not reasons or not found:
        return tail(output)
    log = LOG.search(output)
    said = "\n".join(TIME.sub("", line) for line in log[1].splitlines()) if log else ""
    first = MARKED.search(found[3])
    instruction = first[1].rstrip("\\ ") if first else ""
    return _told(found[1], found[2], instruction, reasons[-1], said)


def of_classic(log: Iterable[Mapping[str, Any]], name: str, dockerfile: str) -> str:
    """What the classic builder's log says, in the form of the Engine API. It counts instructions, not lines, so the
    Dockerfile, which is called `name`, is needed too."""
    chunks = list(log)
    reason = str(next((each["error"] for each in reversed(chunks) if "error" in each), ""))
    lines = COLOUR.sub("", "".join(str(each.get("stream", "")) for each in chunks)).splitlines()
    steps = [(at, match) for at, line in enumerate(lines) if (match := STEP.match(line))]
    if not steps:
        return "\n".join(filter(None, (_reason(reason), tail("\n".join(lines)))))
    at, step = steps[-1]
    said = "\n".join(line for line in lines[at + 1 :] if line and not line.startswith(" ---> "))
    numbers = [*instructions(dockerfile)]
    number = int(step[1])
    line = str(numbers[number - 1]) if number <= len(numbers) else ""
    return _told(name, line, step[2], reason, said)


def of_unreadable(reason: str, name: str) -> str:
    """A Dockerfile that the classic builder could not read, by what the engine answers."""
    found = UNREADABLE.search(reason)
    return f"{name} line {found[1]}: {found[2].strip()}" if found else reason


def instructions(dockerfile: str) -> Iterator[int]:
    """The line that each instruction begins in, as the classic builder counts them. Comments and empty lines may stand
    between the lines of one."""
    escape, continued = "\\", False
    for number, line in enumerate(dockerfile.splitlines(), 1):
        text = line.strip()
        if number == 1 and (found := ESCAPE.match(text)):
            escape = found[1]
        if not text or text.startswith("#"):
            continue
        if not continued:
            yield number
        continued = text.endswith(escape)


def _told(name: str, line: str, instruction: str, reason: str, said: str) -> str:
    where = f"{name} line {line}" if line else name
    first = f"{where}: {shorten(instruction, WIDTH, placeholder=' ...')}: {_reason(reason)}"
    return "\n".join(filter(None, (first, tail(said))))


def _reason(reason: str) -> str:
    """Of a command its exit code: which command it was is in the instruction."""
    if code := EXIT.search(reason):
        return f"exit code {code[1]}"
    found = UNREADABLE.search(reason)
    return found[2].strip() if found else reason
