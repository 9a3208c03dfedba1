"""What a caller of a service hears."""

from typing import Any

from yard import answers


def call(url: str) -> Any:
    """The document or the text; of an error, its status alone."""
    found = answers.ask(url)
    return found.body if found.status < 400 else f"HTTP {found.status}"
