"""`yard switch` on the real engine over the rehearsal cloud."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest

from components.edge.alb import Alb
from components.guard import GuardOptions, Seen, SeenOf, Watch
from rehearsal import Fault
from rehearsal.aws import types
from tests.engine.passage import Passage, passage
from tests.program import BLOCKS, ROOT
from yard import switch
from yard.engine import EngineError
from yard.switch import Switch, TakenBack

pytestmark = pytest.mark.engine
START = datetime(2026, 1, 1, tzinfo=UTC)


class Diary:
    """What the switch said, and who served whenever it watched."""

    def __init__(self, stack: Passage) -> None:
        self.stack = stack
        self.said: list[str] = []
        self.served: list[list[str]] = []

    def open(self) -> Switch:
        """A switch as the command opens it."""
        switch = Switch.of(self.stack.stack, ROOT, self.said.append, 60)
        switch.guard.sleep = lambda _: self.served.append(self.stack.serving())
        return switch


def test_it_prepares_shifts_and_retires(tmp_path: Path) -> None:
    with passage(tmp_path) as stack:
        stack.up()
        diary, mark = Diary(stack), len(stack.cloud.calls)
        diary.open().run("eks")
        assert diary.served == [["ecs-fargate", "eks"]] * 3 + [["eks"]]
        assert stack.serving() == ["eks"]
        assert stack.preview() == {}
        moves = [call for call in stack.since(mark) if (call.op, call.type) == ("update", types.LISTENER_RULE)]
        assert len(moves) == 6  # listed at 0, then 1, 10, 50 and 100 %, then alone
        assert diary.said[-1] == "eks has all the traffic; the URL is the same"
        mark = len(stack.cloud.calls)
        diary.open().run("eks")
        assert diary.said[-1].startswith("eks has all the traffic already")
        assert not stack.since(mark)


def test_a_swarm_whose_provider_keeps_the_weights_is_switched_to(tmp_path: Path) -> None:
    with passage(tmp_path) as stack:
        stack.up()
        diary = Diary(stack)
        diary.open().run("swarm-ec2")
        assert diary.served == [["ecs-fargate", "swarm-ec2"]] * 3 + [["swarm-ec2"]]
        assert stack.serving() == ["swarm-ec2"]


def test_it_stops_before_sick_replicas_and_can_be_aborted(tmp_path: Path) -> None:
    gate = {"interval": 0.01, "timeout": 0.2, "settle": 0}
    with passage(tmp_path, more={"gate": gate}, unhealthy_groups=["api-eks"]) as stack:
        stack.up()
        diary = Diary(stack)
        with pytest.raises(EngineError, match=r"Target\.ResponseCodeMismatch"):
            diary.open().run("eks")
        assert stack.serving() == ["ecs-fargate"]
        assert diary.open().traffic == {"ecs-fargate": 100, "eks": 0}  # the file says what is

        diary.open().abort()
        assert stack.serving() == ["ecs-fargate"]
        assert "eks has no traffic and stays" in " ".join(diary.said)


def test_it_goes_on_from_where_the_weights_are_and_does_nothing_else_on_the_way(tmp_path: Path) -> None:
    with passage(tmp_path) as stack:
        stack.set(traffic={"ecs-fargate": 900, "eks": 100}, orchestrator="ecs-fargate")
        stack.up()
        diary = Diary(stack)
        service = stack.service("api")
        stack.set(services={"api": {**service, "memory": 1024}})
        with pytest.raises(click.ClickException, match=r"would also change .*api"):
            diary.open().run("eks")
        assert diary.open().traffic == {"ecs-fargate": 90, "eks": 10}

        # And that is no reason not to give the traffic back.
        mark = len(stack.cloud.calls)
        diary.open().abort()
        assert [(call.op, call.type) for call in stack.since(mark)] == [("update", types.LISTENER_RULE)]
        assert stack.serving() == ["ecs-fargate"]

        stack.set(services={"api": service}, traffic={"ecs-fargate": 90, "eks": 10})
        stack.up()
        diary.open().run("eks")
        assert diary.served == [["ecs-fargate", "eks"], ["eks"]]  # 50 and 100 %: 1 and 10 are behind it


def test_what_a_killed_run_left_in_the_file_is_not_where_the_weights_are(tmp_path: Path) -> None:
    with passage(tmp_path) as stack:
        stack.set(traffic={"ecs-fargate": 50, "eks": 50}, orchestrator="ecs-fargate")
        stack.up()
        stack.set(traffic={"ecs-fargate": 0, "eks": 100})  # killed before the engine began
        diary = Diary(stack)
        interrupted = diary.open()
        assert interrupted.traffic == {"ecs-fargate": 50, "eks": 50}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Switch, "_besides_weights", interrupt)
            with pytest.raises(KeyboardInterrupt):
                interrupted.run("eks")
        assert json.loads(stack.stack.get_config("traffic").value) == {"ecs-fargate": 50, "eks": 50}
        diary.open().run("eks")
        assert diary.served == [["eks"]]


def interrupt(_: Switch) -> list[str]:
    raise KeyboardInterrupt


def test_a_newcomer_that_answers_worse_gives_all_of_it_back(tmp_path: Path) -> None:
    """Its health path is fine, so the gate lets it in; from 10 % on it answers every fifth request with 500."""
    with passage(tmp_path) as stack:
        stack.up()
        diary = Diary(stack)
        here = diary.open()

        def seen(*_: datetime) -> SeenOf:
            new = here.traffic.get("eks", 0)
            return {"api": {"ecs-fargate": Seen(9000, 9, 0.1, 2), "eks": Seen(90 * new, 18 * new * (new > 1), 0.1, 2)}}

        here.guard.watch = lambda: Watch(seen, lambda _: ())
        here.guard.options = GuardOptions(samples=50)
        here.guard.clock = lambda: START + timedelta(seconds=10 * len(diary.served))
        mark = len(stack.cloud.calls)
        with pytest.raises(
            TakenBack, match=r"(?s)ecs-fargate has all the traffic again:.*api: 20 % of 900 requests to eks"
        ):
            here.run("eks")
        assert diary.served == [["ecs-fargate", "eks"]] * 7, "six looks at 1 %, one at 10 %"
        assert stack.serving() == ["ecs-fargate"]
        moves = [call for call in stack.since(mark) if (call.op, call.type) == ("update", types.LISTENER_RULE)]
        assert len(moves) == 4  # listed at 0, 1 and 10 %, then back
        assert not [call for call in stack.since(mark) if call.op == "delete"], "it stays, to be looked at"
        assert TakenBack.exit_code == 3
        assert "pulumi config rm traffic --stack dev" in diary.said[-1]


def test_an_up_in_one_step_whose_newcomer_answers_worse_removes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its health path is fine, so the gate lets it in; of its other answers each fifth is a 500."""

    def watch(_: Alb, service: str, groups: Sequence[str], rule: Mapping[str, object]) -> Watch:
        old, new = groups
        figures = {old: Seen(9000, 9, 0.1, 2), new: Seen(900, 180, 0.1, 2)}
        return Watch(lambda *_: {service: figures}, lambda _: ())

    with passage(tmp_path) as stack:
        stack.up()
        mark = len(stack.cloud.calls)
        monkeypatch.setattr(Alb, "watch", watch)
        stack.set(orchestrator="eks")
        with pytest.raises(EngineError, match=r"(?s)nothing is removed:.*20 % of 900 requests to eks failed, 0.1 %"):
            stack.up()
        assert stack.serving() == ["eks"]
        assert not [call for call in stack.since(mark) if call.op == "delete"]
        monkeypatch.setattr(Alb, "watch", lambda *_: None)
        stack.set(orchestrator="ecs-fargate")
        stack.up()
        assert stack.serving() == ["ecs-fargate"]
        assert stack.preview() == {}


