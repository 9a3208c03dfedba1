"""A KMS key of the stack's owner: what is under it, whether it can be, and what that takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from components.lookup import Lookup
from components.model import Contradiction, Text
from components.needs import Existing, Question

KeyArn = Annotated[
    str,
    Text(
        r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[\w-]+$",
        "a KMS key's ARN, not an alias's, such as arn:aws:kms:us-east-1:123456789012:key/1234abcd-...",
    ),
]
USABLE = {"key_state": "Enabled", "key_usage": "ENCRYPT_DECRYPT", "key_spec": "SYMMETRIC_DEFAULT"}
"""What a key must be so that ECR, CloudWatch Logs, Secrets Manager and EKS take it: each takes symmetric ones alone."""
WANT = "a symmetric KMS key for encryption that is enabled, in the stack's region"
OUTPUT = "kms-key"
"""The stack's output that keeps it."""


def lookup(arn: str) -> Lookup:
    """What the program asks for before it makes anything."""
    return Lookup("kms-key", arn, WANT, "kms", "get_key", {"key_id": arn}, USABLE)


def needed(arn: str) -> Existing:
    """What the doctor looks at."""
    question = Question("kms", "describe_key", {"KeyId": arn})
    return Existing("kms-key", WANT, question, "fix kms-key", "KeyMetadata.KeyState == 'Enabled'")


def kept(arn: str | None, recorded: str | None) -> Iterator[Contradiction]:
    """A key that would not be the one that the last `up` recorded. Taken away, secrets and logs would stay under it and
    roles would not be let to it; on EKS and in ECR it would make cluster and repositories anew."""
    if recorded and arn != recorded:
        yield (
            "kms-key",
            arn,
            f"{recorded}, which the stack was given: what it keeps stays under that. For other key material rotate that"
            " key; another key is for another stack",
        )
