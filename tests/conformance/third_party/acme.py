"""A third party's registry and orchestrator, as small as they can be."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pulumi
from pydantic import Field

from components.cost import Demand, Item, Line
from components.needs import Need, Program
from components.orchestrator import HONOURED, AwsOrchestrator, Orchestrator, OrchestratorOptions, refused, translated
from components.pull import Anonymous, AwsRole, Pull
from components.registry import Registry, RegistryOptions, Repository
from components.service import EITHER_DAY, FEATURES, IN_FILES, Service
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
        IN_FILES: refused("Acme has secrets in the environment alone"),
        "autoscaling": refused("Acme runs as many replicas as it is told"),
        "path": refused("each app at Acme has an address of its own"),
        "host": refused("each app at Acme has an address of its own"),
        "permissions": refused("Acme gives an app no role on AWS"),
        "release": refused("Acme runs apps, and nothing that ends by itself"),
        "jobs": refused("Acme runs apps, and nothing by the clock"),
        EITHER_DAY: refused("Acme runs apps, and nothing by the clock"),
    }

    def costs(self, demand: Demand) -> Iterator[Item]:
        """An app is charged by the hour, whatever its size."""
        hours = demand.all_replicas * demand.hours
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
        app = self.app(name, service, image, {}, pulumi.ResourceOptions(parent=self))
        return Workload(healthy=(app,), url=app.id.apply(lambda _: f"https://{name}.acme.example"))

    def app(
        self, name: str, service: Service, image: Image, besides: dict[str, Any], opts: pulumi.ResourceOptions
    ) -> pulumi.CustomResource:
        """One app in the network; it comes after the way out, and goes before it."""
        props = wanted(name, service, image, self.options.key) | besides
        after = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=self.network.ready))
        return pulumi.CustomResource("acme:index:App", name, props, after)


class AcmeEdgeOptions(AcmeAwsOptions):
    """`switchyard:acme-edge`."""

    key = "acme-edge"
    target = "ip"
    capabilities = AcmeAwsOptions.capabilities | {
        "path": translated("listener rule"),
        "host": translated("listener rule"),
    }

    def needs(self, stack: str, services: Mapping[str, Service], protect: bool) -> Iterator[Need]:
        yield Program("acme", "it logs in to Acme")


class AcmeEdge(AcmeAws):
    """The same behind the stack's load balancer."""

    token = "acme:orchestrator:Edge"
    Options = AcmeEdgeOptions

    def run(self, name: str, service: Service, image: Image, target: Target | None) -> Workload:
        opts = pulumi.ResourceOptions(parent=self)
        if target is None:
            return Workload(healthy=(self.app(name, service, image, {}, opts),))
        group = self.network.group(name, f"Replicas of {name} at Acme", opts)
        ports, why = (service.port, service.port), f"{name}, from the load balancer"
        let_in = self.network.let_in(name, group, target.security_group_id, why, ports, opts)
        joins = {"targetGroup": target.group, "securityGroups": [group.id]}
        after = pulumi.ResourceOptions(parent=self, depends_on=[target.ready, *group.ready, *let_in])
        return Workload(healthy=(self.app(name, service, image, joins, after),))


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
