"""What the configuration names and AWS has not: told in words by the engine, with nothing made."""

from pathlib import Path

import pytest

from tests.engine.passage import passage
from tests.program import EXISTING
from yard import engine

pytestmark = pytest.mark.engine


def test_a_vpc_that_is_not_there_makes_nothing(tmp_path: Path) -> None:
    with passage(tmp_path, more=EXISTING) as stack:
        with pytest.raises(engine.EngineError) as refusal:
            stack.up()
        told = str(refusal.value)
        assert "switchyard:vpc.id is 'vpc-1'; want the id of a VPC in the stack's region; AWS says: " in told
        assert "Traceback" not in told
        assert not stack.cloud.calls
