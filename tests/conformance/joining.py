"""Lets the third party's package join, as if it were installed, and leave again."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components import backends

THIRD_PARTY = str(Path(__file__).parent / "third_party")


@contextmanager
def third_party() -> Iterator[None]:
    """Within, the tables have the third party's rows."""
    sys.path.insert(0, THIRD_PARTY)
    _look_again()
    try:
        yield
    finally:
        sys.path.remove(THIRD_PARTY)
        _look_again()


def _look_again() -> None:
    importlib.invalidate_caches()
    backends.third_party.cache_clear()
