"""What git is asked for: about the versions of a user's app, and of the program in its project."""

import os
import subprocess
from pathlib import Path

import click


def run(folder: Path, *words: str, index: Path | None = None) -> str:
    """What git answers there, with another index than the repository's if one is given; raises `click.ClickException`
    with its words."""
    env = {**os.environ, "GIT_INDEX_FILE": str(index)} if index else None
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True, env=env)
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


def export(folder: Path, tree: str, place: Path) -> None:
    """Write the files of a tree into a folder, whatever the repository has checked out or has in its index."""
    index = place.with_name(f"{place.name}.index")
    top = Path(run(folder, "rev-parse", "--show-toplevel"))  # below it, git takes only what is there
    try:
        run(top, "read-tree", tree, index=index)
        run(top, "checkout-index", "--all", "--force", f"--prefix={place}/", index=index)
    finally:
        index.unlink(missing_ok=True)


def fetching(source: str) -> list[str]:
    """What comes before the verb of a command that reads the repository `source`: git takes a submodule from a path of
    this machine only when it is told that it may."""
    return ["-c", "protocol.file.allow=always"] if Path(source).exists() else []
