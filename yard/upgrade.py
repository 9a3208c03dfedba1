"""`yard upgrade`: another version of the program, for a project that has it in a folder of its own."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import yaml

from components.shell import command
from yard import exits, git, here, interrupts, programs, suggest
from yard.starting import program
from yard.starting.files import PROGRAM
from yard.starting.program import Version
from yard.upgrading import changes, proof, versions

ROOT = here.ROOT


@click.command()
@click.option(
    "--to",
    metavar="VERSION",
    help="A tag or a commit; default: the newest release, and where there is none the newest commit.",
)
@click.option(
    "--from", "source", metavar="PATH_OR_URL", help="The program's repository; default: where this one came from."
)
@click.option(
    "--check",
    is_flag=True,
    help="Change nothing. Exit 0: nothing is newer, or a move would be made; 1: it would not.",
)
@click.option("--unproved", is_flag=True, help="Move without a rehearsal.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def upgrade(to: str | None, source: str | None, check: bool, unproved: bool, yes: bool) -> None:
    """Bring the program in switchyard/ to another version.

    Shows what changes, then rehearses each stack on AWS: up with the version of today, and what the other would do to
    it. Where it would replace or delete something, it says what, and moves nothing.
    """
    if check and unproved:
        raise exits.Misused("--check is a rehearsal, and --unproved is to go without one: give one of them")
    folder = _own(ROOT)
    pinned = Version.of(folder)
    origin = program.wanted(source, None).source if source else pinned.source
    with interrupts.explained(_left), versions.cloned(ROOT, origin) as clone:
        if edited := versions.edited(clone, folder, Version(origin, pinned.commit)):
            raise click.ClickException(
                f"nobody edits {PROGRAM}/, and here it differs from {pinned.commit[:10]}: {', '.join(edited)}; put that"
                " back, or bring it to the program's own repository"
            )
        version = versions.wanted(clone, origin, to)
        if version.commit == pinned.commit or (not to and versions.includes(clone, pinned.commit, version.commit)):
            click.echo(f"nothing newer: {PROGRAM}/ is at {pinned.commit[:10]}")
            return
        program.checkout(clone, version)
        name = program.describe(clone)
        _show(folder, clone, f"{pinned.commit[:10]} to {name}")
        _prove(folder, clone, name, unproved)
        if not check:
            exits.confirm(f"Bring {folder} to {name}?", yes=yes)
            _tell(name, versions.move(ROOT, clone, pinned, version), submodule=(folder / ".git").exists())


def _left() -> str:
    return f"{PROGRAM}/ is at the version that it was at; `{suggest.yard('upgrade')}` starts anew."


def _own(root: Path) -> Path:
    """The program's folder in a project; raises `exits.Misused` where it has none of its own."""
    document = yaml.safe_load((root / "Pulumi.yaml").read_text(encoding="utf-8"))
    folder = root / PROGRAM
    if document.get("main") != PROGRAM or folder.is_symlink():
        raise exits.Misused(
            f"the project in {root} does not have its program in a folder {PROGRAM}/ of its own, as `yard init` makes"
            " it, so there is no version to move: bring the checkout that it runs to another one with git"
        )
    return folder


def _show(folder: Path, clone: Path, way: str) -> None:
    old, new = (_changelog(each) for each in (folder, clone))
    click.echo(f"{way}:\n")
    click.echo(changes.between(old, new) or "CHANGELOG.md says of nothing that a user would notice.")
    click.echo()


def _changelog(folder: Path) -> str:
    file = folder / "CHANGELOG.md"
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _prove(folder: Path, clone: Path, name: str, unproved: bool) -> None:
    """Equip the other version, and rehearse with it; raises `click.ClickException` where something is against it."""
    if not unproved and not programs.can_tell(clone, proof.MODULE):
        raise click.ClickException(
            f"{name} cannot be rehearsed, for it has no {proof.MODULE} yet; nothing was moved."
            f" With --unproved it is moved without a rehearsal"
        )
    click.echo(f"making the environment of {name}")
    program.equip(clone)
    if unproved:
        click.echo("no stack was rehearsed")
        return
    if against := [*_against(folder, clone)]:
        raise click.ClickException(
            f"nothing was moved: {name} would not leave {', '.join(against)} as they are (see above)"
        )


def _against(folder: Path, clone: Path) -> Iterator[str]:
    """The stacks that something was found against; tells of each what was found."""
    for file in sorted((ROOT / "config").glob("Pulumi.*.yaml")):
        stack = file.stem.partition(".")[2]
        found = proof.outcome(ROOT, stack, folder, clone)
        click.echo(f"stack {stack}: {suggest.about(stack, found.says)}")
        if not found.holds:
            yield stack


def _tell(name: str, paths: Sequence[str], *, submodule: bool) -> None:
    click.echo(f"{PROGRAM}/ is at {name}")
    if not git.ask(ROOT, "rev-parse", "--show-toplevel"):
        return
    click.echo("Next:")
    click.echo(f"  {command('git', '-C', str(ROOT), 'add', *paths)}")
    click.echo(f"  {command('git', '-C', str(ROOT), 'commit', '-m', f'Switchyard {name}')}")
    update = "`git submodule update --init`, then " if submodule else ""
    click.echo(f"Whoever has the project elsewhere, once they have that: {update}`make -C {PROGRAM} env`.")
