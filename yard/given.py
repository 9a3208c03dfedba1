"""The images that one run of the program is given, besides what the configuration and the record say."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from config.digests import GIVEN
from config.releases import Change


@contextmanager
def given(changes: Mapping[str, Change]) -> Iterator[None]:
    """Within, the program is given these images: it runs in this process."""
    before = os.environ.get(GIVEN)
    os.environ[GIVEN] = json.dumps({name: each.model_dump(exclude_none=True) for name, each in changes.items()})
    try:
        yield
    finally:
        if before is None:
            del os.environ[GIVEN]
        else:
            os.environ[GIVEN] = before
