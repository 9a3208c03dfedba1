"""A stack that serves is changed, on the real engine and with time passing: nobody is left without an answer."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pulumi import automation as auto

from rehearsal import Call
from rehearsal.aws import health, types
from tests.engine.passage import Passage, Watch, answered, passage

pytestmark = pytest.mark.engine

DOMAIN = {"name": "api.example.com", "zone": "example.com"}
TIME = 1e-3
"""Real seconds a rehearsal second."""


def change(stack: Passage, watch: Watch, **values: Any) -> dict[str, int]:
    """Set keys and bring the stack up, once: what changed. Nobody was unserved, and nothing is left to do."""
    watch.stack = stack
    stack.set(**values)
    changed = stack.up()
    assert not watch.unserved
    watch.stack = None
    assert stack.preview() == {}
    return changed


@contextmanager
def running(place: Path, key: str, **cloud: Any) -> Iterator[tuple[Passage, Watch]]:
    """A stack that is up, and who looks at its callers."""
    watch = Watch()
    with passage(place, orchestrator=key, on_call=watch, **cloud) as stack:
        stack.up()
        yield stack, watch


def own_name(stack: Passage) -> str:
    """The load balancer's own."""
    return str(stack.outputs["url"]).removeprefix("http://")


def as_version_0_1_0_left_it(stack: Passage, listener: str) -> None:
    """The listener on port 80 bears another name, and no rule on it redirects; the replicas' rule bears their service's
    name, and the group has their port."""
    exported = stack.stack.export_stack()
    rules = tuple(f"{types.LISTENER_RULE}::edge-{each}" for each in ("redirect", "own-name"))
    text = json.dumps(exported.deployment).replace(f"{types.LISTENER}::edge-http", f"{types.LISTENER}::{listener}")
    former = json.loads(text.replace(f"{types.INGRESS_RULE}::api--8080", f"{types.INGRESS_RULE}::api"))
    for each in former["resources"]:
        if each["type"] == types.TARGET_GROUP:
            each["inputs"]["port"] = each["outputs"]["port"] = 8080
    former["resources"] = [each for each in former["resources"] if not each["urn"].endswith(rules)]
    stack.stack.import_stack(auto.Deployment(exported.version, former))
    for rule in stack.cloud.state.every(types.LISTENER_RULE):
        if rule.urn.endswith(rules):
            stack.cloud.state.remove(rule)


class TestDomain:
    @pytest.mark.parametrize("key", ["ecs-fargate", "eks"])
    def test_it_comes_and_goes(self, tmp_path: Path, key: str) -> None:
        with running(tmp_path, key, scale=TIME) as (stack, watch):
            name, edge = own_name(stack), stack.edge()
            change(stack, watch, domain=DOMAIN)
            assert stack.outputs["url"] == "https://api.example.com"
            assert answered(stack.cloud.state, 443, "api.example.com")
            assert answered(stack.cloud.state, 80, name)
            change(stack, watch, domain=None)
            assert (own_name(stack), stack.edge()) == (name, edge)

    @pytest.mark.parametrize(
        ("before", "after", "lost"),
        [
            (None, None, False),
            (DOMAIN, DOMAIN, False),
            # Both at once, which the decision advises against: port 80 answers 404 until the rules are there, or not at
            # all until its listener is.
            (DOMAIN, None, True),
            (None, DOMAIN, True),
        ],
        ids=["without one", "with one", "while it goes", "while it comes"],
    )
    def test_a_stack_of_the_first_version_gets_it_by_the_next_up(
        self, tmp_path: Path, before: Any, after: Any, lost: bool
    ) -> None:
        watch = Watch()
        with passage(tmp_path, more={"domain": before} if before else {}, on_call=watch) as stack:
            stack.up()
            as_version_0_1_0_left_it(stack, "edge-redirect" if before else "edge")
            stack.set(domain=after)
            watch.stack = stack
            changed = stack.up()
            assert bool(watch.unserved) == lost
            watch.stack = None
            if before == after:
                assert changed == ({"create": 2} if before else {})
            assert stack.preview() == {}


class TestPort:
    @pytest.mark.parametrize("key", ["ecs-fargate", "eks"])
    def test_it_changes_there_and_back(self, tmp_path: Path, key: str) -> None:
        with running(tmp_path, key, scale=TIME) as (stack, watch):
            service, edge = stack.service("api"), stack.edge()
            for port in (9000, 8080):
                change(stack, watch, services={"api": {**service, "port": port}})
                assert stack.edge() == edge


def test_the_count_of_replicas_is_set_when_no_autoscaler_is_there(tmp_path: Path) -> None:
    watch, there = Watch(), list[int]()

    def look(call: Call) -> None:
        watch(call)
        if (call.op, call.type, call.name) == ("update", health.DEPLOYMENT, "api") and call.done is None:
            there.append(len(list(stack.cloud.state.every(health.SCALER))))

    with passage(tmp_path, orchestrator="eks", on_call=look) as stack:
        stack.up()
        service = stack.service("api")
        for replicas, updated in (({"min": 2, "max": 4}, [0]), ({"min": 3, "max": 4}, []), (2, [0])):
            there.clear()
            change(stack, watch, services={"api": {**service, "replicas": replicas}})
            assert there == updated
        (deployment,) = stack.cloud.state.every(health.DEPLOYMENT)
        assert deployment.get("spec.replicas") == 2


def test_who_may_reach_the_clusters_api_changes_alone(tmp_path: Path) -> None:
    with running(tmp_path, "eks") as (stack, watch):
        access = {"access": ["9.9.9.9/32"]}
        stack.set(eks=access)
        assert stack.preview() == {"update": 1}
        assert change(stack, watch, eks=access) == {"update": 1}
