"""What `pulumi up` tells at its end: the URL, where to push, what to do next."""

from collections.abc import Mapping

import pulumi

from components.registry import Registry
from config.estimates import as_output
from config.problems import set_command
from config.settings import Settings


def export(
    stack: Settings, url: pulumi.Output[str] | Mapping[str, pulumi.Output[str] | None], images: Registry
) -> None:
    """Export the stack's outputs. `url` is the edge's, or off the edge each service's own."""
    pulumi.export("url", url)
    pulumi.export("registry", stack.keys.registry)
    pulumi.export("orchestrator", stack.keys.orchestrator)
    pulumi.export("repositories", {name: each.url for name, each in images.repositories.items()})
    pulumi.export("push", {name: each.push for name, each in images.repositories.items()})
    pulumi.export(
        "logs",
        {
            name: [cls.logs(stack.stack, name, stack.options[key]) for key, cls in stack.orchestrators.items()]
            for name, service in stack.services.items()
            if service.digest
        },
    )
    pulumi.export("cost", as_output(stack))
    limits = [note for name, each in stack.registries.items() for note in each.notes(stack.options[name], stack.on_aws)]
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
    if stack.pulled_from == stack.keys.registry:
        return []
    return [
        f"images still come from {stack.pulled_from}: run the commands under `push`, set each service's digest to what"
        " `docker push` prints, then `pulumi config rm pull-from` and `pulumi up`"
    ]


def _plain(stack: Settings) -> list[str]:
    if not stack.on_aws or stack.keys.domain or stack.keys.load_balancer:
        return []
    return ["the URL is plain HTTP: set `domain` to {name, zone} for HTTPS"]
