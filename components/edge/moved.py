"""A name's record, from one edge to another: in place, for Route 53 makes no second one of a name and type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi

from components.edge import Edge, load
from components.hooks import INTERRUPTED, waiting

OUTPUT = "edge"
"""The stack's output that names the edge, where callers keep an instance's address for its record's time to live."""


def taken_over(edge: Edge[Any], other: str) -> pulumi.Alias:
    """What a resource of this edge was called below another edge."""
    return pulumi.Alias(parent=pulumi.create_urn(edge.pulumi_resource_name, load(other).token))


def taking_over(edge: Edge[Any], other: str, after: Sequence[pulumi.Resource], settle: float) -> pulumi.ResourceOptions:
    """Options for the records that another edge has: changed after all these, and done only when nobody can have the
    former address any more, and requests under way had `settle` seconds."""

    def wait(args: pulumi.ResourceHookArgs) -> None:
        if ttl := (args.old_inputs or {}).get("ttl"):
            INTERRUPTED.wait(float(ttl) + settle)

    return pulumi.ResourceOptions(
        parent=edge,
        depends_on=after,
        aliases=[taken_over(edge, other)],
        hooks=pulumi.ResourceHookBinding(after_update=[waiting("time-to-live", wait)]),
    )
