"""The one place that opens a Pulumi stack: the real engine runs `__main__.py`, without a language host."""

import json
import os
import re
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import IO, Any

import click
import yaml
from pulumi import automation as auto
from pulumi.automation.events import EngineEvent, StepEventMetadata

from components import hooks, pulumi_internals
from components.shell import command
from config.place import HOME, running_for
from yard import interrupts

PASSPHRASE = "switchyard"
"""Encrypts the secrets of a state that lies in the checkout. It guards nothing from those who can read both, so only
what a machine makes for itself belongs there; for anything else set PULUMI_CONFIG_PASSPHRASE."""

Show = Callable[[StepEventMetadata, bool], None]
"""Called with each step twice: when it begins (False) and when it is done (True)."""
Failed = Callable[[StepEventMetadata, str], None]
"""Called with a step that failed, in place of the second time, and with the reason."""


pulumi_internals.separate_connections()


class EngineError(Exception):
    """What the Pulumi engine, a provider or the program refused, in their words."""


class Stack(auto.Stack):
    """A stack that knows what the engine told in its last run.

    The SDK's asks the CLI after each run, three times: for the outputs, for those that are secret, for the history.
    """

    _last: "_Told | None" = None

    def up(self, *args: Any, **how: Any) -> auto.UpResult:
        """As the SDK's."""
        return super().up(*args, **self._listening("update", **how))

    def refresh(self, *args: Any, **how: Any) -> auto.RefreshResult:
        """As the SDK's."""
        return super().refresh(*args, **self._listening("refresh", **how))

    def destroy(self, *args: Any, **how: Any) -> auto.DestroyResult:
        """As the SDK's."""
        return super().destroy(*args, **self._listening("destroy", **how))

    def outputs(self) -> auto.OutputMap:
        """The outputs; none of them is secret unless the CLI had to be asked."""
        known = self._last.outputs if self._last else None
        if known is None or SECRET in json.dumps(known):
            return super().outputs()
        return {name: auto.OutputValue(value, secret=False) for name, value in known.items()}

    def info(self, show_secrets: bool = True) -> auto.UpdateSummary | None:
        """The last run: its time, and what it changed."""
        last = self._last
        if last is None or last.changes is None:
            return super().info(show_secrets)
        return auto.UpdateSummary(
            last.kind, last.start, "", {}, {}, "succeeded", last.end, resource_changes=last.changes
        )

    def _listening(self, kind: str, on_event: auto.OnEvent | None = None, **how: Any) -> dict[str, Any]:
        self._last = summary = _Told(kind)

        def hear(event: EngineEvent) -> None:
            summary(event)
            if on_event:
                on_event(event)

        return {**how, "on_event": hear}


class _Told:
    """What one run told of its end; None: nothing."""

    outputs: Mapping[str, Any] | None = None
    changes: MutableMapping[auto.OpType, int] | None = None

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.start = self.end = datetime.now(UTC)

    def __call__(self, event: EngineEvent) -> None:
        done = event.res_outputs_event
        if done and done.metadata.type == "pulumi:pulumi:Stack" and done.metadata.new:
            self.outputs = done.metadata.new.outputs
        if event.summary_event:
            self.changes = event.summary_event.resource_changes
            self.end = datetime.now(UTC)


SECRET = "[secret]"
"""How the engine tells a secret."""


RUNS = frozenset({"up", "preview", "refresh", "destroy"})
"""What the CLI ends in order when it is interrupted: it waits for what is under way, and saves the state. Its other
commands take a second, and are left to finish."""
FIRST = "Stopping: what is under way is finished first. Ctrl-C again ends it at once."
AGAIN = "Ending it at once."


class Command(auto.PulumiCommand):
    """The CLI, which a Ctrl-C reaches by way of this process alone, so that both end in order.

    The SDK's stands beside this process in the terminal's foreground. Both are interrupted then, this process takes the
    program away from under the engine, and the providers' processes are left.
    """

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: auto.OnOutput | None = None,
        on_error: auto.OnOutput | None = None,
    ) -> auto.CommandResult:
        """As the SDK's; raises `Interrupted` when the CLI has ended after a signal."""
        process: subprocess.Popen[str] | None = None
        hooks.INTERRUPTED.clear()

        def pass_on(times: int) -> None:
            if process and args[0] in RUNS:
                click.echo(f"\n{FIRST if times == 1 else AGAIN}", err=True)
                hooks.INTERRUPTED.set()
                process.send_signal(signal.SIGINT)

        with interrupts.held(pass_on) as received:
            process = subprocess.Popen(
                [self.command, "--non-interactive", *args],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=cwd,
                env={**os.environ, **additional_env, "PULUMI_AUTOMATION_API": "true"},
                encoding="utf-8",
                process_group=0 if interrupts.can_be_held() else None,
            )
            if received:
                pass_on(1)  # it came before there was anything to pass it on to
            with process, ThreadPoolExecutor(2) as readers:
                out = readers.submit(_read, process.stdout, on_output)
                err = readers.submit(_read, process.stderr, on_error)
            result = auto.CommandResult(out.result(), err.result(), process.returncode)
            if result.code:
                raise pulumi_internals.command_error(result)
            return result


