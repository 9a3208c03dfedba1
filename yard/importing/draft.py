"""A service as it grows out of another tool's file: at every moment one that our own model takes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any

from pydantic import TypeAdapter, ValidationError

from components.naming import label
from components.service import NAME, RESERVED_ENV, Name, Service
from components.shell import command
from config.problems import translate
from config.stack_file import dotted
from yard.importing.source import Report, Source

SECRET_NAME = re.compile(r"PASSWORD|PASSWD|PASSPHRASE|TOKEN|SECRET|CREDENTIAL|KEY|(^|_)(PASS|PWD|DSN)(_|$)", re.I)
SECRET_VALUE = re.compile(r"[a-z][a-z0-9+.-]*://[^/@\s:]*:[^@\s]+@", re.I)
"""An address with a user and a password in it."""
SECRET_OPTION = re.compile(r"(?:^|\s)-{0,2}([A-Za-z][\w.-]*)[=\s]\S")
"""An option or a variable with a value, in the words of a command."""
SECRET_FILE = re.compile(r"/run/secrets/\S+")
"""Where Compose mounts a secret."""
NAMES: TypeAdapter[str] = TypeAdapter(Name)
NEEDED: Mapping[str, Mapping[str, Any]] = {"build": {"context": "."}, "replicas": {"min": 1}}
"""What a map of ours must have, so that another value in it can be looked at."""
LONGEST = NAME.max_length or 0


def is_secret(name: str, value: Any = "") -> bool:
    """Whether a variable looks like a secret, by its name or its value."""
    return bool(SECRET_NAME.search(name) or SECRET_VALUE.search(str(value)))


def has_secret(words: str) -> bool:
    """Whether something in the words of a command looks like one."""
    return bool(SECRET_VALUE.search(words)) or any(SECRET_NAME.search(name) for name in SECRET_OPTION.findall(words))


def text_of(value: Any) -> str:
    """A value as YAML has it for a process."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class Given:
    """What is imported."""

    document: dict[str, Any]
    base: str = "."
    """The folder that its paths begin in, from the folder of Pulumi.yaml."""
    environment: str | None = None
    """Whose values it is read with, where a dialect has environments."""


@dataclass
class Draft:
    """A service, by the fields of the configuration."""

    name: str
    report: Report
    given: Given
    values: dict[str, Any] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)

    def put(self, source: Source, to: str, value: Any, why: str = "", *, known: bool = False) -> bool:
        """Take a value of theirs for `to`, such as `build.target`; where it is not known, or our field does not take
        it, it is dropped, in our field's own words. `why`: how it was changed, if it was. `known`: what is taken of it
        is known in any case."""
        if source.open and not known:
            source.dropped(source.open)
            return False
        if reason := self._refused(to.split("."), value):
            source.dropped(f"`{to.partition('.')[0]}` takes {reason}")
            return False
        self.set(to.split("."), value)
        source.taken(to, why)
        return True

    def set(self, steps: Sequence[str], value: Any) -> None:
        """Set one of our fields, whatever it was."""
        *outer, last = steps
        values = self.values
        for step in outer:
            values = values.setdefault(step, {})
        values[last] = value

    def _refused(self, steps: Sequence[str], value: Any) -> str:
        """What our field wants instead of this value; empty where it takes it."""
        for step in reversed(steps[1:]):
            value = {step: value}
        if len(steps) > 1 and steps[0] in NEEDED:
            there = self.values.get(steps[0])
            value = {**(there if isinstance(there, dict) else NEEDED[steps[0]]), **value}
        try:
            Service.model_validate_json(json.dumps({steps[0]: value}))
        except ValidationError as error:
            return translate(error, self.name, Service)[0].want
        return ""

    def variable(self, source: Source, name: str, value: Any) -> None:
        """Take an environment variable. A value that looks like a secret is set by a command, and written nowhere."""
        if name in RESERVED_ENV:
            source.dropped(f"Switchyard itself sets {name}")
        elif name in self.secrets or name in self.values.get("env", {}):
            source.dropped(f"{name} is set already")
        elif name.endswith("_FILE") and SECRET_FILE.fullmatch(str(value)):
            self.secret(source, name.removesuffix("_FILE"))
        elif is_secret(name, value):
            self.secret(source, name)
        elif source.open:
            source.dropped(source.open)
        elif value is None or isinstance(value, dict | list):
            source.dropped("no value is given: where a service needs it, write it into `env`")
        else:
            self._variable(source, name, text_of(value), "" if isinstance(value, str) else "as text")

    def _variable(self, source: Source, name: str, text: str, why: str) -> None:
        if reason := self._refused(["env", name], text):
            source.dropped(f"`env` takes {reason}")
            return
        self.set(("env", name), text)
        source.taken(dotted(("env", name)), why)

    def secret(self, source: Source, name: str, how: str = "", asked: str = "") -> None:
        """Take a secret, by the command that sets it. `asked`: the command that prints its value from where it is."""
        if name in self.values.get("env", {}):
            source.dropped(f"{name} is in `env` already")
            return
        if reason := self._refused(["secrets", name], "unknown"):
            source.dropped(f"`secrets` takes {reason}")
            return
        self.secrets.add(name)
        to = dotted(("secrets", name))
        way = dotted(("services", self.name, "secrets", name))
        set_it = command("pulumi", "config", "set", "--secret", "--path", way)
        if (line := f"{asked} | {set_it}" if asked else set_it) not in self.report.commands:
            self.report.commands.append(line)
        source.taken(to, how or "a secret, and not written: a command below sets it")


