"""`yard rehearse --load`: real requests through a whole rehearsed passage, none of which may be lost."""

import json
import os
import sys
from pathlib import Path

import pytest
import yaml

from tests import misbehaving
from tests.engine.conftest import ROOT
from tools.proxy.__main__ import kept
from yard.carrying import Load, Programs
from yard.rehearsing import Listener, rehearse
from yard.story.requests import story

pytestmark = pytest.mark.engine

FAST = 1e6
PACE = 0.05
"""What a caller would feel takes a twentieth of its time; `make bench-rehearsal` takes all of it."""


@pytest.fixture(autouse=True)
def programs() -> None:
    if not kept().exists():
        (pytest.fail if os.environ.get("SWITCHYARD_LIVE") else pytest.skip)("no Traefik: run `make load`")


@pytest.fixture(autouse=True)
def nobody_knows_what_callers_get() -> None:
    """In place of the engine tests' own: here requests flow, and the rehearsal's CloudWatch knows of them."""


def test_no_request_is_lost_from_ecs_to_eks_and_back() -> None:
    built = Programs.built()
    # The example drains by itself too, and at its own pace.
    load = Load(rate=60, pace=PACE, run={"api": ["env", "SWITCHYARD_DRAIN=50ms", str(built.example)]})
    report = rehearse(ROOT, "dev", "eks", FAST, Listener(), load)
    assert report.ok, report.reason
    assert report.load is not None
    assert [each.phase for each in report.load] == ["switch", "back"]
    for there, back, carried in zip(("ecs-fargate", "eks"), ("eks", "ecs-fargate"), report.load, strict=True):
        assert carried.requests > 100
        assert not carried.lost
        first, last = carried.parts
        assert (first.weights, first.got) == ({there: 100}, {there: first.requests})
        assert (last.weights, last.got) == ({back: 100}, {back: last.requests})
        assert not carried.mistakes, "the example makes none"
        (moved,) = [
            each for each in carried.bars if each.name == "api" and each.type == "aws:lb/listenerRule:ListenerRule"
        ]
        assert carried.began <= moved.start <= moved.end <= carried.ended
    assert json.loads(json.dumps(report.json()))["load"][0]["lost"] == {}
    assert "none was lost" in "\n".join(story(report.load))


def test_a_newcomer_that_answers_500_is_taken_back_by_what_its_callers_got(tmp_path: Path) -> None:
    document = yaml.safe_load((ROOT / "config/Pulumi.dev.yaml").read_text(encoding="utf-8"))
    document["config"]["switchyard:guard"] = {"samples": 5}
    (tmp_path / "config").mkdir()
    (tmp_path / "config/Pulumi.dev.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8")) | {"main": str(ROOT)}
    (tmp_path / "Pulumi.yaml").write_text(yaml.safe_dump(project), encoding="utf-8")
    command = ["env", "MISTAKE=sour", sys.executable, misbehaving.__file__]
    load = Load(rate=200, pace=PACE, run={"api": command}, bake=20)
    report = rehearse(tmp_path, "dev", "eks", FAST, Listener(), load)
    assert not report.ok
    assert report.reason.startswith("ecs-fargate has all the traffic again:\n  - api: 100 % of "), report.reason
    (carried,) = report.load or []
    assert {*carried.lost} == {"500"}
    shares = [each.weights for each in carried.parts]
    assert (shares[0], shares[1], shares[-1]) == ({"ecs-fargate": 100}, {"ecs-fargate": 99, "eks": 1}, shares[0])
    assert carried.lost["500"] >= sum(each.got.get("eks", 0) for each in carried.parts) >= 5
