"""While a switch watches a step: is what callers get from the newcomer as good as before, and do its replicas stay?"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from components.guard import EARLIER, LOOK, GuardOptions, Seen, SeenOf, Watch, breaches, falls, few, now, uncompared
from components.operations import End, OperationError
from yard.machine import MachineError

Ends = Callable[[str, datetime], Mapping[str, Sequence[End]]]
"""Orchestrator, and since when -> service -> its replicas that ended by themselves."""


@dataclass
class Guard:
    """Asks again and again, and says what is wrong."""

    options: GuardOptions
    watch: Callable[[], Watch | None]
    """Who knows what callers get; None: nobody does. Asked in each step: before the first the newcomer is not there."""
    say: Callable[[str], None]
    sleep: Callable[[float], None]
    clock: Callable[[], datetime] = now
    ends: Ends | None = None
    """Who knows of ends; None: nobody does."""
    before: dict[str, Seen] = field(default_factory=dict)
    """Service -> what the old orchestrator was like when it last had enough requests."""

    def look_over(self, home: str, to: str, bake: float) -> list[str]:
        """Watch a step for `bake` seconds, longer while there were too few requests; returns what is wrong."""
        if not bake:
            self.sleep(bake)
            return []
        step = _Step(self, home, to, self.clock())
        enough, last = (step.start + timedelta(seconds=each) for each in (bake, bake + self.options.patience))
        step.open()
        while True:
            if step.watch is None and self.ends is None:
                self.sleep(max((enough - self.clock()).total_seconds(), 0))
                return []
            self.sleep(min(LOOK, bake))
            at = self.clock()
            if wrong := [*step.wrong(at), *step.falls()]:
                return wrong
            lacking = few(self.options, to, step.seen)
            if at >= (last if lacking else enough):
                for name, requests in lacking.items():
                    self.say(f"  {uncompared(self.options, name, to, requests)}")
                return []

    def remember(self, home: str, seen: SeenOf) -> None:
        """What the old one is like, by service, where it had enough requests."""
        for name, of in seen.items():
            if home in of and of[home].requests >= self.options.samples:
                self.before[name] = of[home]


@dataclass
class _Step:
    """What is seen in one step. Figures that cannot be asked for are no reason to stop: then it is watched without."""

    guard: Guard
    home: str
    to: str
    start: datetime
    watch: Watch | None = None
    seen: SeenOf = field(default_factory=dict)
    ended: dict[str, dict[str, dict[End, None]]] = field(default_factory=dict)
    """Service -> orchestrator -> ends. Kept from look to look, for a cluster tells of the last one alone."""

    def open(self) -> None:
        """Find whom to ask, and before the first step ask about the time before."""
        try:
            self.watch = self.guard.watch()
            if self.watch and not self.guard.before:
                self.guard.remember(self.home, self.watch.seen(self.start - EARLIER, self.start))
        except Exception as error:  # of boto3 or the network
            self._give_up(error)

    def wrong(self, at: datetime) -> list[str]:
        """In what the newcomer's answers are too bad by now, and which alarms ring."""
        if self.watch is None:
            return []
        options = self.guard.options
        try:
            self.seen = self.watch.seen(self.start, at)
            self.guard.remember(self.home, self.seen)
            found = breaches(options, self.to, self.home, self.seen, self.guard.before)
            return [*found, *self.watch.alarms(options.alarms)]
        except Exception as error:
            self._give_up(error)
            return []

    def _give_up(self, error: Exception) -> None:
        self.watch, self.seen = None, {}
        self.guard.say(f"  what callers get cannot be asked, so this step is watched without: {_words(error)}")

    def falls(self) -> Iterator[str]:
        """Where too many of the newcomer's replicas end by themselves."""
        try:
            for key in (self.home, self.to):
                for name, found in (self.guard.ends(key, self.start) if self.guard.ends else {}).items():
                    self.ended.setdefault(name, {}).setdefault(key, {}).update(dict.fromkeys(found))
        except Exception as error:
            self.guard.ends = None
            self.guard.say(f"  whether replicas end by themselves cannot be asked: {_words(error)}")
        told = {name: {key: [each.why for each in ends] for key, ends in of.items()} for name, of in self.ended.items()}
        yield from falls(self.guard.options, self.to, self.home, told)


def _words(error: Exception) -> str:
    """Ours speak in words."""
    return str(error) if isinstance(error, (OperationError, MachineError)) else f"{type(error).__name__}: {error}"
