"""`yard import`: another tool's file, once, into the services of a stack. (`import` is a word of Python's own.)"""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from config.stack_file import NoStack, StackFile
from yard import exits, files, here, suggest, terminal
from yard.importing import stack_file
from yard.importing.dialects import DIALECTS, Imported, load
from yard.importing.source import VERDICTS, NoImport

ROOT = here.ROOT


@click.command("import")
@click.argument("source", metavar="FILE|FOLDER", type=click.Path(exists=True, path_type=Path))
@click.option("--as", "dialect", type=click.Choice([*DIALECTS]), help="What it is; default: by what is in it.")
@exits.stack_option("Write the services into config/Pulumi.<stack>.yaml, where they are not there yet.")
@click.option("--environment", help="Read with the values of this environment, where the file has some (Copilot).")
@click.option("--json", "as_json", is_flag=True, help="Print the services and the report as one JSON document.")
def import_(source: Path, dialect: str | None, stack: str | None, environment: str | None, as_json: bool) -> None:
    """Make `services` of another tool's FILE, and say of each of its fields what became of it.

    The services go to standard output, as a stack's file has them, or with --stack into that file; the report goes to
    standard error. What looks like a secret is written nowhere: a command to set it is printed. FILE stays as it is,
    and is not read again.
    """
    try:
        found = load(source, ROOT, dialect, environment)
        if stack:
            file = StackFile(ROOT, stack)
            files.write(file.path, stack_file.with_services(file, found.services))
            found.report.commands = [suggest.about(stack, each) for each in found.report.commands]
    except (NoImport, NoStack, OSError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(_document(found), indent=2))
        return
    if not stack:
        click.echo(stack_file.text_of(found.services), nl=False)
    lines = _lines(found)
    if stack:
        doctor = suggest.yard("doctor", "--stack", stack)
        lines += [f"wrote {', '.join(found.services)} into {file.path}; `{doctor}` says what else is needed"]
    columns = terminal.width(Console(stderr=True))
    for line in lines:
        click.echo(terminal.wrapped(line, columns), err=True)


def _document(found: Imported) -> dict[str, object]:
    return {
        "dialect": found.dialect,
        "services": found.services,
        "fields": [
            {"path": each.path, "verdict": each.verdict, "to": each.to, "why": each.why} for each in found.report.lines
        ],
        "notes": found.report.notes,
        "commands": found.report.commands,
    }


def _lines(found: Imported) -> list[str]:
    report, lines = found.report, []
    for verdict in VERDICTS:
        told = [each for each in report.lines if each.verdict == verdict]
        lines += [f"{verdict}:" if told else f"{verdict}: nothing"]
        lines += [
            f"  {each.path}{f' -> {each.to}' if each.to else ''}{f': {each.why}' if each.why else ''}" for each in told
        ]
    lines += ["", *report.notes] if report.notes else []
    if report.commands:
        lines += [
            "",
            "set the secrets with these commands:",
            *(f"  {each}" for each in report.commands),
        ]
    return lines
