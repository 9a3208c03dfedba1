"""`yard switch`: from one orchestrator to another in small steps, each of them an ordinary `pulumi up`."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import click
import yaml
from pulumi import automation as auto

from components import edge, orchestrator
from components.edge import EdgeOptions, Shared
from components.guard import GuardOptions, Watch
from components.shell import command
from config.problems import BadConfig, nearest
from config.reader import default_of
from config.stack_file import NoStack, StackFile
from yard import deployed, destination, engine, exits, here, interrupts, names, progress, suggest, terminal
from yard.choice import LOCAL, stack_option
from yard.guarding import Ends, Guard
from yard.local import Local, in_words
from yard.machine import Misconfigured

ROOT = here.ROOT

CONFIGURED = "pulumi:providers:pulumi-python"
"""The provider of swarms, which keeps the stack's whole configuration in its state, the weights among it."""
SHARES = (1, 10, 50, 100)
"""Percent of the traffic that the newcomer gets, step by step."""

Say = Callable[[str], None]


class SwitchError(click.ClickException):
    """The switch stops here; the message says what serves now and how to go on."""


class TakenBack(SwitchError):
    """The newcomer was worse than the old orchestrator, which has all the traffic again."""

    exit_code = exits.TAKEN_BACK


@click.command()
@click.argument("to", required=False, metavar="[ORCHESTRATOR]", shell_complete=names.orchestrators)
@stack_option("The stack to switch.")
@click.option(
    "--bake",
    default=60.0,
    show_default=True,
    type=click.FloatRange(min=0, max=86_400),
    help="Seconds to watch the newcomer after each step.",
)
@click.option("--abort", is_flag=True, help="Give everything back to the stack's `orchestrator` instead.")
@click.option("--yes", is_flag=True, help="Do not ask before the first step.")
def switch(to: str | None, stack: str, bake: float, abort: bool, yes: bool) -> None:
    """Move STACK to another ORCHESTRATOR: prepare it without traffic, give it 1, 10, 50, 100 %, retire the old one.

    Before each step the load balancer itself must find the newcomer healthy; when it does not, the weights stay and
    this stops with the reason. After each step the newcomer's errors and p99 are compared with the old one's (key
    `guard`): where they are worse, all traffic goes back, and the exit code is 3. Called again it goes on from where
    the weights are. It changes only the keys `orchestrator` and `traffic` in the stack's file and runs `pulumi up`: a
    team can do the same by hand or in CI.
    """
    if abort == bool(to):
        raise click.UsageError("name the orchestrator to switch to, or --abort")
    with in_words(stack):
        here = _local(bake) if stack == LOCAL else _of(_own(stack), bake)
    try:
        if to is not None:
            here.check(to)
            _check(stack, to)
            exits.confirm(here.question(to), yes=yes)
        with interrupts.explained(here.stopped):
            here.abort() if to is None else here.run(to)
    except (engine.EngineError, auto.CommandError) as error:
        message = engine.plain(str(error)) if isinstance(error, auto.CommandError) else str(error)
        message = suggest.about(stack, message) if stack == LOCAL else message
        back = suggest.yard("switch", "--abort", "--stack", stack)
        raise SwitchError(f"{message}\nFix it and call this again, or `{back}`.") from error


def _own(stack: str) -> auto.Stack:
    return engine.stack(stack, ROOT, state=None)


def _of(stack: auto.Stack, bake: float, configuration: "Configuration | None" = None) -> "Switch":
    return Switch.of(stack, ROOT, terminal.say, bake, configuration, partial(deployed.ends, ROOT, stack.name))


def _local(bake: float) -> "Switch":
    """Stack local, which the engine runs in a copy of the project: what changes is its own file."""
    local = Local(ROOT)
    if not local.exists:
        raise Misconfigured(f"stack {LOCAL} is not up: `{suggest.bring_up(LOCAL)}` brings it up")
    return _of(local.open(click.echo), bake, Configuration(local.own, local.lay_out))


def _check(stack: str, to: str) -> None:
    """Refuse what the stack's configuration keeps from `to`: the engine would find it only in the middle of an `up`."""
    try:
        destination.check(StackFile(ROOT, stack), to)
    except (NoStack, BadConfig, destination.Unfit) as error:
        raise exits.Misused(suggest.about(stack, str(error))) from error


@dataclass(frozen=True)
class Configuration:
    """Where a stack's keys are set."""

    project: auto.Workspace
    changed: Callable[[], object] = lambda: None
    """Called after each change."""


