"""A stack's state, asked of the CLI and left as it is.

`engine.stack` makes a stack the selected one, which the next `pulumi up` without `--stack` is about, and makes a stack
that does not exist; to look, nobody needs either.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from components.service import Service
from config.place import HOME
from yard import engine
from yard.local import STACK, Local


def ask(
    root: Path, stack: str, what: tuple[str, ...], *, state: Path | None = None, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """What `pulumi stack` answers about `stack`: ("export",) or ("output", "--json"). The state is in the directory
    `state`, or else where the caller is logged in to. Raises `OSError` where there is no CLI, and `TimeoutExpired`."""
    command = [str(HOME / ".tools/bin/pulumi"), "stack", *what, "--stack", stack, "--non-interactive"]
    environment = {**os.environ, **engine.environment(state)}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=timeout)


SECRET = "4dabf18193072939515e22adb298388d"
"""Key of what stands for a secret in a state (pulumi/sdk/go/common/resource/sig, Key)."""


def resources(root: Path, stack: str, *, state: Path | None = None) -> list[dict[str, Any]]:
    """What the last `up` made, with secrets in the clear; raises `EngineError` with the CLI's words."""
    try:
        answer = ask(root, stack, ("export", "--show-secrets"), state=state)
    except FileNotFoundError as error:
        raise engine.EngineError(f"there is no Pulumi CLI in {HOME / '.tools'}: run `make env`") from error
    if answer.returncode:
        raise engine.EngineError(f"the state of stack {stack} cannot be read: {engine.plain(answer.stderr)}")
    found: list[dict[str, Any]] = clear(json.loads(answer.stdout)["deployment"].get("resources") or [])
    return found


def clear(value: Any) -> Any:
    """A value of an exported state, with what its secrets are in place of what stands for them."""
    if isinstance(value, dict):
        if SECRET in value and "plaintext" in value:
            return json.loads(value["plaintext"])
        return {key: clear(each) for key, each in value.items()}
    return [clear(each) for each in value] if isinstance(value, list) else value


def outputs(root: Path, stack: str) -> Mapping[str, Any]:
    """What the last `up` exported; empty when nothing is up. Raises `click.ClickException` where it cannot be read."""
    local = Local(root)
    if stack == STACK and not local.exists:
        return {}
    try:
        answer = ask(root, stack, ("output", "--json"), state=local.state if stack == STACK else None)
    except OSError as error:
        raise click.ClickException(f"there is no Pulumi CLI that runs ({error}): run `make env`") from error
    if answer.returncode:
        message = engine.plain(answer.stderr)
        raise click.ClickException(f"the last `pulumi up` of {stack} cannot be looked up: {message}")
    return dict(json.loads(answer.stdout))


def url_of(name: str, service: Service, url: Any) -> str | None:
    """Where a service answers, by the output `url`; None: nowhere from outside."""
    if not service.public:
        return None
    if isinstance(url, Mapping):  # each service's own
        return url.get(name)
    return f"{str(url).rstrip('/')}{service.path}" if url else None
