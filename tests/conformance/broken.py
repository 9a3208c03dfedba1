"""Backends that each break one promise."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from secrets import token_hex
from typing import Any, ClassVar

import pulumi
from pydantic import Field

from components.cost import Demand, Item, Line, Note, Unpriced
from components.model import Contradiction
from components.orchestrator import HONOURED, Orchestrator, OrchestratorOptions, Support, refused
from components.pull import Anonymous, AwsRole, Login, Pull
from components.registry import Registry, RegistryOptions, Repository
from components.service import ASKED_BY, FEATURES, Replicas, Service
from components.workload import Image, Workload


class GoodOptions(RegistryOptions):
    key = "broken"

    def pulled_by(self, on_aws: bool) -> type[Pull]:
        return Anonymous


class Good(Registry[GoodOptions]):
    """Keeps every promise; each of the others changes one thing."""

    token = "broken:registry:Registry"

    def build(self, child: pulumi.ResourceOptions) -> Mapping[str, Repository]:
        return {service: self.repository(service, child) for service in self.args.services}

    def repository(self, service: str, child: pulumi.ResourceOptions) -> Repository:
        pulumi.CustomResource("broken:index:Repository", service, {}, child)
        return self.at(f"broken.example/{service}")

    def at(self, url: str) -> Repository:
        return Repository(pulumi.Output.from_input(url), Anonymous(), pulumi.Output.from_input(f"docker push {url}"))


class Stray(Good):
    def repository(self, service: str, child: pulumi.ResourceOptions) -> Repository:
        return super().repository(service, pulumi.ResourceOptions())


class Tagged(Good):
    def at(self, url: str) -> Repository:
        return super().at(f"{url}:latest")


class Elsewhere(Good):
    def at(self, url: str) -> Repository:
        return super().at("broken.example/shared")


class SurprisingOptions(GoodOptions):
    def pulled_by(self, on_aws: bool) -> type[Pull]:
        return Login


class Surprising(Good):
    Options = SurprisingOptions


class Unpushable(Good):
    def at(self, url: str) -> Repository:
        found = super().at(url)
        return Repository(found.url, found.pull, pulumi.Output.from_input("ask the operator"))


class Forgetful(Good):
    def build(self, child: pulumi.ResourceOptions) -> Mapping[str, Repository]:
        return {"api": self.repository("api", child)}


class GenerousOptions(GoodOptions):
    def pulled_by(self, on_aws: bool) -> type[Pull]:
        return AwsRole


class Generous(Good):
    Options = GenerousOptions
    actions: ClassVar[tuple[str, ...]] = ("ecr:BatchGetImage", "ecr:PutImage")

    def at(self, url: str) -> Repository:
        found = super().at(url)
        return Repository(found.url, AwsRole(self.actions, ("arn:aws:ecr:::repository/api",)), found.push)


class Boundless(Generous):
    actions = ("ecr:*",)


class Copied(Good):
    token = "switchyard:registry:Ecr"


class TwoParts(Good):
    token = "broken:Registry"


class Terse(GoodOptions):
    """Its field has no description."""

    project: str = "shop"


class Unexplained(Good):
    Options = Terse


class CostlessOptions(GoodOptions):
    def costs(self, demand: Demand) -> Iterator[Item]:
        yield Note("it is cheap")


class Costless(Good):
    Options = CostlessOptions


class RoundingOptions(GoodOptions):
    def costs(self, demand: Demand) -> Iterator[Item]:
        yield Line("registry", "images", 0.1, "GB-month", "ecr.storage")  # type: ignore[arg-type]


class Rounding(Good):
    Options = RoundingOptions


class Demanding(GoodOptions):
    """It cannot do without its field."""

    project: str = Field(description="The project that images belong to.")


class Helpless(Good):
    Options = Demanding


class Loose(Good):
    """Its login is no secret."""

    Options = SurprisingOptions

    def at(self, url: str) -> Repository:
        found = super().at(url)
        return Repository(found.url, Login("broken.example", "robot", pulumi.Output.from_input("plain")), found.push)


class Untold(Good):
    def register_outputs(self, outputs: Any) -> None:
        super().register_outputs({})


class Lucky(Good):
    def repository(self, service: str, child: pulumi.ResourceOptions) -> Repository:
        pulumi.CustomResource("broken:index:Draw", service, {"nonce": token_hex(8)}, child)
        return super().repository(service, child)


class MisspeltOptions(GoodOptions):
    vpc_endpoints = frozenset({"ECR API"})


class Misspelt(Good):
    Options = MisspeltOptions


class GoodRunOptions(OrchestratorOptions):
    key = "broken"
    pulls_by: ClassVar[tuple[type, ...]] = (Anonymous,)
    capabilities: ClassVar[Mapping[str, Support]] = dict.fromkeys(FEATURES, HONOURED)

    def logs(self, stack: str, service: str) -> str:
        return f"broken logs {stack} {service}"


class GoodRun(Orchestrator[GoodRunOptions]):
    """Keeps every promise; each of the others changes one thing."""

    token = "broken:orchestrator:Run"

    def build(self, child: pulumi.ResourceOptions) -> dict[str, pulumi.Input[str]]:
        return {"stack": self.args.stack}

    def run(self, name: str, service: Service, image: Image, target: Any) -> Workload:
        app = self.app(name, service, {"image": image.ref, "env": service.environment(name, self.options.key)})
        return Workload(healthy=(app,), url=app.id.apply(str))

    def app(self, name: str, service: Service, props: dict[str, Any]) -> pulumi.CustomResource:
        rest = service.model_dump(mode="json", exclude={"digest", "image", "env", "secrets"})
        values = {key: self.hide(value.get_secret_value()) for key, value in service.secrets.items()}
        child = pulumi.ResourceOptions(parent=self)
        return pulumi.CustomResource("broken:index:App", name, {**rest, **props, "secrets": values}, child)

    def hide(self, value: str) -> pulumi.Output[str]:
        return pulumi.Output.secret(value)


class SilentOptions(GoodRunOptions):
    capabilities = {"port": HONOURED}


class Silent(GoodRun):
    Options = SilentOptions


class CurtOptions(GoodRunOptions):
    capabilities = {**GoodRunOptions.capabilities, "host": refused("no")}


class Curt(GoodRun):
    Options = CurtOptions


class LenientOptions(GoodRunOptions):
    capabilities = {**GoodRunOptions.capabilities, "host": refused("an app has an address of its own")}

    @classmethod
    def refusals(cls, service: Service) -> dict[str, str]:
        return {}


class Lenient(GoodRun):
    Options = LenientOptions


class HarshOptions(GoodRunOptions):
    @classmethod
    def refusals(cls, service: Service) -> dict[str, str]:
        return {"env": "variables are for others"} if service.env else {}


class Harsh(GoodRun):
    Options = HarshOptions


class EarlyOptions(GoodRunOptions):
    capabilities = LenientOptions.capabilities

    @classmethod
    def refusals(cls, service: Service) -> dict[str, str]:
        pulumi.CustomResource("broken:index:Draft", "api", {})
        return super().refusals(service)


class Early(GoodRun):
    Options = EarlyOptions


class Ignorant(GoodRun):
    """Runs each service as if it had said nothing of one feature."""

    ignored: ClassVar[str] = "memory"

    def run(self, name: str, service: Service, image: Image, target: Any) -> Workload:
        if self.ignored == "digest":
            return super().run(name, service, Image(image.url, f"sha256:{'0' * 64}", image.pull), target)
        if self.ignored == "image":
            return super().run(name, service, Image(pulumi.Output.from_input("own"), image.digest, image.pull), target)
        return super().run(name, service.model_copy(update=self.instead(service.replicas)), image, target)

    def instead(self, replicas: Replicas) -> dict[str, Any]:
        if self.ignored == "autoscaling":
            return {"replicas": Replicas(min=replicas.min, max=replicas.min)}
        if self.ignored == "replicas":
            return {"replicas": replicas.model_copy(update={"min": 1} if replicas.scales else {"min": 1, "max": 1})}
        field = ASKED_BY.get(self.ignored, self.ignored).replace("-", "_")
        return {field: Service.model_fields[field].default}


class ByTag(GoodRun):
    def run(self, name: str, service: Service, image: Image, target: Any) -> Workload:
        app = self.app(name, service, {"image": pulumi.Output.concat(image.url, ":latest"), "env": {"SWITCHYARD": "1"}})
        return Workload(healthy=(app,), url=app.id.apply(str))


class Open(GoodRun):
    def hide(self, value: str) -> pulumi.Output[str]:
        return pulumi.Output.from_input(value)


class Hasty(GoodRun):
    def run(self, name: str, service: Service, image: Image, target: Any) -> Workload:
        return Workload(healthy=(), url=super().run(name, service, image, target).url)


class Possessive(GoodRun):
    def build(self, child: pulumi.ResourceOptions) -> dict[str, pulumi.Input[str]]:
        pulumi.CustomResource("aws:lb/targetGroup:TargetGroup", "own", {}, child)
        return super().build(child)


class Random(GoodRun):
    def app(self, name: str, service: Service, props: dict[str, Any]) -> pulumi.CustomResource:
        return super().app(name, service, {**props, "nonce": token_hex(8)})


class Mute(GoodRun):
    def build(self, child: pulumi.ResourceOptions) -> dict[str, pulumi.Input[str]]:
        return {}


class MisnamedOptions(GoodRunOptions):
    key = "another"


class Misnamed(GoodRun):
    Options = MisnamedOptions


class FreeOptions(GoodRunOptions):
    def costs(self, demand: Demand) -> Iterator[Item]:
        yield Unpriced("logs", "logs", "nobody knows how many")


class Free(GoodRun):
    Options = FreeOptions


class ThirstyOptions(GoodRunOptions):
    def pulls(self, service: str, demand: Demand) -> Decimal:
        return demand.replicas(service) + 1


class Thirsty(GoodRun):
    Options = ThirstyOptions


class RunCopied(GoodRun):
    token = "switchyard:orchestrator:Eks"


class TerseRunOptions(GoodRunOptions):
    size: str = "small"


class RunUnexplained(GoodRun):
    Options = TerseRunOptions


class DemandingRunOptions(GoodRunOptions):
    size: str = Field(description="How large an app is.")


class RunHelpless(GoodRun):
    Options = DemandingRunOptions


class AloofOptions(GoodRunOptions):
    pulls_by = ()


class Aloof(GoodRun):
    Options = AloofOptions


class FussyOptions(GoodRunOptions):
    def check(self, services: Mapping[str, Service], protect: bool) -> Iterator[Contradiction]:
        yield "size", None, "something else"


class Fussy(GoodRun):
    Options = FussyOptions


class RunStray(GoodRun):
    def app(self, name: str, service: Service, props: dict[str, Any]) -> pulumi.CustomResource:
        pulumi.CustomResource("broken:index:Draft", name, {})
        return super().app(name, service, props)


class Anonymised(GoodRun):
    """A replica does not learn who it is."""

    def app(self, name: str, service: Service, props: dict[str, Any]) -> pulumi.CustomResource:
        return super().app(name, service, {**props, "env": dict(service.env)})


class BoastfulOptions(GoodRunOptions):
    pulls_by = (Anonymous, Login)


class Boastful(GoodRun):
    """It claims logins, and uses none."""

    Options = BoastfulOptions


class Neglectful(GoodRun):
    """It runs what is public alone."""

    def run(self, name: str, service: Service, image: Image, target: Any) -> Workload:
        return super().run(name, service, image, target) if service.public else Workload(healthy=())


class VagueOptions(GoodRunOptions):
    def logs(self, stack: str, service: str) -> str:
        return "look around"


class Vague(GoodRun):
    Options = VagueOptions


class AddressedOptions(GoodRunOptions):
    target = "ip"


class Astray(GoodRun):
    """Behind the load balancer, though not on AWS."""

    Options = AddressedOptions
