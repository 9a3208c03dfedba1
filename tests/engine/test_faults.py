"""What goes wrong at a call to the cloud, in a switch and as the stack goes: callers are served all the time, the next
`up` goes on, and nothing is left. Here are a few; `make faults` has every call of every switch (every_fault.py)."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from pulumi import automation as auto

from rehearsal import Call, Fault
from rehearsal.aws import types
from tests.engine.passage import Watch, passage
from tests.engine.test_program import MORE
from yard import engine

pytestmark = pytest.mark.engine

THROTTLED = "ThrottlingException: Rate exceeded"
KINDS = {
    "an error": Fault("", "create"),
    "throttling": Fault("", "create", message=THROTTLED),
    "a time-out after the cloud has done it": Fault("", "create", how="late"),
}
OURS = ("InternalFailure", THROTTLED, "the cloud has done it all the same")
"""What a run may fail by: the rehearsal's own faults."""


def everything(place: Path, old: str, new: str) -> tuple[list[Call], int]:
    """What a stack asks of the cloud that comes up, switches, is refreshed and goes, where nothing goes wrong; and how
    much of it comes before the switch."""
    with passage(place, "ecr", old, more=MORE) as stack:
        stack.up()
        before = len(stack.cloud.calls)
        stack.set(orchestrator=new)
        stack.up()
        stack.stack.refresh()
        stack.destroy()
        return stack.cloud.calls, before


def faults(kind: Fault, calls: Iterable[Call], after: int) -> list[Fault]:
    """One at each call after so many, by its place among its like since the stack began."""
    seen: Counter[tuple[str, str, str]] = Counter()
    found = []
    for index, call in enumerate(calls):
        seen[call.type, call.op, call.name] += 1
        if index >= after and (call.op != "read" or kind.how == "fail"):
            n = seen[call.type, call.op, call.name]
            found.append(replace(kind, type=call.type, op=call.op, name=call.name, n=n))
    return found


def until_it_is_done(run: Callable[[], object], at_the_most: int) -> int:
    """Run it again for as long as it fails by a fault; how often it did."""
    for failed in range(at_the_most + 1):
        try:
            run()
        except (engine.EngineError, auto.CommandError) as failure:
            if not any(words in str(failure) for words in OURS):
                raise
        else:
            return failed
    raise AssertionError(f"not done after {at_the_most} faults")


def survives(place: Path, old: str, new: str, wrong: list[Fault], told: str = "") -> None:
    """A switch, a refresh and a destroy, in which all this goes wrong."""
    watch = Watch()
    with passage(place, "ecr", old, more=MORE, on_call=watch) as stack:
        stack.up()
        watch.stack = stack
        stack.cloud.faults += wrong
        stack.set(orchestrator=new)
        failed = until_it_is_done(stack.up, len(wrong))
        assert stack.serving() == [new]
        failed += until_it_is_done(stack.stack.refresh, len(wrong))
        assert stack.preview() == {}
        assert watch.unserved == []
        watch.stack = None
        failed += until_it_is_done(stack.destroy, len(wrong))
        assert len(stack.cloud.state) == 0
        hit = sum(call.error is not None for call in stack.cloud.calls)
        assert hit
        if told:
            print(f"\nfaults: {old} to {new}, {told}: {hit} of {len(wrong)} calls failed, and {failed} runs; survived")


def test_a_few_calls_go_wrong_in_each_way(tmp_path: Path) -> None:
    late = KINDS["a time-out after the cloud has done it"]
    wrong = [
        replace(late, type=types.AUTO_SCALING_GROUP),
        replace(late, type=types.ECS_SERVICE, n=2),
        replace(late, type=types.LISTENER_RULE, op="update", name="api"),
        replace(KINDS["throttling"], type=types.ECS_SERVICE, op="delete"),
        replace(late, type=types.AUTO_SCALING_GROUP, op="delete"),
    ]
    survives(tmp_path, "ecs-fargate", "ecs-ec2", wrong)


def test_a_data_source_that_does_not_answer_makes_nothing(tmp_path: Path) -> None:
    fault = Fault("aws:index/getAvailabilityZones:getAvailabilityZones", "invoke", message=THROTTLED)
    with passage(tmp_path, faults=[fault]) as stack:
        with pytest.raises(engine.EngineError) as failure:
            stack.up()
        assert "zones: AWS does not answer, so nothing was made: " in str(failure.value)
        assert THROTTLED in str(failure.value)
        assert not stack.cloud.calls
