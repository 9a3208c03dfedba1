"""A KMS key of one's own on the rehearsal cloud: given to a stack that runs, kept in a switch, refused where it is not
there."""

from pathlib import Path

import pytest

from rehearsal.aws import types
from tests.engine.passage import passage
from yard import engine

pytestmark = pytest.mark.engine
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OTHER = KEY.replace("1234abcd", "abcd1234")


def test_a_running_stack_takes_the_key_in_place_and_keeps_it_in_a_switch(tmp_path: Path) -> None:
    secrets = {"services.api.secrets.TOKEN": "correct-horse"}
    with passage(tmp_path, secrets=secrets, existing=[KEY, OTHER]) as stack:
        stack.up()
        mark = len(stack.cloud.calls)
        stack.set(kms_key=KEY)
        said: list[str] = []
        stack.stack.preview(on_output=said.append)
        assert "images of api stay under AWS's own key" in "".join(said)
        stack.up()
        changed = stack.since(mark)
        assert {call.type for call in changed if call.op in ("create", "delete")} <= set()
        kept = [*stack.cloud.state.every(types.LOG_GROUP), *stack.cloud.state.every(types.SECRET)]
        assert {each.get("kmsKeyId") for each in kept} == {KEY}
        (repository,) = stack.cloud.state.every(types.ECR_REPOSITORY)
        assert repository.get("encryptionConfigurations.encryptionType") == "AES256"

        stack.set(orchestrator="eks")
        stack.up()
        (cluster,) = stack.cloud.state.every(types.EKS_CLUSTER)
        assert cluster.get("encryptionConfig.provider.keyArn") == KEY
        mark = len(stack.cloud.calls)
        for value in (OTHER, None):
            stack.set(kms_key=value)
            with pytest.raises(engine.EngineError):
                stack.up()
        assert stack.since(mark) == []


def test_a_key_that_is_disabled_is_refused_with_nothing_made(tmp_path: Path) -> None:
    with passage(tmp_path, more={"kms-key": KEY}, existing=[KEY], disabled_keys=[KEY]) as stack:
        with pytest.raises(engine.EngineError, match="its key_state is Disabled"):
            stack.up()
        assert not stack.cloud.calls
