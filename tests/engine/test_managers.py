"""Swarm on EC2 on the real engine: managers that are replaced one by one, the only one replaced, and more of them."""

from pathlib import Path

import pytest

from rehearsal import Call, Cloud
from rehearsal.aws import types
from tests.engine.passage import Passage, Watch, passage

pytestmark = pytest.mark.engine

AMI = "ami-0123456789abcdef0"
SECRET = {"switchyard:services.api.secrets.KEY": "correct-horse-battery"}
SERVICES = {"api": {"digest": f"sha256:{'a' * 64}", "replicas": 2, "memory": 256}}


def swarm(stack: Passage) -> str:
    """The id of the stack's swarm."""
    (found,) = stack.cloud.state.swarms.values()
    return found.id


def test_managers_are_replaced_one_by_one_and_callers_are_answered_all_the_while(tmp_path: Path) -> None:
    watch = Watch()
    more = {"swarm-ec2": {"managers": 3, "workers": 1}}
    with passage(
        tmp_path, orchestrator="swarm-ec2", services=SERVICES, secrets=SECRET, more=more, on_call=watch
    ) as stack:
        stack.up()
        assert "correct-horse-battery" not in stack.saved()
        before, mark = swarm(stack), len(stack.cloud.calls)
        watch.stack = stack
        stack.set(swarm_ec2={"managers": 3, "workers": 1, "ami": AMI})
        stack.up()
        order = [f"{call.op} {call.name}" for call in stack.since(mark) if call.type == types.INSTANCE]
        assert order == [f"{op} manager-{index}" for index in range(3) for op in ("delete", "create")]
        assert swarm(stack) == before
        assert not watch.unserved
        watch.stack = None
        assert stack.preview() == {}

        stack.destroy()
        assert len(stack.cloud.state) == 0


def test_the_only_manager_takes_the_swarm_with_it_and_all_is_made_again(tmp_path: Path) -> None:
    with passage(tmp_path, orchestrator="swarm-ec2", services=SERVICES, secrets=SECRET) as stack:
        stack.up()
        before = swarm(stack)
        stack.set(swarm_ec2={"ami": AMI})
        stack.up()
        assert swarm(stack) != before
        assert stack.serving() == ["swarm-ec2"]
        assert stack.preview() == {}

        after = swarm(stack)
        stack.set(swarm_ec2={"ami": AMI, "managers": 3, "workers": 1})
        mark = len(stack.cloud.calls)
        stack.up()
        assert swarm(stack) == after
        assert not [call for call in stack.since(mark) if call.op == "delete"]
        assert stack.serving() == ["swarm-ec2"]
        assert stack.preview() == {}

        stack.set(swarm_ec2={"ami": AMI})
        stack.up()
        assert swarm(stack) == after
        assert stack.serving() == ["swarm-ec2"]
        stack.destroy()
        assert len(stack.cloud.state) == 0


def test_what_a_service_may_is_there_before_it_starts_and_until_it_is_gone(tmp_path: Path) -> None:
    seen: dict[str, set[str]] = {}
    """What is done to a permission -> the services that there are by then."""

    def look(call: Call) -> None:
        if call.type in (types.ROLE_POLICY, types.SECRET_POLICY) and call.op != "read":
            running = [
                each["Spec"]["Name"] for swarm in clouds[0].state.swarms.values() for each in swarm.services.values()
            ]
            seen[f"{call.op} {call.name}"] = {name.removeprefix("switchyard-dev-") for name in running}

    clouds: list[Cloud] = []
    secrets = {**SECRET, "switchyard:services.web.secrets.KEY": "battery-staple"}
    both = {**SERVICES, "web": {**SERVICES["api"], "path": "/web"}}
    with passage(tmp_path, orchestrator="swarm-ec2", services=both, secrets=secrets, on_call=look) as stack:
        clouds.append(stack.cloud)
        stack.up()
        assert not seen["create pull"]
        assert "api" not in seen["create api--KEY"]
        assert "web" not in seen["create web--KEY"]

        seen.clear()
        stack.forget_secret("switchyard:services.web.secrets.KEY")
        stack.set(services=SERVICES)
        stack.up()
        assert seen == {"delete web--KEY": {"api"}}
        stack.destroy()
        assert not seen["delete pull"]
        assert len(stack.cloud.state) == 0
