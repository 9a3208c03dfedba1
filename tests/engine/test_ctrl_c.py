"""Ctrl-C in commands that run the engine: it ends in order, nothing stays running, and the user knows how to go on."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from rehearsal import Call, Cloud, Fault
from rehearsal.aws import health, types
from tests.engine.passage import Passage, passage
from tests.program import ROOT
from tests.terminal import Terminal
from yard import engine
from yard import switch as command
from yard.switch import Switch, SwitchError

pytestmark = pytest.mark.engine

YARD = (sys.executable, "-m", "yard")
REHEARSE = (*YARD, "rehearse", "--speed", "200")


class TestRehearsal:
    def test_it_says_that_nothing_is_left(self, tmp_path: Path) -> None:
        with Terminal((*REHEARSE, "-v"), ROOT, {"TMPDIR": str(tmp_path)}) as terminal:
            terminal.wait_for("aws:ec2/vpc:Vpc")
            terminal.interrupt()
            assert terminal.end() == 130
        assert "Stopping: what is under way is finished first. Ctrl-C again ends it at once." in terminal.screen
        assert terminal.screen.rstrip().endswith("A rehearsal leaves nothing behind; call it again to start anew.")
        assert "Traceback" not in terminal.screen
        assert not list(tmp_path.iterdir())

    def test_as_json_it_is_one_document_all_the_same(self, tmp_path: Path) -> None:
        out, place = tmp_path / "out", tmp_path / "place"
        place.mkdir()
        with Terminal((*REHEARSE, "--json"), ROOT, {"TMPDIR": str(place)}, out) as terminal:
            while not list(place.glob("*/state/.pulumi/locks/**/*.json")):  # the engine runs
                time.sleep(0.01)
            terminal.interrupt()
            assert terminal.end() == 130
        report = json.loads(out.read_text(encoding="utf-8"))
        assert (report["ok"], report["reason"]) == (False, "interrupted")
        assert "Traceback" not in terminal.screen
        assert "A rehearsal leaves nothing behind" in terminal.screen
        assert not list(place.iterdir())

    def test_before_it_began(self) -> None:
        with Terminal((sys.executable, "-c", INTERRUPTED_IMPORT), ROOT) as terminal:
            assert terminal.end() == 130
        assert terminal.screen.split() == ["Stopped."]


URN = f"urn:pulumi:dev::switchyard::{types.EKS_CLUSTER}::eks"
INTERRUPTED_IMPORT = """
import os, signal, sys
from yard.__main__ import main
class Interrupt:
    def find_spec(self, name, *_):
        if name == "yard.rehearse":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
main(["rehearse"])
"""


class TestSwitch:
    def test_while_it_prepares(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        hang = Fault(types.EKS_CLUSTER, "create", how="hang")
        with passage(tmp_path, faults=[hang], on_call=interrupt_at(hang)) as stack:
            stack.up()
            stopped = switch(stack, monkeypatch)
            assert stopped.exit_code == 130
            assert stopped.stderr.splitlines()[-1] == (
                "Stopped. ecs-fargate has 100 % of the traffic. The same command goes on from there;"
                " `yard switch --abort --stack dev` gives all of it back to ecs-fargate."
            )
            assert stack.serving() == ["ecs-fargate"]
            assert switch(stack, monkeypatch).exit_code == 0
            assert stack.serving() == ["eks"]
            assert stack.preview() == {}

    def test_while_the_weights_move(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        moved: list[Call] = []

        def on_call(call: Call) -> None:
            if call.done and (call.type, call.op) == (types.LISTENER_RULE, "update"):
                moved.append(call)
                if len(moved) == 2:  # the first lists eks at 0
                    os.kill(os.getpid(), signal.SIGINT)

        with passage(tmp_path, on_call=on_call) as stack:
            stack.up()
            stopped = switch(stack, monkeypatch)
            assert stopped.exit_code == 130
            assert "ecs-fargate has 99 % and eks has 1 % of the traffic." in stopped.stderr
            assert json.loads(stack.stack.get_config("traffic").value) == {"ecs-fargate": 99, "eks": 1}
            assert stack.preview() == {}
            assert switch(stack, monkeypatch).exit_code == 0
            assert stack.serving() == ["eks"]

    def test_while_the_gate_waits(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        gate = {"interval": 0.05, "timeout": 3600, "settle": 0}
        asked: list[str] = []

        def targets(cloud: Cloud, arn: str) -> list[health.Target] | None:
            found = look(cloud, arn)
            if found and any(each.state != "healthy" for each in found):
                asked.append(arn)
                if len(asked) == 2:
                    os.kill(os.getpid(), signal.SIGINT)
            return found

        look = Cloud.targets
        monkeypatch.setattr(Cloud, "targets", targets)
        with passage(tmp_path, more={"gate": gate}, unhealthy_groups=["api-eks"]) as stack:
            stack.up()
            start = time.monotonic()
            stopped = switch(stack, monkeypatch)
            assert stopped.exit_code == 130
            assert time.monotonic() - start < 60
            assert stack.serving() == ["ecs-fargate"]
            assert json.loads(stack.stack.get_config("traffic").value) == {"ecs-fargate": 100, "eks": 0}

    def test_while_it_watches(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with passage(tmp_path) as stack:
            stack.up()
            stack.set(traffic={"ecs-fargate": 90, "eks": 10})
            stack.up()
            here = Switch.of(stack.stack, ROOT, click.echo, 3600)
            here.guard.sleep = lambda _: signal.raise_signal(signal.SIGINT)
            monkeypatch.setattr(Switch, "of", lambda *_: here)
            stopped = switch(stack, monkeypatch)
            assert stopped.exit_code == 130
            assert "ecs-fargate has 50 % and eks has 50 % of the traffic" in stopped.stderr

    def test_what_was_killed_is_for_the_doctor_first(self, tmp_path: Path) -> None:
        pending = {"type": "creating", "resource": {"urn": URN, "type": types.EKS_CLUSTER}}
        with passage(tmp_path) as stack:
            stack.up()
            saved = json.loads(stack.saved())
            saved["checkpoint"]["latest"]["pending_operations"] = [pending]
            (stack.state / ".pulumi/stacks/switchyard/dev.json").write_text(json.dumps(saved), encoding="utf-8")
            with pytest.raises(SwitchError, match=r"was creating eks: `yard doctor --stack dev` says how to go on"):
                Switch.of(stack.stack, ROOT, click.echo, 0).check("eks")


def interrupt_at(fault: Fault) -> Callable[[Call], None]:
    """Ctrl-C while the operation of `fault` hangs. `on_call` of a cloud."""
    seen: list[Call] = []

    def on_call(call: Call) -> None:
        if call.done is None and (call.type, call.op) == (fault.type, fault.op) and fault.name in (None, call.name):
            seen.append(call)
            if len(seen) == fault.n:
                os.kill(os.getpid(), signal.SIGINT)

    return on_call


def switch(stack: Passage, monkeypatch: pytest.MonkeyPatch) -> Result:
    """`yard switch eks` of a stack."""
    monkeypatch.setattr(engine, "stack", lambda *_, **__: stack.stack)
    return CliRunner().invoke(command.switch, ["eks", "--stack", "dev", "--yes", "--bake", "0"])
