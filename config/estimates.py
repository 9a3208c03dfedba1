"""What a stack costs a month: as it is, and with every other registry and orchestrator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pulumi

from components import edge, orchestrator, prices, registry
from components.cost import COLUMNS, Demand, Unpriced
from components.edge import EdgeOptions
from components.estimate import Amount, Estimate, estimate
from components.network_options import Kind
from components.options import Options
from components.orchestrator import OrchestratorOptions
from components.pulling import cell
from components.registry import RegistryOptions
from components.service import Service
from components.usage import Usage
from config.reader import Reader
from config.settings import Settings

M = TypeVar("M", bound=Options)


@dataclass(frozen=True)
class Pair:
    """A registry, and the orchestrators that run the services: one, or in a move several."""

    images: RegistryOptions
    runtimes: tuple[OrchestratorOptions, ...]
    beside: tuple[RegistryOptions, ...] = ()
    """Registries that are up while images move, and that nobody pulls from yet."""

    @property
    def names(self) -> tuple[str, tuple[str, ...]]:
        """The registry's, and the orchestrators'."""
        return self.images.key, tuple(each.key for each in self.runtimes)

    @property
    def on_aws(self) -> bool:
        """Whether something runs on AWS."""
        return any(runtime.platform == "aws" for runtime in self.runtimes)

    def refusals(self, services: Mapping[str, Service]) -> Iterator[str]:
        """Why there is no such pair; nothing where there is."""
        for runtime in self.runtimes:
            if (pulled := cell(self.images, runtime)).how == "refused":
                yield pulled.why
            for name, each in services.items():
                for feature, why in runtime.refusals(each).items():
                    yield f"{feature} of {name}: {why}"


@dataclass(frozen=True)
class Unset:
    """A pair with backends that the stack has no block for, and that give no example of one."""

    registry: str
    orchestrator: str
    no_registry: bool
    no_orchestrator: bool

    @property
    def names(self) -> tuple[str, tuple[str, ...]]:
        """The registry's, and the orchestrator's."""
        return self.registry, (self.orchestrator,)

    def unpriced(self) -> Iterator[Unpriced]:
        """Why nothing can be said of it."""
        for name, unset in ((self.registry, self.no_registry), (self.orchestrator, self.no_orchestrator)):
            if unset:
                yield Unpriced("compute", name, "the stack has no block for it, and it gives no example")


def of_stack(stack: Settings, usage: Usage | None = None) -> Estimate:
    """What the stack's registry and orchestrators cost, with the services that have an image; during a move, all of
    its orchestrators. Raises `prices.NoPrices` where the region's prices are not known."""
    name = stack.pulled_from
    beside = tuple(each for key, each in stack.registries.items() if key != name)
    pair = Pair(stack.registries[name], tuple(each for _, each in sorted(stack.orchestrators.items())), beside)
    running = {name: each for name, each in stack.services.items() if each.runs}
    return _estimate(stack, pair, running, usage or stack.config.usage, stack.region)


def every_pair(stack: Settings, usage: Usage, region: str) -> Iterator[Estimate]:
    """What each registry would cost with each orchestrator, all services running. Raises `prices.NoPrices`."""
    for pair in pairs(stack, region):
        yield of_pair(stack, pair, usage, region)


def pairs(stack: Settings, region: str) -> Iterator[Pair | Unset]:
    """Each registry with each orchestrator. A backend that the stack has no block for is taken as its example."""
    reader = Reader(pulumi.Config())

    def options(name: str, model: type[M]) -> M | None:
        return reader.block(name, model, model.example(region))

    runtimes = _runtimes(stack, reader, region)
    for name in registry.names():
        images = stack.registries.get(name) or options(name, registry.load(name).Options)
        for key, runtime in runtimes.items():
            yield Pair(images, (runtime,)) if images and runtime else Unset(name, key, not images, not runtime)


def with_smaller_nodes(stack: Settings) -> Settings:
    """The stack with the smallest nodes on which its services have room, where an orchestrator has nodes to choose."""
    known = _runtimes(stack, Reader(pulumi.Config()), stack.region)
    found = {key: next(_roomy(stack, each), each) for key, each in known.items() if each}
    return replace(stack, orchestrators={**stack.orchestrators, **found})


