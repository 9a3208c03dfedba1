"""Requests through a rehearsed switch: `yard rehearse --load`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from components.edge import DEFAULT
from components.gate import GateOptions
from components.guard import GuardOptions
from components.operations import End
from config.place import HOME
from config.stack_file import StackFile
from rehearsal import Call
from rehearsal.traffic import figures
from rehearsal.traffic.balancer import Balancer
from rehearsal.traffic.callers import Callers, Request, ask, entry, ways
from rehearsal.traffic.figures import Bar, Carried
from rehearsal.traffic.mistakes import mistakes
from rehearsal.traffic.plane import Plane
from rehearsal.traffic.replica import Pace
from rehearsal.traffic.sockets import NotOpened, Sockets, kept, opened
from rehearsal.traffic.starts import Start, container, process
from rehearsal.traffic.wanted import Workload
from yard import destination, exits
from yard.guarding import Guard
from yard.switch import SHARES

BEFORE, AFTER = 5.0, 2.0
"""Seconds for which there are callers before a switch and after it."""
GOES = 200.0
"""Seconds for which it is waited at most that replicas which stop have ended: two minutes are the most that an
orchestrator gives one from SIGTERM on, and before that it drains."""
LONGEST = 1500
"""Seconds that a number of requests may take; it is less than callers live at the longest."""
SHOWN = 200
"""Bytes of an answer that are shown."""
CUT = (
    "a WebSocket ends when its replica ends: those that do in a switch are counted apart, and are not lost. Lost are"
    " those that end while their replica serves, and those that cannot be opened again"
)
"""What is said of WebSockets beforehand."""
EXAMPLE_HEALTH = "/healthz"
"""The one path that the example answers for its health."""


class NothingAnswers(Exception):
    """The callers would be lost before the switch begins; the message says which and what to do."""


@dataclass(frozen=True)
class Load:
    """What is asked for."""

    rate: int = 100
    """Requests a second."""
    requests: int = 0
    """At least so many in each switch."""
    run: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Service -> the command that is a replica of it, which listens on $PORT."""
    images: Mapping[str, str] = field(default_factory=dict)
    """Service -> the image on this machine's Docker engine that its replicas are containers of."""
    calls: Sequence[Request] = ()
    """What is asked for besides each service's own path."""
    expects: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Path -> what each answer of it has in it."""
    websockets: Sequence[str] = ()
    """Paths to which WebSockets are kept open."""
    bake: float = 0.0
    """Seconds for which each step of a switch is watched; 0: it is one `up`."""
    pace: float = 1.0
    """Real seconds for each that a caller would feel."""


@dataclass(frozen=True)
class Programs:
    """What a load takes."""

    proxy: Path
    callers: Path
    example: Path

    @classmethod
    @cache
    def built(cls) -> Programs:
        """All of them, built where they are not there yet; raises `Misused` where they cannot be."""
        tool = [sys.executable, "-m", "tools.load"]
        done = subprocess.run(tool, cwd=HOME, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise exits.Misused("the programs that --load takes cannot be had: why is said above; nothing was begun")
        return cls(**{name: Path(path) for name, path in json.loads(done.stdout).items()})


class Carrier:
    """Runs what the rehearsed cloud asks for, and calls it."""

    def __init__(self, load: Load, programs: Programs, place: Path) -> None:
        self.load = load
        self._programs = programs
        self._place = place
        self._pace = Pace(load.pace)
        self._begun: dict[int, float] = {}
        self._bars: list[Bar] = []
        self.plane = Plane(Balancer(programs.proxy, place), self._start, place, self._pace)

    @property
    def bake(self) -> float:
        """Real seconds for which each step is watched."""
        return self._pace(self.load.bake)

    def guard(self, guard: Guard, say: Callable[[str], None]) -> Guard:
        """The guard of a switch, which knows of the replicas here, and says what it has to."""
        return replace(guard, say=say, ends=self._ends)

    def _ends(self, orchestrator: str, since: datetime) -> Mapping[str, Sequence[End]]:
        """Service -> its replicas on an orchestrator that ended by themselves since then."""
        found: dict[str, list[End]] = {}
        for each in self.plane.replicas:
            if each.life.died and each.workload.orchestrator == orchestrator and each.life.ended >= since.timestamp():
                at = datetime.fromtimestamp(each.life.ended, UTC)
                end = End(str(each.number), at, f"exit code {each.life.code}: {each.said() or 'it wrote nothing'}")
                found.setdefault(each.workload.service, []).append(end)
        return found

    def waits(self, gate: object, guard: object) -> dict[str, float]:
        """How long the old replicas stay, and for how long figures are waited for, by the stack's keys: callers feel
        that."""
        try:
            return {
                "gate.settle": self._pace(GateOptions.model_validate(gate).settle),
                "guard.patience": self._pace(GuardOptions.model_validate(guard).patience),
            }
        except ValueError:
            return {}  # the program says what is wrong with it

    def saw(self, call: Call, part: str = "") -> None:
        """Note when an operation began and ended, in real time."""
        now = time.time()
        if call.end is None:
            self._begun[id(call)] = now
        elif call.ok and call.op != "read":
            self._bars.append(Bar(part, call.op, call.type, call.name, self._begun.pop(id(call), now), now))

    @contextmanager
    def through(self, phase: str, found: list[Carried]) -> Iterator[None]:
        """Carry requests while the block runs, a while before and after it, and put what came of them to `found`."""
        requests = [*self._requests()]
        sockets = Sockets(f"{phase}-websockets", self.plane.balancer.port, self._websockets(requests))
        place = self._place / phase
        place.mkdir()
        callers = Callers(self._programs.callers, place, self.plane.balancer.url, requests, self.load.rate)
        callers.start()
        sockets.start()
        start = began = time.time()
        ended = 0.0
        try:
            time.sleep(self._pace(BEFORE))
            began = time.time()
            yield
            ended = time.time()
            least = self.load.requests / self.load.rate + 1  # the callers take a moment to begin
            time.sleep(max(self._pace(AFTER), least - (ended - start)))
            self.plane.gone(self._pace(GOES))
        finally:
            switch = began, ended or time.time()
            sockets.stop()
            callers.stop()
            found.append(self._came_of(phase, callers, sockets, switch))

    def _came_of(self, phase: str, callers: Callers, sockets: Sockets, switch: tuple[float, float]) -> Carried:
        replicas, access_log = self.plane.replicas, self.plane.balancer.access_log
        answers = callers.answers(access_log)
        wrong = mistakes(answers, replicas, self.plane.idle, self._pace)
        lasted = [*kept(sockets, ways(access_log), replicas)] if sockets.requests else []
        return figures.carried(phase, answers, self.plane, switch, wrong, self._bars, lasted)

    def _requests(self) -> Iterator[Request]:
        """What is called, each of which must be answered before the switch begins, and as is expected."""
        own = [Request(*entry(each)) for each in self.plane.rules()]
        host = own[0].host if own else ""
        for each in dict.fromkeys([*own, *(replace(call, host=host) for call in self.load.calls if own)]):
            request = replace(each, expects=self.load.expects.get(each.path, ()))
            code, answer = ask(self.plane.balancer.port, request)
            if code >= 400 or not code:
                said = {each.said() for each in self.plane.replicas if not each.over}
                raise NothingAnswers(
                    f"{request} is answered {code or 'by nobody'} before the switch begins. Call what answers, by"
                    f" --path or --post. A replica wrote last: {'; '.join(said) or 'nothing'}"
                )
            if missing := request.misses(answer):
                raise NothingAnswers(
                    f"{request} is answered without {', '.join(map(repr, missing))} before the switch begins, which"
                    f" --expect wants in it. The answer begins: {answer[:SHOWN].decode(errors='replace')!r}"
                )
            yield request

    def _websockets(self, requests: Sequence[Request]) -> Sequence[Request]:
        """Where WebSockets are kept, each of which must open before the switch begins."""
        found = [Request(path, requests[0].host if requests else "") for path in self.load.websockets]
        for each in found:
            try:
                opened(self.plane.balancer.port, each).close()
            except NotOpened as error:
                raise NothingAnswers(
                    f"--websocket {each.path}: no WebSocket opens there before the switch begins: {error}"
                ) from error
        return found

    def _start(self, workload: Workload, port: int) -> Start:
        if image := self.load.images.get(workload.service):
            return container(image, workload, port)
        return process(self.load.run.get(workload.service) or [str(self._programs.example)], workload, port)


@contextmanager
def carrying(load: Load | None) -> Iterator[Carrier | None]:
    """A carrier for as long as it lasts, if there is anything to carry."""
    if load is None:
        yield None
        return
    programs = Programs.built()
    with tempfile.TemporaryDirectory(prefix="switchyard-load-") as place:
        yield Carrier(load, programs, Path(place))


def fit(load: Load, config: StackFile, edge: bool) -> None:
    """Raises `Unfit` where no requests can be carried, with all that keeps them; `edge`: both orchestrators stand
    behind the load balancer."""
    services, guard = config.get("services"), config.get("guard", {})
    wrong = [*check(load, services if isinstance(services, dict) else {}), *_too_long(load, guard)]
    if not edge or config.get("edge", DEFAULT) != DEFAULT:
        wrong.append(
            "--load: not both orchestrators stand behind the load balancer, so there is no one way for requests"
        )
    if wrong:
        raise destination.Unfit("\n".join(wrong))


def _too_long(load: Load, guard: object) -> Iterator[str]:
    """What keeps all steps from being watched while callers live."""
    try:
        patience = GuardOptions.model_validate(guard).patience
    except ValueError:
        return  # the program says what is wrong with it
    if load.bake and len(SHARES) * (load.bake + patience) > LONGEST:
        most = LONGEST / len(SHARES)
        can = (
            f"use --bake {most - patience:g} or less"
            if most > patience
            else f"set it to less than {most - load.bake:g}"
        )
        yield (
            f"--bake {load.bake:g}: with `guard.patience`, which is {patience:g} here, {len(SHARES)} steps can take"
            f" longer than the {LONGEST} s for which requests are sent: {can}"
        )


def check(load: Load, services: Mapping[str, object]) -> Iterator[str]:
    """What keeps a stack's services from being run here, by the keys of its configuration."""
    for option, given in (("--run", load.run), ("--image", load.images)):
        for name in sorted(given.keys() - services.keys()):
            known = ", ".join(sorted(services)) or "none at all"
            yield f"{option} {name}=...: there is no service {name}, but {known}"
    for image in sorted(set(load.images.values())):
        if why := _missing(image):
            yield f"--image: {image} is not on the Docker engine here, so build it or pull it: {why}"
    if services and not any(_public(each) for each in services.values()):
        yield f"--load: nobody calls {', '.join(sorted(services))}: requests go to services that are public"
    for name, each in services.items():
        health = each.get("health", EXAMPLE_HEALTH) if isinstance(each, dict) else EXAMPLE_HEALTH
        if _public(each) and health != EXAMPLE_HEALTH and name not in {**load.run, **load.images}:
            yield (
                f"services.{name}.health is {health}, which the example does not answer that would stand for it:"
                f" give its image, --image {name}=IMAGE, or a command that listens on $PORT, --run"
                f" {name}='node server.js'"
            )


def _public(service: object) -> bool:
    return not isinstance(service, dict) or bool(service.get("public", True))


def _missing(image: str) -> str:
    """Why an image cannot be run here; empty: it can."""
    try:
        asked = subprocess.run(["docker", "image", "inspect", image], capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return asked.stderr.strip() if asked.returncode else ""
