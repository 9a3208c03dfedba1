"""What `pulumi up` tells at its end: the URL, where to push, what to do next."""

from collections.abc import Mapping
from typing import Any

import pulumi

from components import own_key
from components.aws.delivery import Delivery
from components.edge import moved
from components.registry import Registry
from components.shell import Shell, command
from config import delivery, release_commands
from config.estimates import as_output
from config.releases import DIGESTS, RELEASES
from config.settings import Settings


def export(
    stack: Settings,
    url: pulumi.Output[str] | Mapping[str, pulumi.Output[str] | None],
    images: Registry[Any],
    digests: Mapping[str, pulumi.Output[str]],
    github: Delivery | None,
) -> None:
    """Export the stack's outputs. `url` is the edge's, or off the edge each service's own; `digests` what is healthy:
    where a service is not, the record stays as it was."""
    pulumi.export("url", url)
    pulumi.export("registry", stack.config.registry)
    pulumi.export("orchestrator", stack.config.orchestrator)
    pulumi.export("repositories", {name: each.url for name, each in images.repositories.items()})
    pulumi.export("push", {name: each.push for name, each in images.repositories.items()})
    pulumi.export(
        "logs",
        {
            name: [each.logs(stack.stack, name) for each in stack.orchestrators.values()]
            for name, service in stack.services.items()
            if service.runs
        },
    )
    # An image of someone else's is in no repository that a later `up` could take it from: the configuration has it.
    ours = {name: digest for name, digest in digests.items() if name in stack.stored}
    pulumi.export(DIGESTS, ours)
    pulumi.export(RELEASES, pulumi.Output.all(**ours).apply(lambda all_: stack.history.after(dict(all_))))
    if released := release_commands.record(stack):
        record = {name: pulumi.Output.all(run, digests[name]).apply(_first) for name, run in released.items()}
        pulumi.export(release_commands.RELEASED, record)
    if stack.config.kms_key:
        pulumi.export(own_key.OUTPUT, stack.config.kms_key)
    if stack.edge and stack.edge.keeps:
        pulumi.export(moved.OUTPUT, stack.edge.key)
    delivery.export(stack, github)
    pulumi.export("cost", as_output(stack))
    limits = [note for each in stack.registries.values() for note in each.notes(stack.on_aws)]
    limits += [note for each in stack.orchestrators.values() for note in each.notes(stack.services)]
    if notes := [*_waiting(stack), *_moving(stack), *_plain(stack), *delivery.notes(stack), *limits]:
        pulumi.export("next", notes)


def _first(known: list[Any]) -> Any:
    return known[0]


def _waiting(stack: Settings) -> list[str]:
    return [_deploy(name) for name, service in stack.services.items() if service.runs is None]


def _deploy(service: str) -> str:
    name = pulumi.get_stack()
    build = command("yard", "deploy", service, "--stack", name)
    pushed = command("yard", "deploy", Shell(f"{service}=sha256:..."), "--stack", name)
    return (
        f"{service} waits for its first image: `{build}` builds and deploys it, where it has `build`; or run the"
        f" commands under `push`, and `{pushed}` with the digest that `docker push` prints"
    )


def _moving(stack: Settings) -> list[str]:
    if stack.pulled_from == stack.config.registry:
        return []
    return [
        f"images still come from {stack.pulled_from}: run the commands under `push`, then `pulumi config rm pull-from`,"
        " and give `yard deploy` each service with the digest that `docker push` prints: api=sha256:..."
    ]


def _plain(stack: Settings) -> list[str]:
    if stack.edge is None or not stack.is_plain or stack.config.plain_http:
        return []
    wanted = stack.edge.for_https
    return [f"the URL is plain HTTP: set `domain` to {wanted} for HTTPS, or `plain-http` to true if it is meant"]
