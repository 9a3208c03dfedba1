"""What is wrong with a configuration, in words: which key, what it is, what is wanted, how to fix it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import pulumi
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from components.model import WANTED
from components.shell import Shell, command
from config.fields import at, example_at, is_guarded, is_map_or_list, is_secret, keys_at
from config.stack_file import dotted
from config.yaml_text import flow

VALUE = Shell("<value>")
"""What is for a person to put in."""


@dataclass(frozen=True)
class Problem:
    """One key that needs a change."""

    key: str
    value: object
    want: str
    fix: str = ""
    types: tuple[Any, ...] = ()
    """What may stand there, as far as it is known."""

    def __str__(self) -> str:
        return f"  {self.says}\n      {self.remedy}"

    @property
    def says(self) -> str:
        """What is wrong."""
        if self.value is TOLD:
            return f"{shown(self.key)}: {self.want}"
        return f"{shown(self.key)} {_is(self.value)}; want {self.want}"

    @property
    def remedy(self) -> str:
        """The command that makes it right, or what else to do, where a terminal would obey the key or not show it."""
        found = self.fix or self._set()
        return found if found.replace("\n", "").isprintable() else edit(self.key)

    def _set(self) -> str:
        if any(map(is_map_or_list, self.types)):
            return edit(self.key)  # `pulumi config set` takes neither
        if any(map(is_secret, self.types)):
            return set_command(self.key, "--secret")  # what Pulumi decrypts is text
        plain = ["--plaintext"] if self.value is ENCRYPTED else []
        kind = ["--type", "string"] if self.want == TEXT else []
        return set_command(self.key, *plain, *kind, value=_offered(self.want))


def shown(key: str) -> str:
    """A key on one line, whatever is in it."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in key)


def set_command(key: str, *options: str, value: str = VALUE) -> str:
    """The command that gives `key` another value."""
    return command("pulumi", "config", "set", *options, *_path_option(key), key, value)


def remove_command(key: str) -> str:
    """The command that takes `key` out."""
    return command("pulumi", "config", "rm", *_path_option(key), key)


def rename(key: str, name: str) -> str:
    """Where taking `key` out would let a default hold in its place, or lose what is below it."""
    return f"rename {shown(key)} to {name} in config/Pulumi.<stack>.yaml"


def edit(key: str) -> str:
    """What is left where no command does it."""
    return f"edit {shown(key)} in config/Pulumi.<stack>.yaml"


def is_within(key: str, outer: str) -> bool:
    """Whether a key is `outer` or in its value."""
    return key == outer or key.startswith((f"{outer}.", f"{outer}["))


def _path_option(key: str) -> list[str]:
    return ["--path"] if "." in key or "[" in key else []


def _is(value: object) -> str:
    if value is None:
        return "is not set"
    if value is HIDDEN:
        return "is hidden, for it may be secret"
    if isinstance(value, bool):
        return f"is {str(value).lower()}"
    if isinstance(value, str | int | float):
        text = repr(value)
        return f"is {text if len(text) <= 80 else text[:77] + '...'}"
    if isinstance(value, dict):
        return f"is a map with {', '.join(map(str, value)) or 'nothing in it'}"[:120]
    return "is a list" if isinstance(value, list | tuple) else f"is {value!r}"


MOST = 100
"""Problems that are told at once. Nobody reads more, and a few lines with aliases may have a hundred thousand."""


class BadConfig(pulumi.RunError):
    """Every problem of a configuration at once, but for more than MOST. A RunError, so that Pulumi prints the words and
    no stack trace."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        count = f"{len(problems)} things need" if len(problems) > 1 else "one thing needs"
        self.more = len(problems) > MOST
        """Whether there is more than what is told."""
        if self.more:
            count = f"more than {MOST} things need"
        self.problems = tuple(problems[:MOST])
        lines = "\n".join(map(str, self.problems))
        super().__init__(f"{count} a change in the stack's configuration; nothing was made.\n{lines}")


def near(word: str, known: Iterable[str]) -> str | None:
    """The known word that is meant, as far as one can tell."""
    plain, words = _plain(word), list(known)
    if len(_kinds(plain, words)) > 1:
        return None
    close = get_close_matches(plain, words)
    swapped = [each for each in close if sorted(each) == sorted(plain)]
    begun = [each for each in words if len(plain) > 2 and each.startswith(plain)]
    return next(iter(swapped or close or (begun if len(begun) == 1 else ())), None)


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean ...?`, or nothing when no known word is near."""
    words = list(known)
    match = near(word, words) or " or ".join(_kinds(_plain(word), words))
    return f"; did you mean {match}?" if match else ""


def _plain(word: str) -> str:
    return word.lower().replace("_", "-")


def _kinds(plain: str, words: Iterable[str]) -> list[str]:
    """Known words that say more than a word does, as `ecs-fargate` says more than `ecs`."""
    return [each for each in words if each.startswith(f"{plain}-")]


def _offered(want: str) -> str:
    """What stands behind `set` in a command: the word that `nearest` found, or what a person has to put in."""
    found = re.search(r"; did you mean (\S+)\?$", want)
    return found[1] if found else VALUE


def translate(error: ValidationError, root: str, model: type[BaseModel]) -> list[Problem]:
    """pydantic's findings as ours, of more than MOST the first. `root` is the full key that the model stands under."""
    found = error.errors(include_url=False)[: MOST + 1]
    unknown = [each["loc"] for each in found if each["type"] == "extra_forbidden"]
    # What a key is missed for that is there by another name: that is the mistake.
    there = {(*way[:-1], _meant_key(model, way)) for way in unknown}
    return [_problem(each, root, model) for each in found if each["type"] != "missing" or each["loc"] not in there]


