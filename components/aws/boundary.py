"""A policy that limits every role of a stack, as companies demand of whoever may make roles."""

from __future__ import annotations

import pulumi

from components.transform import Props, Transform

ROLE = "aws:iam/role:Role"


def bounding(policy: str) -> Transform:
    """Puts the policy on every role that has no other, also on one inside a packaged component."""

    def bound(
        type_: str, _: str, props: Props, opts: pulumi.ResourceOptions
    ) -> tuple[Props, pulumi.ResourceOptions] | None:
        if type_ != ROLE or props.get("permissionsBoundary"):
            return None
        return {**props, "permissionsBoundary": policy}, opts

    return bound
