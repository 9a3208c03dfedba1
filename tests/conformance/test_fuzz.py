"""`make fuzz`: 10,000 configurations that are wrong, and 1,000 odd ones, through the whole program. Each is refused in
words, or comes up; and no secret is shown. `make test` has a few hundred of them."""

import os
import runpy
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi
import pytest
from hypothesis import HealthCheck, given, settings

from components.testing.cloud import Cloud
from components.testing.engine import deploy, start
from tests.conformance.fuzzing import SECRETS, harmed, odd, secret_keys
from tests.program import ROOT, as_pulumi

TIMES = int(os.environ.get("SWITCHYARD_FUZZ", "0"))
"""Configurations that are harmed, and a tenth as many odd ones; 0: few."""
SEEN: Counter[str] = Counter()
SETTINGS = settings(suppress_health_check=[*HealthCheck], deadline=None)


@pytest.fixture(scope="module", autouse=True)
def figures() -> Iterator[None]:
    """Told at the end of `make fuzz`."""
    yield
    if TIMES:
        print(f"\nfuzz: {', '.join(f'{count} {what}' for what, count in sorted(SEEN.items()))}")


def run(config: Mapping[str, Any]) -> str | None:
    """What the program says of a configuration; None: it came up. Anything but words is an error."""
    engine = start(Cloud(), as_pulumi(config), secret_keys(config, "switchyard"), stack="fuzz")
    try:
        deploy(lambda: runpy.run_path(str(ROOT / "__main__.py")) and None)
    except pulumi.RunError as error:  # which Pulumi prints without a stack trace
        assert len(engine.graph) <= 1, [each.type for each in engine.graph]  # nothing in an account
        return str(error)
    shown = "".join(str(each.clear) for each in engine.graph) + str(engine.graph.exports())
    assert not [each for each in SECRETS if each in shown]
    return None


@settings(SETTINGS, max_examples=TIMES or 150)
@given(harmed())
def test_whatever_happened_to_it_it_is_refused_in_words_or_comes_up(config: dict[str, Any]) -> None:
    says = run(config)
    SEEN["refused" if says else "right in spite of it"] += 1
    if says is not None:
        assert not [each for each in SECRETS if each in says]
        assert "\x1b" not in says
        assert max(map(len, says.splitlines()), default=0) < 3000


@settings(SETTINGS, max_examples=TIMES // 10 or 20)
@given(odd())
def test_an_odd_one_comes_up(config: dict[str, Any]) -> None:
    assert run(config) is None
    SEEN["odd and up"] += 1