class Words:
    """Stands in a message where no value can be printed."""

    def __init__(self, words: str) -> None:
        self._words = words

    def __repr__(self) -> str:
        return self._words


UNKNOWN = Words("unknown")
HIDDEN = Words("hidden")
PLAIN = Words("in plain text")
ENCRYPTED = Words("encrypted")
TOLD = Words("told")
"""Where there is nothing to say of the value: what is wanted says all."""


def _problem(error: ErrorDetails, root: str, model: type[BaseModel]) -> Problem:
    # A finding on the key of a map ends in "[key]"; the key is the step before.
    steps = [step for step in error["loc"] if step != "[key]"]
    key = dotted((root, *steps))
    kind, value = error["type"], error["input"]
    if kind == "extra_forbidden":
        return _extra(key, model, steps)
    types = tuple(at(model, steps))
    if kind == "missing":
        example = example_at(model, steps)
        hint = "" if example is None else f", such as {flow(example)}"
        return Problem(key, None, f"a value{hint}", types=types)
    # Where no type is known, as in one of several that a field may have, it may be one for a secret.
    hidden = kind == "json_invalid" or not types or is_guarded(model, steps)
    meant = None if hidden else _meant(error)
    if meant and error["loc"][-1] == "[key]":
        return Problem(key, value, f"{_want(error, hidden)}; did you mean {meant}?", rename(key, meant))
    if kind in HOLDERS and steps and not hidden and (example := example_at(model, steps)) is not None:
        return Problem(
            key, _shown(value, hidden), f"{HOLDERS[kind].partition(',')[0]}, such as {flow(example)}", types=types
        )
    if kind == "value_error" and not hidden:
        return Problem(key, TOLD, str(error["ctx"]["error"]), types=types)
    want = f"{_want(error, hidden)}{f'; did you mean {meant}?' if meant else ''}"
    return Problem(key, _shown(value, hidden), want, types=types)


def _meant_key(model: type[BaseModel], steps: Sequence[int | str]) -> str | None:
    """The key that is meant by one that does not exist."""
    name = str(steps[-1])
    called = (getattr(parent, "also", {}).get(name) for parent in at(model, steps[:-1]))
    return next(filter(None, called), None) or near(name, keys_at(model, steps[:-1]))


def _extra(key: str, model: type[BaseModel], steps: Sequence[int | str]) -> Problem:
    """A key that does not exist."""
    name, known = str(steps[-1]), keys_at(model, steps[:-1])
    for parent in at(model, steps[:-1]):
        if hint := getattr(parent, "elsewhere", {}).get(name):
            return Problem(key, TOLD, f"there is no such key: {hint}", remove_command(key))
        if ours := getattr(parent, "also", {}).get(name):
            return Problem(key, TOLD, f"it is called {ours} here", rename(key, ours))
    meant = near(name, known)
    fix = rename(key, meant) if meant else remove_command(key)
    which = nearest(name, known) or f": {', '.join(known)}"
    return Problem(key, UNKNOWN, f"a key that exists{which}", fix)


def _meant(error: ErrorDetails) -> str | None:
    """The text that fits, where what is written differs only in case or by a character between words."""
    value, pattern = error["input"], error.get("ctx", {}).get("pattern")
    if not isinstance(value, str) or error["type"] != WANTED or pattern is None:
        return None
    dashed, joined = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-"), re.sub(r"[^A-Za-z0-9]+", "_", value)
    tried = (value.lower(), dashed, joined) if re.search("[A-Za-z0-9]", value) else ()
    return next((each for each in tried if re.fullmatch(pattern, each)), None)


def _shown(value: object, hidden: bool) -> object:
    if hidden:
        return HIDDEN
    return Words("a map" if isinstance(value, dict) else "a list") if isinstance(value, dict | list) else value


TEXT = "text (put quotes around it)"
TYPES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "string_type": TEXT,
    "bool_type": "true or false",
}
MAP, LIST = "a map, such as {key: value}", "a list, such as [one, two]"
HOLDERS = {
    "dict_type": MAP,
    "model_type": MAP,
    "model_attributes_type": MAP,
    "tuple_type": LIST,
    "list_type": LIST,
}
"""What holds other values, with an example for fields that give none."""
LIMITS = {
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "string_too_long": "text no longer than {max_length}",
}
ENTRIES = ("entry", "entries")
COUNTED = {"Tuple": ENTRIES, "List": ENTRIES, "Set": ENTRIES, "Frozenset": ENTRIES, "Dictionary": ("key", "keys")}
"""What pydantic counts in what; in text and in a secret characters."""


def _want(error: ErrorDetails, hidden: bool) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "json_invalid":
        return "text in Unicode, without halves of surrogate pairs"
    if kind == WANTED:
        return error["msg"]  # the field's own words
    if kind == "string_pattern_mismatch":
        return f"text of the form {context['pattern']}"
    if kind in LIMITS:
        return LIMITS[kind].format(**context)
    if kind in ("too_short", "too_long", "string_too_short"):
        bound, limit = ("most", "max_length") if kind == "too_long" else ("least", "min_length")
        one, more = COUNTED.get(context.get("field_type", ""), ("character", "characters"))
        return f"at {bound} {context[limit]} {one if context[limit] == 1 else more}"
    if kind == "literal_error":
        words = str(context["expected"]).replace(" or ", ", ").replace("'", "")
        written = error["input"]
        return f"one of {words}{nearest(written, words.split(', ')) if isinstance(written, str) and not hidden else ''}"
    return {**TYPES, **HOLDERS}.get(
        kind, "what its field takes" if hidden else error["msg"]
    )  # a validator may repeat a value
