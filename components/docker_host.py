"""A Docker engine, given by its address."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from components.model import Text, wanted

DEFAULT_HOST = "unix:///var/run/docker.sock"
NOT_AN_ADDRESS = "an address whose host and port can be read, such as tcp://10.0.0.5:2376 or tcp://[::1]:2376"


def _with_a_host(value: str) -> str:
    try:
        _ = urlsplit(value).port
    except ValueError as error:
        raise wanted(NOT_AN_ADDRESS) from error
    return value


EngineAddress = Annotated[
    str,
    Text(r"^(unix|tcp|ssh|npipe)://.+$", "the address of a Docker engine, such as unix:///var/run/docker.sock"),
    AfterValidator(_with_a_host),
]
Port = Annotated[int, Field(ge=1, le=65535)]


def address(host: str) -> str:
    """The name under which an engine's published ports answer."""
    name = urlsplit(host).hostname or "localhost"
    return "localhost" if name in ("127.0.0.1", "::1") else name
