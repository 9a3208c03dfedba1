"""Dynamic resources and their providers: what ours have in common. State holds each provider pickled by reference to
its own module."""

from __future__ import annotations

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Any, ClassVar

import pulumi
from pulumi.dynamic import DiffResult, ResourceProvider

Props = dict[str, Any]


class Resource(pulumi.dynamic.Resource):
    """Something on a Docker engine."""

    kept_by: ClassVar[str]
    """Its provider, "module:Class": only a stack that has such things loads docker-py."""

    def __init__(self, name: str, props: Props, opts: pulumi.ResourceOptions) -> None:
        super().__init__(resolve_name(self.kept_by)(), name, props, opts)


class Provider(ResourceProvider):
    """A provider that goes by the values of its inputs."""

    serialize_as_secret_always = False  # it holds nothing but its own name
    watched: ClassVar[tuple[str, ...]]
    """Inputs whose change is a change of the resource."""
    fixed: ClassVar[frozenset[str]]
    """Those of them that only a new resource can take."""

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """By value, so that a newer Python, which pickles the provider in other bytes, changes nothing."""
        changed = [key for key in self.watched if olds.get(key) != news.get(key)]
        return DiffResult(changes=bool(changed), replaces=[key for key in changed if key in self.fixed])


def whole(value: Any) -> Any:
    """Numbers as an API wants them: on their way through Pulumi all became floating."""
    if isinstance(value, Mapping):
        return {key: whole(each) for key, each in value.items()}
    if isinstance(value, list):
        return [whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