def _read(stream: IO[str] | None, tell: auto.OnOutput | None) -> str:
    """All lines of a process, told one by one."""
    assert stream is not None
    lines = []
    for line in map(str.rstrip, stream):
        lines.append(line)
        if tell:
            tell(line)
    return "\n".join(lines)


@cache
def _command(tools: Path) -> Command:
    """The CLI. The SDK asks each for its version."""
    return Command(root=str(tools))


def stack(
    name: str,
    root: Path,
    *,
    state: Path | None,
    env: Mapping[str, str] | None = None,
    program: Callable[[], Any] | None = None,
    secrets_provider: str | None = None,
) -> Stack:
    """Open the stack `name` of the project in `root`, made if need be, with its state in the directory `state`.

    Without `state` it is the caller's own, which must exist: in the backend they are logged in to.
    `program` is Switchyard's own unless another is given; `env` is added to the engine's environment.
    `secrets_provider`, a URL as Pulumi takes it, encrypts the secrets of a new stack; else the passphrase does.
    """
    made = workspace(root, state=state, env=env, program=program, secrets_provider=secrets_provider)
    try:
        return Stack(name, made, _mode(state))
    except auto.CommandError as error:
        raise EngineError(plain(str(error))) from error


def workspace(
    root: Path,
    *,
    state: Path | None,
    env: Mapping[str, str] | None = None,
    program: Callable[[], Any] | None = None,
    secrets_provider: str | None = None,
) -> auto.LocalWorkspace:
    """The project in `root` as `stack` opens one of it: by itself it makes no stack, and selects none."""
    tools = HOME / ".tools"
    if not (tools / "bin" / "pulumi").exists():
        raise EngineError(f"there is no Pulumi CLI in {tools}: run `make env`")
    if state:
        state.mkdir(parents=True, exist_ok=True)
        state.chmod(0o700)  # the passphrase is known, so that only its owner may read it
    return auto.LocalWorkspace(
        work_dir=str(root),
        pulumi_command=_command(tools.resolve()),
        env_vars={**environment(state), **(env or {})},
        program=program or main_program(root),
        secrets_provider=secrets_provider,
    )


def _mode(state: Path | None) -> pulumi_internals.StackInitMode:
    modes = pulumi_internals.StackInitMode
    if state is None:
        return modes.SELECT
    # To look for the stack takes the CLI a second of its own.
    return modes.CREATE_OR_SELECT if any(state.iterdir()) else modes.CREATE


NO_PLUGINS = "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"
PARALLEL = "PULUMI_PARALLEL"
AT_ONCE = 32
"""Operations that Pulumi does at once on a machine where it would do fewer. By itself it does four a core, most of
which wait for AWS, so that two cores move a hundred services in a dozen turns. It had no bound at all until 2024, and
has this one because each operation takes 8 MB (pulumi/pulumi#14989); where AWS throttles, AWS's provider tries again,
up to 25 times (its `max_retries`)."""


def environment(state: Path | None) -> dict[str, str]:
    """What the CLI and the providers that it starts find in their environment, besides the caller's own."""
    # .tools/bin has the plugin for dynamic providers where the CLI lacks it, .venv/bin the Python that it runs.
    path = [str(HOME / ".tools/bin"), str(HOME / ".venv/bin"), os.environ.get("PATH", os.defpath)]
    always = {
        "PATH": os.pathsep.join(path),
        "PULUMI_PYTHON_CMD": sys.executable,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        PARALLEL: os.environ.get(PARALLEL) or str(max(AT_ONCE, 4 * (os.cpu_count() or 1))),
    }
    if state is None:
        return always
    return always | {
        "PULUMI_BACKEND_URL": state.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": os.environ.get("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE),
        NO_PLUGINS: "true",
    }


SKIP_CHECKPOINTS = "PULUMI_SKIP_CHECKPOINTS"


def disposable(place: Path) -> dict[str, str]:
    """The environment of a stack in `place` that nobody wants back when its run was killed.

    The engine saves its state once, at the end of a run, which may also be one that fails; by default it does so with
    every step. And its log, which the CLI writes of every run and cannot be told to leave, finds no directory.
    """
    home = place / "home"
    home.mkdir(exist_ok=True)
    (home / "logs").touch()
    return {"PULUMI_HOME": str(home), SKIP_CHECKPOINTS: "true"}


def borrow(root: Path, place: Path) -> None:
    """Make of `place` a project directory of its own, for a stack with other files and state: the project file of
    `root`, and an empty `config`."""
    (place / "config").mkdir(parents=True, exist_ok=True)
    write_project(root, place)


