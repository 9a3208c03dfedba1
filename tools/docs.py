"""What follows from the code and the prices: `docs/configuration.md`, `docs/support.md`, `docs/first-user.md`,
`docs/importing-fields.md`, `docs/scale.md`, `docs/controls.md`, `docs/mistakes.md`, and Switchyard's own `Pulumi.yaml`.

`python -m tools.docs` writes them; with `--check` it changes nothing, names those that are out of date and exits 1.
Only this project's own backends are in them, not what third parties have installed.
"""

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel

from components.build import Build
from components.gate import GateOptions
from components.github import GitHub
from components.guard import GuardOptions
from components.job import Job
from components.network_options import Domain, ExistingLoadBalancer, ExistingVpc, SecurityGroups
from components.permissions import Permission
from components.service import NAME, Replicas, Service
from components.usage import PRESETS as MONTHS
from components.usage import Usage
from config.load import FROM_PRESET
from config.presets import PRESETS
from config.reader import Keys
from tools import controls, keys, mistakes, scale, support
from tools.markdown import one_of, table
from yard.comparison import seed, seed_page
from yard.importing.dialects import DIALECTS

ROOT = Path(__file__).resolve().parent.parent
NOTE = "<!-- Written by `make docs` from the code. Change it there. -->"

Schema = Mapping[str, Any]


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Write the documents under `root`, or with `--check` say which are out of date."""
    if unknown := set(arguments) - {"--check"}:
        print(f"docs: unknown {', '.join(sorted(unknown))}. Usage: python -m tools.docs [--check]", file=sys.stderr)
        return 2
    stale = {path: text for path, text in documents() if _read(root / path) != text}
    for path, text in stale.items():
        if arguments:
            print(f"docs: {path} is out of date; `make docs` writes it anew", file=sys.stderr)
        else:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
            print(f"docs: wrote {path}")
    return 1 if stale and arguments else 0


def documents() -> Iterator[tuple[str, str]]:
    """Every generated document: path and text."""
    yield "docs/configuration.md", _document(configuration())
    yield "docs/support.md", _document(support.document())
    yield "docs/first-user.md", _document(first_user())
    yield "docs/importing-fields.md", _document(importing())
    yield "docs/scale.md", _document(scale.blocks())
    yield "docs/controls.md", _document(controls.document())
    yield "docs/mistakes.md", _document(mistakes.document())
    yield "Pulumi.yaml", keys.project()


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def _document(blocks: Iterable[str]) -> str:
    return "\n\n".join([NOTE, *blocks]) + "\n"


# --- docs/configuration.md ----------------------------------------------------------------------------------------

INTRODUCTION = """\
A stack's values are in `config/Pulumi.<stack>.yaml`. This is a whole file. It runs one service on AWS, on ECS with
Fargate, and keeps its image in ECR:

```yaml
config:
  aws:region: us-east-1
  services:
    api:
      build: {context: app}   # a folder with a Dockerfile
      port: 8080              # where the service listens
      health: /healthz        # a path that answers 200 when it is well
```

If a file does not have a key, the default in the tables below holds. Edit the file, or type a command:

    pulumi config set orchestrator eks
    pulumi config set --path services.api.memory 1024
    pulumi config set --path --type float services.api.cpu 0.5
    pulumi config set --secret --path services.api.secrets.DB_PASSWORD

`--path` only goes into maps and lists. If `replicas` is a number and you want a map, `{min: 2, max: 6}`, edit the
file.

