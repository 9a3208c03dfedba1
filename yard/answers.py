"""What a service answers at its URL: asked by `yard up` and `yard deploy`, and shown on a terminal."""

import json
import time
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPException
from typing import Any, NamedTuple
from urllib.error import HTTPError

import click
from rich.cells import cell_len, set_cell_size
from rich.console import Console

from components.direct import open_url
from yard import terminal

BROADEST = 120
"""Columns of an answer where nothing says how broad a terminal is."""
MARGIN = "    "


class Answer(NamedTuple):
    """What came back; any status is an answer."""

    status: int
    seconds: float
    """From the request to the last byte."""
    body: Any
    """The document where it is JSON, else the text."""


def ask(url: str) -> Answer:
    """What is answered there within 10 seconds; raises `OSError` where nobody does, or not in HTTP."""
    start = time.monotonic()
    try:
        with open_url(url, timeout=10) as response:
            status, content = response.status, response.read()
    except HTTPError as error:
        status, content = error.code, error.read()
    except HTTPException as error:
        raise OSError(f"{url} does not answer in HTTP: {error!r}") from error
    return Answer(status, round(time.monotonic() - start, 3), _document(content.decode(errors="replace")))


def _document(text: str) -> Any:
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return text if found is None else found  # `null` is an answer too


def outcome(answer: Answer | None) -> dict[str, Any]:
    """It as a part of a command's JSON; null where nobody answered, or nobody was asked."""
    if answer is None:
        return {"status": None, "seconds": None, "answer": None}
    return {"status": answer.status, "seconds": answer.seconds, "answer": answer.body}


def briefly(of: Mapping[str, Any]) -> str:
    """The status and the time."""
    if of["status"] is None:
        return "does not answer"
    text = f"answers {of['status']} {_phrase(of['status'])}".rstrip()
    seconds = of["seconds"]
    text += f" in {f'{seconds:.1f} s' if seconds >= 1 else f'{seconds * 1000:.0f} ms'}"
    return click.style(text, fg="yellow") if of["status"] >= 500 else text


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in {*HTTPStatus} else ""


def show(of: Mapping[str, Any]) -> None:
    """The body on one line, cut where the terminal ends; nothing where it is empty."""
    body = of["answer"]
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    here = Console()
    encoding = here.encoding
    # What moves the cursor or colours the terminal is the service's own.
    plain = "".join(each for each in " ".join(click.unstyle(text).split()) if each.isprintable())
    plain = plain.encode(encoding, "replace").decode(encoding)
    if body is not None and plain:
        click.echo(f"{MARGIN}{_cut(plain, terminal.width(here, BROADEST) - len(MARGIN), here)}")


def _cut(text: str, columns: int, here: Console) -> str:
    end = "..." if here.options.ascii_only else "…"
    return text if cell_len(text) <= columns else f"{set_cell_size(text, columns - len(end)).rstrip()}{end}"