def test_what_could_not_be_prepared_is_given_up(tmp_path: Path) -> None:
    fault = Fault("kubernetes:apps/v1:Deployment", "create")
    with passage(tmp_path, faults=[fault]) as stack:
        stack.up()
        diary = Diary(stack)
        with pytest.raises(EngineError, match="InternalFailure"):
            diary.open().run("eks")
        mark = len(stack.cloud.calls)
        diary.open().abort()
        assert not stack.since(mark)
        assert "pulumi config rm traffic --stack dev" in diary.said[-1]


def test_all_that_share_the_traffic_give_it_back(tmp_path: Path) -> None:
    with passage(tmp_path, more={key: BLOCKS[key] for key in ("ecs-ec2",)}) as stack:
        stack.set(traffic={"ecs-fargate": 80, "eks": 10, "ecs-ec2": 10})
        stack.up()
        Diary(stack).open().abort()
        assert stack.serving() == ["ecs-fargate"]


@pytest.mark.parametrize(
    "fault",
    [Fault(types.EKS_CLUSTER, "create"), Fault(types.ECS_CLUSTER, "delete")],
    ids=["while it prepares", "while it retires"],
)
def test_called_again_after_a_failure_it_finishes(
    tmp_path: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switch, "SHARES", (100,))  # the steps between are not what is looked at
    with passage(tmp_path, faults=[fault]) as stack:
        stack.up()
        diary = Diary(stack)
        with pytest.raises(EngineError, match="InternalFailure"):
            diary.open().run("eks")
        diary.open().run("eks")
        assert stack.serving() == ["eks"]
        assert stack.preview() == {}
        assert stack.cloud.state.every(types.EKS_CLUSTER)
        assert not stack.cloud.state.every(types.ECS_CLUSTER)


@pytest.mark.parametrize(
    ("to", "said"), [("nomad", "there is no orchestrator 'nomad'"), ("swarm", "swarm is not behind the load balancer")]
)
def test_it_refuses_what_cannot_share_the_traffic(tmp_path: Path, to: str, said: str) -> None:
    with passage(tmp_path) as stack, pytest.raises(click.ClickException, match=said):
        Diary(stack).open().run(to)


def test_a_stack_that_was_never_up_has_nothing_to_move(tmp_path: Path) -> None:
    with passage(tmp_path) as stack:
        for to in ("eks", "ecs-fargate"):
            with pytest.raises(
                click.ClickException, match="dev is not up, so there is nothing to move: `pulumi up --stack dev`"
            ):
                Diary(stack).open().check(to)


def test_to_where_all_traffic_is_nobody_is_asked_for_six_steps(tmp_path: Path) -> None:
    with passage(tmp_path) as stack:
        stack.up()
        here = Diary(stack).open()
        assert here.question("ecs-fargate").startswith(
            "ecs-fargate has all the traffic of dev. Run `pulumi up --stack dev`"
        )
        assert here.question("eks") == "Move dev from ecs-fargate to eks, in 6 steps?"
