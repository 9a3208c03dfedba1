"""A revision of the project in a folder of its own, and the program that runs for it."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from config.place import HOME
from yard import exits, git, here, programs
from yard.starting import program as programs_of_projects
from yard.starting.files import PROGRAM

MODULE = "yard.described"
WORKING_TREE = "the working tree"
PARTS = ("components", "config", "policy", "rehearsal", "yard", "__main__.py")
"""What a program is, beside its environment; of these folders the code and the prices."""


@dataclass(frozen=True)
class Revision:
    """One side of the comparison."""

    name: str
    """As it is told: the commit's beginning and what was asked for, or the working tree."""
    folder: Path
    """Where the project's files of that revision are."""
    program: Path
    """The program that runs for it: its own, or this one."""
    note: str = ""
    """Why the program is this one although the revision has another."""

    @property
    def stacks(self) -> set[str]:
        """The stacks that have a file."""
        return {each.stem.partition(".")[2] for each in (self.folder / "config").glob("Pulumi.*.yaml")}

    def fingerprint(self, stack: str) -> str:
        """The same for two revisions where nothing is different that the stack is made from."""
        own = (f"config/Pulumi.{stack}.yaml", "Pulumi.yaml", *(each.name for each in self.folder.glob("*.py")))
        return _digest(self.folder, own) + _code(self.program)


@contextmanager
def of(root: Path, base: str, head: str | None) -> Iterator[tuple[Revision, Revision]]:
    """Two revisions of the project in `root`, for as long as the block runs; without `head` the second is what is there
    now. Raises `Misused` where git does not know one."""
    if not git.ask(root, "rev-parse", "--show-toplevel"):
        raise exits.Misused(f"{root} is in no repository of git, and revisions are git's: `git init` begins one")
    commits = {name: _commit(root, name) for name in (base, head) if name is not None}
    beside = root / ".switchyard"  # on the same file system, so that an environment is made by hard links
    beside.mkdir(exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="diff-", dir=beside) as place:
            left = _taken(root, base, commits[base], Path(place) / "base")
            there = Revision(WORKING_TREE, root, HOME)
            yield left, there if head is None else _taken(root, head, commits[head], Path(place) / "head")
    finally:
        _remove_empty(beside)


def _remove_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()


def _commit(root: Path, name: str) -> str:
    commit = git.ask(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if not commit:
        raise exits.Misused(
            f"git knows no revision {name!r} in {root}: a branch, tag or commit is wanted. In a shallow clone, fetch it"
            " first: `git fetch --unshallow`"
        )
    return commit


def _taken(root: Path, asked: str, commit: str, place: Path) -> Revision:
    """The files of a commit, and its program."""
    prefix = programs_of_projects.prefix(root)
    place.mkdir()
    try:
        git.export(root, f"{commit}:{prefix.rstrip('/')}", place)
    except click.ClickException as error:
        raise exits.Misused(f"revision {asked!r} does not have the project's folder: {error.message}") from error
    short = commit[:10]
    name = short if commit.startswith(asked) else f"{short} ({asked})"
    return Revision(name, place, *_program(root, commit, prefix, place))


def _program(root: Path, commit: str, prefix: str, place: Path) -> tuple[Path, str]:
    """The program of a revision, ready to be asked; or this one, and why."""
    _fill(root, commit, prefix, place)
    own = here.program_of(place)
    if own is None:
        return HOME, "its own program is not there, so this one ran for it"
    if _code(own) == _code(HOME):
        return HOME, ""
    if not programs.can_tell(own, MODULE):
        return HOME, "its own program is older than the command diff, so this one ran for it"
    click.echo(f"making the environment of the program of {commit[:10]}", err=True)
    programs_of_projects.equip(own)
    return own, ""


def _fill(root: Path, commit: str, prefix: str, place: Path) -> None:
    """Write the files of a program that is a submodule, as far as its repository is there and has the commit."""
    folder = PROGRAM
    kind, _, pinned = git.ask(root, "ls-tree", "--full-tree", commit, "--", f"{prefix}{folder}").partition(" ")
    repository = root / folder
    if kind != "160000" or not (repository / ".git").exists():
        return
    wanted = pinned.split()[1]
    if git.ask(repository, "cat-file", "-t", wanted):
        git.export(repository, wanted, place / folder)


def _code(program: Path) -> str:
    files = [
        each.relative_to(program)
        for part in PARTS
        for each in ((program / part).rglob("*") if (program / part).is_dir() else [program / part])
        if each.suffix in (".py", ".json") and not {"__pycache__", ".venv"} & {*each.parts}
    ]
    return _digest(program, sorted(map(str, files)))


def _digest(folder: Path, files: Iterator[str] | list[str] | tuple[str, ...]) -> str:
    found = hashlib.sha256()
    for name in files:
        file = folder / name
        found.update(f"\0{name}\0".encode())
        found.update(file.read_bytes() if file.is_file() else b"\0none")
    return found.hexdigest()
