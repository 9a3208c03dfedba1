"""A stack's state, asked of the CLI and left as it is.

`engine.stack` makes a stack the selected one, which the next `pulumi up` without `--stack` is about, and makes a stack
that does not exist; to look, nobody needs either.
"""

import os
import subprocess
from pathlib import Path

from config.place import HOME
from yard import engine


def ask(
    root: Path, stack: str, what: tuple[str, ...], *, state: Path | None = None, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """What `pulumi stack` answers about `stack`: ("export",) or ("output", "--json"). The state is in the directory
    `state`, or else where the caller is logged in to. Raises `OSError` where there is no CLI, and `TimeoutExpired`."""
    command = [str(HOME / ".tools/bin/pulumi"), "stack", *what, "--stack", stack, "--non-interactive"]
    environment = {**os.environ, **engine.environment(state)}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=timeout)
