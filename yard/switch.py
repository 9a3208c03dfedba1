"""`yard switch`: from one orchestrator to another in small steps, each of them an ordinary `pulumi up`."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import yaml
from pulumi import automation as auto

from components import orchestrator
from yard import engine, progress

ROOT = Path(__file__).resolve().parent.parent
SHARES = (1, 10, 50, 100)
"""Percent of the traffic that the newcomer gets, step by step."""
RULE = "aws:lb/listenerRule:ListenerRule"

Say = Callable[[str], None]


class SwitchError(click.ClickException):
    """The switch stops here; the message says what serves now and how to go on."""


@click.command()
@click.argument("to", required=False, metavar="[ORCHESTRATOR]")
@click.option("--stack", required=True, help="The stack to switch, as `pulumi stack ls` names it.")
@click.option("--bake", default=60.0, show_default=True, help="Seconds to watch the newcomer after each step.")
@click.option("--abort", is_flag=True, help="Give everything back to the stack's `orchestrator` instead.")
@click.option("--yes", is_flag=True, help="Do not ask before the first step.")
def switch(to: str | None, stack: str, bake: float, abort: bool, yes: bool) -> None:
    """Move STACK to another ORCHESTRATOR: prepare it without traffic, give it 1, 10, 50, 100 %, retire the old one.

    Before each step the load balancer itself must find the newcomer healthy; when it does not, the weights stay and
    this stops with the reason. Called again it goes on from where the weights are. It changes only the keys
    `orchestrator` and `traffic` in the stack's file and runs `pulumi up`: a team can do the same by hand or in CI.
    """
    if abort == bool(to):
        raise click.UsageError("name the orchestrator to switch to, or --abort")
    try:
        opened = engine.stack(stack, ROOT, state=None)
        here = Switch.of(opened, ROOT, click.echo, bake)
        if abort:
            here.abort()
            return
        assert to is not None
        if not yes:
            click.confirm(f"Move {stack} from {here.home} to {to}, in {len(SHARES) + 2} steps?", abort=True)
        here.run(to)
    except engine.EngineError as error:
        raise SwitchError(f"{error}\nMend it and call this again, or `yard switch --abort --stack {stack}`.") from error


@dataclass
class Switch:
    """A stack on its way."""

    stack: auto.Stack
    home: str
    """The stack's `orchestrator`: what it comes back to."""
    traffic: dict[str, int]
    say: Say
    bake: float
    sleep: Callable[[float], None] = field(default=time.sleep)

    @classmethod
    def of(cls, stack: auto.Stack, root: Path, say: Say, bake: float) -> "Switch":
        """Where a stack is, by its configuration. A key that it does not set has Pulumi.yaml's default."""
        project = yaml.safe_load((root / "Pulumi.yaml").read_text(encoding="utf-8"))
        values = {key.partition(":")[2]: each.value for key, each in stack.get_all_config().items()}
        home = values.get("orchestrator") or project["config"]["orchestrator"]["default"]
        return cls(stack, home, json.loads(values.get("traffic") or "{}"), say, bake)

    def run(self, to: str) -> None:
        """Go to `to`, from wherever the weights are."""
        self._check(to)
        if to == self.home and not self.traffic:
            self.say(f"{to} has all the traffic already; what an earlier switch may have left goes")
            self._up()
            return
        if not self.traffic.get(to):
            self.say(f"prepare: {to} comes up beside {self.home}, without traffic")
            self._weigh(to, 0)
            self._up()
        for share in [share for share in SHARES if share > self.traffic[to]]:
            self.say(f"shift: {share} % to {to}, when the load balancer finds it healthy")
            self._shift(to, share)
            self.say(f"  {to} has {share} %; watching for {self.bake:g} s")
            self.sleep(self.bake)
        self.say(f"retire: {self.home} goes")
        self._settle(to)
        self.say(f"{to} has all the traffic; the URL is the same")

    def abort(self) -> None:
        """All weights back to the stack's `orchestrator`, then without the others."""
        if not self.traffic:
            self.say(f"nothing to abort: {self.home} has all the traffic")
            return
        self.say(f"all traffic back to {self.home}")
        newcomer = next(key for key in self.traffic if key != self.home)
        self._shift(newcomer, 0)
        self.say(
            f"{newcomer} has no traffic and stays, to be looked at; `pulumi config rm traffic && pulumi up` removes it"
        )

    def _check(self, to: str) -> None:
        for key in (self.home, to):
            if key not in orchestrator.names():
                raise SwitchError(f"there is no orchestrator {key!r}: use one of {', '.join(orchestrator.names())}")
            if orchestrator.load(key).target is None:
                raise SwitchError(f"{key} is not behind the load balancer, so no traffic can be shared with it")
        if odd := set(self.traffic) - {self.home, to}:
            raise SwitchError(f"a move to {', '.join(sorted(odd))} is under way: finish it or --abort first")

    def _weigh(self, newcomer: str, share: int) -> None:
        self.traffic = {self.home: 100 - share, newcomer: share}
        weights = {f"traffic.{key}": auto.ConfigValue(str(weight)) for key, weight in self.traffic.items()}
        self.stack.set_all_config(weights, path=True)  # in one step: half of it would be no move at all

    def _shift(self, newcomer: str, share: int) -> None:
        """Change weights, and nothing else: whatever else the stack would change is for an `up` of its own."""
        before = self.traffic
        self._weigh(newcomer, share)
        if odd := self._besides_weights():
            self._weigh(newcomer, before.get(newcomer, 0))
            raise SwitchError(
                f"this step would also change {', '.join(odd)}; nothing was done."
                " Run `pulumi up` for that first, then call this again."
            )
        try:
            self._up()
        except engine.EngineError:
            self._weigh(newcomer, before.get(newcomer, 0))  # the file says what is: the weights did not move
            raise

    def _besides_weights(self) -> list[str]:
        odd: list[str] = []

        def show(step: Any, done: bool) -> None:
            if not done and step.op != auto.OpType.SAME and step.type != RULE:
                odd.append(f"{step.urn.rpartition('::')[2]} ({step.type})")

        engine.Watch(show).run(self.stack.preview)
        return odd

    def _settle(self, to: str) -> None:
        self.stack.set_config("orchestrator", auto.ConfigValue(to))
        self.stack.remove_config("traffic")
        self.home, self.traffic = to, {}
        self._up()

    def _up(self) -> None:
        progress.run(self.stack.up, self.say)
