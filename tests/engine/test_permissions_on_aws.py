"""What a service may do on AWS, on the real engine: before its replicas start, and as long as one runs."""

from pathlib import Path

import pytest

from rehearsal.aws import types
from tests.engine.passage import passage
from tests.engine.test_program import WORKLOAD, before, one
from tests.program import DIGEST

pytestmark = pytest.mark.engine

SERVICE = {"digest": DIGEST, "permissions": [{"actions": ["s3:GetObject"], "resources": ["arn:aws:s3:::photos/*"]}]}
POLICY = {"ecs-fargate": "api-task", "eks": "api-pod"}


@pytest.mark.parametrize("key", POLICY)
def test_a_service_that_runs_gets_them_and_loses_them(tmp_path: Path, key: str) -> None:
    with passage(tmp_path, orchestrator=key, services={"api": {"digest": DIGEST}}) as stack:
        stack.up()
        mark = len(stack.cloud.calls)
        stack.set(services={"api": SERVICE})
        stack.up()
        policy = one(stack.since(mark), "create", types.ROLE_POLICY, POLICY[key])
        if key == "eks":
            association = one(stack.since(mark), "create", types.POD_IDENTITY, "api")
            assert before(association, one(stack.since(mark), "update", *WORKLOAD[key]))
        assert policy.done
        assert stack.preview() == {}
        stack.set(services={"api": {"digest": DIGEST}})
        mark = len(stack.cloud.calls)
        stack.up()
        assert one(stack.since(mark), "delete", types.ROLE_POLICY, POLICY[key])
        assert stack.preview() == {}
        stack.set(services={"api": SERVICE})
        stack.up()
        mark = len(stack.cloud.calls)
        stack.destroy()
        gone = one(stack.since(mark), "delete", types.ROLE_POLICY, POLICY[key])
        if key != "eks":  # there the pods go with their cluster
            assert before(one(stack.since(mark), "delete", *WORKLOAD[key]), gone)
