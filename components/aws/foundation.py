"""What a stack on AWS stands on: it outlives every orchestrator."""

from __future__ import annotations

from dataclasses import dataclass, field

from components.aws.network import Network
from components.aws.vault import Vault
from components.gate import GateOptions
from components.sdk import aws


@dataclass(frozen=True, kw_only=True)
class Foundation:
    """Given to every orchestrator on AWS."""

    region: str
    profile: str | None
    """The profile whose credentials make what is on AWS; None: the default ones."""
    network: Network
    vault: Vault
    deployer: aws.iam.Role | None = None
    """The role by which CI deploys, if one does."""
    gate: GateOptions = field(default_factory=GateOptions)
    """How long is looked, and how often, until what is new is believed to be there."""
