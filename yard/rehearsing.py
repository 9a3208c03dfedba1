"""A stack of this project, rehearsed: up, no change, switch, no change, back, destroy, through the real engine.

Nothing of the stack's own is touched. The program is the project's; its config is a copy in which placeholders stand
for secrets and for the digests of images that were never pushed; its state is made for the rehearsal and thrown away.
"""

import logging
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pulumi import automation as auto

from components import orchestrator
from config.place import HOME
from config.problems import BadConfig, nearest
from config.stack_file import BadStack
from policy import Violation
from rehearsal import Call, Cloud
from rehearsal.apis import kms
from rehearsal.aws import health, types
from rehearsal.state import CloudState, Refused
from rehearsal.traffic.balancer import ProxyFailed
from rehearsal.traffic.figures import Carried
from yard import destination, engine, here, policies, suggest
from yard.carrying import CUT, Carrier, Load, NothingAnswers, carrying, fit
from yard.rehearsable import GATE, StackConfig
from yard.serving import shares, told
from yard.switch import SHARES, Switch, SwitchError

JOB = "kubernetes:batch/v1:Job"
STATE = "state"
"""Folder of a rehearsed stack in which its state is."""


class Broken(Exception):
    """Something that must hold did not; the message says what and where."""


Url = str | Mapping[str, str] | None
"""The output `url`: one at the load balancer; off it one for each public service."""


@dataclass(frozen=True)
class Step:
    """One operation that changed the cloud, in rehearsal seconds since the beginning."""

    phase: str
    op: str
    type: str
    name: str
    part: str
    """What of the stack it belongs to: an orchestrator by its name, the edge, the network, the registry, the vault."""
    start: float
    end: float


@dataclass(frozen=True)
class Served:
    """From when on who gets a service's requests, in rehearsal seconds since the beginning."""

    phase: str
    at: float
    service: str
    shares: str
    """In words; empty: nobody."""


@dataclass
class Report:
    """What a rehearsal found."""

    ok: bool = False
    reason: str = ""
    """Why not, when not."""
    begun: bool = True
    """False: the call or the configuration is wrong."""
    steps: list[Step] = field(default_factory=list)
    changes: dict[str, dict[str, int]] = field(default_factory=dict)
    """Phase -> operation -> resources."""
    url: dict[str, Url] = field(default_factory=lambda: {"before": None, "after": None})
    """The stack's URL before and after the switch."""
    orchestrators: dict[str, str] = field(default_factory=dict)
    """The one that the stack is on, as `before`, and the one that it switches to, as `after`."""
    served: list[Served] = field(default_factory=list)
    cost: dict[str, str | None] = field(default_factory=lambda: {"before": None, "after": None})
    """USD a month before and after the switch, by the stack's output `cost`. `+?`: there is more that nobody knows."""

    policies: list[Violation] = field(default_factory=list)
    """What the stack breaks, on either orchestrator."""
    load: list[Carried] | None = None
    """What came of the requests in each switch; None: there were none."""

    def json(self) -> dict[str, Any]:
        """The shape of `yard rehearse --json`."""
        whole = {
            "ok": self.ok,
            "orchestrators": self.orchestrators,
            "steps": [vars(step) for step in self.steps],
            "served": [vars(each) for each in self.served],
            "changes": self.changes,
            "url": self.url,
            "cost": self.cost,
            "policies": policies.told(self.policies),
        }
        if self.load is not None:
            whole["load"] = [each.json() for each in self.load]
        return whole if self.ok else whole | {"reason": self.reason}


@dataclass(frozen=True)
class Listener:
    """Who is told what happens, as it happens."""

    phase: Callable[[str, str], None] = lambda _name, _what: None
    """Name of the phase that begins, and what it does."""
    done: Callable[[str, Report], None] = lambda _name, _report: None
    """Name of the phase that ended, and what was found so far."""
    step: Callable[[Step], None] = lambda _: None
    note: Callable[[str], None] = lambda _: None


def other(name: str) -> str:
    """The orchestrator to switch to when nobody says: Kubernetes, and from there back to ECS."""
    return "ecs-fargate" if name == "eks" else "eks"


