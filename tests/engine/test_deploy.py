"""`yard deploy` on the real engine over the rehearsal cloud: what runs is recorded where the state is."""

from pathlib import Path

import pytest

from components.service import Service
from config.releases import Change, parsed
from tests.engine.passage import Passage, passage
from yard import engine
from yard.deploy import Deployment
from yard.rollback import Goal

pytestmark = pytest.mark.engine

FIRST, SECOND, THIRD = (f"sha256:{letter * 64}" for letter in "abc")
WAITING = {"api": {"port": 8080}}


def deploy(stack: Passage, digest: str) -> dict[str, int]:
    """Deploy an image that CI has pushed; what changed."""
    deployment = Deployment(Path("unused"), "dev", {"api": Service(port=8080)}, [], {"api": Change(digest=digest)})
    changed: dict[str, int] = deployment.on(stack.stack, lambda _: None, ask=lambda _: None)["changes"]
    return changed


def test_what_is_deployed_stays_whoever_runs_the_next_up(tmp_path: Path) -> None:
    with passage(tmp_path, services=WAITING) as stack:
        stack.up()
        assert stack.outputs["digests"] == {}
        stack.push(FIRST)
        assert "create" in deploy(stack, FIRST)
        assert stack.outputs["digests"] == {"api": FIRST}
        assert stack.preview() == {}, "the next `up` would take it back"
        stack.push(SECOND)
        assert deploy(stack, SECOND)
        assert stack.outputs["digests"] == {"api": SECOND}
        assert stack.up() == {}
        assert deploy(stack, SECOND) == {}


def test_each_version_that_became_healthy_is_a_release(tmp_path: Path) -> None:
    with passage(tmp_path, services=WAITING) as stack:
        stack.up()
        assert stack.outputs["releases"] == []
        for digest in (FIRST, SECOND):
            stack.push(digest)
            deploy(stack, digest)
        recorded = stack.outputs["releases"]
        assert [(each["number"], each["digests"]) for each in recorded] == [(1, {"api": FIRST}), (2, {"api": SECOND})]
        with pytest.raises(engine.EngineError, match="CannotPullContainerError"):
            deploy(stack, THIRD)
        assert stack.up()  # back to what is recorded
        assert stack.up() == {}
        assert stack.outputs["releases"] == recorded
        stack.set(orchestrator="eks")
        stack.up()
        assert stack.outputs["releases"] == recorded
        stack.push(THIRD)
        stack.set(services={"api": {"port": 8080, "digest": THIRD}})
        stack.up()
        assert stack.outputs["releases"][:2] == recorded
        assert stack.outputs["releases"][2]["changed"] == {"api": {"digest": THIRD}}


def test_back_to_what_ran_before_and_to_a_release(tmp_path: Path) -> None:
    def back(to: int | None = None) -> None:
        services = {"api": Service(port=8080)}
        goal = Goal("dev", services, parsed(stack.outputs), stack.outputs["digests"], to)
        deployment = Deployment(Path("unused"), "dev", services, [], goal.changes([]))
        assert deployment.on(stack.stack, lambda _: None, ask=lambda _: None)["changes"]

    with passage(tmp_path, services=WAITING) as stack:
        stack.up()
        for digest in (FIRST, SECOND, THIRD):
            stack.push(digest)
            deploy(stack, digest)
        back()
        assert stack.outputs["digests"] == {"api": SECOND}
        back()  # further back, not to what was left
        assert stack.outputs["digests"] == {"api": FIRST}
        assert stack.up() == {}
        back(to=3)
        last = parsed(stack.outputs)[-1]
        assert (last.number, last.digests, last.changed["api"].back_to) == (6, {"api": THIRD}, 3)
        assert stack.serving() == ["ecs-fargate"]


def test_a_version_that_cannot_run_leaves_the_record_as_it_was(tmp_path: Path) -> None:
    with passage(tmp_path, services=WAITING) as stack:
        stack.up()
        stack.push(FIRST)
        deploy(stack, FIRST)
        with pytest.raises(engine.EngineError, match="CannotPullContainerError"):
            deploy(stack, SECOND)
        assert stack.outputs["digests"] == {"api": FIRST}
        assert stack.up()  # back to what is recorded
        assert stack.preview() == {}


def test_a_digest_in_the_configuration_is_a_pin(tmp_path: Path) -> None:
    with passage(tmp_path, services={"api": {"port": 8080, "digest": FIRST}}) as stack:
        stack.up()
        with pytest.raises(engine.EngineError, match="a digest in the configuration is a pin"):
            deploy(stack, SECOND)
        assert stack.outputs["digests"] == {"api": FIRST}


def test_a_switch_keeps_what_runs(tmp_path: Path) -> None:
    with passage(tmp_path, services=WAITING) as stack:
        stack.up()
        stack.push(FIRST)
        deploy(stack, FIRST)
        stack.set(orchestrator="eks")
        stack.up()
        assert stack.serving() == ["eks"]
        assert stack.outputs["digests"] == {"api": FIRST}
