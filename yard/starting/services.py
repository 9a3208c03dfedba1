"""The services of a project that begins: told by the person, or found by their Dockerfiles."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.service import NAME, PORTS

DEPTH = 3
"""Folders below the project's in which Dockerfiles are looked for."""
NOT_THEIRS = frozenset({"switchyard", "node_modules", "vendor", "target", "dist", "build", "testdata"})
DEFAULT_PORT = 8080
EXPOSE = re.compile(r"^\s*EXPOSE\s+(\d+)", re.IGNORECASE | re.MULTILINE)
FORM = re.compile(r"(?P<name>[^=]+)=(?P<folder>[^:]+)(?::(?P<port>\d+))?")


@dataclass(frozen=True)
class Begun:
    """One service, as the files of the project will have it."""

    name: str
    folder: str
    """From the project's."""
    port: int = DEFAULT_PORT
    exposed: int | None = None
    """What its Dockerfile exposes instead, which a process that is not root may not listen on."""


class BadService(ValueError):
    """What is told of a service cannot be; the message says why."""


def told(text: str, root: Path) -> Begun:
    """`NAME=FOLDER` or `NAME=FOLDER:PORT`; raises `BadService`."""
    form = FORM.fullmatch(text)
    if not form:
        raise BadService(f"--service {text}: want NAME=FOLDER or NAME=FOLDER:PORT, such as api=services/api:8080")
    name, folder = form["name"], form["folder"]
    if not re.fullmatch(NAME.pattern, name) or len(name) > (NAME.max_length or 0):
        raise BadService(f"--service {text}: the name is {name!r}; want {NAME.words}, at most {NAME.max_length}")
    if not form["port"]:
        return _at(name, folder, root)
    low, high = PORTS
    if not low <= int(form["port"]) <= high:
        raise BadService(
            f"--service {text}: the port is {form['port']}; want one from {low} to {high}: the process is not root,"
            " so it may not listen on a lower one"
        )
    return Begun(name, folder, int(form["port"]))


def found(root: Path, project: str) -> Sequence[Begun]:
    """A service for each Dockerfile, called as its folder is; the one in the project's own folder as the project is."""
    services: dict[str, Begun] = {}
    for folder in _folders(root):
        name = _unused(_name(folder.name if folder != root else project), services)
        services[name] = _at(name, str(folder.relative_to(root)), root)
    return tuple(services.values())


def _folders(root: Path) -> Iterator[Path]:
    for place, below, files in os.walk(root):
        depth = len(Path(place).relative_to(root).parts)
        hidden = {each for each in below if each.startswith(".")}
        below[:] = sorted({*below} - hidden - NOT_THEIRS) if depth < DEPTH else []
        if "Dockerfile" in files:
            yield Path(place)


def _name(text: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    plain = plain if plain[:1].isalpha() else f"app-{plain}".rstrip("-")
    return plain[: NAME.max_length].rstrip("-")


def _unused(name: str, services: dict[str, Begun]) -> str:
    others = (f"{name[:17]}-{count}" for count in range(2, 100))
    return name if name not in services else next(each for each in others if each not in services)


def _at(name: str, folder: str, root: Path) -> Begun:
    """With the port that its Dockerfile exposes, where a process that is not root can have it."""
    dockerfile = root / folder / "Dockerfile"
    said = EXPOSE.search(dockerfile.read_text(encoding="utf-8", errors="replace")) if dockerfile.is_file() else None
    if said is None:
        return Begun(name, folder)
    port = int(said[1])
    return Begun(name, folder, port) if PORTS[0] <= port <= PORTS[1] else Begun(name, folder, exposed=port)