@dataclass
class Switch:
    """A stack on its way."""

    stack: auto.Stack
    home: str
    """The stack's `orchestrator`: what it comes back to."""
    traffic: dict[str, int]
    """The shares, in percent, of all that are up; empty outside a move."""
    edge: type[EdgeOptions]
    """What shares the requests."""
    say: Say
    bake: float
    guard: Guard
    """What looks at the requests after each step."""
    configuration: Configuration
    pending: list[str] = field(default_factory=list)
    """What an earlier run was at when it was ended."""
    is_up: bool = True

    @classmethod
    def of(
        cls,
        stack: auto.Stack,
        root: Path,
        say: Say,
        bake: float,
        configuration: Configuration | None = None,
        ends: Ends | None = None,
    ) -> "Switch":
        """Where a stack is: what is up by its configuration, and the shares by its last `up`, for a run that was
        killed leaves weights in the file that nobody has. A key that it does not set has Pulumi.yaml's default."""
        project = yaml.safe_load((root / "Pulumi.yaml").read_text(encoding="utf-8"))
        values = {key.partition(":")[2]: each.value for key, each in stack.get_all_config().items()}
        home = values.get("orchestrator") or default_of(project, "orchestrator")
        weights = _weights(values.get("traffic") or "{}")
        deployment = _deployment(stack)
        resources = _resources(deployment)
        sharing = edge.load(values.get("edge") or edge.DEFAULT).Options
        traffic = shares(home, weights, sharing.shared(resources))

        def watch() -> Watch | None:
            return sharing.watch(_resources(_deployment(stack)), values.get("region"), values.get("profile"))

        guard = Guard(_guard(values.get("guard") or "{}"), watch, say, time.sleep, ends=ends)
        configuration = configuration or Configuration(stack.workspace)
        pending = engine.pending(deployment)
        return cls(stack, home, traffic, sharing, say, bake, guard, configuration, pending, bool(resources))

    def check(self, to: str) -> None:
        """Refuse what cannot be switched to from here."""
        known = orchestrator.names()
        for key in (self.home, to):
            if key not in known:
                raise exits.Misused(
                    f"there is no orchestrator {key!r}: use one of {', '.join(known)}{nearest(key, known)}"
                )
            if orchestrator.load(key).Options.target not in self.edge.takes:
                raise SwitchError(
                    f"{key} is not behind the load balancer, so no traffic can be shared with it{_others(key)}"
                )
        if not self.is_up:
            raise SwitchError(
                f"{self.stack.name} is not up, so there is nothing to move: `{self._bring_up}` brings it up"
            )
        if self.pending:
            doctor = command("yard", "doctor", "--stack", self.stack.name)
            raise SwitchError(
                f"an earlier run was ended while it was {', '.join(self.pending)}: `{doctor}` says how to go on"
            )
        if odd := set(self.traffic) - {self.home, to}:
            raise SwitchError(f"a move to {', '.join(sorted(odd))} is under way: finish it or --abort first")

    def question(self, to: str) -> str:
        """What somebody is asked before the first step."""
        if to == self.home and not self.traffic:
            up = self._bring_up
            return f"{to} has all the traffic of {self.stack.name}. Run `{up}`, which takes away what was left?"
        return f"Move {self.stack.name} from {self.home} to {to}, in {len(SHARES) + 2} steps?"

    def run(self, to: str) -> None:
        """Go to `to`, from wherever the weights are."""
        self.check(to)
        if to == self.home and not self.traffic:
            self.say(f"{to} has all the traffic already; what an earlier switch may have left goes")
            self._up()
            return
        if not self.traffic.get(to):
            self.say(f"prepare: {to} comes up beside {self.home}, without traffic")
            self._write({self.home: 100, to: 0})
            self._up()
        for share in [share for share in SHARES if share > self.traffic[to]]:
            self.say(f"shift: {share} % to {to}, when the load balancer finds it healthy")
            self._shift({self.home: 100 - share, to: share})
            self.say(f"  {to} has {share} %; watching for {self.bake:g} s")
            if wrong := self.guard.look_over(self.home, to, self.bake):
                self._take_back(to, wrong)
        self.say(f"retire: {self.home} goes")
        self._settle(to)
        self.say(f"{to} has all the traffic; the URL is the same")

    def _take_back(self, to: str, wrong: list[str]) -> None:
        self.say(f"  {to} does worse than {self.home}")
        self.abort()
        raise TakenBack("\n".join([f"{self.home} has all the traffic again:", *(f"  - {each}" for each in wrong)]))

    def abort(self) -> None:
        """All weights back to the stack's `orchestrator`, and nothing else: whatever else would change may be why."""
        others = sorted(set(self.traffic) - {self.home})
        if not others:
            self.say(f"nothing to abort: {self.home} has all the traffic")
            return
        under_way = any(self.traffic[key] for key in others)
        self._write({self.home: 100, **dict.fromkeys(others, 0)})
        if under_way:
            self.say(f"all traffic back to {self.home}")
            progress.run(self.stack.up, self.say, target=[each.urn for each in self._shared()])
        name = self.stack.name
        without = command("pulumi", "config", "rm", "traffic", "--stack", name)
        self.say(
            f"{' and '.join(others)} has no traffic and stays, to be looked at;"
            f" `{suggest.about(name, without)} && {self._bring_up}` removes it"
        )

    def stopped(self) -> str:
        """After an interrupt: who serves, and how to go on."""
        now = self._shares_now() or {self.home: 100}
        serving = " and ".join(f"{key} has {share} %" for key, share in now.items() if share)
        back = command("yard", "switch", "--abort", "--stack", self.stack.name)
        way_back = f"; `{back}` gives all of it back to {self.home}" if self.traffic else ""
        return f"{serving} of the traffic. The same command goes on from there{way_back}."

    def _shares_now(self) -> dict[str, int]:
        return shares(self.home, self.traffic, self._shared())

    def _shared(self) -> Iterator[Shared]:
        return self.edge.shared(_resources(_deployment(self.stack)))

    def _write(self, traffic: Mapping[str, int]) -> None:
        self.traffic = dict(traffic)
        weights = {f"traffic.{key}": auto.ConfigValue(str(weight)) for key, weight in traffic.items()}
        # In one step: half of it would be no move at all.
        self.configuration.project.set_all_config(self.stack.name, weights, path=True)
        self.configuration.changed()

    def _shift(self, traffic: Mapping[str, int]) -> None:
        """Change weights, and nothing else: whatever else the stack would change is for an `up` of its own."""
        before = self.traffic
        try:
            self._write(traffic)
            if odd := self._besides_weights():
                raise SwitchError(
                    f"this step would also change {', '.join(odd)}; nothing was done."
                    f" Run `{self._bring_up}` for that first, then call this again."
                )
            self._up()
        except BaseException as error:
            # The file says what is. The weights did not move, unless the engine was stopped after it had moved them.
            self._write(self._shares_now() if isinstance(error, KeyboardInterrupt) else before)
            raise

    def _besides_weights(self) -> list[str]:
        odd: list[str] = []

        def show(step: Any, done: bool) -> None:
            if not done and step.op != auto.OpType.SAME and step.type not in (self.edge.rule, CONFIGURED):
                odd.append(f"{step.urn.rpartition('::')[2]} ({step.type})")

        engine.Watch(show).run(self.stack.preview)
        return odd

    def _settle(self, to: str) -> None:
        self.configuration.project.set_config(self.stack.name, "orchestrator", auto.ConfigValue(to))
        self.configuration.project.remove_config(self.stack.name, "traffic")
        self.configuration.changed()
        self.home, self.traffic = to, {}
        self._up()

    @property
    def _bring_up(self) -> str:
        return suggest.bring_up(self.stack.name)

    def _up(self) -> None:
        progress.run(self.stack.up, self.say)