def rehearse(
    root: Path, name: str, to: str | None, speed: float, listener: Listener, load: Load | None = None
) -> Report:
    """Rehearse stack `name` of the project in `root`, at `speed` rehearsal seconds a second; with requests, if any.

    Does not raise when something is refused or does not hold: the report says it.
    """
    report = Report()
    # When the engine stops at an error, the SDK logs how the abandoned program fares: a trace that helps nobody.
    logging.getLogger("grpc._server").setLevel(logging.CRITICAL)
    try:
        config = StackConfig(root, name)
        to = to or other(config.orchestrator)
        edge = _behind_edge(name, config.orchestrator, to)
        report.orchestrators = {"before": config.orchestrator, "after": to}
        if here.program_of(root) == HOME:  # another program has another configuration
            destination.check(config, to)
        for note in config.prepare():
            listener.note(note)
        if load:
            fit(load, config, edge)
            report.load = []
            if load.websockets:
                listener.note(CUT)
        with carrying(load) as carrier:
            _Rehearsal(root, config, to, edge, report, listener, carrier).run(1 / speed)
        report.ok = True
    except (BadStack, BadConfig, destination.Unfit) as error:
        report.reason, report.begun = suggest.about(name, str(error)), False
    except (Broken, NothingAnswers, ProxyFailed, Refused, SwitchError, engine.EngineError) as error:
        report.reason = suggest.about(name, str(error))
    return report


def _behind_edge(stack: str, at: str, to: str) -> bool:
    """Whether both stand behind the load balancer, so that callers notice nothing of a switch. Raises `Unfit` for one
    that cannot be rehearsed."""
    if at == to:
        raise destination.Unfit(f"stack {stack} is on {at} already: name another with --to")
    for key in (at, to):
        known = orchestrator.names()
        if key not in known:
            raise destination.Unfit(
                f"there is no orchestrator {key!r}: use one of {', '.join(known)}{nearest(key, known)}"
            )
        if orchestrator.load(key).Options.platform != "aws":
            real = f"`{suggest.bring_up(stack)}` brings stack {stack} up for real"
            instead = real if key == at else "name another with --to"
            raise destination.Unfit(f"the rehearsal's cloud is AWS, and {key} runs elsewhere: {instead}")
    return all(orchestrator.load(key).Options.target for key in (at, to))


