"""Services into a stack's file, as text: what a person has written stays as it is, comments too."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import indent
from typing import Any

import yaml
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode

from config.stack_file import StackFile
from config.yaml_text import LOADER, BadYaml, read
from yard.importing.source import NoImport


def text_of(services: Mapping[str, Any]) -> str:
    """Services as a stack's file has them."""
    return _yaml({"config": {"services": services}})


def with_services(file: StackFile, services: Mapping[str, Any]) -> str:
    """The text of a stack's file with these services as well. Raises `NoImport` where one is there already, or where
    the text is not in blocks, so that nothing can be put into it."""
    there = file.get("services") or {}
    if taken := sorted({*there} & {*services}) if isinstance(there, dict) else []:
        raise NoImport(
            f"{file.path} has {', '.join(taken)} already, and nothing of it is changed: take out what is to be written"
            " anew"
        )
    try:
        new = _added(file.path.read_bytes().decode(), file.prefix, services)
        same = isinstance(there, dict) and read(new.encode()) == _expected(file, services)
    except (BadYaml, UnicodeDecodeError):
        same = False
    if not same:
        raise NoImport(f"{file.path} is not in a form that this can add to: put what it prints without --stack into it")
    return new


def _expected(file: StackFile, services: Mapping[str, Any]) -> dict[str, Any]:
    config = file.document.get("config") or {}
    key = next((each for each in ("services", f"{file.prefix}services") if each in config), f"{file.prefix}services")
    return {**file.document, "config": {**config, key: {**(config.get(key) or {}), **services}}}


def _added(text: str, prefix: str, services: Mapping[str, Any]) -> str:
    """The text with the services at the end of the block that they belong in."""
    config = _below(yaml.compose(text, LOADER), "config")
    keyed = {f"{prefix}services": services}
    if config is None:
        return f"{text.rstrip()}\n{_yaml({'config': keyed})}".lstrip()
    there = _below(config, "services") or _below(config, f"{prefix}services")
    block = there if there and there.value else config
    column = block.value[0][0].start_mark.column if isinstance(block, MappingNode) else 2
    lines = text.splitlines(keepends=True)
    after = _end(block)
    lines[after - 1] = lines[after - 1].rstrip("\r\n") + "\n"
    added = indent(_yaml(keyed if block is config else services), " " * column)
    return "".join([*lines[:after], added, *lines[after:]])


def _below(node: Node | None, key: str) -> Node | None:
    pairs = node.value if isinstance(node, MappingNode) else []
    return next((value for each, value in pairs if each.value == key), None)


def _end(node: Node) -> int:
    """The number of the last line of a node; comments below it are not its own."""
    if isinstance(node, CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    mark = node.end_mark
    whole = isinstance(node, ScalarNode) and node.style in ("|", ">")
    return mark.line if whole and not mark.column else mark.line + 1


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110)
