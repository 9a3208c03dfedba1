"""Which fields of a stack's configuration a change concerns, as people write them. No secret leaves this module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from config.fields import is_guarded
from config.reader import model_at
from config.stack_file import StackFile, Steps, dotted, is_encrypted

NOTHING: Any = object()
"""Stands for a value that is not there."""


@dataclass(frozen=True)
class Value:
    """What a field holds on one side."""

    value: Any
    written: bool
    """Whether the stack's file says it; else it is the default, or the preset's."""


@dataclass(frozen=True)
class Change:
    """A field that is different."""

    key: str
    before: Value | None
    """None: nothing; or not to be shown."""
    after: Value | None
    hidden: bool = False
    """Whether the values are not shown: they are secret, or nobody knows whether they are."""

    def json(self) -> dict[str, Any]:
        """The same for machines."""
        sides = {"before": self.before and vars(self.before), "after": self.after and vars(self.after)}
        return {"key": self.key, **sides, "hidden": self.hidden}


@dataclass(frozen=True)
class Written:
    """A stack's configuration on one side."""

    raw: Mapping[str, Any]
    """As it stands in the file, by the names of keys without the project's own namespace."""
    chosen: Mapping[str, Any] | None
    """What that comes to, with everything that it leaves out; None where it is not right."""

    @classmethod
    def of(cls, file: StackFile | None, chosen: Mapping[str, Any] | None) -> Written:
        """That of a stack's file; where there is none, nothing."""
        if file is None:
            return cls({}, {})
        return cls({key.removeprefix(file.prefix): each for key, each in file.values.items()}, chosen)


@dataclass(frozen=True)
class _Place:
    """A place in the configuration on one side: what is written there, and what that comes to; NOTHING is there, or
    nobody knows."""

    raw: Any
    chosen: Any

    def at(self, name: Any) -> _Place:
        return _Place(_get(self.raw, name), _get(self.chosen, name))

    @property
    def value(self) -> Value | None:
        if self.raw is not NOTHING:
            return Value(self.raw, written=True)
        return None if self.chosen in (NOTHING, None) else Value(self.chosen, written=False)


def changes(before: Written, after: Written) -> list[Change]:
    """Each field that is different. Where one side is not right, only its name: a secret may stand there in plain."""
    right = before.chosen is not None and after.chosen is not None
    one, other = (_Place(each.raw, each.chosen if right else NOTHING) for each in (before, after))
    return [
        _change(*found, shown=right)
        for key in _parts(one, other)  # also those of which the program chooses nothing, such as `aws:profile`
        for found in _different((key,), one.at(key), other.at(key))
    ]


def _change(steps: Steps, before: _Place, after: _Place, *, shown: bool) -> Change:
    known = model_at(steps)
    if not shown or _secrets(before.raw) or _secrets(after.raw) or (known and is_guarded(*known)):
        return Change(dotted(steps), None, None, hidden=True)
    return Change(dotted(steps), before.value, after.value)


def _different(steps: Steps, before: _Place, after: _Place) -> Iterator[tuple[Steps, _Place, _Place]]:
    """The places that are different, and have no parts to be looked at one by one."""
    if not _differ(before, after):
        return
    names = _parts(before, after)
    for name in names:
        yield from _different((*steps, name), before.at(name), after.at(name))
    if not names:
        yield steps, before, after


def _differ(before: _Place, after: _Place) -> bool:
    if _secrets(before.raw) != _secrets(after.raw):
        return True
    if NOTHING not in (before.chosen, after.chosen):
        return bool(before.chosen != after.chosen)
    return bool(before.raw != after.raw)  # where only one side has a backend, its defaults are not told


def _parts(before: _Place, after: _Place) -> list[Any]:
    """The names of the parts of a place, where both sides have parts there or nothing."""
    raws = [each for each in (before.raw, after.raw) if each is not NOTHING]
    if not all(isinstance(each, dict) and not is_encrypted(each) for each in raws):
        return []
    found = [*raws]
    if isinstance(before.chosen, dict) and isinstance(after.chosen, dict):
        found += [before.chosen, after.chosen]
    return [*dict.fromkeys(name for each in found for name in each)]


def _get(outer: Any, name: Any) -> Any:
    return outer.get(name, NOTHING) if isinstance(outer, dict) else NOTHING


def _secrets(raw: Any) -> Any:
    """A value with nothing but what is encrypted in it, where that stands; None: there is nothing encrypted."""
    if is_encrypted(raw):
        return raw
    parts = raw.items() if isinstance(raw, dict) else enumerate(raw) if isinstance(raw, list) else ()
    return {name: found for name, each in parts if (found := _secrets(each))} or None
