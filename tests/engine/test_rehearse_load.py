"""`yard rehearse --load`: real requests through a whole rehearsed passage, none of which may be lost."""

import json
import os

import pytest

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
