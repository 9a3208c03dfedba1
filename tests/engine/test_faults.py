"""What goes wrong at a call to the cloud, in a switch and as the stack goes: callers are served all the time, the next
`up` goes on, and nothing is left. Here are a few; `make faults` has every call of every switch (every_fault.py)."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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
ERROR = Fault("", "create")
THROTTLING = Fault("", "create", message=THROTTLED)
LATE = Fault("", "create", how="late")
KINDS = {"an error or throttling": (ERROR, THROTTLING), "a time-out after the cloud has done it": (LATE,)}
"""One kind has two, in turn: the cloud has done neither, and only the words differ."""
OURS = ("InternalFailure", THROTTLED, "the cloud has done it all the same")
"""What a run may fail by: the rehearsal's own faults."""


@dataclass(frozen=True)
class Once:
    """What a stack asks of the cloud that comes up, switches, is refreshed and goes, where nothing goes wrong."""

    calls: list[Call]
    before: int
    """How many of them come before the switch."""
    asked_before: Mapping[str, int]
    asked: Mapping[str, int]
    """Look-ups and commands, how often each."""


def everything(place: Path, old: str, new: str) -> Once:
    """Have it once."""
    with passage(place, "ecr", old, more=MORE) as stack:
        stack.up()
        before, asked = len(stack.cloud.calls), stack.cloud.questions
        stack.set(orchestrator=new)
        stack.up()
        stack.stack.refresh()
        stack.destroy()
        return Once(stack.cloud.calls, before, asked, stack.cloud.questions)


def faults(kinds: Sequence[Fault], calls: Iterable[Call], after: int) -> list[Fault]:
    """One at each call after so many, of these in turn, by its place among its like since the stack began."""
    seen: Counter[tuple[str, str, str]] = Counter()
    found: list[Fault] = []
    for index, call in enumerate(calls):
        seen[call.type, call.op, call.name] += 1
        kind = kinds[len(found) % len(kinds)]
        if index >= after and (call.op != "read" or kind.how == "fail"):
            n = seen[call.type, call.op, call.name]
            found.append(replace(kind, type=call.type, op=call.op, name=call.name, n=n))
    return found


def questions(once: Once) -> list[Fault]:
    """An error at each look-up, and at every third call to Systems Manager, likewise: those are repeated by themselves,
    and would all fail one after the other."""
    asked = {token: range(once.asked_before.get(token, 0), count) for token, count in once.asked.items()}
    return [
        Fault(token, "invoke", n + 1)
        for token, places in asked.items()
        for n in places[:: 3 if token.startswith("ssm:") else 1]
    ]


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
    assert wrong
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
        hit += sum(each.n <= stack.cloud.questions.get(each.type, 0) for each in wrong if each.op == "invoke")
        assert hit
        if told:
            print(f"\nfaults: {old} to {new}, {told}: {hit} of {len(wrong)} calls failed, and {failed} runs; survived")


def test_a_few_calls_go_wrong_in_each_way(tmp_path: Path) -> None:
    wrong = [
        replace(LATE, type=types.AUTO_SCALING_GROUP),
        replace(LATE, type=types.ECS_SERVICE, n=2),
        replace(LATE, type=types.LISTENER_RULE, op="update", name="api"),
        replace(THROTTLING, type=types.ECS_SERVICE, op="delete"),
        replace(LATE, type=types.AUTO_SCALING_GROUP, op="delete"),
        Fault("aws:ssm/getParameter:getParameter", "invoke"),
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
