"""What may stand where in a configuration, by the annotations of its models: ours and third parties'."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Annotated, Any, Union

from pydantic import BaseModel, Secret, SecretBytes, SecretStr

from config.stack_file import Steps

SECRETS = (SecretStr, SecretBytes, Secret)


def at(annotation: Any, steps: Iterable[str | int]) -> list[Any]:
    """Every type that a value at `steps` below `annotation` may have; none: nothing may stand there."""
    found = _alternatives(annotation)
    for step in steps:
        found = [each for outer in found for inner in _below(outer, step) for each in _alternatives(inner)]
    return found


def keys_at(annotation: Any, steps: Iterable[str | int]) -> list[str]:
    """The keys of the models at `steps`."""
    models = [each for each in at(annotation, steps) if _is(each, BaseModel)]
    return [field.alias or name for model in models for name, field in model.model_fields.items()]


def example_at(annotation: Any, steps: Sequence[str | int]) -> Any:
    """The first example that the field at `steps` gives, or the first field in it; None: there is none."""
    for model in filter(_is_model, at(annotation, steps[:-1])):
        for name, field in model.model_fields.items():
            if steps[-1] == (field.alias or name) and field.examples:
                return field.examples[0]
    for model in filter(_is_model, at(annotation, steps)):
        for name, field in model.model_fields.items():
            if field.examples:
                return {field.alias or name: field.examples[0]}
    return None


def _is_model(annotation: Any) -> bool:
    return _is(annotation, BaseModel)


def is_secret(annotation: Any) -> bool:
    """Whether a value of this type is a secret by itself."""
    return any(_is(each, SECRETS) for each in _alternatives(annotation))


def collects_secrets(annotation: Any) -> bool:
    """Whether it is a secret, or a map or a list of nothing but secrets."""
    return any(_is(each, SECRETS) or any(map(collects_secrets, _items(each))) for each in _alternatives(annotation))


def is_guarded(annotation: Any, steps: Iterable[str | int]) -> bool:
    """Whether what stands at `steps` is a secret, is in one, or collects nothing but secrets."""
    way = [*steps]
    return any(collects_secrets(each) for end in range(len(way) + 1) for each in at(annotation, way[:end]))


def holds_secrets(annotation: Any) -> bool:
    """Whether a secret may stand anywhere in it."""
    waiting, seen = [annotation], set()
    while waiting:
        for each in _alternatives(waiting.pop()):
            if _is(each, SECRETS):
                return True
            if _is(each, BaseModel) and each not in seen:
                seen.add(each)
                waiting += [field.annotation for field in each.model_fields.values()]
            waiting += _items(each)
    return False


def secrets_in(value: object, above: Steps) -> Iterator[tuple[Steps, Any]]:
    """Each secret in a value that was read, and the way to it; `above` is the way to the value."""
    parts: Iterable[tuple[str | int, object]] = ()
    match value:
        case SecretStr() | SecretBytes() | Secret():
            yield above, value.get_secret_value()
        case BaseModel():
            fields = type(value).model_fields
            parts = ((fields[name].alias or name, each) for name, each in value if name in fields)
        case dict():
            parts = value.items()
        case list() | tuple():
            parts = enumerate(value)
    for step, each in parts:
        yield from secrets_in(each, (*above, step))


def is_map_or_list(annotation: Any) -> bool:
    """Whether what stands there has parts."""
    return any(_is(each, BaseModel) or _items(each) for each in _alternatives(annotation))


def _alternatives(annotation: Any) -> list[Any]:
    """`Annotated[X, ...]` is X; `X | None` is both."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _alternatives(inner[0])
    if origin in (Union, types.UnionType):
        return [each for part in inner for each in _alternatives(part)]
    return [annotation]


def _below(outer: Any, step: str | int) -> list[Any]:
    if _is(outer, BaseModel):
        return [field.annotation for name, field in outer.model_fields.items() if step == (field.alias or name)]
    return _items(outer)


def _items(outer: Any) -> list[Any]:
    """The types of what is in a map or a list."""
    inner = typing.get_args(outer)
    if _is(outer, Mapping):
        return [*inner[1:]]
    return [each for each in inner if each is not ...] if _is(outer, (Sequence, Set)) else []


def _is(annotation: Any, wanted: type | tuple[type, ...]) -> bool:
    cls = typing.get_origin(annotation) or annotation
    return isinstance(cls, type) and issubclass(cls, wanted)
