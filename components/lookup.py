"""What a configuration says exists: looked up before anything is made, and told in words where it is not there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pulumi

from components.sdk import aws

T = TypeVar("T")
ABSENT = re.compile(r"not ?found|no matching|couldn't find|does not exist|malformed|multiple .* matched", re.IGNORECASE)
"""In what AWS's provider says of something that is not there, or is there more than once."""


@dataclass(frozen=True)
class Lookup:
    """A function of AWS's package that fails where something is not there."""

    path: str
    """Where the configuration names it, from the name of a key on."""
    value: str
    want: str
    """What is there instead, where it is right."""
    module: str
    """As in pulumi_aws: ecr."""
    function: str
    arguments: Mapping[str, Any]
    usable: Mapping[str, str] = field(default_factory=dict)
    """What of the answer is so, where what is there can be used."""

    def problem(self) -> str | None:
        """What AWS says, where it is not there or of no use; raises `pulumi.RunError` where AWS does not say."""
        try:
            found = getattr(getattr(aws, self.module), self.function)(**self.arguments)
        except Exception as error:  # the SDK has no class of its own for what an invoke fails with
            words = said(error)
            if ABSENT.search(words):
                return words
            raise Unanswered(self.path, words) from error
        wrong = {name: getattr(found, name) for name, wanted in self.usable.items() if getattr(found, name) != wanted}
        return ", ".join(f"its {name} is {value}" for name, value in wrong.items()) or None


class Unanswered(pulumi.RunError):
    """AWS did not answer a question that comes before anything is made."""

    def __init__(self, about: str, words: str) -> None:
        super().__init__(f"{about}: AWS does not answer, so nothing was made: {words}")


def answered(about: str, ask: Callable[[], T]) -> T:
    """What AWS answers; raises `pulumi.RunError`, in words, where it does not."""
    try:
        return ask()
    except Exception as error:  # likewise
        raise Unanswered(about, said(error)) from error


def said(error: Exception) -> str:
    """The provider's own words on one line, without the call that they are about."""
    words = " ".join(str(error).split())
    return words.rpartition("returned an error: ")[2].rpartition("occurred: * ")[2][:300]
