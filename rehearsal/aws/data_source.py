"""What the rehearsal answers to AWS's data sources. One without a row is refused by name."""

from collections.abc import Callable
from dataclasses import dataclass

from rehearsal.state import CloudResource, CloudState, Refused
from rehearsal.wire import Properties


@dataclass(frozen=True)
class Question:
    """A data source that a program asks."""

    state: CloudState
    region: str
    args: Properties

    def found(self, type_: str, key: str, code: str) -> CloudResource:
        """The resource that the argument `key` names."""
        handle = self.args.get(key) or ""
        resource = self.state.find(type_, handle)
        if resource is None:
            raise Refused(code, f"no {type_} {handle!r} exists in the rehearsal", "it only has what the stack makes")
        return resource


@dataclass(frozen=True)
class DataSource:
    """A row: one data source, and what it answers."""

    token: str
    answer: Callable[[Question], Properties]


def data_source(token: str) -> Callable[[Callable[[Question], Properties]], DataSource]:
    """The row of a data source, from the function that answers."""
    return lambda answer: DataSource(token, answer)
