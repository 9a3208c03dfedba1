"""What is said while the engine works."""

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from pulumi.automation.events import OpType, StepEventMetadata

from yard import engine
from yard.progress import Progress, run


def step(kind: str, name: str = "api", op: OpType = OpType.CREATE) -> StepEventMetadata:
    return StepEventMetadata(op, f"urn:pulumi:dev::switchyard::{kind}::{name}", kind, "")


class Teller:
    """A progress under a clock of the test's own."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.now = 0.0
        self.progress = Progress(self.said.append, lambda: self.now)


def test_what_is_done_is_said_with_its_time() -> None:
    teller = Teller()
    teller.progress(step("aws:iam/role:Role"), False)
    teller.now = 2.5
    teller.progress(step("aws:iam/role:Role"), True)
    assert teller.said == ["  created role api (2.5 s)"]


def test_what_takes_long_is_said_again_until_it_is_done() -> None:
    teller = Teller()
    teller.progress(step("eks:index:Cluster", "eks"), False)
    teller.now = 30
    teller.progress(step("aws:lb/targetGroup:TargetGroup"), False)
    teller.progress.remind()
    teller.now = 600
    for each in (step("eks:index:Cluster", "eks"), step("aws:lb/targetGroup:TargetGroup")):
        teller.progress(each, True)
    teller.progress.remind()
    assert teller.said == [
        "  still at cluster eks (30 s), targetgroup api (0 s)",
        "  created cluster eks (600.0 s)",
        "  created targetgroup api (570.0 s)",
    ]


def test_what_failed_is_said_at_once_and_waited_for_no_more() -> None:
    teller = Teller()
    failing = step("aws:ecs/service:Service")
    watch = engine.Watch(teller.progress, failed=teller.progress.failed)
    watch(event(resource_pre_event=SimpleNamespace(metadata=failing)))
    watch(event(diagnostic_event=SimpleNamespace(severity="error", urn=failing.urn, message="no image\nsecond line")))
    watch(event(res_op_failed_event=SimpleNamespace(metadata=failing)))
    teller.progress.remind()
    assert teller.said[1:] == ["  failed: service api: no image"]


@pytest.mark.parametrize("kind", ["pulumi:pulumi:Stack", "pulumi:providers:aws", "switchyard:edge:Edge"])
def test_what_takes_no_time_is_not_said(kind: str) -> None:
    teller = Teller()
    teller.progress(step(kind), False)
    teller.progress.remind()
    teller.progress(step(kind), True)
    assert not teller.said


def test_nor_is_what_stays_as_it_is() -> None:
    teller = Teller()
    for done in (False, True):
        teller.progress(step("aws:iam/role:Role", op=OpType.SAME), done)
    assert not teller.said


def event(**told: Any) -> Any:
    nothing = dict.fromkeys(("diagnostic_event", "resource_pre_event", "res_outputs_event", "res_op_failed_event"))
    return SimpleNamespace(**{**nothing, **told})


def test_a_run_reminds_by_itself_and_ends_with_it() -> None:
    said: list[str] = []

    def operation(on_event: Any, color: str) -> str:
        on_event(event(resource_pre_event=SimpleNamespace(metadata=step("eks:index:Cluster", "eks"))))
        while len(said) < 2:
            time.sleep(0.001)
        return "done"

    assert run(operation, said.append, quiet=0.01) == "done"
    assert said[0].startswith("  still at cluster eks")
    assert not [each for each in threading.enumerate() if each.name == "reminder"]


def test_a_run_that_fails_ends_with_it_too() -> None:
    def operation(**_: Any) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        run(operation, print)
    assert not [each for each in threading.enumerate() if each.name == "reminder"]
