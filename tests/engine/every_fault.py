"""`make faults`: something goes wrong at every call of every switch, in each way.

It takes hours, so pytest does not find it by its name.
"""

from itertools import permutations
from pathlib import Path

import pytest

from tests.engine.test_faults import KINDS, everything, faults, survives
from tests.engine.test_program import WORKLOAD

SWITCHES = [*permutations(WORKLOAD, 2)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("old", "new"), SWITCHES, ids=["-to-".join(each) for each in SWITCHES])
def test_it_goes_wrong_at_every_call(tmp_path: Path, old: str, new: str, kind: str) -> None:
    calls, before = everything(tmp_path / "once", old, new)
    survives(tmp_path / "again", old, new, faults(KINDS[kind], calls, before), kind)
