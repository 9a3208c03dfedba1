"""From settings to the edge."""

from collections.abc import Iterable
from typing import Any

from components import edge, orchestrator
from components.aws.foundation import Foundation
from components.edge import Edge, EdgeArgs
from components.orchestrator import Orchestrator
from config.settings import Settings


def of(stack: Settings, foundation: Foundation | None, runtimes: Iterable[Orchestrator[Any]]) -> Edge[Any] | None:
    """Make the edge that the stack chose; None where each service has an address of its own."""
    if stack.edge is None:
        return None
    config = stack.config
    return edge.load(stack.edge.key)(
        "edge",
        EdgeArgs(
            stack=stack.stack,
            options=stack.edge,
            foundation=foundation,
            came_from=stack.former_edge,
            place=next((each.place for each in runtimes if each.place), None),
            routes={name: service for name, service in stack.services.items() if service.public},
            orchestrators=orchestrator.names(),
            hosts=tuple(sorted({service.host for service in stack.services.values() if service.host})),
            protect=config.protect,
            gate=config.gate,
            guard=config.guard,
            domain=config.domain,
            existing=config.load_balancer,
            security_group=config.security_groups.load_balancer if config.security_groups else None,
            strict=config.strict,
            access_logs=config.access_logs,
            waf=config.waf,
            tls_policy=config.tls_policy,
        ),
    )
