"""Which images ran when: the stack's output `releases`, newest last. An `up` adds to it once what changed is healthy.

The program keeps it, not `yard`, so that every `up` counts: from CI, from a laptop, with a digest in the configuration.
"""

from __future__ import annotations

import getpass
import os
import platform
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from components.service import Digest
from config.place import project

RELEASES = "releases"
"""The stack's output that keeps them."""
DIGESTS = "digests"
"""The one that says what runs: service -> digest."""
KEPT = 50
"""The newest releases that are kept; of each service also the newest two that changed it."""
ACTORS = ("GITHUB_ACTOR", "GITLAB_USER_LOGIN")
"""Who started a run of CI, as GitHub's and GitLab's runners say it in the environment."""


class _Recorded(BaseModel):
    """Lenient: an earlier or a later program may have written it."""

    model_config = ConfigDict(frozen=True)


class Change(_Recorded):
    """What a release changed of one service."""

    digest: Digest
    commit: str | None = None
    """What the image was built from, as its tag says it; None: unknown."""
    back_to: Annotated[int, Field(ge=1)] | None = None
    """The release whose image this is again, of a rollback."""


def _digest_alone(value: Any) -> Any:
    return {"digest": value} if isinstance(value, str) else value


ChangeOrDigest = Annotated[Change, BeforeValidator(_digest_alone)]
"""`"sha256:..."` is short for `{"digest": "sha256:..."}`."""


class Release(_Recorded):
    """The services as they ran from one `up` on."""

    number: int
    time: datetime
    by: str
    changed: Mapping[str, Change]
    digests: Mapping[str, str]
    """Service -> digest of all that ran, whatever changed."""

    def dumped(self) -> dict[str, Any]:
        """As the output has it: what is None is left out, for the engine leaves it out too."""
        return self.model_dump(mode="json", exclude_none=True)


@dataclass(frozen=True)
class History:
    """What an `up` finds recorded, and what it is given besides."""

    digests: Mapping[str, str] = field(default_factory=dict)
    """Service -> digest: what the last `up` left running."""
    releases: tuple[Release, ...] = ()
    given: Mapping[str, Change] = field(default_factory=dict)
    """What this run is told of the images that it deploys."""

    @classmethod
    def of(cls, outputs: Mapping[str, Any], given: Mapping[str, Change]) -> History:
        """That of a stack with these outputs."""
        return cls(outputs.get(DIGESTS) or {}, parsed(outputs), given)

    def after(self, healthy: Mapping[str, str]) -> list[dict[str, Any]]:
        """The output once the services are healthy with these digests. The same as before where no digest changed."""
        before = self.digests if self.releases else {}
        changed = {name: self._change(name, digest) for name, digest in healthy.items() if before.get(name) != digest}
        if not changed:
            return [each.dumped() for each in self.releases]
        new = Release(
            number=self.releases[-1].number + 1 if self.releases else 1,
            time=datetime.now(UTC).replace(microsecond=0),
            by=author(project()),
            changed=changed,
            digests=healthy,
        )
        return [each.dumped() for each in bounded([*self.releases, new])]

    def _change(self, name: str, digest: str) -> Change:
        given = self.given.get(name)
        change = given if given and given.digest == digest else Change(digest=digest)
        known = (each.changed[name] for each in reversed(self.releases) if name in each.changed)
        commit = next((each.commit for each in known if each.digest == digest and each.commit), None)
        return change if change.commit else change.model_copy(update={"commit": commit})


def parsed(outputs: Mapping[str, Any]) -> tuple[Release, ...]:
    """The releases among a stack's outputs; none before the first."""
    return tuple(Release.model_validate(each) for each in outputs.get(RELEASES) or ())


def bounded(releases: Iterable[Release]) -> Iterator[Release]:
    """Those that are kept: a service that is seldom deployed has its way back however often others are."""
    every = list(releases)
    kept = {each.number for each in every[-KEPT:]}
    for name in every[-1].digests:
        kept |= {each.number for each in [each for each in every if name in each.changed][-2:]}
    return (each for each in every if each.number in kept)


def author(folder: Path) -> str:
    """Who runs this: whom CI names, else the name in git's configuration, else the login and the machine."""
    named = next((os.environ[each] for each in ACTORS if os.environ.get(each)), None)
    return named or _git_name(folder) or _login()


@cache
def _git_name(folder: Path) -> str:
    try:
        done = subprocess.run(["git", "config", "user.name"], cwd=folder, capture_output=True, text=True)
    except OSError:
        return ""  # there is no git
    return done.stdout.strip()


def _login() -> str:
    try:
        return f"{getpass.getuser()}@{platform.node()}"
    except (KeyError, OSError):  # a container's user may have no name
        return f"{os.getuid()}@{platform.node()}"
