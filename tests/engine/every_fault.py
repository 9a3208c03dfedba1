"""`make faults`: something goes wrong at every call of every switch, in each way; the engine is killed between any two.

It takes an hour, so pytest does not find it by its name.
"""

from functools import cache
from itertools import permutations
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.engine import killing
from tests.engine.test_faults import KINDS, Once, everything, faults, questions, survives
from tests.engine.test_program import WORKLOAD

SWITCHES = [*permutations(WORKLOAD, 2)]
SWITCH = pytest.mark.parametrize(("old", "new"), SWITCHES, ids=["-to-".join(each) for each in SWITCHES])


@cache
def at_first(old: str, new: str) -> Once:
    """Where nothing goes wrong."""
    with TemporaryDirectory() as place:
        return everything(Path(place), old, new)


@pytest.mark.parametrize("kind", KINDS)
@SWITCH
def test_it_goes_wrong_at_every_call(tmp_path: Path, old: str, new: str, kind: str) -> None:
    once = at_first(old, new)
    survives(tmp_path, old, new, faults(KINDS[kind], once.calls, once.before), kind)


@SWITCH
def test_every_look_up_and_every_command_goes_wrong(tmp_path: Path, old: str, new: str) -> None:
    survives(tmp_path, old, new, questions(at_first(old, new)), "no answer to look-ups and commands")


@SWITCH
def test_it_is_killed_between_any_two_calls(tmp_path: Path, old: str, new: str) -> None:
    print(f"\nfaults: {killing.survives(tmp_path, old, new)}")
