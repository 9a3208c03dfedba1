"""Configurations that are right and that nobody would write, on the rehearsal cloud: each comes up, switches and goes,
and no secret is in its state. `make fuzz` has many of them."""

import math
import os
import tempfile
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from rehearsal.aws import health
from tests.conformance.every_key import SECRETS
from tests.conformance.fuzzing import NAME, login, odd_service
from tests.conformance.pairs import ON_AWS, PAIRS
from tests.engine.passage import passage
from tests.program import BLOCKS, DOMAIN

pytestmark = pytest.mark.engine
TIMES = int(os.environ.get("SWITCHYARD_FUZZ", "0")) // 100 or 2
REGISTRIES = [name for name, key in PAIRS if key == "swarm-ec2"]
"""Those that every orchestrator on AWS pulls from."""
ROOMY = {"instance-type": "m7i.xlarge"}


@st.composite
def moves(draw: st.DrawFn) -> dict[str, Any]:
    """What a stack is, and where it moves to."""
    old, new = draw(st.sampled_from([*permutations(ON_AWS, 2)]))
    registry, preset = draw(st.sampled_from(REGISTRIES)), draw(st.sampled_from(["trial", "standard", "production"]))
    names = draw(st.lists(NAME, min_size=1, max_size=4, unique=True))
    services = {name: draw(odd_service(f"/p{index}")) for index, name in enumerate(names)}
    ports = {name: 21_000 + index for index, name in enumerate(names)}
    more = {key: BLOCKS[key] for key in ("ecs-ec2", "eks")} | login(registry)
    https = preset == "production" or draw(st.booleans())  # production has a domain unless it says otherwise
    more |= {"swarm-ec2": ROOMY | {"ports": ports}, "protect": False}
    more |= {"domain": DOMAIN} if https else {"plain-http": True}
    return {"old": old, "new": new, "registry": registry, "preset": preset, "services": services, "more": more}


def apart(value: Any, path: str = "") -> tuple[Any, dict[str, str]]:
    """A configuration without its secrets, and these by their paths."""
    if not isinstance(value, dict):
        return value, {}
    kept: dict[str, Any] = {}
    found: dict[str, str] = {}
    for key, each in value.items():
        way = f"{path}.{key}" if path else key
        if isinstance(each, str) and each in SECRETS:
            found[way] = each
        else:
            kept[key], inside = apart(each, way)
            found |= inside
    return kept, found


@settings(max_examples=TIMES, phases=[Phase.generate], deadline=None, suppress_health_check=[*HealthCheck])
@given(move=moves())
def test_an_odd_one_comes_up_switches_and_goes(move: dict[str, Any]) -> None:
    whole, secrets = apart({"services": move["services"], **move["more"]})
    services = whole.pop("services")
    with (
        tempfile.TemporaryDirectory() as place,
        passage(
            Path(place), move["registry"], move["old"], move["preset"], services=services, secrets=secrets, more=whole
        ) as stack,
    ):
        stack.up()
        assert stack.preview() == {}
        stack.set(orchestrator=move["new"])
        stack.up()
        assert stack.preview() == {}
        assert not health.unserved(stack.cloud.state, math.inf)
        assert not [each for each in SECRETS if each in stack.saved()]
        stack.destroy()
        assert [each.urn for each in stack.cloud.state] == []
