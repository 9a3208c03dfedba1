"""The base of everything a user can write: strict, frozen, and an unknown key is an error."""

from ipaddress import ip_network
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict


def _text_to_number(value: Any) -> Any:
    """`pulumi config set --path` stores 0.5 as text (but 5 as a number)."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


Number = Annotated[float, BeforeValidator(_text_to_number)]


def _address_range(value: str) -> str:
    ip_network(value)  # raises ValueError with the reason
    return value


Cidr = Annotated[str, AfterValidator(_address_range)]
"""A range of addresses, such as 203.0.113.0/24."""


class Model(BaseModel):
    """Settings with kebab-case keys (`log_days` is written `log-days`)."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=lambda name: name.replace("_", "-"),
    )


class NoOptions(Model):
    """A backend without settings of its own."""
