"""The project that `yard` is called in: the nearest folder above with a Pulumi.yaml that leads to this program."""

from pathlib import Path

import click
import yaml

from config.place import HOME, PROJECT


def find(start: Path) -> Path:
    """The project's folder, from a folder in it; raises `click.ClickException` where there is none."""
    for folder in (start, *start.parents):
        if (folder / PROJECT).is_file() and (program := program_of(folder)):
            if program != HOME:
                raise click.ClickException(
                    f"the project in {folder} runs the program in {program}: call that one's yard,"
                    f" {program / '.venv/bin/yard'}"
                )
            return folder
        if folder == HOME:
            return HOME
    raise click.ClickException(
        f"there is no project of Switchyard in {start} or above: call yard in the folder of your {PROJECT}, or make one"
        " here with `yard init`"
    )


def program_of(folder: Path) -> Path | None:
    """The folder of the program that a project runs; None where it is no program of Switchyard's."""
    try:
        document = yaml.safe_load((folder / PROJECT).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return folder if folder == HOME else None  # whoever reads it next says what is wrong with it
    main = document.get("main") if isinstance(document, dict) else None
    program = (folder / str(main or ".")).resolve()
    return program if (program / "yard/here.py").is_file() else None


ROOT = find(Path.cwd())
