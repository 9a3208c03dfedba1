"""The output `cost` on the real engine: what is up, what an edit adds, and a move that has two of everything."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.engine.passage import passage
from tests.program import BLOCKS
from yard.comparison.change import Row, change

pytestmark = pytest.mark.engine


def test_what_is_up_what_an_edit_adds_and_a_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with passage(tmp_path, "ecr", "ecs-fargate", more={"ecs-ec2": BLOCKS["ecs-ec2"]}) as stack:
        place = stack.state.parent
        # `yard compare --change` is asked by someone who is logged in to the stack's state.
        monkeypatch.setenv("PULUMI_BACKEND_URL", stack.state.as_uri())
        monkeypatch.setenv("PULUMI_HOME", str(place / "home"))

        assert change(place, "dev").columns()["total"] == Row(Decimal(0), Decimal("37.08"))
        stack.up()
        assert stack.preview() == {}
        assert stack.outputs["cost"]["usd"] == "37.08"
        assert {row.change for row in change(place, "dev").columns().values()} == {Decimal(0)}

        stack.set(services={"api": {**stack.service("api"), "replicas": 3}})
        rows = change(place, "dev").columns()
        assert rows["compute"] == Row(Decimal("9.01"), Decimal("27.03"))
        assert rows["network"] == Row(Decimal("3.65"), Decimal("10.95"))
        assert rows["load balancer"].change == 0
        assert rows["total"].change == Decimal("25.32")

        # Both are up, and paid for: beside the replicas on Fargate two instances, each with a disk and an address.
        stack.set(traffic={"ecs-fargate": 90, "ecs-ec2": 10})
        rows = change(place, "dev").columns()
        assert rows["compute"].after == Decimal("27.03") + Decimal("35.17")
        assert rows["network"].after == Decimal("10.95") + Decimal("7.30")
        stack.up()
        cost = stack.outputs["cost"]
        assert cost["columns"] == {column: str(row.after) for column, row in rows.items() if column != "total"}
        assert cost["usd"] == str(rows["total"].after)
