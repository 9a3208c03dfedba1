"""The version that a project is to have: fetched beside it, compared with its own, and put in its place."""

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from yard import git
from yard.starting import program
from yard.starting.files import PROGRAM
from yard.starting.program import PIN, Version

PLACE = Path(".switchyard/upgrade")
"""Where the other version is while the command runs, in the project's folder."""
RELEASE = re.compile(r"v?\d+\.\d+\.\d+")


@contextmanager
def cloned(project: Path, source: str) -> Iterator[Path]:
    """A clone of the program's repository, for as long as the block runs; without files."""
    place = project / PLACE
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(exist_ok=True)
    try:
        git.run(project, "clone", "--quiet", "--no-checkout", source, str(place))
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def wanted(clone: Path, source: str, version: str | None) -> Version:
    """The version of a name; of none the newest release, and where nothing is released yet the newest commit."""
    released = [each for each in git.run(clone, "tag", "--sort=-version:refname").split() if RELEASE.fullmatch(each)]
    name = version or next(iter(released), "HEAD")
    commit = git.ask(clone, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if not commit:
        known = f"its releases are {', '.join(released)}" if released else "it has no releases: name a commit"
        raise click.ClickException(
            f"{source} has no version {name}: {known}; or name another repository with --from PATH_OR_URL"
        )
    return Version(source, commit)


def includes(clone: Path, newer: str, older: str) -> bool:
    """Whether all that is in a commit is in the other as well."""
    return git.run(clone, "merge-base", newer, older) == older


def edited(clone: Path, folder: Path, version: Version) -> Sequence[str]:
    """The files in a program's folder that are not as the version has them; what it ignores left aside."""
    if not git.ask(clone, "cat-file", "-t", version.commit):
        raise click.ClickException(
            f"{PROGRAM}/ is at {version.commit}, which {version.source} does not have, so nothing tells what was edited"
            " there: push it, or name a repository that has it with --from PATH_OR_URL"
        )
    git.run(clone, "read-tree", version.commit)
    there = [f"--git-dir={clone / '.git'}", "--work-tree=."]
    changed = git.run(folder, *there, "diff", "--name-only", version.commit)
    added = git.run(folder, *there, "ls-files", "--others", "--exclude-standard")
    (clone / ".git/index").unlink()
    return sorted({*changed.splitlines(), *added.splitlines()} - {PIN})


def move(project: Path, clone: Path, old: Version, new: Version) -> list[str]:
    """Bring the project's program to the version in `clone`, or leave it as it was; the paths that are to be committed.

    The environment of the one in `clone` is there already, so little can go wrong here.
    """
    if (project / PROGRAM / ".git").exists():
        return _submodule(project, clone, old, new)
    _copy(project, clone, new)
    return [PROGRAM]


def _submodule(project: Path, clone: Path, old: Version, new: Version) -> list[str]:
    folder = project / PROGRAM
    git.run(folder, "fetch", "--quiet", "--tags", str(clone), "HEAD")
    try:
        git.run(folder, "checkout", "--quiet", "--detach", new.commit)
        program.equip(folder, like=clone)
    except BaseException:
        git.run(folder, "checkout", "--quiet", "--detach", old.commit)
        raise
    if new.source == old.source:
        return [PROGRAM]
    top = Path(git.run(project, "rev-parse", "--show-toplevel"))
    git.run(top, "submodule", "set-url", f"{program.prefix(project)}{PROGRAM}", new.source)
    return [PROGRAM, str(top / ".gitmodules")]


def _copy(project: Path, clone: Path, new: Version) -> None:
    folder, before = project / PROGRAM, project / PLACE.with_name("replaced")
    shutil.rmtree(before, ignore_errors=True)
    folder.rename(before)
    try:
        shutil.copytree(clone, folder, symlinks=True, ignore=_own(clone))
        program.pin(folder, new)
        program.equip(folder, like=clone)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        before.rename(folder)
        raise
    shutil.rmtree(before)


def _own(clone: Path) -> Callable[[str, list[str]], set[str]]:
    """What is the clone's own: its history, and an environment that works in its place alone."""
    return lambda folder, _: {".git", ".venv", ".tools"} if Path(folder) == clone else set()
