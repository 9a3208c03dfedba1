"""Encrypted values. Only a field that is a secret by its type keeps one secret: every other puts it into the state, and
into the environment of the replicas, as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import pulumi
from pydantic import SecretStr

from components.model import Model
from config.fields import at, holds_secrets, is_map_or_list, is_secret
from config.problems import ENCRYPTED, HIDDEN, Problem, Words, remove_command, set_command
from config.stack_file import StackFile, Steps, dotted, is_encrypted


class Encrypted:
    """Which values of a stack are encrypted. Pulumi tells only of a whole key whether anything in it is; of a single
    value only the stack's file does. `file` is that file, where it is not in the place of the stack that runs."""

    def __init__(self, config: pulumi.Config, file: StackFile | None = None) -> None:
        self._config = config
        self._file = file

    @cached_property
    def written(self) -> StackFile | None:
        """The stack's file, where it is known."""
        return self._file or StackFile.running()

    def is_in(self, key: str) -> bool:
        """Whether anything in the value of a key is encrypted: the project's, or a full one."""
        return pulumi.runtime.is_config_secret(key if ":" in key else self._config.full_key(key))

    def is_plain(self, steps: Steps, value: object) -> bool:
        """Whether the secret `value`, at `steps` from the name of a key on, stands there in plain text."""
        if not self.is_in(str(steps[0])):
            return True
        found = self.written.at(steps) if self.written else None
        if isinstance(found, str):
            return found == value  # another text is that of another file
        # YAML 1.1 reads `no` and 12:30 as something else than text, and Pulumi does not.
        return found is not None and not is_encrypted(found)

    def located(self, key: str) -> list[Steps]:
        """The way to each encrypted value of a key, from below the key on; none: there is none, or no file knows."""
        return self.written.encrypted(key) if self.is_in(key) and self.written else []

    def misplaced(self, key: str, model: type[Model], above: Steps) -> Iterator[tuple[Steps, Problem]]:
        """Each encrypted value of a key that stands where no secret does: the way to it in `model`, and what is wrong.
        `above` is the way from the model to the value of the key."""
        ways = self.located(key)
        if self.is_in(key) and not any(map(holds_secrets, at(model, above))):
            ways = ways or [()]
        for steps in ways:
            types = at(model, (*above, *steps))
            if types and not any(map(is_secret, types)):  # of a key that does not exist something else is said
                yield (*above, *steps), _refusal(dotted((self._config.full_key(key), *steps)), types)

    def hide(self, problem: Problem) -> Problem:
        """The same without any text that is encrypted, or that the user wrote, where nobody knows which of it is."""
        key = re.split(r"[.\[]", problem.key.removeprefix(self._config.full_key("")), maxsplit=1)[0]
        if not self.is_in(key):
            return problem
        config = self._config.get(key) or ""
        known = self.located(key)
        texts = _texts_at(config, known) if known else _texts(config)
        shown = problem.value is None or isinstance(problem.value, Words | SecretStr)
        harmless = shown or (known and not _has_one(problem.value, texts))
        value = problem.value if harmless else HIDDEN
        return replace(problem, value=value, want=_without_texts(problem.want, texts))


def _has_one(value: object, texts: Iterable[str]) -> bool:
    """Whether one of these texts is in a value, as it is or as JSON writes it."""
    whole = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return any(text in whole or json.dumps(text, ensure_ascii=False)[1:-1] in whole for text in texts)


def _texts_at(config: str, ways: Iterable[Steps]) -> set[str]:
    """The texts at these places of a JSON text."""
    try:
        whole = json.loads(config)
    except ValueError:
        return {config}  # text, all of which is encrypted
    return {text for steps in ways for text in _texts(json.dumps(_at(whole, steps)))}


def _at(value: Any, steps: Steps) -> Any:
    for step in steps:
        inside = dict(enumerate(value)) if isinstance(value, list) else value
        value = inside.get(step) if isinstance(inside, dict) else None
    return value


def _without_texts(words: str, texts: Iterable[str]) -> str:
    """`words` without these texts: what Pulumi decrypts is text, whatever stood there before."""
    for text in sorted(texts, key=len, reverse=True):
        words = re.sub(rf"(?<!\w){re.escape(text)}(?!\w)", repr(HIDDEN), words)
    return words


def _texts(config: str) -> set[str]:
    """Each text among the values in a JSON text."""
    try:
        waiting = [json.loads(config)]
    except ValueError:
        waiting = [config]
    found = set()
    while waiting:
        match waiting.pop():
            case str(text) if text:
                found.add(text)
            case dict(each):
                waiting += each.values()
            case list(each):
                waiting += each
    return found


ENV = re.compile(r"(.+:services\.[^.\[]+)\.env\.([^.\[]+)")
PLAINLY = "for what is encrypted here would stand in the state as it is"


def _refusal(key: str, types: Sequence[Any]) -> Problem:
    """What is said of the encrypted value at `key`, a full one, which is none of the secrets among its `types`."""
    if variable := ENV.fullmatch(key):
        secret = f"{variable[1]}.secrets.{variable[2]}"
        fix = f"{set_command(secret, '--secret')} && {remove_command(key)}"
        return Problem(key, ENCRYPTED, f"it under `secrets`, {PLAINLY} and can be read wherever the service runs", fix)
    if any(map(is_map_or_list, types)):
        secrets = "only its secrets encrypted" if any(map(holds_secrets, types)) else "nothing in it encrypted"
        return Problem(key, ENCRYPTED, f"plain text with {secrets}, {PLAINLY}", types=tuple(types))
    return Problem(key, ENCRYPTED, f"plain text, {PLAINLY}")
