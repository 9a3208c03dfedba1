"""Requests through a rehearsed switch: `yard rehearse --load`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from components.gate import GateOptions
from config.place import HOME
from rehearsal import Call
from rehearsal.traffic import figures
from rehearsal.traffic.balancer import Balancer
from rehearsal.traffic.callers import Callers, entry, status
from rehearsal.traffic.figures import Bar, Carried
from rehearsal.traffic.mistakes import mistakes
from rehearsal.traffic.plane import Plane
from rehearsal.traffic.replica import Pace
from rehearsal.traffic.starts import Start, container, process
from rehearsal.traffic.wanted import Workload
from yard import exits

BEFORE, AFTER = 5.0, 2.0
"""Seconds for which there are callers before a switch and after it."""
LONGEST = 1500
"""Seconds that a number of requests may take; it is less than callers live at the longest."""
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
    paths: Sequence[str] = ()
    """What is asked for besides each service's own path."""
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
        self._load = load
        self._programs = programs
        self._place = place
        self._pace = Pace(load.pace)
        self._begun: dict[int, float] = {}
        self._bars: list[Bar] = []
        self.plane = Plane(Balancer(programs.proxy, place), self._start, place, self._pace)

    def settles(self, gate: Mapping[str, object]) -> dict[str, float]:
        """How long the gate lets the old replicas stay, by the stack's key `gate`: requests under way feel that."""
        try:
            return {"settle": self._pace(GateOptions.model_validate({**gate}).settle)}
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
        targets = [*self._targets()]
        place = self._place / phase
        place.mkdir()
        callers = Callers(self._programs.callers, place, self.plane.balancer.url, targets, self._load.rate)
        callers.start()
        start = time.time()
        try:
            time.sleep(self._pace(BEFORE))
            began = time.time()
            yield
            ended = time.time()
            least = self._load.requests / self._load.rate + 1  # the callers take a moment to begin
            time.sleep(max(self._pace(AFTER), least - (ended - start)))
        finally:
            callers.stop()
        answers = callers.answers(self.plane.balancer.access_log)
        wrong = mistakes(answers, self.plane.replicas, self.plane.idle, self._pace)
        found.append(figures.carried(phase, answers, self.plane, (began, ended), wrong, self._bars))

    def _targets(self) -> Iterator[tuple[str, str]]:
        """What is called, each of which must be answered before the switch begins."""
        rules = self.plane.rules()
        own = [entry(each) for each in rules]
        for path, host in dict.fromkeys([*own, *((path, own[0][1]) for path in self._load.paths if own)]):
            code = status(self.plane.balancer.port, path, host)
            if code >= 400 or not code:
                said = {each.said() for each in self.plane.replicas if not each.over}
                raise NothingAnswers(
                    f"GET {path}{f' of {host}' if host else ''} is answered {code or 'by nobody'} before the switch"
                    f" begins. Call what answers, by --path. A replica wrote last: {'; '.join(said) or 'nothing'}"
                )
            yield path, host

    def _start(self, workload: Workload, port: int) -> Start:
        if image := self._load.images.get(workload.service):
            return container(image, workload, port)
        return process(self._load.run.get(workload.service) or [str(self._programs.example)], workload, port)


def check(load: Load, services: Mapping[str, object]) -> Iterator[str]:
    """What keeps a stack's services from being run here, by the keys of its configuration."""
    for option, given in (("--run", load.run), ("--image", load.images)):
        for name in sorted(given.keys() - services.keys()):
            known = ", ".join(sorted(services)) or "none at all"
            yield f"{option} {name}=...: there is no service {name}, but {known}"
    for image in sorted(set(load.images.values())):
        if why := _missing(image):
            yield f"--image: {image} is not on the Docker engine here, so build it or pull it: {why}"
    for name, each in services.items():
        health = each.get("health", EXAMPLE_HEALTH) if isinstance(each, dict) else EXAMPLE_HEALTH
        public = each.get("public", True) if isinstance(each, dict) else True
        if public and health != EXAMPLE_HEALTH and name not in {**load.run, **load.images}:
            yield (
                f"services.{name}.health is {health}, which the example does not answer that would stand for it:"
                f" give its image, --image {name}=IMAGE, or a command that listens on $PORT, --run"
                f" {name}='node server.js'"
            )


def _missing(image: str) -> str:
    """Why an image cannot be run here; empty: it can."""
    try:
        asked = subprocess.run(["docker", "image", "inspect", image], capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return asked.stderr.strip() if asked.returncode else ""
