"""What git is asked for: about the versions of a user's app, and of the program in its project."""

import subprocess
from pathlib import Path

import click


def run(folder: Path, *words: str) -> str:
    """What git answers there; raises `click.ClickException` with its words."""
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise click.ClickException("git is not installed, and versions of the program are kept with it") from error
    except subprocess.CalledProcessError as error:
        said = "\n".join(line for line in error.stderr.splitlines() if line.strip()) or f"exit code {error.returncode}"
        raise click.ClickException(f"git {' '.join(words)} failed: {said}") from error
    return done.stdout.strip()


def ask(folder: Path, *words: str) -> str:
    """The same; empty where there is no git, no repository, or no answer."""
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def fetching(source: str) -> list[str]:
    """What comes before the verb of a command that reads the repository `source`: git takes a submodule from a path of
    this machine only when it is told that it may."""
    return ["-c", "protocol.file.allow=always"] if Path(source).exists() else []
