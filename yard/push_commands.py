"""The commands that push a service's image, as a stack's output `push` has them for a person, taken apart."""

from __future__ import annotations

from dataclasses import dataclass

from components.registry import COMMIT
from components.shell import quoted


@dataclass(frozen=True)
class PushCommands:
    """Lines of a shell, in their order."""

    login: tuple[str, ...]
    """Of the registry; what would ask for a password is left out, for that is a person's to type, once."""
    image: str
    """What is pushed, its tag as the shell makes it."""
    fill: tuple[str, ...]
    """What fetches it into the cache that replicas pull from, where there is one."""

    @classmethod
    def of(cls, text: str) -> PushCommands:
        """Those of one service."""
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        (place,) = [place for place, line in enumerate(lines) if line.startswith("docker push ")]
        before = [line for line in lines[:place] if not line.startswith("docker tag ")]
        login = [line for line in before if not line.startswith("docker login") or "--password-stdin" in line]
        return cls(tuple(login), lines[place].removeprefix("docker push "), tuple(lines[place + 1 :]))

    def filling(self, version: str) -> list[str]:
        """The lines of `fill` for an image of this version, which its tag has in place of the commit."""
        return [line.replace(str(COMMIT), quoted(version)) for line in self.fill]
