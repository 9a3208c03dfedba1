"""From settings to who GitHub is: what a stack's workflows may do on AWS, and who they are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pulumi

from components import edge, orchestrator
from components.aws import parts
from components.aws.access import AwsAccess, together
from components.aws.delivery import Delivery, DeliveryArgs
from components.github import LONGEST_SESSION
from components.model import Contradiction
from components.orchestrator import OrchestratorOptions
from config.settings import Settings

OUTPUT = "delivery"
"""The stack's output that tells workflows who they are."""


ONLY_ON_AWS = {"permissions_boundary", "provider", "orchestrators", "state_bucket", "state_key"}
"""Fields of `github`."""


def delivery(stack: Settings) -> Delivery | None:
    """Make what workflows are on AWS; None where the stack says nothing of GitHub, or makes nothing there."""
    github, taken = stack.config.github, taking(stack)
    if github is None or not taken:
        return None
    images = together(each.pushing(stack.stack, stack.stored) for each in stack.registries.values())
    args = DeliveryArgs(
        github=github,
        stack=stack.stack,
        region=stack.region,
        parts=taken,
        pushes=images,
        session=session(stack),
    )
    return Delivery(OUTPUT, args)


def export(stack: Settings, made: Delivery | None) -> None:
    """Tell workflows who they are; nothing where the stack says nothing of GitHub."""
    if stack.config.github:
        roles: Mapping[str, Any] = made.outputs if made else {}
        own = stack.registries[stack.config.registry].identity()
        pulumi.export(OUTPUT, {**roles, **own, "session": session(stack)})


def notes(stack: Settings) -> Iterator[str]:
    """What `up` says at its end: what of it is left out."""
    github = stack.config.github
    if github is None:
        return
    if not taking(stack):
        yield "workflows on GitHub get no role: nothing of this stack is made on AWS"
    for name, each in stack.registries.items():
        if commands := each.introduce(github, stack.stack):
            yield f"workflows on GitHub cannot push to {name} yet. Run, as an administrator there:\n{commands}"


def unread(stack: Settings) -> Iterator[Contradiction]:
    """Fields of `github` that are only for AWS, where nothing of the stack is made."""
    github = stack.config.github
    if github and not taking(stack):
        for field in sorted(github.model_fields_set & ONLY_ON_AWS):
            where = f"github.{field.replace('_', '-')}"
            yield where, getattr(github, field), "nothing where no part of the stack is made on AWS"


def deployed(stack: Settings) -> list[type[OrchestratorOptions]]:
    """The orchestrators that workflows may switch between."""
    wanted = stack.config.github.orchestrators if stack.config.github else ()
    known = {*wanted} & {*orchestrator.names()}  # of others the checks tell
    return [orchestrator.load(key).Options for key in sorted({*stack.orchestrators, *known})]


def session(stack: Settings) -> int:
    """Seconds that a deployment may take."""
    return min(LONGEST_SESSION, max(each.longest_up for each in deployed(stack)))


def taking(stack: Settings) -> dict[str, AwsAccess]:
    """What each part of the stack takes on AWS; parts that take nothing are left out."""
    found = {"foundation": together(_foundation(stack))} if _on_aws(stack) else {}
    found |= {name: each.takes(stack.stack, stack.on_aws) for name, each in stack.registries.items()}
    found |= {each.key: each.aws_access for each in deployed(stack)}
    return {name: each for name, each in found.items() if each.actions}


def _on_aws(stack: Settings) -> bool:
    return any(each.platform == "aws" for each in deployed(stack))


def _foundation(stack: Settings) -> Iterator[AwsAccess]:
    network = None if stack.config.vpc else stack.config.network
    yield from parts.foundation(network, stack.config.flow_logs != "none")
    if stack.config.security_groups:
        yield parts.THEIR_GROUPS
    if stack.config.kms_key:
        yield parts.own_key(stack.config.kms_key, together(each.aws_access for each in deployed(stack)).types)
    yield _edge(stack)


def _edge(stack: Settings) -> AwsAccess:
    """That of the edge that is up, or that one of the orchestrators to switch to will stand behind."""
    config, options = stack.config, stack.edge
    if options is None:
        key = edge.chosen(config.edge, [each.target for each in deployed(stack)])
        if key is None:
            return AwsAccess()
        options = edge.load(key).Options.model_construct()
    return options.taken(
        own=config.load_balancer is None,
        domain=config.domain is not None,
        access_logs=config.access_logs,
        waf=config.waf is not None,
    )
