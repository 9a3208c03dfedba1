"""What `pulumi up` tells at its end: the URL, where to push, what to do next."""

from collections.abc import Mapping
from typing import Any

import pulumi

from components.registry import Registry
from config.estimates import as_output
from config.problems import set_command
from config.settings import Settings


def export(
    stack: Settings, url: pulumi.Output[str] | Mapping[str, pulumi.Output[str] | None], images: Registry[Any]
) -> None:
    """Export the stack's outputs. `url` is the edge's, or off the edge each service's own."""
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
            if service.digest
        },
    )
    pulumi.export("cost", as_output(stack))
    limits = [note for each in stack.registries.values() for note in each.notes(stack.on_aws)]
    if notes := [*_waiting(stack), *_moving(stack), *_plain(stack), *limits]:
        pulumi.export("next", notes)


def _waiting(stack: Settings) -> list[str]:
    return [
        f"{name} waits for its first image: run the commands under `push`, then"
        f" `{set_command(f'services.{name}.digest', value='sha256:...')}` with the digest that `docker push` prints,"
        " then `pulumi up`"
        for name, service in stack.services.items()
        if service.digest is None
    ]


def _moving(stack: Settings) -> list[str]:
    if stack.pulled_from == stack.config.registry:
        return []
    return [
        f"images still come from {stack.pulled_from}: run the commands under `push`, set each service's digest to what"
        " `docker push` prints, then `pulumi config rm pull-from` and `pulumi up`"
    ]


def _plain(stack: Settings) -> list[str]:
    if not stack.behind_edge or stack.config.domain or stack.config.load_balancer:
        return []
    return ["the URL is plain HTTP: set `domain` to {name, zone} for HTTPS"]
