"""JSON read piece by piece, for documents that are too large for memory."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, TextIO

CHUNK = 1 << 20
LARGEST = 1 << 26
"""Characters of the largest single value. Nothing in a price list comes near it; what is no JSON goes on for ever."""
SPACE = re.compile(r"[ \t\n\r]*")
DECODER = json.JSONDecoder(parse_float=Decimal)


class Stream:
    """A cursor in a document: the caller enters objects with `members` and takes whole values with `value`.

    Both raise `ValueError` where the text is no JSON, or ends early.
    """

    def __init__(self, file: TextIO, chunk: int = CHUNK) -> None:
        self._file = file
        self._chunk = chunk
        self._text = ""
        self._at = 0

    def members(self) -> Iterator[str]:
        """Enter the object at the cursor. After each key its value must be taken before the next key."""
        self._take("{")
        if self._peek() == "}":
            self._take("}")
            return
        while True:
            key = self.value()
            self._take(":")
            yield key
            if self._take(",}") == "}":
                return

    def value(self) -> Any:
        """The whole value at the cursor; numbers with a point are `Decimal`."""
        self._peek()
        while True:
            try:
                found, end = DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError:
                if len(self._text) - self._at > LARGEST or not self._more():
                    raise
                continue
            if end == len(self._text) and self._more():  # a number may go on
                continue
            self._at = end
            return found

    def end(self) -> None:
        """Nothing but space may follow."""
        self._skip()
        if self._at < len(self._text):
            raise ValueError(f"{self._text[self._at]!r} follows the end")

    def _take(self, wanted: str) -> str:
        found = self._peek()
        if found not in wanted:
            raise ValueError(f"there is {found!r} in place of one of {wanted!r}")
        self._at += 1
        return found

    def _peek(self) -> str:
        self._skip()
        if self._at == len(self._text):
            raise ValueError("it ends early")
        return self._text[self._at]

    def _skip(self) -> None:
        while True:
            self._at = SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]  # it matches nothing, too
            if self._at < len(self._text) or not self._more():
                return

    def _more(self) -> bool:
        piece = self._file.read(self._chunk)
        self._text, self._at = self._text[self._at :] + piece, 0
        return bool(piece)
