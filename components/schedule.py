"""When a job runs: the five fields of cron, and the same minutes in the words of others."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True)
class _Field:
    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()
    """Names of the values, from the least on."""


MINUTE, HOUR = _Field("minute", 0, 59), _Field("hour", 0, 23)
DAY = _Field("day of the month", 1, 31)
MONTH = _Field("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"))
WEEKDAY = _Field("day of the week", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat"))
"""0 and 7 are both Sunday."""
FIELDS = (MINUTE, HOUR, DAY, MONTH, WEEKDAY)
EVERY = re.compile(r"\*(/0*1)?")
LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
"""Days of each month, in a leap year."""


@dataclass(frozen=True)
class Schedule:
    """The values of each field, sorted. Without `days` and without `weekdays` it is every day; with both it is a day
    that is in either (POSIX, crontab)."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    """From 0, Sunday, to 6."""

    @property
    def on_either_day(self) -> bool:
        """Whether it gives days of the month and of the week."""
        return bool(self.days and self.weekdays)

    @property
    def unix(self) -> str:
        """Five fields, in numbers only: Kubernetes takes no 7 for Sunday (robfig/cron, `dow`)."""
        return f"{self._time} {_text(self.days, 31)} {_text(self.months, 12)} {_text(self.weekdays, 7)}"

    @property
    def aws(self) -> str:
        """EventBridge Scheduler's six fields, the last of them the year. Its week is from 1, Sunday, to 7, and of the
        two kinds of days one has to be `?` (user guide, "Schedule types")."""
        if self.on_either_day:
            raise ValueError("EventBridge Scheduler takes no day of the month beside a day of the week")
        days = "?" if self.weekdays else _text(self.days, 31)
        weekdays = _text([each + 1 for each in self.weekdays], 7) if self.weekdays else "?"
        return f"cron({self._time} {days} {_text(self.months, 12)} {weekdays} *)"

    @property
    def _time(self) -> str:
        return f"{_text(self.minutes, 60)} {_text(self.hours, 24)}"


def parse(text: str) -> Schedule:
    """A schedule of five fields; `ValueError` says of which field what is wrong."""
    minutes, hours, days, months, weekdays = (
        _values(field, of.lower()) for field, of in zip(FIELDS, text.split(), strict=True)
    )
    weekdays = sorted({each % 7 for each in weekdays})
    if len(days) == 31 or len(weekdays) == 7:
        days, weekdays = [], []  # every day, whatever the other says
    if days and not weekdays and min(days) > max(LONGEST[month - 1] for month in months or range(1, 13)):
        raise ValueError(f"{DAY.name}: the months that it names have no day {min(days)}")
    every = tuple(range(60)), tuple(range(24)), tuple(range(1, 13))
    return Schedule(
        tuple(minutes) or every[0], tuple(hours) or every[1], tuple(days), tuple(months) or every[2], tuple(weekdays)
    )


def _values(field: _Field, text: str) -> list[int]:
    """The values that a field names; none: it says `*`, which is no value of its own where days are of two kinds."""
    found: set[int] = set()
    for part in text.split(","):
        if EVERY.fullmatch(part):
            return []
        found.update(_part(field, part))
    return sorted(found)


def _part(field: _Field, text: str) -> Iterator[int]:
    span, slash, step = text.partition("/")
    first, dash, last = span.partition("-")
    if slash and not (dash or span == "*"):
        raise ValueError(f"{field.name}: before / stands * or a range such as {field.least}-{field.most}, not {span}")
    if slash and not (step.isdecimal() and step.isascii() and 1 <= int(step) <= field.most):
        raise ValueError(f"{field.name}: after / stands a number from 1 to {field.most}, not {step or 'nothing'}")
    most = field.most - (field is WEEKDAY)  # Sunday is a day once
    if span == "*":
        low, high = field.least, most
    else:
        low = _value(field, first)
        high = _value(field, last) if dash else low
    if high < low:
        raise ValueError(f"{field.name}: a range goes from the lower to the higher value, not {span}")
    yield from range(low, high + 1, int(step or 1))


def _value(field: _Field, text: str) -> int:
    if text in field.names:
        return field.least + field.names.index(text)
    if text.isdecimal() and text.isascii() and field.least <= int(text) <= field.most:
        return int(text)
    names = f", or {field.names[0]} to {field.names[-1]}" if field.names else ""
    raise ValueError(f"{field.name}: a number from {field.least} to {field.most}{names}, not {text or 'nothing'}")


def _text(values: Sequence[int], count: int) -> str:
    """Values as a list with ranges; `*` for none, or for all that there are."""
    if len(values) in (0, count):
        return "*"
    runs = [[value for _, value in run] for _, run in groupby(enumerate(values), lambda pair: pair[1] - pair[0])]
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(map(str, run)) for run in runs)
