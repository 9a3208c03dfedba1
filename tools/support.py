"""What is in docs/support.md: what each backend does with what a stack can ask for."""

from collections.abc import Iterable, Iterator, Mapping
from pkgutil import resolve_name
from typing import Any

from components import edge
from components.edge import EDGES, EdgeOptions
from components.options import Options
from components.orchestrator import ORCHESTRATORS, VERBS, OrchestratorOptions, Support
from components.pulling import Cell, cell
from components.registry import REGISTRIES, RegistryOptions
from components.service import FEATURES
from config.checks import AT_THE_EDGE, ON_AWS
from tools.markdown import one_of, table

Schema = Mapping[str, Any]
SUPPORT = """\
This page says what each backend does with what a stack can ask for. *Honoured*: done as asked. *Translated*: done by
other means, which are named. *Refused*: an error that names the key, before anything is made. Nothing is ignored."""

PULLING = """\
This is what each orchestrator gets, so that it can pull the images of each registry. *Anonymous*: nothing. *Native
role*: statements for its own role, on the stack's own repositories. *Cache*: the same, on an ECR pull-through cache,
which alone has the login. *Secret*: a reference to the login. *Refresher*: a login that it renews before it ends.
`components/pulling.py` computes the table, and the check before each `up`. More in [registries](registries.md)."""
REFUSED = "These are refused:"
KEYS = """\
These keys of the stack say what stands around its services. If an edge can be chosen, the table is about the one that
an orchestrator has by default; `edge: proxy` reads the keys that are named for it, `edge: proxy-ec2` reads `domain`,
`plain-http`, `access-logs` and `gate`. What each key means, and what it does
on which backend, is in [configuration](configuration.md); what a KMS key covers, in
[security](security.md#a-kms-key-of-your-own). A key of an orchestrator's own block is for that one alone: the
table has those that regulated companies ask for. Another orchestrator does not read the block, which may stand there
for a switch."""
OF_ITS_OWN = ("private-access",)
"""Such keys of an orchestrator's block."""


def document() -> Iterator[str]:
    """What works with what."""
    runtimes = {name: _options(path) for name, path in ORCHESTRATORS.items()}
    registries = {name: resolve_name(path).Options for name, path in REGISTRIES.items()}
    columns = [f"`{name}`" for name in runtimes]
    yield "# What works with what"
    yield SUPPORT
    yield "## A service on each orchestrator"
    yield table(
        ["service", *columns],
        (
            [f"`{feature}`", *[_support(each.capabilities[feature]) for each in runtimes.values()]]
            for feature in FEATURES
        ),
    )
    yield "## The daily verbs on each orchestrator"
    yield "What each does with `yard status`, `logs`, `run` and `exec`: more in [every day](every-day.md)."
    yield table(
        ["`yard`", *columns],
        ([f"`{verb}`", *[_support(each.does(verb)) for each in runtimes.values()]] for verb in VERBS),
    )
    yield "## Images from each registry"
    yield PULLING
    pulls = list(pull_table(registries, runtimes))
    yield table(["registry", *columns], ([case, *[_how(each) for each in cells]] for case, cells in pulls))
    yield REFUSED
    yield _refused(pulls)
    yield "## The orchestrators beside each other"
    yield table(["orchestrators", *columns], _places(runtimes))
    yield "## Keys of the stack on each orchestrator"
    yield KEYS
    yield table(["key", *columns], _keys(runtimes))
    yield "## `network: endpoints`"
    yield "A network without any way out reaches only what has a VPC endpoint. These are made for the backends chosen:"
    on_aws = {name: each for name, each in runtimes.items() if each.platform == "aws"}
    yield table(["backend", "endpoints"], _endpoints({**registries, **on_aws}))


def _support(support: Support) -> str:
    how = f"**{support.how}**" if support.how == "refused" else support.how
    return f"{how}: {support.why}" if support.why else how


def pull_table(
    registries: Mapping[str, type[RegistryOptions]], runtimes: Mapping[str, OrchestratorOptions]
) -> Iterator[tuple[str, list[Cell]]]:
    """Each case of each registry, and its cells, one an orchestrator."""
    for name, registry in registries.items():
        for case, block in pull_cases(name, registry).items():
            options = registry.model_validate(block)
            yield case, [cell(options, each) for each in runtimes.values()]


def pull_cases(name: str, registry: type[RegistryOptions]) -> Mapping[str, Schema]:
    """A registry's blocks by which its images are pulled in one way or another: case -> block."""
    example = registry.example("us-east-1")
    blocks = {case: {**example, **changes} for case, changes in registry.pull_cases.items()}
    return {
        f"`{name}` {case}".strip(): {key: value for key, value in block.items() if value is not None}
        for case, block in blocks.items()
    }


def _how(found: Cell) -> str:
    return f"**{found.how}**" if found.how == "refused" else found.how


def _refused(table: Iterable[tuple[str, list[Cell]]]) -> str:
    """Each reason once."""
    reasons = dict.fromkeys(each.why for _, cells in table for each in cells if each.how == "refused")
    return "\n".join(f"- {reason}." for reason in reasons)


REFUSES = "**refused**: the one does not reach the other"


def _places(runtimes: Mapping[str, OrchestratorOptions]) -> Iterator[list[str]]:
    for name, path in EDGES.items():
        takes = resolve_name(path).Options.takes
        yield [
            f"behind `edge: {name}`, with a share in `traffic`",
            *["works" if each.target in takes else REFUSES for each in runtimes.values()],
        ]
    yield ["logs of a service", *[f"`{each.logs('STACK', 'SERVICE')}`" for each in runtimes.values()]]


def _options(path: str) -> OrchestratorOptions:
    """What a block must name is shown as the key in capitals."""
    model: type[OrchestratorOptions] = resolve_name(path).Options
    keys = [each.alias or name for name, each in model.model_fields.items() if each.is_required()]
    return model.model_validate({key: key.upper() for key in keys})


def _endpoints(backends: Mapping[str, type[Options] | Options]) -> Iterator[list[str]]:
    for name, backend in backends.items():
        yield [f"`{name}`", one_of(sorted(backend.vpc_endpoints)) or "**refused**: it has none"]


def _keys(runtimes: Mapping[str, OrchestratorOptions]) -> Iterator[list[str]]:
    """As config/checks.py refuses them."""
    for key in ON_AWS:
        works = ["honoured" if each.platform == "aws" else NOT_ON_AWS for each in runtimes.values()]
        yield [f"`{key.replace('_', '-')}`", *works]
    for key in AT_THE_EDGE:
        yield [f"`{key.replace('_', '-')}`", *[_at_the_edge(key, each) for each in runtimes.values()]]
    for key in OF_ITS_OWN:
        for name in (each for each, options in runtimes.items() if key.replace("-", "_") in type(options).model_fields):
            yield [f"`{name}.{key}`", *["honoured" if each == name else NOT_READ for each in runtimes]]
    yield ["`exceptions`", *["honoured"] * len(runtimes)]


NOT_READ = "not read"
NOT_ON_AWS = "**refused**: nothing of it is on AWS"


def _at_the_edge(key: str, runtime: OrchestratorOptions) -> str:
    def reads(name: str) -> bool:
        options: type[EdgeOptions] = resolve_name(EDGES[name]).Options
        return key in options.reads and runtime.target in options.takes

    default = edge.chosen(None, [runtime.target])
    if default and reads(default):
        return "honoured"
    others = [f"`edge: {name}`" for name in EDGES if reads(name)]
    return f"with {', '.join(others)}" if others else "**refused**: no edge before it reads it"