A key without a namespace belongs to the project, whose `name` is in `Pulumi.yaml`: in project `shop`, `zones` and
`shop:zones` are one key. All values are checked before anything is made. All problems are told at once, each with the
key, its value, what is wanted and the fix; a misspelt key is a problem, too ([likely mistakes](mistakes.md)). The
[glossary](glossary.md) says what the words mean."""

COPY = """\
Every replica also has `PORT`, `SWITCHYARD_ORCHESTRATOR` and `SWITCHYARD_SERVICE` in its environment."""

AWS = """\
Keys of Pulumi's AWS package work as usual. Those that matter here: `aws:region` (required on AWS), `aws:profile`, and
`aws:defaultTags`, which `Pulumi.yaml` sets to `{tags: {managed-by: switchyard}}`."""

BLOCKS: Mapping[str, type[BaseModel]] = {
    "domain": Domain,
    "vpc": ExistingVpc,
    "security-groups": SecurityGroups,
    "load-balancer": ExistingLoadBalancer,
    "github": GitHub,
    "gate": GateOptions,
    "guard": GuardOptions,
    "usage": Usage,
}
"""Keys of `Keys` that hold a map of fixed fields."""
DEPENDING: Mapping[tuple[type[BaseModel], str], str] = {
    (Replicas, "max"): "`min`",
    **{(Usage, name): "the preset's" for name in MONTHS["small"]},
}
"""Defaults that depend on another field, which a schema cannot say."""


def configuration() -> Iterator[str]:
    """Every key that a user can set."""
    yield "# Configuration"
    yield INTRODUCTION
    yield "## Keys"
    yield table(["key", "values", "default", "meaning"], _keys())
    yield AWS
    yield "## Presets"
    yield "A key that the stack does not set, or sets to `preset`, has this value:"
    yield table(["key", *PRESETS], _presets())
    yield "## services"
    yield f"{_first_line(Service)} The name: {NAME.words}; at most {NAME.max_length}."
    yield _fields(Service)
    yield COPY
    for field in (Replicas, Build, Job, Permission):
        yield _part(field)
    for key, model in BLOCKS.items():
        yield f"## {key}"
        yield _first_line(model)
        yield _fields(model)
    yield table(
        ["preset", *MONTHS], ([f"`{name}`", *[f"{of[name]:,}" for of in MONTHS.values()]] for name in MONTHS["small"])
    )
    for kind, rows in keys.KINDS.items():
        for name, options in keys.with_options(rows):
            yield f"## {name}"
            yield f"Read only while `{name}` is the {kind}."
            yield _fields(options)
            for each in options.model_fields.values():
                for part in get_args(each.annotation) or [each.annotation]:
                    if isinstance(part, type) and issubclass(part, BaseModel):
                        yield _part(part)


def _part(model: type[BaseModel]) -> str:
    """A map of fixed fields within another."""
    return f"### {model.__name__.lower()}\n\n{_first_line(model)}\n\n{_fields(model)}"


def _keys() -> Iterator[list[str]]:
    schemas: Schema = Keys.model_json_schema(by_alias=True)["properties"]
    for key, meaning, default in keys.declared():
        if key in keys.KINDS:
            values = one_of(keys.KINDS[key])
        else:
            values = _values(schemas[key]) if key in schemas and key not in ("services", *BLOCKS) else _linked(key)
        yield [f"`{key}`", values, "" if default in ("", {}) else _code(default), meaning]


def _linked(key: str) -> str:
    return f"map: [{key}](#{key})"


def _presets() -> Iterator[list[str]]:
    for name in FROM_PRESET:
        yield [f"`{name.replace('_', '-')}`", *[_code(getattr(preset, name)) for preset in PRESETS.values()]]


def _fields(model: type[BaseModel]) -> str:
    schema = model.model_json_schema(by_alias=True)
    described = _docstrings(model)
    return table(
        ["field", "values", "default", "meaning"],
        (
            [
                f"`{name}`",
                _values(each),
                _default(model, name, each),
                each.get("description") or described.get(name, ""),
            ]
            for name, each in schema["properties"].items()
        ),
    )


def _default(model: type[BaseModel], name: str, schema: Schema) -> str:
    if (model, name) in DEPENDING:
        return DEPENDING[model, name]
    if "default" not in schema:
        return "required"
    default = schema["default"]
    if isinstance(default, dict):
        default = {key: each for key, each in default.items() if each is not None}
    return "" if default in (None, {}, []) else _code(default)


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Field, as users write it -> the string that follows it in the class."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, docstring in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(docstring, ast.Expr)
            and isinstance(docstring.value, ast.Constant)
        ):
            found[field.target.id.replace("_", "-")] = str(docstring.value.value)
    return found


def _first_line(model: type[BaseModel]) -> str:
    return (inspect.getdoc(model) or "").splitlines()[0]


def _values(schema: Schema) -> str:
    """What a value may be, in words."""
    for each in schema.get("anyOf", ()):
        if each.get("type") != "null":
            return _values(each)
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1].lower()
        return f"[{name}](#{name})"
    if "enum" in schema:
        return one_of(schema["enum"])
    return TYPES[schema["type"]](schema)


def _text(schema: Schema) -> str:
    if schema.get("format") == "password":
        return "secret text"
    return str(schema.get("words", "text"))


def _number(kind: str) -> Callable[[Schema], str]:
    def words(schema: Schema) -> str:
        if "minimum" not in schema:
            return kind
        if "maximum" not in schema:
            return f"{kind}, at least {schema['minimum']:g}"
        return f"{kind}, {schema['minimum']:g} to {_plain(schema['maximum'])}"

    return words


def _plain(number: float) -> str:
    return f"{number:g}" if number < 1e5 else str(int(number))


def _map(schema: Schema) -> str:
    values = [*schema.get("patternProperties", {}).values(), schema.get("additionalProperties")]
    return f"map of name to {_values(values[0])}"


def _list(schema: Schema) -> str:
    each = _values(schema["items"])
    return f"list of {each}" if each == "text" else f"list, each {each}"


TYPES: Mapping[str, Callable[[Schema], str]] = {
    "string": _text,
    "integer": _number("whole number"),
    "number": _number("number"),
    "boolean": lambda _: "`true` or `false`",
    "array": _list,
    "object": _map,
}


# --- docs/first-user.md -------------------------------------------------------------------------------------------

STORY = """\
Someone built a Go API as a hobby, and chose a registry and an orchestrator for it with a table of prices. This page has
each of their figures as they wrote it, today's figure beside it, and why the two differ. Their figures are computed
from their own numbers, today's from the files in [components/prices/](../components/prices/). `yard compare --seed`
shows the same table."""


def first_user() -> Iterator[str]:
    """The first user's decision table."""
    yield "# The first user's decision table"
    yield STORY
    yield from seed_page.page(seed.document())


# --- docs/importing-fields.md -------------------------------------------------------------------------------------

IMPORTING = """\
This page says what `yard import` does with each field that it knows; [importing](importing.md) says how to use it. A
field that is in no table here is dropped too, and the report says so."""


def importing() -> Iterator[str]:
    """What becomes of the fields of other tools."""
    yield "# What becomes of each field"
    yield IMPORTING
    for dialect in DIALECTS.values():
        yield f"## {dialect.title}"
        for heading, rules in dialect.tables.items():
            rows = ([f"`{way}`", _becomes(rule.to), rule.how] for way, rule in rules.items())
            yield f"{heading}:\n\n{table(['field', 'becomes', 'how, or why not'], rows)}"


def _becomes(fields: str) -> str:
    return one_of(fields.split(", ")) if fields else "dropped"


def _code(value: object) -> str:
    """A value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6)
    return _cell_code(text.removesuffix("...\n").strip())


def _cell_code(text: str) -> str:
    escaped = text.replace("|", "\\|")
    return f"`{escaped}`"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
