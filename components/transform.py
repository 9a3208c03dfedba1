"""The escape hatch: functions of the user's that see every resource before it is registered."""

from collections.abc import Callable, Iterable
from typing import Any

import pulumi

Props = dict[str, Any]
Transform = Callable[[str, str, Props, pulumi.ResourceOptions], tuple[Props, pulumi.ResourceOptions] | None]


def register(transforms: Iterable[Transform]) -> None:
    """Have the engine call `transforms`, in their order. Without any, no call is made and nothing is slower."""
    for transform in transforms:
        pulumi.runtime.register_resource_transform(_adapt(transform))


def _adapt(transform: Transform) -> pulumi.ResourceTransform:
    def call(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        changed = transform(args.type_, args.name, dict(args.props), args.opts)
        return pulumi.ResourceTransformResult(*changed) if changed else None

    return call
