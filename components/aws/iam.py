"""IAM documents, written short."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from components.permissions import Permission
from components.pull import AwsRole, Pull
from components.sdk import aws

Statement = dict[str, Any]
Conditions = Mapping[str, Mapping[str, pulumi.Input[str]]]
"""Operator -> condition key -> value."""


def allow(
    actions: Sequence[str], resources: Sequence[pulumi.Input[str]], conditions: Conditions | None = None
) -> Statement:
    """A statement that allows `actions` on `resources` (ARNs)."""
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(resources), **_under(conditions)}


def document(*statements: Statement) -> pulumi.Output[str]:
    """A policy document."""
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(service: str, *actions: str, conditions: Conditions | None = None) -> str:
    """A trust policy for an AWS service such as ecs-tasks.amazonaws.com."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": ["sts:AssumeRole", *actions]}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | _under(conditions)]})


def _under(conditions: Conditions | None) -> Statement:
    return {"Condition": conditions} if conditions else {}


def pulling(pull: Pull) -> list[Statement]:
    """What the role of one service needs in order to pull."""
    if not isinstance(pull, AwsRole):
        return []
    # The token is for the whole registry: AWS defines no resource for it (ECR, "Actions, resources, condition keys").
    return [allow(["ecr:GetAuthorizationToken"], ["*"]), allow(pull.actions, pull.arns)]


def decrypting(key: str | None, service: str) -> list[Statement]:
    """What whoever reads what a KMS key encrypts needs besides, if one does: to have it decrypted, by that service of
    AWS alone (KMS developer guide, "kms:ViaService")."""
    if key is None:
        return []
    by = f"{service}.{key.split(':')[3]}.amazonaws.com"
    return [allow(["kms:Decrypt"], [key], {"StringEquals": {"kms:ViaService": by}})]


def permitted(
    name: str, role: aws.iam.Role, permissions: Sequence[Permission], opts: pulumi.ResourceOptions
) -> list[aws.iam.RolePolicy]:
    """What lets a role do what a service asks for; nothing where it asks for nothing. Its replicas come after it."""
    if not permissions:
        return []
    policy = document(*[each.statement for each in permissions])
    return [aws.iam.RolePolicy(name, role=role.name, policy=policy, opts=opts)]
