"""What the workflows are written for: a project in a repository, and a stack of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import pulumi

from components.github import GitHub
from components.pull import Cached
from components.registry import RegistryOptions
from components.service import Service
from components.workflow import Access, Push, Setting
from config.load import of_file
from config.settings import Settings
from config.stack_file import BadStack, StackFile
from yard import exits, git, suggest
from yard.local import STACK

STATE = Setting("PULUMI_BACKEND_URL", "where the state is, such as s3://BUCKET?region=REGION")
TOKEN = Setting("PULUMI_ACCESS_TOKEN", "an access token of Pulumi Cloud", secret=True)
PASSPHRASE = Setting("PULUMI_CONFIG_PASSPHRASE", "the passphrase of the stack's secrets", secret=True)
PREFIX = "PREFIX"
"""The variable that says what an image's address begins with, where only the login at the registry knows it."""
MAIN = "main"


@dataclass(frozen=True)
class Subject:
    """A stack of a project, and where on GitHub its workflows run."""

    top: Path
    """The repository's folder."""
    root: Path
    """The project's, in it."""
    file: StackFile
    settings: Settings

    @classmethod
    def of(cls, root: Path, stack: str) -> Subject:
        """Raises `Misused` for a stack or a folder that has no workflows, and `BadConfig` for a wrong configuration."""
        if stack == STACK:
            raise exits.Misused(f"stack {STACK} is this machine's, which no runner of GitHub's reaches: name another")
        top = git.ask(root, "rev-parse", "--show-toplevel")
        if not top:
            raise exits.Misused(f"{root} is in no git repository, and GitHub runs workflows of one: `git init` first")
        try:
            file = StackFile(root, stack)
            found = cls(Path(top).resolve(), root.resolve(), file, of_file(file))
        except (BadStack, pulumi.RunError) as error:
            raise exits.Misused(suggest.about(stack, str(error))) from error
        if not found.built:
            raise exits.Misused(
                f"no service of stack {stack} is built from a folder and free of a pinned digest, so a push would"
                f" deploy nothing: give one `build`, and take its `digest` out of {file.path.name}"
            )
        return found

    @property
    def stack(self) -> str:
        """Its name."""
        return self.file.stack

    @property
    def project(self) -> str:
        """The project's name."""
        return str(self.file.project["name"])

    @property
    def folder(self) -> str:
        """The project's folder, from the repository's; `.` where they are one."""
        return self.root.relative_to(self.top).as_posix()

    @property
    def program(self) -> str:
        """The program's folder, from the project's."""
        return str(self.file.project.get("main") or ".")

    @property
    def has_submodule(self) -> bool:
        """Whether the program comes with the checkout only as a submodule."""
        return self.program != "." and (self.root / self.program / ".git").exists()

    @property
    def branch(self) -> str:
        """Whose pushes are deployed."""
        return self.github.branch if self.github else MAIN

    @property
    def environment(self) -> str | None:
        """The environment of GitHub's that deploys, where one is named."""
        return self.github.environment if self.github else None

    @property
    def github(self) -> GitHub | None:
        """The repository that the roles trust."""
        return self.settings.config.github

    @property
    def built(self) -> Mapping[str, Service]:
        """The services that a push builds: those that a pinned digest leaves free."""
        return {name: each for name, each in self.settings.services.items() if each.build and each.digest is None}

    @property
    def stacks(self) -> Sequence[str]:
        """Every stack of the project but this machine's."""
        names = sorted(each.stem.partition(".")[2] for each in self.file.path.parent.glob("Pulumi.*.yaml"))
        return [each for each in names if each != STACK]

    def settings_of(self, stack: str) -> Settings | None:
        """Of another stack, or this one; None where its file is wrong, which its own check tells."""
        try:
            return of_file(StackFile(self.root, stack))
        except (BadStack, pulumi.RunError):
            return None

    @property
    def registry(self) -> RegistryOptions:
        """Where images are pushed to."""
        return self.settings.registries[self.settings.config.registry]

    @property
    def push(self) -> Push:
        """How."""
        return self.registry.workflow_push(self.settings.region)

    @property
    def cached(self) -> bool:
        """Whether replicas pull from a cache, which fetches an image by its tag alone: someone has to ask for that."""
        return self.registry.pulled_by(self.settings.on_aws) is Cached

    @property
    def up(self) -> Access:
        """What an `up` of the stack needs, its state included."""
        backends = [each.workflow_access(self.settings.region) for each in self.settings.backends.values()]
        return reduce(Access.__add__, backends, Access(settings=self.state))

    @property
    def state(self) -> tuple[Setting, ...]:
        """What the CLI needs for the state and its secrets, and neither Pulumi.yaml nor the stack's file says."""
        url = str((self.file.project.get("backend") or {}).get("url") or "")
        found = [TOKEN] if url.startswith("http") else [] if url else [STATE]
        return (*found, PASSPHRASE) if "encryptionsalt" in self.file.document else tuple(found)

    @property
    def needed(self) -> Access:
        """All that the workflows need."""
        return self.push.access + self.up
