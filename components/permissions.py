"""What a service's own process may do on AWS: IAM statements, typed, and nothing that would allow everything."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from components.model import Model, Text, wanted

LONGEST = 10_240
"""Characters of all inline policies of a role together, without white space; AWS raises it for nobody (IAM user guide,
"IAM and AWS STS quotas")."""

Action = Annotated[
    str, Text(r"^(\*|[a-z0-9-]+:[A-Za-z0-9*?]+)$", "an action such as s3:GetObject or s3:Get*", max_length=128)
]
Resource = Annotated[
    str,
    Text(
        # No service by a wildcard: AWS takes none there (IAM user guide, "IAM JSON policy elements: Resource").
        r"^(\*|arn:aws[a-z-]*:[a-z0-9-]+:[^:\s]*:[^:\s]*:\S+)$",
        "an ARN such as arn:aws:s3:::photos/*, or * where an action knows no resources",
    ),
]
Operator = Annotated[
    str,
    Text(
        r"^(ForAnyValue:)?(String(Not)?(Equals(IgnoreCase)?|Like)|Numeric((Not)?Equals|(Less|Greater)Than(Equals)?)"
        r"|Date((Not)?Equals|(Less|Greater)Than(Equals)?)|Bool|BinaryEquals|(Not)?IpAddress|Arn(Not)?(Equals|Like)|Null)"
        r"(IfExists)?$",
        "an operator of IAM's conditions such as StringEquals; not ForAllValues, which also allows requests without the"
        " key",
    ),
]
ConditionKey = Annotated[
    str, Text(r"^[A-Za-z0-9-]+:\S+$", "a condition key such as aws:ResourceTag/team", max_length=256)
]


def _one_or_more(value: Any) -> Any:
    """IAM takes one value for a list of one."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


Values = Annotated[tuple[str, ...], BeforeValidator(_one_or_more), Field(min_length=1)]


class Permission(Model):
    """What the service's process may do on AWS: these actions, on these resources, under these conditions."""

    elsewhere = dict.fromkeys(
        (
            "effect",
            "Effect",
            "Action",
            "Resource",
            "Condition",
            "not-actions",
            "NotAction",
            "NotResource",
            "sid",
            "Sid",
        ),
        "a statement here allows {actions} on {resources}, under {conditions}; there is no other",
    )

    actions: tuple[Action, ...] = Field(
        min_length=1, description="IAM actions, such as `s3:GetObject`; * stands for any text."
    )
    resources: tuple[Resource, ...] = Field(
        min_length=1,
        description="ARNs, in which * stands for any text; `*` alone is for actions that know no resources.",
    )
    conditions: dict[Operator, dict[ConditionKey, Values]] = Field(
        default={},
        description="A map of operators, each with condition keys, each with its values. Every condition must hold:"
        " one of its values must match.",
    )

    @model_validator(mode="after")
    def _not_everything(self) -> "Permission":
        if "*" in self.actions and "*" in self.resources:
            raise ValueError("actions * on resources * allows everything in the account: name the one or the other")
        return self

    @property
    def statement(self) -> dict[str, Any]:
        """The statement as IAM has it."""
        conditions = {
            operator: {key: list(each) for key, each in of.items()} for operator, of in self.conditions.items()
        }
        allowed = {"Effect": "Allow", "Action": list(self.actions), "Resource": list(self.resources)}
        return allowed | ({"Condition": conditions} if conditions else {})


def _within_a_policy(permissions: tuple[Permission, ...]) -> tuple[Permission, ...]:
    if (length := policy_length(permissions)) > LONGEST:
        raise wanted(
            f"statements of at most {LONGEST:,} characters as a policy, a limit that AWS raises for nobody; these have"
            f" {length:,}: write * for what differs in their ARNs"
        )
    return permissions


def policy_length(permissions: Sequence[Permission]) -> int:
    """Characters of the policy that these make."""
    return policy_size(policy_of(each.statement for each in permissions))


def policy_of(statements: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The policy that statements make."""
    return {"Version": "2012-10-17", "Statement": [*statements]}


def policy_size(policy: Mapping[str, Any]) -> int:
    """Characters that IAM counts: all but white space."""
    return len("".join(json.dumps(policy).split()))


Permissions = Annotated[tuple[Permission, ...], AfterValidator(_within_a_policy)]
