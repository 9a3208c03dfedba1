"""The one place that opens a Pulumi stack: the real engine runs `__main__.py`, without a language host."""

import json
import os
import runpy
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation as auto
from pulumi.automation.events import EngineEvent, StepEventMetadata

PASSPHRASE = "switchyard"
"""Encrypts the secrets of a state that lies in the checkout. It guards nothing from those who can read both, so only
what a machine makes for itself belongs there; for anything else set PULUMI_CONFIG_PASSPHRASE."""

Show = Callable[[StepEventMetadata, bool], None]
"""Called with each step twice: when it begins (False) and when it is done (True)."""


class EngineError(Exception):
    """What the Pulumi engine, a provider or the program refused, in their words."""


def stack(
    name: str,
    root: Path,
    *,
    state: Path | None,
    env: Mapping[str, str] | None = None,
    program: Callable[[], Any] | None = None,
) -> auto.Stack:
    """Open the stack `name` of the project in `root`, made if need be, with its state in the directory `state`.

    Without `state` it is the caller's own, which must exist: in the backend they are logged in to.
    `program` is `root/__main__.py` unless another is given; `env` is added to the engine's environment.
    """
    tools = root / ".tools"
    if not (tools / "bin" / "pulumi").exists():
        raise EngineError(f"there is no Pulumi CLI in {tools}: run `make env`")
    if state:
        state.mkdir(parents=True, exist_ok=True)
    project = yaml.safe_load((root / "Pulumi.yaml").read_text(encoding="utf-8"))["name"]
    options = auto.LocalWorkspaceOptions(
        work_dir=str(root),
        pulumi_command=auto.PulumiCommand(root=str(tools)),
        env_vars={**environment(root, state), **(env or {})},
    )
    try:
        open_ = auto.create_or_select_stack if state else auto.select_stack
        return open_(name, project_name=project, program=program or main_program(root), opts=options)
    except auto.CommandError as error:
        raise EngineError(plain(str(error))) from error


def environment(root: Path, state: Path | None) -> dict[str, str]:
    """What the CLI and the providers that it starts find in their environment, besides the caller's own."""
    # .tools/bin has the plugin for dynamic providers where the CLI lacks it, .venv/bin the Python that it runs.
    path = [str(root / ".tools/bin"), str(root / ".venv/bin"), os.environ.get("PATH", os.defpath)]
    always = {
        "PATH": os.pathsep.join(path),
        "PULUMI_PYTHON_CMD": sys.executable,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    if state is None:
        return always
    return always | {
        "PULUMI_BACKEND_URL": state.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": os.environ.get("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE),
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }


def borrow(root: Path, place: Path) -> None:
    """Make of `place` a project directory of its own, for a stack with other files and state: the project file of
    `root`, an empty `config`, and the tools by links."""
    (place / "config").mkdir(parents=True)
    (place / "Pulumi.yaml").write_bytes((root / "Pulumi.yaml").read_bytes())
    for shared in (".tools", ".venv"):
        (place / shared).symlink_to(root / shared)


def main_program(root: Path) -> Callable[[], Any]:
    """The project's `__main__.py`, as `pulumi up` would run it."""
    return lambda: runpy.run_path(str(root / "__main__.py"), run_name="__main__")


class Watch:
    """Follows one operation of the engine: shows its steps and what it says, and keeps what went wrong."""

    def __init__(self, show: Show | None = None, say: Callable[[str], None] | None = None) -> None:
        self.show = show
        self.say = say
        self.errors: list[str] = []

    def __call__(self, event: EngineEvent) -> None:
        """Take one event, as `on_event` of the Automation API."""
        if diagnostic := event.diagnostic_event:
            if diagnostic.severity == "error":
                self.errors.append(diagnostic.message)
            elif self.say and diagnostic.severity in ("info", "warning"):
                self.say(f"  {diagnostic.message.strip()}")
        if self.show and (began := event.resource_pre_event):
            self.show(began.metadata, False)
        if self.show and (done := event.res_outputs_event):
            self.show(done.metadata, True)

    def run(self, operation: Callable[..., Any], **arguments: Any) -> Any:
        """Run `operation` (`stack.up`, `stack.destroy`, ...); raises `EngineError` with the engine's own words."""
        try:
            return operation(on_event=self, color="never", **arguments)
        except auto.CommandError as error:
            told = [text for text in map(str.strip, self.errors) if not text.startswith(ECHOES)]
            raise EngineError("\n".join(told) or plain(str(error))) from error


ECHOES = ("update failed", "preview failed", "an unhandled error occurred")
"""How the engine says again, for the stack, what it has said already."""


def plain(output: str) -> str:
    """The CLI's errors, out of all that it wrote."""
    errors = [line.partition("error:")[2].strip() for line in output.splitlines() if "error:" in line]
    return "\n".join(errors) or output.strip()


def unlock(state: Path) -> bool:
    """Take away the locks of runs on this machine that were killed; True when there was one.

    The file backend leaves them, and `pulumi cancel` would take those of living runs as well.
    """
    locks = [
        file for file in state.glob(".pulumi/locks/**/*.json") if is_dead(json.loads(file.read_text(encoding="utf-8")))
    ]
    for file in locks:
        file.unlink()
        Path(f"{file}.attrs").unlink(missing_ok=True)
    return bool(locks)


def is_dead(lock: Mapping[str, Any]) -> bool:
    """Whether the run that holds a lock was one of this machine and is over."""
    if lock["hostname"] != socket.gethostname():
        return False
    try:
        os.kill(lock["pid"], 0)
        # Also dead: a zombie, which has no command line, and a number that another program has by now.
        return Path("/proc/self").exists() and b"pulumi" not in Path(f"/proc/{lock['pid']}/cmdline").read_bytes()
    except ProcessLookupError:
        return True
    except OSError:
        return False