def write_project(root: Path, place: Path) -> None:
    """The project file of `root`, for another directory: without the way to the program, which leads nowhere there."""
    document = yaml.safe_load((root / "Pulumi.yaml").read_text(encoding="utf-8"))
    document.pop("main", None)
    (place / "Pulumi.yaml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def main_program(root: Path, home: Path | None = None) -> Callable[[], Any]:
    """The program for the project in `root`, as `pulumi up` would run it; or, for that project, the one in `home`."""

    main = home or root / (yaml.safe_load((root / "Pulumi.yaml").read_text(encoding="utf-8")).get("main") or ".")

    def program() -> None:
        with running_for(root):
            runpy.run_path(str(main / "__main__.py"), run_name="__main__")

    return program


class Watch:
    """Follows one operation of the engine: shows its steps and what it says, and keeps what went wrong."""

    def __init__(
        self, show: Show | None = None, say: Callable[[str], None] | None = None, failed: Failed | None = None
    ) -> None:
        self.show = show
        self.say = say
        self.failed = failed
        self.errors: list[str] = []
        self.reasons: dict[str | None, str] = {}
        """URN -> the last error about it."""

    def __call__(self, event: EngineEvent) -> None:
        """Take one event, as `on_event` of the Automation API."""
        if diagnostic := event.diagnostic_event:
            if diagnostic.severity == "error":
                self.errors.append(diagnostic.message)
                self.reasons[diagnostic.urn] = diagnostic.message.strip()
            elif self.say and diagnostic.severity in ("info", "warning"):
                self.say(f"  {diagnostic.message.strip()}")
        if self.show and (began := event.resource_pre_event):
            self.show(began.metadata, False)
        if self.show and (done := event.res_outputs_event):
            self.show(done.metadata, True)
        if self.failed and (lost := event.res_op_failed_event):
            self.failed(lost.metadata, self.reasons.get(lost.metadata.urn, ""))

    def run(self, operation: Callable[..., Any], **arguments: Any) -> Any:
        """Run `operation` (`stack.up`, `stack.destroy`, ...); raises `EngineError` with the engine's own words."""
        try:
            return operation(on_event=self, color="never", **arguments)
        except auto.CommandError as error:
            errors = [text for text in map(str.strip, self.errors) if not text.startswith(ECHOES)]
            raise EngineError("\n".join(errors) or plain(str(error))) from error


ECHOES = ("update failed", "preview failed", "an unhandled error occurred")
"""How the engine says again, for the stack, what it has said already."""


NO_LOGIN = "PULUMI_ACCESS_TOKEN must be set for login"
"""What the CLI says where nobody is logged in, to whom it cannot ask, whatever they keep the state in."""

NO_STACK = re.compile(r"no stack named '([^'\n]+)' found")


def plain(output: str) -> str:
    """The CLI's errors, out of all that it wrote."""
    if NO_LOGIN in output:
        own = "pulumi login file://$HOME"
        return f"nobody is logged in to Pulumi: `pulumi login`, or with the state in a directory `{own}`"
    errors = [line.partition("error:")[2].strip() for line in output.splitlines() if "error:" in line]
    return NO_STACK.sub(_not_made, "\n".join(errors) or output.strip())


def _not_made(found: re.Match[str]) -> str:
    create = command("pulumi", "stack", "select", "--create", found[1])
    return f"the state has no stack '{found[1]}' yet: `{create}` makes it"


def saved(state: Path, stack: str) -> Mapping[str, Any]:
    """A stack of the directory `state`, read from its file: the CLI would take a second for it. Secrets stay
    encrypted."""
    for file in state.glob(f".pulumi/stacks/**/{stack}.json"):
        return json.loads(file.read_text(encoding="utf-8"))["checkpoint"]["latest"] or {}
    return {}


def pending(state: Mapping[str, Any]) -> list[str]:
    """What a run was at when it was ended, as "creating api"; the engine does not know how it went."""
    operations = state.get("pending_operations") or []
    return [f"{each['type']} {each['resource']['urn'].rpartition('::')[2]}" for each in operations]


def unlock(state: Path) -> bool:
    """Take away the locks of runs on this machine that were killed; True when there was one.

    The file backend leaves them, and `pulumi cancel` would take those of living runs as well. Killed as it wrote, it
    leaves the state's attributes empty too, and then reads nothing ("failed to load checkpoint: EOF").
    """
    locks = [
        file for file in state.glob(".pulumi/locks/**/*.json") if is_dead(json.loads(file.read_text(encoding="utf-8")))
    ]
    for file in locks:
        file.unlink()
        Path(f"{file}.attrs").unlink(missing_ok=True)
    for file in state.glob(".pulumi/stacks/**/*.attrs") if locks else ():
        if not file.stat().st_size:
            file.unlink()
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
