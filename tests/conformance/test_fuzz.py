"""`make fuzz`: 10,000 configurations that are wrong, and 1,000 odd ones, through the whole program. Each is refused in
words, or comes up; and no secret is shown. `make test` has a few hundred of them."""

import os
import runpy
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from components.testing.cloud import Cloud
from components.testing.engine import deploy, start
from config import place
from tests.conformance.every_key import SECRETS, every, has, known
from tests.conformance.fuzzing import harmed, odd, secret_keys, written
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


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a stack, fuzz, whose file `run` writes."""
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "config").mkdir()
    (folder / "Pulumi.yaml").write_bytes((ROOT / "Pulumi.yaml").read_bytes())
    return folder


def run(project: Path, config: Mapping[str, Any]) -> str | None:
    """What the program says of a configuration; None: it came up. Anything but words is an error."""
    values = {key if ":" in key else f"switchyard:{key}": written(value) for key, value in config.items()}
    text = yaml.safe_dump({"config": values}, allow_unicode=True)
    (project / "config" / "Pulumi.fuzz.yaml").write_text(text, encoding="utf-8")
    engine = start(Cloud(), as_pulumi(config), secret_keys(config, "switchyard"), stack="fuzz")
    try:
        with place.running_for(project):
            deploy(lambda: runpy.run_path(str(ROOT / "__main__.py")) and None)
    except pulumi.RunError as error:  # which Pulumi prints without a stack trace
        assert len(engine.graph) <= 1, [each.type for each in engine.graph]  # nothing in an account
        return str(error)
    shown = "".join(str(each.clear) for each in engine.graph) + str(engine.graph.exports())
    assert not [each for each in SECRETS if each in shown]
    return None


def test_every_key_there_is_is_among_what_is_harmed(project: Path) -> None:
    assert [path for path in known() if not any(has(each, path) for each in every())] == []
    assert [run(project, each) for each in every()] == [None] * len(every())


@settings(SETTINGS, max_examples=TIMES or 120)
@given(config=harmed())
def test_whatever_happened_to_it_it_is_refused_in_words_or_comes_up(project: Path, config: dict[str, Any]) -> None:
    says = run(project, config)
    SEEN["refused" if says else "right in spite of it"] += 1
    if says is not None:
        assert not [each for each in SECRETS if each in says]
        assert "\x1b" not in says
        assert max(map(len, says.splitlines()), default=0) < 3000


@settings(SETTINGS, max_examples=TIMES // 10 or 15)
@given(config=odd())
def test_an_odd_one_comes_up(project: Path, config: dict[str, Any]) -> None:
    assert run(project, config) is None
    SEEN["odd and up"] += 1
