"""Each control can say yes and no: on a resource that our program makes, and on the same one turned."""

import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache

import pytest

from config.presets import PRESETS
from config.problems import BadConfig
from config.reader import own_keys
from policy import AREAS, CONTROLS, waived
from policy.control import EVERY, Control, Graph, Resource
from tests.conformance.judged import resources
from tests.conformance.pairs import ON_AWS, graph
from tests.program import ROOT, config_for, run_program


@cache
def made(orchestrator: str) -> Graph:
    """What production makes on an orchestrator, with the preset that meets the most."""
    return Graph(resources(graph("ecr", orchestrator, "production")))


def turned(control: Control, it: Resource, all_: Graph) -> Iterable[Resource]:
    """What there is then."""
    if isinstance(control.turned, Mapping):
        return [replace(each, inputs={**each.inputs, **control.turned}) if each is it else each for each in all_]
    if isinstance(control.turned, str):
        return [each for each in all_ if each.type != control.turned]
    return control.turned(it, all_)


def seen(control: Control) -> tuple[Resource, Graph]:
    """A resource of ours on which a control says what it says of us: it is met, or it is an exception."""
    for orchestrator in ON_AWS:
        there = made(orchestrator)
        for each in there.of(*control.types):
            if control.holds(each, there) is not bool(control.exception) and _can_turn(control, each, there):
                return each, there
    raise AssertionError(f"no resource of ours shows {control.id}")


def _can_turn(control: Control, it: Resource, there: Graph) -> bool:
    after = Graph(turned(control, it, there))
    now = after.find(it.urn)
    return now is not None and control.holds(now, after) is bool(control.exception)


@pytest.mark.parametrize("name", CONTROLS)
def test_each_says_yes_and_no(name: str) -> None:
    """Of what we meet a resource holds, and the same one turned breaks; of an exception the other way round."""
    control = CONTROLS[name]
    it, there = seen(control)
    after = Graph(turned(control, it, there))
    assert (it in control.broken_by(there)) is bool(control.exception)
    assert (after.find(it.urn) in control.broken_by(after)) is not bool(control.exception)


def test_no_two_have_one_name() -> None:
    assert len(CONTROLS) == sum(map(len, AREAS.values()))


def test_presets_and_keys_are_those_of_the_configuration() -> None:
    assert set(PRESETS) == EVERY
    for each in CONTROLS.values():
        assert each.presets <= EVERY
        key = each.key.partition(".")[0]
        assert key in {"", *own_keys(), *ON_AWS}, each.id


def test_what_needs_other_resources_says_so() -> None:
    """A control that is not wired is asked of one resource at a time, by itself."""
    for each in CONTROLS.values():
        if not each.wired:
            it, there = seen(each)
            assert each.holds(it, Graph(())) is each.holds(it, there), each.id


def test_the_rows_need_nothing_but_python() -> None:
    """The environment of a policy pack has nothing of ours."""
    code = f"import sys; sys.path.append({str(ROOT)!r}); import policy; print(len(policy.CONTROLS))"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == len(CONTROLS)


def test_a_key_that_says_what_is_meant_waives_its_control() -> None:
    assert waived({"plain-http": True}.get, {"ELB.5": "why"}) == {"ELB.1", "ELB.5"}
    assert waived({"plain-http": False}.get, {}) == set()
    assert {each.waived_by for each in CONTROLS.values()} <= {"", *own_keys()}


def test_an_exception_to_what_does_not_exist_is_refused() -> None:
    with pytest.raises(BadConfig, match=r"want a control of docs/controls\.md; did you mean secrets-kept") as refused:
        run_program({**config_for("ecr", "ecs-fargate"), "exceptions": {"secret-kept": "it is a typo"}})
    assert "pulumi config rm --path switchyard:exceptions.secret-kept" in str(refused.value)


def test_sources_are_pages_of_those_who_ask() -> None:
    assert CONTROLS["ELB.5"].source.endswith("/elb-controls.html#elb-5")
    own = {each.id for each in CONTROLS.values() if not each.source}
    assert all(re.fullmatch(r"P\d+|secrets-kept|one-key|CKV_AWS_23", each) for each in own)