@contextmanager
def environment(cloud: Cloud) -> Iterator[None]:
    """The program runs in this process, and so does the gate that asks the load balancer: what they find leads to
    `cloud`, and nothing of the caller's own account is among it."""
    before = dict(os.environ)
    for name in [each for each in before if each.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(cloud.env)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def lay_out(
    root: Path, config: StackConfig, place: Path, env: Mapping[str, str], program: Callable[[], Any] | None = None
) -> auto.Stack:
    """A stack of the project in `root`, with its configuration, in `place`: which becomes a project's folder, or is one
    with a state already. `program` is the project's unless another is given."""
    engine.borrow(root, place)
    config.write(place)
    stack = open_stack(config.stack, place, env, program or engine.main_program(root))
    if config.secrets:
        secrets = {path: auto.ConfigValue(value, secret=True) for path, value in config.secrets.items()}
        stack.set_all_config(secrets, path=True)
    return stack


def open_stack(name: str, place: Path, env: Mapping[str, str], program: Callable[[], Any]) -> auto.Stack:
    """The stack that was laid out in `place`, with the state that it has there, for `program`. `env` leads the engine
    to its cloud."""
    return engine.stack(
        name,
        place,
        state=place / STATE,
        env={**env, **engine.disposable(place)},
        program=program,
        secrets_provider=kms.SECRETS_PROVIDER,
    )


class _Rehearsal:
    """One passage through all phases."""

    def __init__(
        self,
        root: Path,
        config: StackConfig,
        to: str,
        edge: bool,
        report: Report,
        listener: Listener,
        carrier: Carrier | None,
    ) -> None:
        self._carrier = carrier
        self._root = root
        self._config = config
        self._to = to
        self._edge = edge
        self._report = report
        self._listener = listener
        self._phase = ""
        self._broken = ""
        self._noted: set[str] = set()
        self._serving: dict[str, str] = {}
        """Service -> who gets its requests now."""
        self._parts = {orchestrator.load(key).token: key for key in (config.orchestrator, to)}

    def run(self, scale: float) -> None:
        """All phases; raises `Broken` or `EngineError` at the first each that is wrong."""
        with (
            tempfile.TemporaryDirectory(prefix="switchyard-rehearsal-") as place,
            Cloud(
                scale,
                on_call=self._saw,
                existing=self._config.existing,
                images=self._config.digests,
                plane=self._carrier.plane if self._carrier else None,
            ) as self._cloud,
            environment(self._cloud),
        ):
            self._stack = lay_out(self._root, self._config, Path(place), self._cloud.env)
            self._state = Path(place) / STATE
            self._passage()
        if mandatory := [each for each in self._report.policies if each.level == "mandatory"]:
            raise Broken(policies.refusal(mandatory))
        if lost := [each.broken for each in self._report.load or [] if each.broken]:
            raise Broken("; ".join(lost))

    def _passage(self) -> None:
        at = self._config.orchestrator
        self._choose(at)
        self._up("up", f"make everything on {at}")
        self._judge()
        self._report.url["before"], self._report.cost["before"] = self._url(), self._cost()
        before = self._lasting()
        self._no_change("preview", "look again: nothing may change")
        with self._carried("switch"):
            self._switch()
        self._judge()
        self._report.url["after"], self._report.cost["after"] = self._url(), self._cost()
        self._same_url()
        self._no_change("switch-preview", "look again: nothing may change")
        self._choose(at)
        with self._carried("back"):
            self._up("back", f"to {at}")
        if self._carrier:
            self._carrier.plane.stop()  # nobody calls what is destroyed
        if odd := sorted(before ^ self._lasting()):
            raise Broken(f"there and back again is not the same: {', '.join(odd)}")
        if self._config.protected:
            self._set({"protect": "false"})
            self._up("unprotect", "take the protection off, or AWS keeps what is protected")
        self._begin("destroy", "remove everything")
        self._finish(engine.Watch().run(self._stack.destroy).summary.resource_changes)
        if left := [f"{each.name} ({each.type})" for each in self._cloud.state]:
            raise Broken(f"destroy left {', '.join(left)}")

    def _carried(self, phase: str) -> AbstractContextManager[None]:
        if self._carrier is None or self._report.load is None:
            return nullcontext()
        return self._carrier.through(phase, self._report.load)

    def _switch(self) -> None:
        if not (self._carrier and self._carrier.load.bake):
            self._choose(self._to)
            self._up("switch", f"to {self._to}, in one `pulumi up`")
            return
        self._begin("switch", f"to {self._to}, in the steps of `yard switch`: {', '.join(map(str, SHARES))} %")
        switch = Switch.of(self._stack, self._root, self._tell_step, self._carrier.bake)
        switch.guard = self._carrier.guard(switch.guard, self._note)
        switch.run(self._to)
        self._outputs = self._stack.outputs()
        steps = [each.op for each in self._report.steps if each.phase == self._phase]
        self._finish(Counter(steps))

    def _tell_step(self, text: str) -> None:
        """What is indented below a step is the engine's progress, which is in the report."""
        if not text.startswith(" "):
            self._note(text)

    def _judge(self) -> None:
        """What the policies say of what is up, and did not say before."""
        known = {str(each) for each in self._report.policies}
        found = policies.broken(self._config, self._state)
        self._report.policies += [each for each in found if str(each) not in known]

    def _lasting(self) -> set[str]:
        """The URNs of all that is there, without what ran once: that goes with its orchestrator, and is over."""
        return {each.urn for each in self._cloud.state if each.type != JOB}

    def _up(self, phase: str, what: str) -> None:
        self._begin(phase, what)
        result: auto.UpResult = engine.Watch(say=self._note).run(self._stack.up)
        self._finish(result.summary.resource_changes)
        self._outputs = result.outputs

    def _no_change(self, phase: str, what: str) -> None:
        self._begin(phase, what)
        changing: list[str] = []

        def show(step: Any, done: bool) -> None:
            if not done and step.op != auto.OpType.SAME:
                changing.append(f"{step.op} {step.urn.rpartition('::')[2]} ({step.type}){_why(step)}")

        result: auto.PreviewResult = engine.Watch(show).run(self._stack.preview)
        self._finish(result.change_summary)
        if changing:
            raise Broken(f"a second look would change: {'; '.join(changing)}")

    def _begin(self, phase: str, what: str) -> None:
        self._phase = phase
        self._listener.phase(phase, what)

    def _finish(self, changes: Mapping[Any, int] | None) -> None:
        self._report.changes[self._phase] = {str(op): count for op, count in (changes or {}).items()}
        if self._broken:
            raise Broken(self._broken)
        self._listener.done(self._phase, self._report)

    def _note(self, text: str) -> None:
        """What the program has to say, once: it says it in every run."""
        if text not in self._noted:
            self._noted.add(text)
            self._listener.note(text.strip())

    def _choose(self, key: str) -> None:
        """Put the stack on an orchestrator. Off the load balancer the program refuses `gate`, for there is none."""
        gate = self._config.get("gate", {})
        edge = orchestrator.load(key).Options.target and isinstance(gate, dict)
        quick = {f"gate.{name}": value for name, value in GATE.items()}
        waits = self._carrier.waits(gate, self._config.get("guard", {})) if self._carrier else {}
        asked = {name: str(value) for name, value in (quick | waits).items()} if edge else {}
        self._set({"orchestrator": key} | asked)
        if not (edge or gate):
            self._stack.remove_config(self._config.prefix + "gate")

    def _set(self, values: Mapping[str, str]) -> None:
        self._stack.set_all_config(
            {self._config.prefix + key: auto.ConfigValue(value) for key, value in values.items()}, path=True
        )

    def _url(self) -> Url:
        url = self._outputs.get("url")
        found: Url = None if url is None else url.value
        return found

    def _cost(self) -> str | None:
        """Marked as on a terminal where there is more that nobody knows."""
        cost = self._outputs.get("cost")
        return f"{cost.value.get('usd', '?')}{'+?' * bool(cost.value.get('unknown'))}" if cost else None

    def _same_url(self) -> None:
        before, after = self._report.url["before"], self._report.url["after"]
        if before == after:
            return
        if self._edge:
            raise Broken(f"the URL changed: {before} became {after}")
        self._listener.note("callers have another address after the switch: not both stand behind the load balancer")

    def _saw(self, call: Call) -> None:
        if self._carrier:
            self._carrier.saw(call, self._part(call))
        if call.end is None or call.op == "read":
            return
        if call.ok:
            step = self._step(call, call.end)
            self._report.steps.append(step)
            self._listener.step(step)
            if call.type == types.LISTENER_RULE:
                self._report.served += self._moved(step)
        if self._phase != "destroy" and not self._broken:
            self._broken = unanswered(call, self._cloud.state, self._cloud.clock.now, self._cloud.asked)

    def _step(self, call: Call, end: float) -> Step:
        times = round(call.start, 1), round(end, 1)
        return Step(self._phase, call.op, call.type, call.name, self._part(call), *times)

    def _part(self, call: Call) -> str:
        top = call.urn.split("::")[2].partition("$")[0]
        return self._parts.get(top) or top.split(":")[1]

    def _moved(self, step: Step) -> Iterator[Served]:
        """Whose requests go elsewhere since a step."""
        now = {service: told(each) for service, each in shares(self._cloud.state).items()}
        before, self._serving = self._serving, now
        for service in sorted({*before, *now}):
            if before.get(service) != now.get(service):
                yield Served(step.phase, step.end, service, now.get(service, ""))


def unanswered(call: Call, state: CloudState, now: float, asked: health.Asked = health.nobody) -> str:
    """Which callers get no answer since an operation, at a time in rehearsal seconds; empty where all do."""
    with state.lock:
        rules = ", ".join(health.unserved(state, now, asked))
    return rules and f"after {call.op} of {call.name} ({call.type}) callers of {rules} would be answered 503"


def _why(step: Any) -> str:
    return f": {', '.join(step.diffs)}" if step.diffs else ""
