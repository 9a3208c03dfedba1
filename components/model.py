"""The base of everything a user can write: strict, frozen, and an unknown key is an error."""

from pydantic import BaseModel, ConfigDict


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
