"""A third party's registry and orchestrator, as small as they can be."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pulumi
from pydantic import Field

from components.cost import Demand, Item, Line
from components.orchestrator import HONOURED, AwsOrchestrator, Orchestrator, OrchestratorOptions, refused
from components.pull import Anonymous, AwsRole, Pull
from components.registry import Registry, RegistryOptions, Repository
from components.service import FEATURES, Service
from components.workload import Image, Target, Workload


class AcmeOptions(RegistryOptions):
    """`switchyard:acme`."""

    key = "acme"
    project: str = Field(description="The project at Acme that images belong to.", examples=["acme"])

    def pulled_by(self, on_aws: bool) -> type[Pull]:
        return Anonymous

    def costs(self, demand: Demand) -> Iterator[Item]:
        """Acme keeps every image, and charges for that alone."""
        yield Line("registry", "images at Acme", demand.stored(None), "GB-month", "acme.storage", vendor="acme")


class AcmeRegistry(Registry[AcmeOptions]):
    """One Acme repository a service."""

    token = "acme:registry:Registry"

    def build(self, child: pulumi.ResourceOptions) -> Mapping[str, Repository]:
        return {service: self._repository(service, child) for service in self.args.services}

    def _repository(self, service: str, child: pulumi.ResourceOptions) -> Repository:
        project = self.options.project
        pulumi.CustomResource("acme:index:Repository", service, {"name": f"{project}/{service}"}, child)
        url = f"acme.example/{project}/{service}"
        return Repository(
            url=pulumi.Output.from_input(url),
            pull=Anonymous(),
            push=pulumi.Output.from_input(f"docker tag {service} {url}:1\ndocker push {url}:1"),
        )


class AcmeRunOptions(OrchestratorOptions):
    """`switchyard:acme-run`."""

    key = "acme-run"
    pulls_by: ClassVar[tuple[type, ...]] = (Anonymous,)
    capabilities = dict.fromkeys(FEATURES, HONOURED) | {
        "autoscaling": refused("Acme runs as many copies as it is told"),
        "path": refused("each app at Acme has an address of its own"),
        "host": refused("each app at Acme has an address of its own"),
    }

    def costs(self, demand: Demand) -> Iterator[Item]:
        """An app is charged by the hour, whatever its size."""
        hours = demand.all_copies * demand.hours
        yield Line("compute", "apps at Acme", hours, "app-hour", "acme.app", vendor="acme")

    def logs(self, stack: str, service: str) -> str:
        return f"acme logs {stack}/{service}"


class AcmeRun(Orchestrator[AcmeRunOptions]):
    """One Acme app a service, at an address of its own."""

    token = "acme:orchestrator:Run"

    def build(self, child: pulumi.ResourceOptions) -> dict[str, pulumi.Input[str]]:
        space = pulumi.CustomResource("acme:index:Space", self.options.key, {"name": self.args.stack}, child)
        return {"space": space.id}

    def run(self, name: str, service: Service, image: Image, target: Target | None) -> Workload:
        app = pulumi.CustomResource(
            "acme:index:App", name, wanted(name, service, image, self.options.key), pulumi.ResourceOptions(parent=self)
        )
        return Workload(healthy=(app,), url=app.id.apply(lambda _: f"https://{name}.acme.example"))


class AcmeAwsOptions(AcmeRunOptions):
    """`switchyard:acme-aws`."""

    key = "acme-aws"
    platform = "aws"
    pulls_by = (Anonymous, AwsRole)


class AcmeAws(AwsOrchestrator[AcmeAwsOptions]):
    """The same in the stack's network on AWS, off its load balancer: each app has an address of its own there."""

    token = "acme:orchestrator:Aws"

    def build(self, child: pulumi.ResourceOptions) -> dict[str, pulumi.Input[str]]:
        space = {"subnets": self.network.workload_subnets, "logs": self.vault.log_group, "region": self.region}
        return {"space": pulumi.CustomResource("acme:index:Space", self.options.key, space, child).id}

    def run(self, name: str, service: Service, image: Image, target: Target | None) -> Workload:
        props = wanted(name, service, image, self.options.key)
        opts = pulumi.ResourceOptions(parent=self, depends_on=self.network.ready)
        app = pulumi.CustomResource("acme:index:App", name, props, opts)
        return Workload(healthy=(app,), url=app.id.apply(lambda _: f"https://{name}.acme.example"))


def wanted(name: str, service: Service, image: Image, orchestrator: str) -> dict[str, Any]:
    """What Acme is asked for."""
    return {
        "image": image.ref,
        "arguments": list(service.command),
        "platform": service.architecture,
        "vcpu": service.cpu,
        "memory": service.memory,
        "copies": service.replicas.min,
        "port": service.port if service.public else None,
        "check": service.health,
        "user": service.user,
        "scratch": list(service.writable),
        "env": service.environment(name, orchestrator),
        "secrets": {key: pulumi.Output.secret(value.get_secret_value()) for key, value in service.secrets.items()},
    }
