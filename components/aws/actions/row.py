"""One row: what Pulumi's provider asks of AWS for the resources of one type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Actions:
    """What is asked of AWS for the resources of one type."""

    source: str
    create: frozenset[str]
    read: frozenset[str]
    """Also after each create and update."""
    update: frozenset[str]
    delete: frozenset[str]
    passed_to: frozenset[str]
    """Services of AWS that are handed a role with it (iam:PassRole, to make it and to change it)."""
    linked: frozenset[str]
    """Services of AWS that want a role of their own in the account, made with the first resource of the type."""

    @property
    def all(self) -> frozenset[str]:
        """Every one of them."""
        return self.create | self.read | self.update | self.delete

    def of(self, op: Literal["create", "read", "update", "delete"]) -> frozenset[str]:
        """What one operation of the engine asks for."""
        wanted: frozenset[str] = getattr(self, op)
        return wanted if op in ("read", "delete") else wanted | self.read


def row(
    source: str,
    *,
    create: str = "",
    read: str,
    update: str = "",
    delete: str = "",
    passed_to: str = "",
    linked: str = "",
) -> Actions:
    """A row whose actions are of the service that `source` is about, unless they name another."""
    service = PREFIXES.get(directory := source.partition("/")[0], directory)

    def named(actions: str) -> frozenset[str]:
        return frozenset(each if ":" in each else f"{service}:{each}" for each in actions.split())

    return Actions(
        source,
        named(create),
        named(read),
        named(update),
        named(delete),
        frozenset(f"{each}.amazonaws.com" for each in passed_to.split()),
        frozenset(f"{each}.amazonaws.com" for each in linked.split()),
    )


PREFIXES = {
    "elbv2": "elasticloadbalancing",
    "appautoscaling": "application-autoscaling",
    "ecrpublic": "ecr-public",
}
"""The provider's directory of a service -> how IAM calls the service, where that is another word."""
EC2_TAGS = "CreateTags DeleteTags"
"""What changes the tags of anything in EC2."""
TAGS = "TagResource UntagResource"
"""And in most other services."""
