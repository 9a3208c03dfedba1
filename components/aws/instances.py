"""EC2 instances that run replicas, whatever runs on them: how they are hardened, and how a group is launched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi

from components.sdk import aws

METADATA: dict[str, Any] = {"http_endpoint": "enabled", "http_tokens": "required", "http_put_response_hop_limit": 1}
"""Credentials want a token (IMDSv2), which a container's bridge network is one hop too far for."""


def image(ami: str | None, parameter: str, parent: pulumi.Resource) -> pulumi.Input[str]:
    """The image that was asked for, or the newest that one of AWS's public parameters names."""
    if ami:
        return ami
    newest = aws.ssm.get_parameter_output(name=parameter, opts=pulumi.InvokeOutputOptions(parent=parent))
    return newest.insecure_value


def template(
    name: str,
    parent: pulumi.Resource,
    *,
    ami: str | None,
    parameter: str,
    profile: aws.iam.InstanceProfile,
    group: pulumi.Input[str],
    disk: int,
    public_ip: bool,
    user_data: pulumi.Input[str],
) -> aws.ec2.LaunchTemplate:
    """A launch template: encrypted root volume of `disk` GiB, metadata by token. `user_data` is in base64."""
    return aws.ec2.LaunchTemplate(
        name,
        image_id=image(ami, parameter, parent),
        update_default_version=True,
        iam_instance_profile={"arn": profile.arn},
        metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(**METADATA),
        block_device_mappings=[
            {
                "device_name": "/dev/xvda",
                "ebs": {
                    "encrypted": "true",
                    "volume_type": "gp3",
                    "volume_size": disk,
                    "delete_on_termination": "true",
                },
            }
        ],
        network_interfaces=[
            {
                "associate_public_ip_address": str(public_ip).lower(),
                "security_groups": [group],
                "delete_on_termination": "true",
            }
        ],
        user_data=user_data,
        opts=pulumi.ResourceOptions(
            parent=parent,
            # AWS publishes an image every few weeks. It may not replace instances by the way, with the next `up`.
            ignore_changes=None if ami else ["imageId"],
        ),
    )


def launched(
    template: aws.ec2.LaunchTemplate, types: Sequence[str]
) -> aws.autoscaling.GroupMixedInstancesPolicyLaunchTemplateArgsDict:
    """What a group starts: the template's newest version, as the first of `types` that AWS has."""
    return {
        "launch_template_specification": {
            "launch_template_id": template.id,
            "version": template.latest_version.apply(str),
        },
        "overrides": [{"instance_type": each} for each in types],
    }