def _runtimes(stack: Settings, reader: Reader, region: str) -> dict[str, OrchestratorOptions | None]:
    """Each orchestrator as the stack has it, or its block says, or as its example is; None: nobody says."""
    known = {key: orchestrator.load(key).Options for key in orchestrator.names()}
    return {
        key: stack.orchestrators.get(key) or reader.block(key, model, model.example(region))
        for key, model in known.items()
    }


def _roomy(stack: Settings, runtime: OrchestratorOptions) -> Iterator[OrchestratorOptions]:
    """Those with smaller nodes that the services, and an edge that would stand on one, have room on."""
    protect = stack.protects(runtime)
    for each in runtime.smaller(stack.services):
        if not any(each.check(stack.services, protect)) and _may_stand(stack, each):
            yield each


def _may_stand(stack: Settings, runtime: OrchestratorOptions) -> bool:
    """Whether the stack's edge, if it stands on an orchestrator's instance, can stand there."""
    keeps = stack.edge.keeps if stack.edge else 0
    return not keeps or not any(runtime.bears(stack.services, stack.protects(runtime), keeps))


def of_pair(stack: Settings, pair: Pair | Unset, usage: Usage, region: str) -> Estimate:
    """What a pair costs, all of the stack's services running. Raises `prices.NoPrices`."""
    if isinstance(pair, Unset):
        return Estimate(pair.registry, (pair.orchestrator,), unpriced=tuple(pair.unpriced()))
    if why := tuple(pair.refusals(stack.services)):
        return Estimate(*pair.names, refused=why)
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
        "usage": stack.config.usage.model_dump(mode="json", by_alias=True),
    }


def _text(amount: Amount) -> str:
    return "?" if amount.known is None else str(amount.known)


def _estimate(stack: Settings, pair: Pair, services: Mapping[str, Service], usage: Usage, region: str) -> Estimate:
    if pair.on_aws:
        prices.require("aws", region)
    config, network = stack.config, _network(stack, pair)
    demand = Demand(
        services=services,
        usage=usage,
        on_aws=pair.on_aws,
        network=network,
        public_ip=network == "public",
        zones=len(config.vpc.public_subnets) if config.vpc else config.zones,
        log_days=config.log_days,
        protect=any(map(stack.protects, pair.runtimes)),
        access_logs=config.access_logs,
        waf=config.waf is not None,
        own_key=config.kms_key is not None,
        domain=config.domain is not None,
        own_network=config.vpc is None,
        own_load_balancer=config.load_balancer is None,
        flow_logs=config.vpc is None and config.flow_logs != "none",
        endpoints=pair.images.vpc_endpoints.union(*[each.vpc_endpoints for each in pair.runtimes]),
        pull=pair.images.pulled_by(pair.on_aws),
    )
    return estimate(demand, pair.images, pair.runtimes, region, pair.beside, _edge(stack, pair))


def _edge(stack: Settings, pair: Pair) -> EdgeOptions | None:
    """The stack's edge, where it can stand before the pair; else what a stack has that names none."""
    registered = [each.target for each in pair.runtimes]
    if stack.edge and stack.edge.takes.intersection(registered) and _stands(stack, pair):
        return stack.edge
    key = edge.chosen(None, registered)
    return edge.load(key).Options.model_validate({}) if key else None


def _stands(stack: Settings, pair: Pair) -> bool:
    """Whether the stack's edge, if it stands on an instance, can stand on the pair's, where callers come to it."""
    reached = not (stack.edge and stack.edge.keeps) or _network(stack, pair) == "public"
    return reached and all(_may_stand(stack, each) for each in pair.runtimes)


def _network(stack: Settings, pair: Pair) -> Kind:
    """The stack's network; or the cheapest that does, where the pair cannot work in that."""
    config = stack.config
    if config.vpc:
        return "nat-single" if config.vpc.private_subnets else "public"
    if config.network == "endpoints" and not pair.images.vpc_endpoints:
        return "nat-single"
    if config.network == "public" and any(each.needs_way_out for each in pair.runtimes):
        return "nat-single"
    return config.network
