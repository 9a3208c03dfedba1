"""What is in docs/scale.md: how many services a stack has room for, from the table of quotas."""

from collections.abc import Iterator, Mapping, Sequence
from pkgutil import resolve_name
from typing import Any

from components import edge, quotas
from components.edge import Traffic
from components.needs import Quota
from components.orchestrator import ORCHESTRATORS, OrchestratorOptions
from components.quotas import Limit
from components.service import Service
from tools.markdown import table

COUNTS = (10, 50, 100, 500)
ROOM: Mapping[str, Mapping[str, Any]] = {
    "ecs-ec2": {"instance-types": ("m7i.16xlarge",), "max": 100},
    "swarm-ec2": {"instance-type": "m7i.4xlarge", "workers": 2},
}
"""Blocks of nodes that are large enough."""
SERVICE = Service(cpu=0.25, memory=512)
INTRODUCTION = """\
# Scale

This page says how many services a stack has room for. Each quota that grows with the services is in one table,
`components/quotas.py`. This page, the checks of a configuration, and `yard doctor` read it:

- If nobody can raise a quota, a stack that needs more is **refused before anything is made**, with the figures. So is a
  move from one orchestrator to another.
- If AWS raises a quota when asked, `yard doctor` looks it up, and prints the command that asks.

The figures below are for so many public services, each with one replica of 0.25 vCPU and 512 MiB."""
CONSEQUENCES = """\
## What follows

- **Up to 50 public services** a stack can do everything, and move between all orchestrators behind the load balancer.
- **From 51 to 100** a stack can come up, change and go, but not move: both orchestrators would have a target group for
  each service on one load balancer, which takes 100. `yard doctor` warns, and a move is refused.
- **From 101 on** it is refused. Two stacks, each with a load balancer of its own, have room for twice as many.
- Services with `public: false` take no room on the load balancer.
- `swarm-ec2` with workers has room for 50 public services. A swarm has addresses for about 125 services of one replica.
- From 33 services on, a move needs more rules on the load balancer than an account starts with: ask AWS for them first.
- Each service's port on `swarm-ec2` follows from its name. Among 100 services two may have the same port. That is
  refused, and the message names the key that gives one of them another.
- Where a machine has fewer than 8 cores, `yard` has Pulumi do 32 operations at once, since most of them wait for AWS;
  Pulumi by itself does four for each core. If AWS throttles, its provider tries again. `PULUMI_PARALLEL` in your
  environment, or `--parallel` of `yard pulumi`, sets another number; `pulumi up` without `yard` keeps Pulumi's own.
  Services on a swarm come four at once in any case.

A stack has one load balancer and no more: [why](decisions/0045-one-load-balancer.md)."""


def blocks() -> Iterator[str]:
    """The document."""
    yield INTRODUCTION
    yield "## On the load balancer"
    yield table(["quota", *_heads(), "nobody has more", "written"], _of_edge())
    yield "A move has two orchestrators side by side."
    yield "## Of each orchestrator"
    yield table(["orchestrator", "quota", *_heads(), "nobody has more", "written"], _of_orchestrators())
    yield CONSEQUENCES


def _heads() -> list[str]:
    return ["an account starts with", *(f"{count} services" for count in COUNTS)]


def _of_edge() -> Iterator[list[str]]:
    options = edge.load(edge.DEFAULT).Options.model_validate({})
    for up, name in ((1, "alone"), (2, "in a move")):
        stacks = [options.quotas(_traffic(count, up)) for count in COUNTS]
        for limit, needed in _rows(stacks):
            yield [f"{limit.what}, {name}", *_figures(limit, needed)]


def _traffic(count: int, up: int) -> Traffic:
    return Traffic(public=count, orchestrators=up, targets=count * up, names=0)


def _of_orchestrators() -> Iterator[list[str]]:
    for name, path in ORCHESTRATORS.items():
        cls: type[OrchestratorOptions] = resolve_name(path).Options
        required = {each.alias or key: key for key, each in cls.model_fields.items() if each.is_required()}
        options = cls.model_validate({**required, **ROOM.get(name, {})})
        stacks = [_quotas(options, count) for count in COUNTS]
        for limit, needed in _rows(stacks):
            yield [f"`{name}`", limit.what, *_figures(limit, needed)]


def _quotas(options: OrchestratorOptions, count: int) -> Iterator[Quota]:
    services = {f"s{index}": SERVICE for index in range(count)}
    return (each for each in options.needs("stack", services, False) if isinstance(each, Quota))


def _rows(stacks: Sequence[Iterator[Quota]]) -> Iterator[tuple[Limit, list[float]]]:
    """Each limit that grows, with what is needed of it for each count."""
    found: dict[Limit, list[float]] = {}
    for each in stacks:
        for quota in each:
            found.setdefault(quota.limit, []).append(quota.needed)
    yield from ((limit, found[limit]) for limit in quotas.LIMITS if limit in found and len({*found[limit]}) > 1)


def _figures(limit: Limit, needed: Sequence[float]) -> list[str]:
    """In bold what an account has no room for when it starts; struck out what nobody has."""
    return [
        f"{limit.allowed:g}",
        *(f"~~{each:g}~~" if each > limit.ceiling else _bold(f"{each:g}", each > limit.allowed) for each in needed),
        "" if limit.ceiling == float("inf") else f"than {limit.ceiling:g}",
        limit.source,
    ]


def _bold(text: str, is_bold: bool) -> str:
    return f"**{text}**" if is_bold else text
