"""What is on the graph because of the pull table, for every other block that a registry of ours may have.

tests/unit asks the same of each pair.
"""

import pytest

from tests.pulling import OTHERS, WhatIsGiven, WhoReadsTheLogin, cells


@pytest.mark.parametrize(
    ("case", "key"), cells("anonymous", "native role", "cache", "secret", among=OTHERS), scope="class"
)
class TestWhatIsGiven(WhatIsGiven):
    """Of every other block."""


@pytest.mark.parametrize(("case", "key"), cells("secret", among=OTHERS))
class TestWhoReadsTheLogin(WhoReadsTheLogin):
    """Of every other block."""
