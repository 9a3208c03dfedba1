"""What a stack costs a month: as it is, and with every other registry and orchestrator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components import orchestrator, prices, registry
from components.cost import COLUMNS, Demand, Unpriced
from components.estimate import Amount, Estimate, estimate
from components.model import Model, NoOptions
from components.network_options import Kind
from components.orchestrator import Orchestrator
from components.pulling import cell
from components.registry import Registry
from components.service import Service
from components.usage import Usage
from config.reader import Reader
from config.settings import Settings


@dataclass(frozen=True)
class Pair:
    """A registry, and the orchestrators that run the services: one, or in a move several; each with its options."""

    registry: str
    images: type[Registry]
    options: Model
    runtimes: Mapping[str, tuple[type[Orchestrator], Model]]
    unset: tuple[str, ...] = ()
    """Backends that the stack has no block for, and that give no example of one."""
    beside: tuple[tuple[type[Registry], Model], ...] = ()
    """Registries that are up while images move, and that nobody pulls from yet."""

    @property
    def on_aws(self) -> bool:
        """Whether there is a load balancer on AWS."""
        return any(runtime.target for runtime, _ in self.runtimes.values())

    def refusals(self, services: Mapping[str, Service]) -> Iterator[str]:
        """Why there is no such pair; nothing where there is."""
        for runtime, _ in self.runtimes.values():
            if (pulled := cell(self.images, self.options, runtime)).how == "refused":
                yield pulled.why
            for name, each in services.items():
                for feature, why in runtime.refusals(each).items():
                    yield f"{feature} of {name}: {why}"


def of_stack(stack: Settings, usage: Usage | None = None) -> Estimate:
    """What the stack's registry and orchestrators cost, with the services that have an image; during a move, all of
    its orchestrators. Raises `prices.NoPrices` where the region's prices are not known."""
    runtimes = {key: (cls, stack.options[key]) for key, cls in stack.orchestrators.items()}
    name = stack.pulled_from
    beside = tuple((cls, stack.options[key]) for key, cls in stack.registries.items() if key != name)
    pair = Pair(name, stack.registries[name], stack.options[name], runtimes, beside=beside)
    running = {name: each for name, each in stack.services.items() if each.digest}
    return _estimate(stack, pair, running, usage or stack.keys.usage, stack.region or "")


def every_pair(stack: Settings, usage: Usage, region: str) -> Iterator[Estimate]:
    """What each registry would cost with each orchestrator, all services running. Raises `prices.NoPrices`."""
    for pair in pairs(stack, region):
        yield of_pair(stack, pair, usage, region)


def pairs(stack: Settings, region: str) -> Iterator[Pair]:
    """Each registry with each orchestrator. A backend that the stack has no block for is taken as its example."""
    reader = Reader(pulumi.Config())

    def options(name: str, cls: type[Registry] | type[Orchestrator]) -> Model | None:
        return stack.options.get(name) or reader.block(name, cls.Options, cls.example(region))

    runtimes = {key: (cls := orchestrator.load(key), options(key, cls)) for key in orchestrator.names()}
    for name in registry.names():
        images = registry.load(name)
        block = options(name, images)
        for key, (runtime, own) in runtimes.items():
            unset = tuple(each for each, said in ((name, block), (key, own)) if said is None)
            yield Pair(name, images, block or NoOptions(), {key: (runtime, own or NoOptions())}, unset)


def of_pair(stack: Settings, pair: Pair, usage: Usage, region: str) -> Estimate:
    """What a pair costs, all of the stack's services running. Raises `prices.NoPrices`."""
    if pair.unset:
        unknown = (
            Unpriced("compute", name, "the stack has no block for it, and it gives no example") for name in pair.unset
        )
        return Estimate(pair.registry, tuple(pair.runtimes), unpriced=tuple(unknown))
    if why := tuple(pair.refusals(stack.services)):
        return Estimate(pair.registry, tuple(pair.runtimes), refused=why)
    return _estimate(stack, pair, stack.services, usage, region)


def as_output(stack: Settings) -> dict[str, Any]:
    """The stack's output `cost`. Text only, so that a preview shows a change where there is one."""
    try:
        found = of_stack(stack)
    except prices.NoPrices as error:
        return {"unknown": [str(error)]}
    return {
        "usd": _text(found.amount()),
        "columns": {column: _text(found.amount(column)) for column in COLUMNS},
        "unknown": found.unknown,
        "usage": stack.keys.usage.model_dump(mode="json", by_alias=True),
    }


def _text(amount: Amount) -> str:
    return "?" if amount.known is None else str(amount.known)


def _estimate(stack: Settings, pair: Pair, services: Mapping[str, Service], usage: Usage, region: str) -> Estimate:
    if pair.on_aws:
        prices.require("aws", region)
    keys, network = stack.keys, _network(stack, pair)
    runtimes = [runtime for runtime, _ in pair.runtimes.values()]
    demand = Demand(
        services=services,
        usage=usage,
        on_aws=pair.on_aws,
        network=network,
        public_ip=network == "public",
        zones=len(keys.vpc.public_subnets) if keys.vpc else keys.zones or 0,
        log_days=keys.log_days or 0,
        protect=bool(keys.protect),
        access_logs=bool(keys.access_logs),
        domain=keys.domain is not None,
        own_network=keys.vpc is None,
        own_load_balancer=keys.load_balancer is None,
        endpoints=pair.images.vpc_endpoints.union(*[each.vpc_endpoints for each in runtimes]),
        pull=pair.images.pulled_by(pair.options, pair.on_aws),
    )
    return estimate(demand, (pair.registry, pair.images, pair.options), pair.runtimes, region, pair.beside)


def _network(stack: Settings, pair: Pair) -> Kind:
    """The stack's network; or the cheapest that does, where the pair cannot work in that."""
    keys = stack.keys
    if keys.vpc:
        return "nat-single" if keys.vpc.private_subnets else "public"
    assert keys.network is not None
    if keys.network == "endpoints" and not pair.images.vpc_endpoints:
        return "nat-single"
    if keys.network == "public" and any(runtime.stranded(options) for runtime, options in pair.runtimes.values()):
        return "nat-single"
    return keys.network
