"""What roles may do."""

import json
from collections.abc import Iterator
from typing import Any

from policy.control import Control, Resource, is_list
from policy.storage import statements

INLINE = ("aws:iam/rolePolicy:RolePolicy",)
ANY = (*INLINE, "aws:iam/policy:Policy")
DECRYPTS = frozenset({"kms:decrypt", "kms:reencryptfrom", "kms:re*", "kms:*", "*"})


def _allowed(policy: Resource) -> Iterator[tuple[set[str], set[str]]]:
    """What each statement allows: the actions, and on what."""
    for each in statements(policy.document("policy")):
        if each.get("Effect") == "Allow":
            yield {one.lower() for one in _list(each.get("Action"))}, {*_list(each.get("Resource"))}


def _list(value: Any) -> list[str]:
    return list(value) if is_list(value) else [] if value is None else [value]


def _decrypts_all(policy: Resource) -> bool:
    """By a statement on all keys, or on all of an account."""
    return any(
        actions & DECRYPTS and any(one == "*" or one.endswith((":key/*", ":kms:*")) for one in on)
        for actions, on in _allowed(policy)
    )


def _one(action: str, on: str = "*") -> dict[str, str]:
    return {"policy": json.dumps({"Statement": [{"Effect": "Allow", "Action": action, "Resource": on}]})}


ROWS = (
    Control(
        "IAM.1",
        ANY,
        "Nobody may do everything",
        lambda it, _: not any("*" in actions and "*" in on for actions, on in _allowed(it)),
        _one("*"),
    ),
    Control(
        "IAM.21",
        ANY,
        "Nobody may do everything that a service of AWS offers",
        lambda it, _: not any(one.endswith(":*") or one == "*" for actions, _ in _allowed(it) for one in actions),
        _one("s3:*", "arn:aws:s3:::mine"),
    ),
    Control(
        "KMS.2", INLINE, "Nobody may decrypt with every key", lambda it, _: not _decrypts_all(it), _one("kms:Decrypt")
    ),
)
