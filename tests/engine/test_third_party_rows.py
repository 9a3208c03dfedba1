"""The rehearsal knows what an installed package has rows of."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from components import backends
from rehearsal import Cloud
from rehearsal.apis import kms
from rehearsal.aws import health, types
from rehearsal.aws.rows import GROUP
from tests.conformance.joining import third_party
from tests.engine.account import Account, Town, no
from tests.program import config_for
from tests.stack import Stack
from yard import engine
from yard.rehearse import rehearse
from yard.rehearsing import environment

pytestmark = pytest.mark.engine


def test_its_own_package_is_rehearsed(tmp_path: Path) -> None:
    with third_party(), Cloud() as cloud, environment(cloud):
        config = {**config_for("acme", "acme-aws"), "acme": {"project": "shop"}}
        stack = Stack(tmp_path / "stack", cloud.env, config, {}, kms.SECRETS_PROVIDER)
        stack.up()
        assert stack.preview() == {}
        (space,) = cloud.state.every("acme:index:Space")
        assert set(space.all("subnets")) == {each.id for each in cloud.state.every(types.SUBNET)}
        stack.set(services={"api": {"digest": f"sha256:{'a' * 64}", "cpu": 16, "memory": 32768}})
        with pytest.raises(engine.EngineError, match="TooLarge: api wants 16 vCPU; an app has 8 at most"):
            stack.up()
        stack.destroy()
        assert len(cloud.state) == 0
        deleted = {call.type: call for call in cloud.calls if call.op == "delete"}
        left, freed = deleted["acme:index:Space"].done, deleted[types.SUBNET].begun
        assert left is not None
        assert left < freed


def test_a_row_for_aws_joins_ours_and_replaces_none() -> None:
    with third_party():
        account = Account()
        queue = account.make("aws:sqs/queue:Queue", name="jobs")
        assert queue.get("url") == "https://sqs.eu-central-1.amazonaws.com/123456789012/jobs"
        with no("QueueNameExists"):
            account.make("aws:sqs/queue:Queue", "other", name="jobs")
        assert account.make(types.VPC, cidrBlock="10.0.0.0/16").id.startswith("vpc-")
    with no("NotRehearsed", "does not know aws:sqs/queue:Queue"):
        Account().make("aws:sqs/queue:Queue", name="jobs")


def test_one_off_the_load_balancer_is_rehearsed_and_its_addresses_are_told() -> None:
    with third_party():
        answer = CliRunner().invoke(rehearse, ["--to", "acme-aws", "--json"])
    report = json.loads(answer.stdout)
    assert report["ok"], report["reason"]
    assert report["url"]["before"].startswith("http://")
    assert report["url"]["after"] == {"api": "https://api.acme.example"}
    switch = [each["type"] for each in report["steps"] if each["phase"] == "switch"]
    assert {"acme:index:App", "aws:lb/loadBalancer:LoadBalancer"} <= set(switch)


def test_one_elsewhere_is_not_rehearsed() -> None:
    with third_party():
        told = CliRunner().invoke(rehearse, ["--to", "acme-run", "--json"])
    assert "and acme-run runs elsewhere: name another with --to" in json.loads(told.stdout)["reason"]


def test_one_behind_the_load_balancer_is_rehearsed_with_every_switch() -> None:
    with third_party():
        answer = CliRunner().invoke(rehearse, ["--to", "acme-edge", "--json"])
    report = json.loads(answer.stdout)
    assert report["ok"], report["reason"]
    assert report["url"]["before"] == report["url"]["after"]
    assert "acme:index:App" in {each["type"] for each in report["steps"] if each["phase"] == "switch"}


def test_its_replicas_are_targets_once_the_load_balancer_may_reach_them() -> None:
    with third_party():
        town = Town()
        town.rule({town.targets.id: 1})
        app = {"vcpu": 1, "copies": 2, "port": 80, "targetGroup": town.targets.id, "securityGroups": [town.group.id]}
        town.make("acme:index:App", **app)

        def states() -> list[str]:
            return [each.state for each in health.targets(town.state, town.targets, 1e9)]

        town.let_in(town.group.id, 9000)
        assert states() == ["unhealthy"] * 2
        town.let_in(town.group.id, 80)
        assert states() == ["healthy"] * 2


def test_rows_that_cannot_be_read_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {GROUP: {"acme": "nowhere.rows"}}
    monkeypatch.setattr(backends, "third_party", lambda group: rows.get(group, {}))
    told = CliRunner().invoke(rehearse, ["--json"])
    assert told.exit_code == 1
    reason = json.loads(told.stdout)["reason"]
    assert reason.startswith("NotRehearsed: the rows of acme cannot be read: No module named 'nowhere'")
