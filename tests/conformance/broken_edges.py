"""Edges that each break one promise."""

from collections.abc import Iterable, Iterator, Mapping
from secrets import token_hex
from typing import Any

import pulumi
from pydantic import Field

from components.cost import Demand, Item
from components.edge import Edge, EdgeOptions, Shared
from components.gate import Health
from components.service import Service
from components.workload import Registration, Target, Workload


class GoodFrontOptions(EdgeOptions):
    key = "broken"
    takes = frozenset({"ip"})
    rule = "broken:index:Rule"

    @classmethod
    def groups(cls, rule: Mapping[str, Any]) -> dict[str, int]:
        return dict(rule["weights"])

    @classmethod
    def shared(cls, resources: Iterable[Mapping[str, Any]]) -> Iterator[Shared]:
        for each in resources:
            if each["type"] == cls.rule:
                weights = {
                    name.partition("/")[2]: weight for name, weight in each["inputs"]["weights"].items() if weight
                }
                yield Shared(each["urn"], weights)


class GoodFront(Edge[GoodFrontOptions]):
    """Keeps every promise; each of the others changes one thing."""

    token = "broken:edge:Front"

    def build(self, name: str, child: pulumi.ResourceOptions) -> None:
        self.front = pulumi.CustomResource("broken:index:Front", name, {"level": 1}, child)
        self.url = pulumi.Output.from_input("https://broken.example")

    def target(self, service_name: str, service: Service, orchestrator: str, registration: Registration) -> Target:
        group = pulumi.CustomResource(
            "broken:index:Group", f"{service_name}-{orchestrator}", {"path": service.health}, self.child()
        )
        return Target(self.named(service_name, orchestrator), group, registration)

    def named(self, service: str, orchestrator: str) -> pulumi.Output[str]:
        return pulumi.Output.from_input(f"{service}/{orchestrator}")

    def health(self, group: str) -> list[Health]:
        return []

    def share(
        self,
        service_name: str,
        service: Service,
        weights: Mapping[str, int],
        workloads: Mapping[str, Workload],
        opts: pulumi.ResourceOptions,
    ) -> None:
        shares = {f"{service_name}/{key}": weights[key] for key in workloads}
        pulumi.CustomResource(
            self.options.rule, service_name, {"weights": shares, "host": service.host}, self.waiting(opts)
        )

    def waiting(self, opts: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
        return opts

    def child(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self)


class FrontMisnamed(GoodFront): ...


class FrontCopied(GoodFront):
    token = "switchyard:edge:Edge"


class SecretiveOptions(GoodFrontOptions):
    size: int = 1


class Secretive(GoodFront, Edge[SecretiveOptions]): ...


class DemandingOptions(GoodFrontOptions):
    size: int = Field(description="How many.")


class Demanding(GoodFront, Edge[DemandingOptions]): ...


class GratisOptions(GoodFrontOptions):
    def costs(self, demand: Demand) -> Iterator[Item]:
        yield from ()


class Gratis(GoodFront, Edge[GratisOptions]): ...


class ReclusiveOptions(GoodFrontOptions):
    takes = frozenset()


class Reclusive(GoodFront, Edge[ReclusiveOptions]): ...


class FrontStray(GoodFront):
    def child(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions()


class Nowhere(GoodFront):
    def build(self, name: str, child: pulumi.ResourceOptions) -> None:
        super().build(name, child)
        self.url = pulumi.Output.from_input("")


class Sharing(GoodFront):
    def named(self, service: str, orchestrator: str) -> pulumi.Output[str]:
        return pulumi.Output.from_input(service)


class Even(GoodFront):
    """It gives each the same."""

    def share(self, *args: Any) -> None:
        name, service, weights, *rest = args
        super().share(name, service, dict.fromkeys(weights, 50), *rest)


class Rash(GoodFront):
    """It does not wait."""

    def waiting(self, opts: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, hooks=opts.hooks)


class Ungated(GoodFront):
    def waiting(self, opts: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=opts.depends_on)


class Entangled(GoodFront):
    """Something besides waits for all that is up."""

    def share(self, *args: Any) -> None:
        super().share(*args)
        everything = [healthy for each in args[3].values() for healthy in each.healthy]
        opts = pulumi.ResourceOptions(parent=self, depends_on=everything)
        pulumi.CustomResource("broken:index:Summary", args[0], {}, opts)


class Restless(GoodFront):
    """Other weights change more than what shares."""

    def share(self, *args: Any) -> None:
        super().share(*args)
        pulumi.CustomResource("broken:index:Summary", args[0], {"heaviest": max(args[2].values())}, self.child())


class ObliviousOptions(GoodFrontOptions):
    @classmethod
    def shared(cls, resources: Iterable[Mapping[str, Any]]) -> Iterator[Shared]:
        yield from ()


class Oblivious(GoodFront, Edge[ObliviousOptions]): ...


class FrontLucky(GoodFront):
    def build(self, name: str, child: pulumi.ResourceOptions) -> None:
        super().build(name, child)
        pulumi.CustomResource("broken:index:Mark", name, {"mark": token_hex(4)}, child)
