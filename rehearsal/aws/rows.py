"""All rows: those of the areas here, and those that installed packages add."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pkgutil import resolve_name
from types import ModuleType

from components import backends
from rehearsal.aws import (
    account,
    clusters,
    containers,
    instances,
    keys,
    loadbalancing,
    network,
    registries,
    schedules,
    storage,
)
from rehearsal.aws.data_source import DataSource
from rehearsal.aws.resource_type import ResourceType
from rehearsal.state import Refused

AREAS = (account, clusters, containers, instances, keys, loadbalancing, network, registries, schedules, storage)
GROUP = "switchyard.rehearsal"
"""The entry points that name modules with rows."""


@dataclass(frozen=True)
class Rows:
    """What is known of types of resources and of data sources, by their tokens."""

    types: Mapping[str, ResourceType]
    sources: Mapping[str, DataSource]

    @property
    def packages(self) -> set[str]:
        """The packages of Pulumi that have rows."""
        return {token.partition(":")[0] for token in (*self.types, *self.sources)}


def load() -> Rows:
    """Every row at the top level of a module counts. Ours win over third parties', so that none is replaced unseen."""
    every = [each for module in (*_third_parties(), *AREAS) for each in vars(module).values()]
    return Rows(
        {each.token: each for each in every if isinstance(each, ResourceType)},
        {each.token: each for each in every if isinstance(each, DataSource)},
    )


def _third_parties() -> Iterator[ModuleType]:
    for name, value in backends.third_party(GROUP).items():
        try:
            yield resolve_name(value)
        except (ImportError, AttributeError, ValueError) as error:
            raise Refused("NotRehearsed", f"the rows of {name} cannot be read: {error}", f"{GROUP}: {value}") from error
