"""The base of everything a user can write: strict, frozen, and an unknown key is an error."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

WANTED = "wanted"
"""The type of pydantic's finding whose message is what a field wants, in its own words."""


def _text_to_number(value: Any) -> Any:
    """`pulumi config set --path` stores 0.5 as text (but 5 as a number)."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def wanted(words: str) -> PydanticCustomError:
    """What a validator raises of a value that is not what these words say. (`ValueError` is for fields that contradict
    each other.)"""
    return PydanticCustomError(WANTED, "{words}", {"words": words})


def _in_words(schema: CoreSchema, words: str, **context: Any) -> CoreSchema:
    return core_schema.custom_error_schema(
        schema,
        custom_error_type=WANTED,
        custom_error_message="{words}",
        custom_error_context={"words": words, **context},
    )


@dataclass(frozen=True)
class Wanted:
    """The words for what a field takes, last in its `Annotated`, whatever is wrong with a value: another type, beyond a
    limit, another unit."""

    words: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _in_words(handler(source), self.words)


@dataclass(frozen=True)
class Text:
    """What a text must look like, for `Annotated[str, Text(...)]`. Who writes another text is told the words ("want
    <words>"), and the documents say them of the field."""

    pattern: str
    """A regular expression in Rust's syntax, as pydantic has it; of the whole text, from ^ to $."""
    words: str
    max_length: int | None = None
    """In characters."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        matching = _in_words(core_schema.str_schema(pattern=self.pattern), self.words, pattern=self.pattern)
        return core_schema.chain_schema([core_schema.str_schema(max_length=self.max_length), matching])

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "pattern": self.pattern, "words": self.words}


MAX_ARGUMENT = 131_071
"""Bytes of one argument, or of one variable with its name, that Linux passes to a process (execve(2), MAX_ARG_STRLEN
without the zero at its end)."""


def _passable(value: str) -> str:
    if "\x00" in value:
        raise wanted("text without a NUL character, at which it would end for the process")
    if len(value.encode()) > MAX_ARGUMENT:
        raise wanted(f"at most {MAX_ARGUMENT} bytes: Linux passes no more to a process at once; keep it in a file")
    return value


PlainText = Annotated[str, AfterValidator(_passable)]
"""What a process gets as an argument, or as the value of a variable."""
TEXT_TO_NUMBER = BeforeValidator(_text_to_number)
Number = Annotated[float, TEXT_TO_NUMBER]


def _address_range(value: str) -> str:
    ip_network(value)  # raises ValueError with the reason
    return value


Cidr = Annotated[str, AfterValidator(_address_range)]
"""A range of addresses, such as 203.0.113.0/24."""


DOCUMENTATION = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
"""Ranges that stand for nobody, in examples (RFC 5737)."""
RESERVED = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
    *("192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4", *DOCUMENTATION),
)
"""Where no caller on the internet comes from (IANA, "IPv4 Special-Purpose Address Registry"; multicast)."""


def is_public(block: str) -> bool:
    """Whether callers on the internet may come from all of a range of IPv4 addresses."""
    network = ip_network(block)
    return isinstance(network, IPv4Network) and not any(network.overlaps(IPv4Network(each)) for each in RESERVED)


def is_example(block: str) -> bool:
    """Whether a range is for documentation, so that another has to be put in its place."""
    network = ip_network(block)
    return isinstance(network, IPv4Network) and any(network.subnet_of(IPv4Network(each)) for each in DOCUMENTATION)


Contradiction = tuple[str, object, str]
"""What types alone cannot say: the path of a value, the value, what is wanted."""


class Model(BaseModel):
    """Settings with kebab-case keys (`log_days` is written `log-days`)."""

    elsewhere: ClassVar[Mapping[str, str]] = {}
    """A key that people try, and there is none -> where what they want is said."""
    also: ClassVar[Mapping[str, str]] = {}
    """What other tools call a key -> the key."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=lambda name: name.replace("_", "-"),
    )