def _others(key: str) -> str:
    """Which edges could stand before an orchestrator."""
    target = orchestrator.load(key).Options.target
    fit = [f"`edge: {each}`" for each in edge.names() if target in edge.load(each).Options.takes]
    return f"; behind {' or '.join(fit)} it can" if fit else ""


def _weights(text: str) -> dict[str, int]:
    """The key `traffic`, as the stack's file has it."""
    try:
        found = json.loads(text)
        return {key: int(weight) for key, weight in found.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise SwitchError(
            "`traffic` is not a map of weights, such as {eks: 90, ecs-fargate: 10}: fix it first"
        ) from error


def _guard(text: str) -> GuardOptions:
    """The key `guard`, as the stack's file has it."""
    try:
        return GuardOptions.model_validate(json.loads(text))
    except ValueError as error:
        raise SwitchError(f"`guard` is not as it should be: `yard doctor` says what is wrong ({error})") from error


def shares(home: str, weights: Mapping[str, int], shared: Iterable[Shared]) -> dict[str, int]:
    """What each of those that are up has, in percent; of several services, the least that a newcomer has of any."""

    def share(key: str, of: Mapping[str, int]) -> int:
        return 100 * of.get(key, 0) // (sum(of.values()) or 1)

    of_services = [each.weights for each in shared]
    others = {key: min(share(key, each) for each in of_services or [weights]) for key in weights if key != home}
    return {home: 100 - sum(others.values()), **others} if weights else {}


def _deployment(stack: auto.Stack) -> Mapping[str, Any]:
    return stack.export_stack().deployment or {}


def _resources(deployment: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(deployment.get("resources", []))
