"""What a month looks like, for an estimate of its cost: nothing here changes what is made."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field, model_validator

from components.model import Model, Number

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "small": {"image-size": 200, "deploys": 20, "requests": 1_000_000, "response-size": 10, "logs": 1},
    "medium": {"image-size": 300, "deploys": 60, "requests": 50_000_000, "response-size": 15, "logs": 20},
    "large": {"image-size": 500, "deploys": 200, "requests": 1_000_000_000, "response-size": 20, "logs": 300},
}
"""Named months. They are round numbers to start from, not measurements."""


class Usage(Model):
    """The key `usage`, and the files of `yard compare --usage`."""

    preset: Literal["small", "medium", "large"] = Field(
        default="small", description="Gives the fields that are not set."
    )
    image_size: int = Field(ge=0, le=100_000, description="Size of a service's image as it is pulled, in MB.")
    deploys: int = Field(ge=0, le=100_000, description="Deployments of each service a month.")
    layer_reuse: Number = Field(
        default=0, ge=0, le=1, description="Share of an image that is there already, from 0 (nothing) to 1 (all)."
    )
    requests: int = Field(ge=0, le=10**13, description="Requests a month, to all services together.")
    response_size: Number = Field(ge=0, le=10**7, description="Size of a response, in KB.")
    requests_per_connection: int = Field(
        default=1, ge=1, le=10**6, description="Requests that a caller sends through one connection."
    )
    logs: Number = Field(ge=0, le=10**7, description="What all replicas write a month, in GB.")
    audit_logs: Number | None = Field(
        default=None,
        ge=0,
        le=10**6,
        description="What an EKS cluster's own audit log adds a month, in GB. Unset: not known, shown as `?`.",
    )
    flow_logs: Number | None = Field(
        default=None,
        ge=0,
        le=10**6,
        description="What the network's flow logs add a month, in GB. Unset: not known, shown as `?`.",
    )
    hours: Number = Field(default=730, ge=0, le=744, description="Hours a month in which the stack is up.")
    load: Number = Field(
        default=0,
        ge=0,
        le=1,
        description="Where between `min` and `max` the number of replicas is on average: from 0 (`min`) to 1 (`max`).",
    )
    free_allowances: bool = Field(
        default=True,
        description="true: this stack gets all that vendors give each account free of charge every month (AWS: 100"
        " GB out and 5 GB of logs).",
    )
    extended_support: bool = Field(
        default=False, description="true: the EKS version is out of standard support, and you keep it on purpose."
    )
    github_plan: Literal["free", "pro", "team", "enterprise"] = Field(
        default="free", description="GitHub plan, for what packages would cost if GitHub charged for containers."
    )
    cluster: Literal["unknown", "gke-autopilot"] = Field(
        default="unknown",
        description="What kind of cluster orchestrator kubernetes runs on. Only its price depends on it.",
    )

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {**PRESETS.get(str(value.get("preset")), PRESETS["small"]), **value}

    @property
    def image(self) -> Decimal:
        """GB of one image. Registries count 1000 MB as one."""
        return exact(self.image_size) / 1000

    @property
    def served(self) -> Decimal:
        """GB of responses a month."""
        return exact(self.requests) * exact(self.response_size) / 10**6


def exact(number: float) -> Decimal:
    """As it is written, not as binary has it."""
    return Decimal(str(number))
