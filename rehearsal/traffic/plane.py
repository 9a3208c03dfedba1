"""The data plane of the pretend cloud: what its state asks for runs here, and gets the requests that it should get."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rehearsal.aws import health, types
from rehearsal.state import CloudResource, CloudState
from rehearsal.traffic.balancer import Balancer, ProxyFailed
from rehearsal.traffic.passed import Passed
from rehearsal.traffic.replica import Pace, Replica
from rehearsal.traffic.starts import Starts
from rehearsal.traffic.wanted import Group, Rule, Wanted, Workload, wanted

TRIES = 3
"""Replicas that may end by themselves before no other is started: as many failures as ECS's circuit breaker takes at
least (ECS developer guide, "Deployment circuit breaker")."""
TICK = 0.2
"""Seconds between two looks where nobody says that something has changed."""
RUNS = (types.ECS_SERVICE, health.DEPLOYMENT)
"""What is only there, or gone, when its replicas are."""


@dataclass(frozen=True)
class Shares:
    """Who had which weight, from when to when, in seconds since the epoch."""

    since: float
    """The proxy had gone over to them."""
    until: float
    """It was told of others."""
    weights: Mapping[str, Mapping[str, int]]
    """Rule -> group -> weight, by their names."""


@dataclass
class Plane:
    """Replicas, and a proxy before them, that follow a cloud's state."""

    balancer: Balancer
    starts: Starts
    place: Path
    """A folder for what they write."""
    pace: Pace = field(default_factory=Pace)

    def __post_init__(self) -> None:
        self.replicas: list[Replica] = []
        """All that ever were."""
        self.passed = Passed(self.balancer.access_log, self.pace)
        self.idle = 0.0
        self.failed = ""
        """Why nothing is carried any more."""
        self._shares: list[Shares] = []
        self._of: dict[str, list[Replica]] = {}
        """Workload -> its replicas that live."""
        self._seen = self._wanted = 0
        self._groups: Mapping[str, Group] = {}
        self._counts: Mapping[str, int] = {}
        self._rules: tuple[Rule, ...] = ()
        self._turn = threading.Condition()
        self._closed = False

    # --- what the cloud does with it

    def start(self, state: CloudState) -> None:
        """Follow a state until `stop`."""
        self._state = state
        self.balancer.start()
        self._thread = threading.Thread(target=self._run, name="rehearsal-traffic", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End everything that runs, at once, and follow no longer."""
        with self._turn:
            if self._closed:
                return
            self._closed = True
            self._turn.notify_all()
        self._thread.join()
        for each in self.replicas:
            each.kill()
        self.balancer.stop()

    def look(self) -> None:
        """Say that something has changed."""
        with self._turn:
            self._wanted += 1
            self._turn.notify_all()

    def felt(self, resource: CloudResource, stopped: Callable[[], bool]) -> str:
        """Return once callers feel what has become of a resource; why it will never be well, else nothing."""
        with self._turn:
            self._wanted += 1
            mine = self._wanted
            self._turn.notify_all()

            def seen() -> bool:
                return self._seen >= mine or self._closed or bool(self.failed) or stopped()

            while not seen():
                self._turn.wait(TICK)
            if resource.type not in RUNS or self.failed:
                return self.failed
            while not (stopped() or self._closed):
                if (found := self._steady(resource)) is not None:
                    return found
                self._turn.wait(TICK)
        return ""

    def asked(self, group: str, owner: str, nth: int) -> health.State | None:
        """What the checks of the n-th target that an owner has in a group have found."""
        with self._turn:
            if self._closed or group not in self._groups or owner not in self._counts:
                return None
            alive = [each for each in self._of.get(owner, []) if not (each.leaving or each.over)]
            if not alive:
                return "unhealthy" if self._ended_early(owner) >= TRIES else "initial"
            # A node leads to any replica of its swarm's service.
            return alive[nth % len(alive)].state

    def gone(self, timeout: float) -> None:
        """Return when all replicas have ended that are to, or after so many seconds: pods outlive their cluster."""
        with self._turn:
            self._turn.wait_for(lambda: not any(each.leaving and not each.over for each in self.replicas), timeout)

    # --- what whoever looks back on it asks

    def shares(self) -> list[Shares]:
        """All weights that there were; the last are those that there are."""
        with self._turn:
            return [*self._shares]

    def rules(self) -> tuple[Rule, ...]:
        """Those for callers at large: others ask for a header."""
        with self._turn:
            return tuple(each for each in self._rules if not each.headers)

    # --- following

    def _steady(self, resource: CloudResource) -> str | None:
        """None: not yet."""
        alive = self._of.get(resource.urn, [])
        if not resource.ready:
            return None if alive else ""
        count = self._counts.get(resource.urn, 0)
        healthy = [each for each in alive if each.state == "healthy" and not each.leaving]
        if len(healthy) >= count and len(healthy) == len(alive):
            return ""
        for each in alive:
            if each.state == "unhealthy":
                return f"{resource.name}: a replica does not answer its health path well; {_told(each)}"
        if self._ended_early(resource.urn) >= TRIES:
            return f"{resource.name}: replicas end by themselves; {_told(self._last(resource.urn))}"
        return None

    def _run(self) -> None:
        while not self._closed:
            with self._turn:
                asked = self._wanted
            with self._state.lock:
                now = wanted(self._state)
            try:
                self._follow(now)
            except (ProxyFailed, OSError) as error:
                self.failed = str(error)
            with self._turn:
                self._seen = asked
                self._turn.notify_all()
                if self._wanted == asked and not self._closed:
                    self._turn.wait(TICK)

    def _follow(self, now: Wanted) -> None:
        with self._turn:
            self._groups, self._counts, self.idle = now.groups, now.counts, now.idle
            self._rules = now.rules
            stopping = self._settle(now)
            servers = {arn: self._takes(group.members, stopping) for arn, group in now.groups.items()}
        names = {arn: group.name for arn, group in now.groups.items()}
        self._weigh(names, now.rules)
        self.balancer.take(names, servers, now.rules, now.idle)
        self._weighed()
        # Only now: whoever gets no time to drain is at least sent nothing any more as it gets its SIGTERM.
        for each in stopping:
            each.leave()

    def _settle(self, now: Wanted) -> list[Replica]:
        """Start what is missing of each workload; what is too much."""
        found: list[Replica] = []
        for key in {*self._of, *now.counts}:
            alive = self._of[key] = [each for each in self._of.get(key, []) if not each.over]
            workload = now.workloads.get(key)
            if workload is None:
                found += alive
            elif key in now.counts:
                found += surplus(alive, workload, now.counts[key])
                self._start(key, workload, now, missing(alive, workload, now.counts[key]))
            # Else it is deregistered, and still there: a pod whose Deployment goes later.
            if not self._of[key]:
                del self._of[key]
        return found

    def _start(self, key: str, workload: Workload, now: Wanted, count: int) -> None:
        check = next((each.check for each in now.groups.values() if key in each.members), None)
        if check is None or self._ended_early(key) >= TRIES:
            return
        for _ in range(count):
            number = len(self.replicas) + 1
            log = self.place / f"replica-{number}.log"
            replica = Replica(number, key, workload, self.starts, log, self.look)
            self.replicas.append(replica)
            self._of[key].append(replica)
            replica.start(check, now.idle, self.pace)

    def _takes(self, members: Sequence[str], stopping: Sequence[Replica]) -> list[str]:
        """Who gets a group's requests: the healthy; where none is, all that are unhealthy (ELB user guide, "Target
        group health": it fails open). Those whose first checks are not over, or that drain, get none."""
        here = [each for key in members for each in self._of.get(key, []) if each not in stopping]
        targets = [each for each in here if not (each.leaving or each.over)]
        healthy = [each.address for each in targets if each.state == "healthy"]
        return healthy or [each.address for each in targets if each.state == "unhealthy"]

    def _ended_early(self, key: str) -> int:
        return sum(each.key == key and each.life.died for each in self.replicas)

    def _last(self, key: str) -> Replica:
        return [each for each in self.replicas if each.key == key][-1]

    # --- weights as they were

    def _weigh(self, names: Mapping[str, str], rules: Sequence[Rule]) -> None:
        """Note that other weights come."""
        weights = {
            rule.name: {names[arn]: weight for arn, weight in rule.weights} for rule in rules if not rule.headers
        }
        with self._turn:
            self._next = weights
            if self._shares and self._shares[-1].weights != weights:
                last = self._shares[-1]
                self._shares[-1] = Shares(last.since, min(last.until, time.time()), last.weights)

    def _weighed(self) -> None:
        """Note that they are there."""
        with self._turn:
            if not self._shares or self._shares[-1].weights != self._next:
                self._shares.append(Shares(time.time(), float("inf"), self._next))


def missing(alive: Sequence[Replica], workload: Workload, count: int) -> int:
    """How many replicas to start. Those of an earlier revision go on until the new ones are healthy."""
    of_it = [each for each in alive if each.workload == workload and not each.leaving]
    return max(count - len(of_it), 0)


def surplus(alive: Sequence[Replica], workload: Workload, count: int) -> list[Replica]:
    """Whom to stop: what is more than the count, and an earlier revision once the new one is healthy."""
    of_it = [each for each in alive if each.workload == workload and not each.leaving]
    earlier = [each for each in alive if each.workload != workload and not each.leaving]
    ready = sum(each.state == "healthy" for each in of_it) >= count
    return [*of_it[count:], *(earlier if ready else [])]


def _told(replica: Replica) -> str:
    code = replica.life.code
    ended = f"it ended with exit code {code}" if code is not None else "it still runs"
    return f"{ended}, and the last that it wrote is: {replica.said() or 'nothing'}"
