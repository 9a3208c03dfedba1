"""While a switch watches a step: is what callers get from the newcomer as good as before?"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from components.guard import GuardOptions, Seen, SeenOf, Watch, breaches, few

LOOK = 10.0
"""Seconds between two looks."""
EARLIER = timedelta(minutes=10)
"""How far back the old orchestrator is looked at before the first step."""


def now() -> datetime:
    """The time, as the figures are asked for."""
    return datetime.now(UTC)


@dataclass
class Guard:
    """Asks again and again, and says what is wrong."""

    options: GuardOptions
    watch: Watch | None
    """None: nobody knows what callers get."""
    say: Callable[[str], None]
    sleep: Callable[[float], None]
    clock: Callable[[], datetime] = now
    before: dict[str, Seen] = field(default_factory=dict)
    """Service -> what the old orchestrator was like when it last had enough requests."""

    def look_over(self, home: str, to: str, bake: float) -> list[str]:
        """Watch a step for `bake` seconds, longer while there were too few requests; returns what is wrong."""
        if self.watch is None or not bake:
            self.sleep(bake)
            return []
        start = self.clock()
        try:
            return self._look_over(self.watch, home, to, bake)
        except Exception as error:  # of boto3 or the network: the figures are no reason to stop
            left = max(bake - (self.clock() - start).total_seconds(), 0)
            why = f"{type(error).__name__}: {error}"
            self.say(f"  what callers get cannot be asked ({why}): waiting for {left:.0f} s instead")
            self.sleep(left)
            return []

    def _look_over(self, watch: Watch, home: str, to: str, bake: float) -> list[str]:
        start = self.clock()
        enough, last = start + timedelta(seconds=bake), start + timedelta(seconds=bake + self.options.patience)
        self._remember(home, watch, start - EARLIER, start)
        while True:
            self.sleep(min(LOOK, bake))
            at = self.clock()
            seen = self._remember(home, watch, start, at)
            if wrong := [*breaches(self.options, to, home, seen, self.before), *watch.alarms(self.options.alarms)]:
                return wrong
            lacking = few(self.options, to, seen)
            if at >= (last if lacking else enough):
                for name, requests in lacking.items():
                    self.say(
                        f"  {name}: {requests} requests came to {to}; `guard.samples` wants {self.options.samples} to"
                        " compare, so nothing was"
                    )
                return []

    def _remember(self, home: str, watch: Watch, start: datetime, end: datetime) -> SeenOf:
        seen = watch.seen(start, end)
        for name, of in seen.items():
            if home in of and of[home].requests >= self.options.samples:
                self.before[name] = of[home]
        return seen
