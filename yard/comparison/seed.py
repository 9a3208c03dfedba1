"""The first user's own decision table: each figure as they wrote it, beside what the price files say now.

The table itself is seed.yaml. Its units are theirs: 1 GB is 1000 MB.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from components import orchestrator, prices, registry
from components.cost import Column
from components.estimate import Estimate, cents
from components.orchestrator import ORCHESTRATORS
from components.prices import GLOBAL, Tier, plain
from components.registry import REGISTRIES
from components.usage import Usage
from config.estimates import Pair, of_pair
from config.presets import PRESETS
from config.settings import Config, Settings

SEED = yaml.safe_load(Path(__file__).with_name("seed.yaml").read_text(encoding="utf-8"))
MONTH: dict[str, Any] = SEED["month"]


@dataclass(frozen=True)
class Figure:
    """A number, and the prices that it was read in or computed from."""

    value: Decimal
    tiers: tuple[Tier, ...] = ()
    whole: bool = True
    """False: something in it has no price, so that it is more."""

    def __str__(self) -> str:
        return f"{'' if all(each.confirmed for each in self.tiers) else '~'}{self.value:,f}{'' if self.whole else '+?'}"


Given = Mapping[str, Figure | str]


def document() -> dict[str, Any]:
    """The table for machines. Verdicts: changed: it was right then, and is not now. corrected: it was never right.
    added: they did not write of it."""
    rows = [
        {"about": part["about"], **_row(given, **each)}
        for part in SEED["parts"]
        for given in map(_month, part.get("regions", [""]))
        for each in part["rows"]
    ]
    return {"assumed": SEED["assumed"], "rows": rows}


def _row(
    given: Given,
    what: str,
    now: str,
    why: str | list[str],
    wrote: str | None = None,
    differs: str | list[str] = "changed",
) -> dict[str, Any]:
    """A row; its verdict follows from the figures."""
    was, holds = _fill(wrote, given) if wrote else None, _fill(now, given)
    above = holds[1][0].value > MONTH["most"]
    why, differs = (each if isinstance(each, str) else each[above] for each in (why, differs))
    same = was and {each.value for each in was[1]} == {each.value for each in holds[1]}
    return {
        "what": _fill(what, given)[0],
        "wrote": _json(*was) if was else None,
        "now": _json(*holds),
        "verdict": "added" if not was else "unchanged" if same else differs,
        "why": _fill(why, given)[0],
        "prices": [
            {"usd": f"{each.usd:f}", "status": each.status, "as_of": each.as_of, "source": each.source}
            for each in dict.fromkeys(tier for figure in holds[1] for tier in figure.tiers)
        ],
    }


def _fill(template: str, given: Given) -> tuple[str, list[Figure]]:
    """A text with what belongs into its braces, given by name or described there; and the figures that this is."""
    figures: list[Figure] = []

    def put(place: re.Match[str]) -> str:
        found = given.get(place[1]) or figure(*place[1].split())
        figures.extend([found] if isinstance(found, Figure) else [])
        return str(found)

    return re.sub(r"{(.+?)}", put, template), figures


def _json(text: str, figures: list[Figure]) -> dict[str, Any]:
    return {"text": text, "figures": [plain(each.value) for each in figures]}


def figure(name: str, *words: str) -> Figure:
    """A number, what FIGURES makes of the words, or a price: an allowance's quantity, else USD in the first tier."""
    if not words:
        return Figure(Decimal(name))
    if name in FIGURES:
        return FIGURES[name](*words)
    key, region = (*words, GLOBAL)[:2]
    price = prices.load(name, region).prices[key]
    if price.quantity is not None:
        return Figure(price.quantity, price.tiers)
    return Figure(_money(price.tiers[0].usd), price.tiers[:1])


def _money(usd: Decimal) -> Decimal:
    """With no digit behind the point, or with two at least."""
    usd = Decimal(plain(usd))
    return usd.quantize(Decimal("0.01")) if usd.as_tuple().exponent == -1 else usd


def images(size: str, *gigabytes: str) -> Figure:
    """How many images of `size` MB so many GB hold, or let through."""
    of = figure(*gigabytes)
    return Figure(of.value * 1000 // int(size), of.tiers)


def _fargate(what: str, architecture: str, instance: str, region: str) -> Figure:
    """2 vCPU and 8 GB on Fargate and as an instance: by how many per cent the first are `dearer`, or how many of the
    instance must be `used` for it to be the cheaper one."""
    keys = (f"fargate.{architecture}.vcpu", f"fargate.{architecture}.memory", f"ec2.{instance}")
    vcpu, memory, rented = (figure("aws", key, region) for key in keys)
    ratio = (2 * vcpu.value + 8 * memory.value) / rented.value
    if what == "used":
        return Figure((100 / ratio).quantize(Decimal(1)))
    return Figure((100 * ratio - 100).quantize(Decimal(1)), (*vcpu.tiers, *memory.tiers, *rented.tiers))


FIGURES: Mapping[str, Callable[..., Figure]] = {"images": images, "fargate": _fargate}


def _month(region: str) -> Given:
    """What their month comes to in a region, by the names that its rows have for it; in no region nothing."""
    if not region:
        return {}
    found: dict[str, Figure | str] = {"region": region, "most": str(MONTH["most"])}
    for size in reversed(MONTH["image-sizes"]):
        pairs = {_name(each): each for each in _estimates(region, usage(size))}
        known = [each for each in pairs.values() if not each.runs_unpriced and each.amount().whole]
        least = min(known, key=lambda each: each.amount().usd)
        total, balancer = _sum(least), _sum(least, "load balancer")
        found |= {f"least-{size}": total, f"pair-{size}": _name(least)}
        found[f"times-{size}"] = f"{total.value / MONTH['most']:.1f}"
    chosen = "{registry} with {orchestrator}".format_map(MONTH["stack"])
    return found | {
        "balancer": balancer,
        "rest": Figure(total.value - balancer.value, total.tiers),
        "chosen": _sum(pairs[chosen]),
        "chosen-pair": chosen,
        "plane": _sum(pairs[chosen], "control plane"),
    }


def usage(size: int) -> Usage:
    """Their month, with images of `size` MB."""
    return Usage.model_validate({**MONTH["usage"], "image-size": size})


def _estimates(region: str, month: Usage) -> Iterator[Estimate]:
    """Every pair of our own backends, each as its example."""
    keys = MONTH["stack"]
    blocks = {name: registry.load(name).Options for name in REGISTRIES}
    images = {name: each.model_validate_json(json.dumps(each.example(region))) for name, each in blocks.items()}
    models = {name: orchestrator.load(name).Options for name in ORCHESTRATORS}
    runtimes = {name: each.model_validate_json(json.dumps(each.example(region))) for name, each in models.items()}
    stack = Settings(
        stack="seed",
        region=region,
        profile=None,
        config=Config.model_validate({**keys, **asdict(PRESETS[keys["preset"]])}, by_name=True),
        given=frozenset(keys),
        registries=images,
        orchestrators=runtimes,
    )
    for pair in product(images.values(), runtimes.values()):
        yield of_pair(stack, Pair(pair[0], pair[1:]), month, region)


def _sum(found: Estimate, column: Column | None = None) -> Figure:
    """USD a month, in one column or in all."""
    tiers = tuple(tier for each in found.counted(column) for tier in each.evidence)
    amount = found.amount(column)
    return Figure(_money(cents(amount.usd)), tiers, amount.whole)


def _name(found: Estimate) -> str:
    return f"{found.registry} with {' and '.join(found.orchestrators)}"
