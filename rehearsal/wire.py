"""Values as the engine sends them: secrets stay wrapped, and what a preview does not know yet stays unknown."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from google.protobuf import struct_pb2  # type: ignore[import-untyped]
from pulumi.runtime import rpc

Properties = dict[str, Any]
"""Plain JSON values. A secret is the engine's own wrapper around its value, an unknown the string `rpc.UNKNOWN`."""

DEFAULTS = "__defaults"
"""Names of the inputs that the provider filled in itself, kept among the inputs as Pulumi's Terraform bridge does."""


def load(struct: struct_pb2.Struct) -> Properties:
    """The properties of a message."""
    return {key: _load(value) for key, value in struct.fields.items()}


def _load(value: struct_pb2.Value) -> Any:
    match value.WhichOneof("kind"):
        case "struct_value":
            return load(value.struct_value)
        case "list_value":
            return [_load(each) for each in value.list_value.values]
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case _:
            return None


def dump(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """The message for `properties`."""
    struct = struct_pb2.Struct()
    struct.update(dict(properties))
    return struct


def reveal(value: Any) -> Any:
    """`value` with every secret unwrapped: for the state, which is a cloud and knows them."""
    if rpc.is_rpc_secret(value):
        return reveal(rpc.unwrap_rpc_secret(value))
    if isinstance(value, dict):
        return {key: reveal(each) for key, each in value.items()}
    if isinstance(value, list):
        return [reveal(each) for each in value]
    return value


def merged(value: Any, more: Mapping[str, Any]) -> Any:
    """A map with `more` in it; secret if it was."""
    if rpc.is_rpc_secret(value):
        return rpc.wrap_rpc_secret(merged(rpc.unwrap_rpc_secret(value), more))
    return {**(value or {}), **more}


def updated(olds: Properties, outputs: Properties, news: Properties) -> Properties:
    """What is there once the inputs `olds` are `news`: what the cloud computed stays, in nested maps as well."""
    computed = {key: value for key, value in outputs.items() if key not in olds}
    nested = {
        key: updated(olds[key], outputs[key], value)
        for key, value in news.items()
        if all(_map(each.get(key)) for each in (olds, outputs, news))
    }
    return computed | news | nested


def _map(value: Any) -> bool:
    return isinstance(value, dict) and not rpc.is_rpc_secret(value)


def changes(olds: Properties, news: Properties) -> dict[str, str]:
    """Path -> "add", "delete" or "update" for each difference; an unknown differs from everything."""
    return dict(_changes("", reveal(olds), reveal(news)))


def _changes(path: str, old: Any, new: Any) -> Iterator[tuple[str, str]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            if not key.startswith("__"):
                yield from _changes(_join(path, key), old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (left, right) in enumerate(zip(old, new, strict=True)):
            yield from _changes(f"{path}[{index}]", left, right)
    elif old != new or new == rpc.UNKNOWN:
        yield path, "add" if old is None else "delete" if new is None else "update"


def _join(path: str, key: str) -> str:
    part = key if re.fullmatch(r"[A-Za-z_$][\w$-]*", key) else f'["{key}"]'
    return f"{path}.{part}" if path and not part.startswith("[") else path + part


def under(path: str, keys: Iterable[str]) -> bool:
    """Whether `path` is one of `keys` or lies below one; indexes do not count."""
    bare = re.sub(r"\[\d+\]", "", path)
    return any(bare == key or bare.startswith((f"{key}.", f"{key}[")) for key in keys)
