"""Security groups that exist, given to a stack that runs: everything changes its group in place, and a switch goes on
with them."""

from pathlib import Path

import pytest

from rehearsal.aws import types
from tests.engine.passage import Watch, passage
from tests.program import EXISTING

pytestmark = pytest.mark.engine
GROUPS = {"load-balancer": "sg-callers", "replicas": "sg-replicas"}
THERE = [EXISTING["vpc"]["id"], *EXISTING["vpc"]["public-subnets"], *GROUPS.values()]


def test_they_are_taken_in_place_and_in_a_switch(tmp_path: Path) -> None:
    watch = Watch()
    with passage(tmp_path, more={"vpc": EXISTING["vpc"]}, existing=THERE, on_call=watch) as stack:
        stack.up()
        watch.stack = stack
        mark = len(stack.cloud.calls)
        stack.set(security_groups=GROUPS)
        stack.up()
        gone = {call.type for call in stack.since(mark) if call.op in ("create", "delete")}
        assert gone == {
            types.SECURITY_GROUP,
            types.INGRESS_RULE,
            "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        }
        assert not stack.cloud.state.every(types.SECURITY_GROUP)
        stack.set(orchestrator="swarm-ec2", swarm_ec2={"instance-type": "t3.medium"})
        stack.up()
        assert stack.serving() == ["swarm-ec2"]
        assert stack.preview() == {}
        assert not stack.cloud.state.every(types.SECURITY_GROUP)
        watch.stack = None
        stack.destroy()
        assert len(stack.cloud.state) == 0
    assert watch.unserved == []
