"""Orchestrators behind the load balancer that each break one promise."""

import pulumi

from components.orchestrator import AwsOrchestrator
from components.service import Service
from components.workload import Image, Target, Workload
from tests.conformance.broken import GoodRunOptions


class GoodEdgeOptions(GoodRunOptions):
    platform = "aws"
    target = "ip"


class GoodEdge(AwsOrchestrator[GoodEdgeOptions]):
    """Keeps every promise, behind the load balancer; each of the others changes one thing."""

    token = "broken:orchestrator:Edge"

    def build(self, child: pulumi.ResourceOptions) -> dict[str, pulumi.Input[str]]:
        return {"stack": self.args.stack}

    def run(self, name: str, service: Service, image: Image, target: Target | None) -> Workload:
        joins = {"group": target.group} if target else {}
        rest = service.model_dump(mode="json", exclude={"digest", "env", "secrets"})
        secrets = {key: pulumi.Output.secret(value.get_secret_value()) for key, value in service.secrets.items()}
        env = service.environment(name, self.options.key)
        app = pulumi.CustomResource(
            "broken:index:App",
            name,
            {**rest, **joins, "image": image.ref, "env": env, "secrets": secrets},
            pulumi.ResourceOptions(parent=self, depends_on=self.before(target)),
        )
        return Workload(healthy=(app,), url=self.url(app))

    def before(self, target: Target | None) -> list[pulumi.Resource]:
        return [*([target.ready] if target else []), *self.network.ready]

    def url(self, app: pulumi.CustomResource) -> pulumi.Output[str] | None:
        return None


class Impatient(GoodEdge):
    def before(self, target: Target | None) -> list[pulumi.Resource]:
        return [target.ready] if target else []


class Groupless(GoodEdge):
    def before(self, target: Target | None) -> list[pulumi.Resource]:
        return list(self.network.ready)


class Outspoken(GoodEdge):
    """It has a URL of its own beside the load balancer's."""

    def url(self, app: pulumi.CustomResource) -> pulumi.Output[str] | None:
        return app.id.apply(str)
