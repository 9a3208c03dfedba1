"""YAML as people write it: read with limits, and what is wrong with it is said in words."""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.error import MarkedYAMLError
from yaml.events import CollectionEndEvent, CollectionStartEvent
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

LOADER: Any = type("Loader", (yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader,), {})
"""In C, where PyYAML was built with it: each run of a program with secrets reads two files."""
LOADER.add_constructor("tag:yaml.org,2002:value", LOADER.construct_yaml_str)  # `=` is text for Pulumi
PLAIN_LOADER: Any = type("PlainLoader", (LOADER,), {"yaml_implicit_resolvers": {}})
"""For files that are not Pulumi's: as YAML 1.2 (core schema, section 10.3.2) and Go's parser have it, `on` and `yes`
are text, and so are 22:22, 012 and a date."""
for _kind, _text, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)\.[0-9]*)", list("-+.0123456789")),
    ("merge", "<<", ["<"]),
):
    PLAIN_LOADER.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(rf"(?:{_text})\Z"), _first)
MERGE = "tag:yaml.org,2002:merge"

DEEPEST = 100
"""Maps and lists in one another."""
LARGEST = 100_000
"""Values, those behind an alias counted again wherever it stands."""
REPEATED = 20_000
"""Values that stand nowhere but behind an alias: a few lines may make as many mistakes."""
OFTEN = {
    "unexpected end of stream": "line {began} opens a quote that is never closed",
    "expected ',' or '}'": "line {began} opens a `{{` that is never closed, or has no comma between two keys",
    "expected ',' or ']'": "line {began} opens a `[` that is never closed, or has no comma between two entries",
    "mapping values are not allowed": "line {line} has one `:` too many, or does not begin in the column of the lines"
    " beside it: put quotes around text with a `:` in it",
    "expected ':'": "line {line} has no `:` after a key",
    "did not find expected key": "line {line} does not begin in the column of the lines beside it",
    "cannot start any token": "line {line} has a value that begins with a sign of YAML's own: put quotes around it",
}
"""What libyaml says, and what is meant, with the line where it began and the one where it was noticed."""
TOO_DEEP = f"has more than {DEEPEST} maps and lists in one another: nest fewer"


class BadYaml(Exception):
    """What is wrong with a text: a sentence without its subject."""


def flow(value: object) -> str:
    """A value as YAML on one line."""
    return yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("\n").removesuffix("\n...")


def read(text: bytes, kind: Any = LOADER) -> Any:
    """The value of a YAML document; None of an empty one. `kind`: LOADER or PLAIN_LOADER. Raises `BadYaml`.

    The text is in bytes, for YAML is UTF-8 or, by its first bytes, UTF-16, which PowerShell's `>` writes and Pulumi
    reads (YAML 1.2, section 5.2).
    """
    try:
        _nesting(text, kind)
        loader = kind(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _weigh_all(node)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except ReaderError as error:
        raise BadYaml(f"is not text in UTF-8, so save it as such: {error}") from error
    except MarkedYAMLError as error:
        raise BadYaml(f"is not valid YAML: {_words(error, text)}") from error
    except (yaml.YAMLError, ValueError) as error:  # of a date that does not exist there is only the latter
        what = "it has a number with thousands of digits" if "set_int_max_str_digits" in str(error) else error
        raise BadYaml(f"is not valid YAML: {what}") from error


def _words(error: MarkedYAMLError, text: bytes) -> str:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return str(error)
    lines = text.decode("utf-8", "replace").splitlines()
    if lines[mark.line : mark.line + 1] and lines[mark.line][mark.column : mark.column + 1] == "\t":
        return f"line {mark.line + 1} has a tab where YAML takes only spaces: put spaces in its place"
    said = f"{error.problem or error.context}"
    for words, meant in OFTEN.items():
        if words in said:
            began = error.context_mark or mark
            return meant.format(line=mark.line + 1, began=began.line + 1)
    return f"line {mark.line + 1}, column {mark.column + 1}: {said}"


def _nesting(text: bytes, kind: Any) -> None:
    """Look how deep it goes before anything is composed, for that recurses: in C until the process dies."""
    depth = 0
    for event in yaml.parse(text, kind):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > DEEPEST:
            raise BadYaml(TOO_DEEP)


def _weigh_all(node: Node) -> None:
    known: dict[int, tuple[int, int]] = {}
    size, _ = _weigh(node, known)
    if size - len(known) > REPEATED:
        raise BadYaml(f"has aliases that repeat more than {REPEATED} values: write fewer")


def _weigh(node: Node, known: dict[int, tuple[int, int]], depth: int = 0) -> tuple[int, int]:
    """How many values there are in a node, and how many maps and lists around the innermost. An alias is what it stands
    for."""
    if id(node) in known:
        size, layers = known[id(node)]
        if not size:
            raise BadYaml(
                f"has an alias inside of what it stands for, from line {node.start_mark.line + 1} on: take it out"
            )
    else:
        known[id(node)] = 0, 0  # it is being counted
        inner = [_weigh(each, known, depth + 1) for each in _parts(node)]
        size = 1 + sum(each for each, _ in inner)
        layers = 0 if isinstance(node, ScalarNode) else 1 + max((each for _, each in inner), default=0)
        known[id(node)] = size, layers
    if depth + layers > DEEPEST:
        raise BadYaml(TOO_DEEP)
    if size > LARGEST:
        raise BadYaml(f"has more than {LARGEST} values, with those that its aliases repeat: write fewer")
    return size, layers


def _parts(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        _only_once(node)
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, SequenceNode) else []


def _only_once(node: MappingNode) -> None:
    """Pulumi refuses a map with a key twice; PyYAML would take the last one."""
    first: dict[tuple[str, str], int] = {}
    for key, _ in node.value:
        if key.tag == MERGE or not isinstance(key, ScalarNode):
            continue
        name, line = (key.tag, key.value), key.start_mark.line + 1
        if name in first:
            raise BadYaml(f"has the key {key.value} twice, in lines {first[name]} and {line}: take one out")
        first[name] = line