@dataclass(frozen=True)
class Rule:
    """What becomes of a field of theirs."""

    to: str
    """Our fields; empty: it is dropped."""
    how: str
    """How it is changed, or why it is dropped."""
    read: Callable[[Source, Draft], None] | None = None


Rules = Mapping[str, Rule]
"""By the way to a field in a service of theirs, in the order in which they are read."""


def drop(why: str) -> Rule:
    """The rule of a field that nothing of ours takes."""
    return Rule("", why)


def apply(rules: Rules, service: Source, draft: Draft, unknown: str) -> None:
    """Read a service of theirs by the rules; what no rule takes is dropped as `unknown`."""
    for way, rule in rules.items():
        found = service.at(*way.split("."))
        if not found:
            continue
        if rule.read:
            rule.read(found, draft)
        else:
            found.rest_dropped(rule.how)
    service.rest_dropped(unknown)


def names_of(theirs: Sequence[str], report: Report) -> list[str]:
    """The name that each service of theirs gets: ours are shorter, and of fewer characters."""
    found: dict[str, None] = {}
    for name in theirs:
        ours = next(each for each in _candidates(name) if each not in found)
        found[ours] = None
        if ours != name:
            report.notes.append(
                f"service {name!a} is called {ours} here: a name has {NAME.words}, and at most {LONGEST} of them"
            )
    return [*found]


def routes(drafts: Sequence[Draft], report: Report) -> None:
    """All public services share one URL, so that only one can have a path of a host; what others have is told."""
    taken: set[tuple[str | None, str]] = set()
    for draft in drafts:
        if not draft.values.get("public", True):
            report.notes.append(
                f"nothing may connect to {draft.name} (`public: false`): if another service calls it, take that out,"
                " and call it at the URL"
            )
            continue
        host, path = draft.values.get("host"), draft.values.get("path", "/")
        if (host, path) in taken:
            path = f"/{draft.name}"
            draft.set(("path",), path)
            report.notes.append(
                f"all public services share one URL: {draft.name} gets the requests under {path}, and must answer them"
                " under that path. Or give it a `host`. On swarm without a proxy each has its own port: there delete"
                " `path`"
            )
        taken.add((host, path))


def _candidates(name: str) -> Iterator[str]:
    """Names for it, the nearest first; the last ones are numbered."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    near = (plain, plain[:LONGEST].strip("-"), label(f"service {name}", LONGEST))
    for each in chain(near, (f"service-{number}" for number in count(1))):
        with suppress(ValidationError):
            yield NAMES.validate_python(each)
