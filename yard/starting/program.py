"""The program in a project: a folder of its own at a version, a git submodule or a copy."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import click
import yaml

from components.shell import command
from config.place import HOME
from yard import files, git
from yard.starting.files import PROGRAM

STDERR = 2
"""Where what `make` says belongs: it is on the way to what a command prints."""
PIN = "PIN"
"""In a copy: where it came from, and which commit it is. Of a submodule git knows."""


@dataclass(frozen=True)
class Version:
    """A version of the program."""

    source: str
    """Path or URL of a git repository."""
    commit: str

    @classmethod
    def of(cls, program: Path) -> "Version":
        """What a folder with the program in it is; raises `click.ClickException` where nothing tells."""
        if (program / ".git").exists():
            commit = git.run(program, "rev-parse", "HEAD")
            return cls(git.ask(program, "remote", "get-url", "origin") or str(program), commit)
        try:
            noted = yaml.safe_load((program / PIN).read_text(encoding="utf-8"))
            return cls(noted["source"], noted["commit"])
        except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
            raise click.ClickException(
                f"the program in {program} is neither a git repository nor has it a file {PIN}, so nothing tells its"
                " version: name the repository with --from PATH_OR_URL"
            ) from error


def wanted(source: str | None, version: str | None) -> Version:
    """The version that a person asks for: by default this program's own."""
    if source is None:
        own = Version.of(HOME)
        return Version(own.source, version or own.commit)
    return Version(str(Path(source).resolve()) if Path(source).exists() else source, version or "HEAD")


def place(project: Path, version: Version, *, as_copy: bool) -> str:
    """Put the program into a project that has none; what it is now, as a person would name it."""
    program = project / PROGRAM
    add = _copy if as_copy else _submodule
    try:
        add(project, version)
    except click.ClickException:
        remove(project)
        raise
    if not (program / "yard/here.py").is_file():
        remove(project)
        raise click.ClickException(f"{version.source} at {version.commit} is not a program of Switchyard's: see --from")
    return describe(program)


def describe(program: Path) -> str:
    """The version of the program in a folder: its tag, else the beginning of its commit."""
    if (program / ".git").exists():
        return git.run(program, "describe", "--tags", "--always", "HEAD")
    return Version.of(program).commit[:10]


def _submodule(project: Path, version: Version) -> None:
    git.run(project, *git.fetching(version.source), "submodule", "--quiet", "add", version.source, PROGRAM)
    checkout(project / PROGRAM, version)
    git.run(project, "add", PROGRAM)


def _copy(project: Path, version: Version) -> None:
    program = project / PROGRAM
    git.run(project, "clone", "--quiet", "--no-checkout", version.source, PROGRAM)
    commit = checkout(program, version)
    shutil.rmtree(program / ".git")
    pin(program, Version(version.source, commit))


def pin(program: Path, version: Version) -> None:
    """Note in a copy what it is a copy of."""
    noted = yaml.safe_dump({"source": version.source, "commit": version.commit}, sort_keys=False)
    files.write(program / PIN, f"# Written by yard: what this folder is a copy of.\n{noted}")


def checkout(program: Path, version: Version) -> str:
    """Bring a clone to a version; its commit."""
    try:
        git.run(program, "checkout", "--quiet", "--detach", version.commit)
    except click.ClickException as error:
        raise click.ClickException(
            f"{version.source} has no version {version.commit}: push it there, or name another with --version or"
            f" another repository with --from ({error.message})"
        ) from error
    return git.run(program, "rev-parse", "HEAD")


def remove(project: Path) -> None:
    """Take a program away that is not whole, and what git noted of it."""
    if git.ask(project, "ls-files", "--stage", PROGRAM):
        git.ask(project, "submodule", "deinit", "--force", PROGRAM)
        git.ask(project, "rm", "--quiet", "--force", PROGRAM)
        if modules := git.ask(project, "rev-parse", "--git-path", f"modules/{prefix(project)}{PROGRAM}"):
            shutil.rmtree(project / modules, ignore_errors=True)
    shutil.rmtree(project / PROGRAM, ignore_errors=True)


def prefix(project: Path) -> str:
    """The way from the repository to a project in it, with a slash at its end."""
    return git.ask(project, "rev-parse", "--show-prefix")


def equip(program: Path, like: Path = HOME) -> None:
    """Make the program's environment; what `like` has of the same is shared, so that it takes seconds."""
    make = ["make", "--no-print-directory", "-C", str(program), "env"]
    environment = {**os.environ, "LIKE": str(like)}
    try:
        done = subprocess.run(make, env=environment, check=False, stdout=STDERR)
    except FileNotFoundError as error:
        raise click.ClickException(f"make is not installed: install it, then `{command(*make)}`") from error
    if done.returncode:
        raise click.ClickException(
            f"the program's environment could not be made (see the lines above): `{command(*make)}` tries it again"
        )
