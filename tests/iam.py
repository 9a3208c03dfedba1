"""What AWS would decide by the policies that we write: as much of IAM's evaluation as they use, and an error for more.

IAM user guide, "Policy evaluation logic" and "IAM JSON policy elements: Condition operators". There is no well-kept
library for Python that evaluates policies with their conditions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Context = Mapping[str, str]
"""Condition key -> its value; a key that the request does not have is not there."""
ELEMENTS = {"Effect", "Principal", "Action", "NotAction", "Resource", "NotResource", "Condition"}


def matches(pattern: str, text: str, ignore_case: bool = False) -> bool:
    """* is any text, ? any character."""
    expression = "".join({"*": ".*", "?": "."}.get(each, re.escape(each)) for each in pattern)
    return re.fullmatch(expression, text, re.DOTALL | (re.IGNORECASE if ignore_case else 0)) is not None


OPERATORS: Mapping[str, Callable[[str, str], bool]] = {"StringEquals": str.__eq__, "StringLike": matches}


def decide(policies: Iterable[str], action: str, resource: str = "", context: Context | None = None) -> str:
    """`allow`, `deny` (by a statement) or `nothing` (no statement is about it)."""
    found = {
        statement["Effect"]
        for policy in policies
        for statement in json.loads(policy)["Statement"]
        if applies(statement, action, resource, context or {})
    }
    return "deny" if "Deny" in found else "allow" if "Allow" in found else "nothing"


def applies(statement: Mapping[str, Any], action: str, resource: str, context: Context) -> bool:
    """Whether a statement is about a request."""
    if unknown := statement.keys() - ELEMENTS:
        raise NotImplementedError(f"{unknown} of {statement}")
    return (
        _named(statement, "Action", action, ignore_case=True)
        and ("Principal" in statement or _named(statement, "Resource", resource))
        and all(_holds(operator, keys, context) for operator, keys in statement.get("Condition", {}).items())
    )


def _named(statement: Mapping[str, Any], element: str, text: str, ignore_case: bool = False) -> bool:
    wanted = f"Not{element}" not in statement
    patterns = _listed(statement[element if wanted else f"Not{element}"])
    return any(matches(each, text, ignore_case) for each in patterns) is wanted


def _holds(operator: str, keys: Mapping[str, Any], context: Context) -> bool:
    test = OPERATORS[operator]  # `ForAllValues:` and `IfExists` are errors: they hold where a key is missing
    known = {key.lower(): value for key, value in context.items()}
    return all(
        key.lower() in known and any(test(each, known[key.lower()]) for each in _listed(wanted))
        for key, wanted in keys.items()
    )


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
