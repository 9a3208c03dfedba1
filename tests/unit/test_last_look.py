"""Before an `up` in one step removes what had the requests, it looks at what callers get from the newcomer."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pulumi
import pytest

from components.edge.alb import AlbOptions
from components.gate import Expected, Gate, GateOptions
from components.guard import EARLIER, GuardOptions, Seen, SeenOf, Watch
from components.last_look import FORMER, LastLook, Worse
from tests.unit.test_gate import Balancer, rule, run

START = datetime(2026, 11, 30, 12, tzinfo=UTC)
GOOD, BAD = Seen(1000, 0, 0.1, 2), Seen(1000, 300, 0.1, 2)


class Hour:
    """Figures that come when so many seconds are over, and a clock that moves when one sleeps."""

    def __init__(self, old: Seen, new: Seen, late: float = 0, alarms: Sequence[str] = ()) -> None:
        self.now, self._old, self._new, self._late = START, old, new, timedelta(seconds=late)
        self._alarms = alarms
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def seen(self, start: datetime, end: datetime) -> SeenOf:
        if start == START - EARLIER:
            return {"api": {"old": self._old}}
        return {"api": {"old": self._old, "new": self._new if self.now >= START + self._late else Seen()}}

    def watch(self, service: str, groups: Sequence[str], _: Mapping[str, Any]) -> Watch:
        self.asked.append((service, tuple(groups)))
        return Watch(self.seen, lambda names: [f"{each} is in state ALARM" for each in self._alarms if each in names])

    def look(self, **options: Any) -> LastLook:
        return LastLook(GuardOptions(**options), self.watch, self.sleep, lambda: self.now)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What an `up` says meanwhile."""
    told: list[str] = []
    for name in ("info", "warn"):
        monkeypatch.setattr(pulumi.log, name, told.append)
    return told


def over(look: LastLook) -> None:
    look.over("api", {}, ("old", "new"), "eks", START)


def test_a_newcomer_that_answers_worse_fails_the_up_and_what_it_replaces_stays() -> None:
    hour = Hour(GOOD, BAD)
    with pytest.raises(Worse) as worse:
        over(hour.look())
    assert str(worse.value) == (
        "api answers worse than before, so nothing is removed:\n"
        f"  - api: 30 % of 1,000 requests to eks failed, 0 % of 1,000 to {FORMER}; `guard.errors` allows 1 % more\n"
        f"All its requests go to eks, and {FORMER} is still there. To give them back, set the configuration as it was"
        " and run `pulumi up`. To go on in spite of it, run `pulumi up` as it is."
    )
    assert hour.now == START, "what is known is known"


def test_figures_that_come_late_are_waited_for() -> None:
    hour = Hour(GOOD, BAD, late=90)
    with pytest.raises(Worse):
        over(hour.look(patience=120))
    assert hour.now == START + timedelta(seconds=90)


@pytest.mark.parametrize(
    ("old", "new", "options", "waited", "told"),
    [
        (GOOD, GOOD, {}, 0, False),
        (GOOD, Seen(3, 3), {"patience": 30}, 30, True),
        (Seen(5, 0, 0.1), Seen(3, 3), {"patience": 30}, 0, True),
        (Seen(), Seen(), {}, 0, True),
        (GOOD, BAD, {"errors": 100}, 0, False),
    ],
    ids=["as good", "too few", "few before", "nobody calls", "allowed"],
)
def test_others_go_on(
    old: Seen, new: Seen, options: Mapping[str, float], waited: float, told: bool, said: list[str]
) -> None:
    hour = Hour(old, new)
    over(hour.look(**options))
    assert hour.now == START + timedelta(seconds=waited)
    few = f"api: {new.requests} requests came to eks; `guard.samples` wants 100 to compare, so nothing was"
    assert said == [few] * told


def test_a_stacks_own_alarm_fails_it_too() -> None:
    with pytest.raises(Worse, match="- too-slow is in state ALARM"):
        over(Hour(GOOD, GOOD, alarms=["too-slow"]).look(alarms=("too-slow",)))


def test_figures_that_cannot_be_asked_for_are_no_reason_to_fail(said: list[str]) -> None:
    def refused(*_: Any) -> Watch:
        raise PermissionError("cloudwatch:GetMetricData")

    over(LastLook(GuardOptions(), refused))
    assert said == ["api: what callers get cannot be asked (PermissionError: cloudwatch:GetMetricData)"]


@pytest.mark.parametrize(
    ("old", "new", "looked"),
    [
        (rule(one=100), rule(two=100), ("one", "two")),
        (rule(one=10, three=90), rule(two=100), ("three", "two")),
        (rule(one=100), rule(one=0, two=100), None),
        (rule(one=0, two=100), rule(two=100), None),
        (None, rule(two=100), None),
    ],
    ids=["in one step", "from most", "a step of a switch", "its end", "the first"],
)
def test_only_an_up_that_moves_all_and_removes_the_former_looks(
    old: dict[str, Any] | None, new: dict[str, Any], looked: tuple[str, str] | None
) -> None:
    balancer, hour = Balancer(), Hour(GOOD, GOOD)
    expected = {"api": Expected(1, "/healthz", orchestrators=tuple(sorted(AlbOptions.groups(new))))}
    gate = Gate(GateOptions(), balancer.ask, AlbOptions.groups, balancer.sleep, expected=expected, look=hour.look())
    run(gate, "after_update", old, new)
    assert hour.asked == ([("api", looked)] if looked else [])
