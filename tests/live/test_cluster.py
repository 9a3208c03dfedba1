"""Orchestrator `kubernetes` on a real cluster, through the real engine: up, a rollout under load, bad images, destroy.

The namespace enforces Pod Security "restricted", the image is pulled by digest from a registry that wants a login, and
the service answers at a port of the node. NetworkPolicies are accepted here, but this cluster's network does not
enforce them; and nothing measures CPU, so the autoscaler keeps its minimum.
"""

import base64
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rehearsal.kubernetes import CLUSTER_WIDE
from tests.engine.conftest import abandoned_programs_are_over  # noqa: F401 - its programs are run by the SDK too
from tests.live.apply import MANAGER, ApplyServicer
from tests.live.load import Load
from tests.live.login_registry import PASSWORD
from tests.live.on_cluster import (
    CALLERS,
    DEPLOYMENTS,
    DRAIN,
    PATIENCE,
    SECRET,
    SPACE,
    STUCK,
    Images,
    answer,
    api_and_worker,
    exposed,
    listed,
    load_balancers,
    namespaces,
    served,
    service_of,
    settled,
    url,
)
from tests.program import config_for, run_program
from tests.stack import Stack
from tools.kube import node
from tools.kube.api import APPLY, STRICT, Api, ApiError
from yard import engine

# When an engine stops at an error, the SDK leaves the program's event loop open, and says so some time later.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def impatient(provider: ApplyServicer, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a rollout that never ends."""
    monkeypatch.setattr(provider, "longest", STUCK)


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, api: Api, images: Images, provider: ApplyServicer
) -> Iterator[Stack]:
    """The program's stack, up. After the last test its destruction leaves nothing."""
    before = namespaces(api)
    replicas, env = {"min": 2, "max": 4}, {"SWITCHYARD_DRAIN": "0s"}  # the pod has drained by then
    services = api_and_worker(images, replicas=replicas, env=env)
    secrets = {"services.api.secrets.DB_PASSWORD": SECRET}
    place = tmp_path_factory.mktemp("stack") / "stack"
    with served(place, images, provider, exposed("nodeport"), services, secrets) as stack:
        stack.up()
        yield stack
    assert namespaces(api) == before


def test_up_answers(stack: Stack) -> None:
    said = answer(stack)
    assert (said["orchestrator"], said["service"], said["version"]) == ("kubernetes", "api", "good")
    assert said["host"].startswith("api-")


def test_second_up_changes_nothing(stack: Stack, api: Api) -> None:
    pods = settled(api)
    assert stack.up() == {}
    assert settled(api) == pods


def test_the_namespace_admits_nothing_that_is_less_confined(stack: Stack, api: Api) -> None:
    (running, *_) = [pod for name, pod in listed(api, "api/v1/pods").items() if name.startswith("api-")]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "root", "namespace": SPACE}, "spec": running["spec"]}
    pod["spec"]["containers"][0]["securityContext"] = {}
    with pytest.raises(ApiError, match="violates PodSecurity"):
        api.call("POST", f"/api/v1/namespaces/{SPACE}/pods", pod, dryRun="All")


def test_guards_and_scaling_are_in_place(stack: Stack, api: Api) -> None:
    assert set(listed(api, "apis/networking.k8s.io/v1/networkpolicies")) == {f"{SPACE}--deny", "api"}
    assert set(listed(api, "apis/policy/v1/poddisruptionbudgets")) == {"api", "worker"}
    scaler = listed(api, "apis/autoscaling/v2/horizontalpodautoscalers")["api"]
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (2, 4)
    assert set(listed(api, "api/v1/services")) == {"api", "api--public", "worker"}


def test_secrets_reach_the_replicas_alone(stack: Stack, api: Api) -> None:
    values = [
        base64.b64decode(value).decode()
        for each in listed(api, "api/v1/secrets").values()
        for value in each.get("data", {}).values()
    ]
    assert SECRET in values
    assert any(PASSWORD in value for value in values)
    told = json.dumps([listed(api, DEPLOYMENTS), listed(api, "api/v1/pods")])
    assert SECRET not in told
    assert SECRET not in stack.saved()
    assert PASSWORD not in stack.saved()


def test_scaling_is_left_to_the_autoscaler(stack: Stack, api: Api) -> None:
    scale = f"/apis/apps/v1/namespaces/{SPACE}/deployments/api/scale"
    wanted = {**api.get(scale), "spec": {"replicas": 3}}
    api.call("PUT", scale, wanted)
    service_of(stack, env={"SWITCHYARD_DRAIN": "0s", "LOG_LEVEL": "warn"})
    assert stack.up() == {"update": 1}
    assert listed(api, DEPLOYMENTS)["api"]["spec"]["replicas"] == 3


def count(api: Api) -> int:
    """How many replicas of `api` its Deployment is to have."""
    return int(listed(api, DEPLOYMENTS)["api"]["spec"]["replicas"])


def until_count(api: Api, wanted: int) -> None:
    """Wait until the autoscaler, which looks every 15 seconds, has set it."""
    deadline = time.monotonic() + PATIENCE
    while count(api) != wanted:
        assert time.monotonic() < deadline, f"{count(api)} replicas are to run, not {wanted}"
        time.sleep(0.5)


def scales(api: Api) -> bool:
    """Whether `api` has an autoscaler."""
    return "api" in listed(api, "apis/autoscaling/v2/horizontalpodautoscalers")


@contextmanager
def counts(api: Api) -> Iterator[set[tuple[int, bool]]]:
    """What `count` says while the block runs, and then `scales`."""
    seen: set[tuple[int, bool]] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            seen.add((count(api), scales(api)))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def set_by_hand(api: Api, path: str, spec: Mapping[str, Any], manager: str) -> None:
    """As `kubectl scale` and `kubectl edit` do."""
    api.call("PATCH", path, {"spec": dict(spec)}, "application/merge-patch+json", fieldManager=manager)


@pytest.mark.parametrize(
    ("replicas", "then"),
    [
        ({"min": 3, "max": 4}, 3),
        (2, 2),  # the state has said 2 all the time
        ({"min": 3, "max": 6}, 3),
        (5, 5),
        ({"min": 2, "max": 6}, 5),
    ],
    ids=str,
)
def test_autoscaling_goes_on_and_off_without_a_lost_request(stack: Stack, api: Api, replicas: Any, then: int) -> None:
    before, autoscaled = count(api), isinstance(replicas, dict)
    with Load(url(stack), CALLERS) as load, counts(api) as seen:
        service_of(stack, replicas=replicas)
        stack.up()
        until_count(api, then)
        if then < before:
            time.sleep(2 * DRAIN)  # until those that are too many have drained and are gone
    measured = f"{load.good} requests, {len(load.failed)} failed; replicas: {sorted(seen)}"
    print(measured)
    assert not load.failed, measured
    assert {number for number, _ in seen} <= {before, then}, measured
    assert scales(api) == autoscaled
    assert autoscaled or before == then or (then, True) not in seen, "an autoscaler could undo it"
    assert stack.up() == {}


def test_what_was_set_by_hand_is_set_again(stack: Stack, api: Api) -> None:
    """When the program next changes it, or looks."""
    hpa = f"/apis/autoscaling/v2/namespaces/{SPACE}/horizontalpodautoscalers/api"
    set_by_hand(api, hpa, {"maxReplicas": 9}, "kubectl-edit")
    service_of(stack, replicas={"min": 2, "max": 5})
    assert stack.preview() == stack.up() == {"update": 1}
    assert api.get(hpa)["spec"]["maxReplicas"] == 5

    service_of(stack, replicas=2)
    stack.up()
    scale = f"/apis/apps/v1/namespaces/{SPACE}/deployments/api/scale"
    set_by_hand(api, scale, {"replicas": 4}, "kubectl")
    service_of(stack, replicas=2, env={"SWITCHYARD_DRAIN": "0s", "LOG_LEVEL": "info"})
    assert stack.preview() == stack.up() == {"update": 1}
    assert count(api) == 2

    set_by_hand(api, scale, {"replicas": 4}, "kubectl")
    assert stack.up() == {}
    assert count(api) == 4
    engine.Watch().run(stack.stack.up, refresh=True)
    assert count(api) == 2
    service_of(stack, replicas={"min": 2, "max": 4})
    stack.up()


def test_a_new_version_is_rolled_out_without_a_lost_request(stack: Stack, api: Api) -> None:
    before = settled(api)
    with Load(url(stack), CALLERS) as load:
        time.sleep(2)  # the old replicas answer some
        service_of(stack, env={"SWITCHYARD_DRAIN": "0s", "LOG_LEVEL": "debug"})
        began = time.monotonic()
        assert stack.up() == {"update": 1}
        took = time.monotonic() - began
        time.sleep(2 * DRAIN)  # until the old ones have drained and are gone
    measured = f"{load.good} requests by {CALLERS} callers, {len(load.failed)} failed; `up` took {took:.0f} s"
    print(measured)
    assert not load.failed, measured
    after = settled(api)
    assert not before & after
    assert load.hosts == before | after, "not every replica was asked"


@pytest.mark.usefixtures("impatient")
def test_a_bad_image_fails_with_its_words_and_the_old_one_answers(stack: Stack, api: Api, images: Images) -> None:
    before = settled(api)
    with Load(url(stack)) as load:
        service_of(stack, digest=images.with_line('ENTRYPOINT ["/api", "-no-such-flag"]'))
        with pytest.raises(engine.EngineError) as failed:
            stack.up()
    assert "'api' timed out waiting to be Ready" in str(failed.value)
    assert "CrashLoopBackOff" in str(failed.value)
    assert "exit code 2" in str(failed.value)
    assert "flag provided but not defined: -no-such-flag" in str(failed.value)
    assert not load.failed
    assert load.hosts <= before

    service_of(stack, digest=images.good)
    stack.up()
    assert settled(api) >= before, "the old replicas were not kept"


@pytest.mark.usefixtures("impatient")
def test_a_digest_that_nobody_pushed_is_named(stack: Stack, api: Api, images: Images) -> None:
    nobody = f"sha256:{'0' * 64}"
    service_of(stack, digest=nobody)
    with pytest.raises(engine.EngineError) as failed:
        stack.up()
    assert "ImagePullBackOff" in str(failed.value)
    assert nobody in str(failed.value)
    assert answer(stack)["version"] == "good"
    service_of(stack, digest=images.good)
    stack.up()


def test_in_a_namespace_of_others_nothing_of_theirs_is_taken_over(
    api: Api, images: Images, provider: ApplyServicer, tmp_path: Path
) -> None:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}
    theirs = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "api", "namespace": "team"},
        "spec": {"selector": {"app": "theirs"}, "ports": [{"name": "web", "port": 80}]},
    }
    api.apply(space, "kubectl")
    api.apply(theirs, "kubectl")
    block, services = exposed("nodeport", namespace="team"), {"api": {"digest": images.good}}
    try:
        with served(tmp_path / "stack", images, provider, block, services, {}) as stack:
            with pytest.raises(engine.EngineError, match=r'conflicts with "kubectl":\n- \.spec\.selector'):
                stack.up()
            assert api.get(api.path(theirs))["spec"]["selector"] == {"app": "theirs"}
    finally:
        api.call("DELETE", api.path(space))


def test_what_was_removed_by_hand_is_made_again(stack: Stack, api: Api) -> None:
    api.call("DELETE", f"/apis/networking.k8s.io/v1/namespaces/{SPACE}/networkpolicies/api")
    engine.Watch().run(stack.stack.up, refresh=True)
    assert "api" in listed(api, "apis/networking.k8s.io/v1/networkpolicies")


def test_every_exposure(stack: Stack, api: Api) -> None:
    """From one to the next, and the workload is not touched."""
    pods = settled(api)
    with load_balancers(api, node.address()):
        stack.set(kubernetes=exposed("loadbalancer"))
        assert stack.up() == {"update": 1}
    assert url(stack) == f"http://{node.address()}"
    assert answer(stack)["service"] == "api"

    stack.set(kubernetes=exposed("ingress", **{"ingress-host": "api.example.com", "ingress-tls": "tls"}))
    assert stack.up() == {"create": 1, "delete": 1}
    assert url(stack) == "https://api.example.com"
    (rule,) = listed(api, "apis/networking.k8s.io/v1/ingresses")["api"]["spec"]["rules"]
    assert rule["http"]["paths"][0]["backend"]["service"] == {"name": "api", "port": {"name": "http"}}
    assert set(listed(api, "api/v1/services")) == {"api", "worker"}

    stack.set(kubernetes=exposed("nodeport", **{"node-ports": {"api": 30123}}))
    stack.up()
    assert url(stack) == f"http://{node.address()}:30123"
    assert answer(stack)["service"] == "api"
    assert settled(api) == pods


BINDING = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "targetgroupbindings.eks.amazonaws.com"},
    "spec": {
        "group": "eks.amazonaws.com",
        "names": {"kind": "TargetGroupBinding", "plural": "targetgroupbindings", "singular": "targetgroupbinding"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                },
            }
        ],
    },
}
"""The kind that EKS brings, without its schema."""


@pytest.fixture
def bindings(api: Api) -> Iterator[None]:
    """A cluster that knows it."""
    api.apply(BINDING, MANAGER)
    while api.get("/apis/eks.amazonaws.com/v1") is None:
        time.sleep(0.2)
    yield
    api.call("DELETE", api.path(BINDING))


@pytest.mark.usefixtures("bindings")
def test_every_object_of_eks_is_accepted(api: Api) -> None:
    """The same manifests; unknown fields are errors. Nothing is kept."""
    rich = {
        "digest": f"sha256:{'a' * 64}",
        "replicas": {"min": 2, "max": 6},
        "secrets": {"KEY": SECRET},
        "command": ["serve"],
        "writable": ["/tmp"],
    }
    graph = run_program(config_for("ecr", "eks", api=rich), ("services",), stack="accepted")
    made = [dict(each.inputs) for each in graph if each.type.startswith("kubernetes:")]
    assert {each["kind"] for each in made} >= {"Deployment", "TargetGroupBinding", "NetworkPolicy", "Secret"}
    (space,) = [each for each in made if each["kind"] == "Namespace"]
    api.apply(space, MANAGER)
    try:
        for each in made:
            if each["kind"] not in CLUSTER_WIDE:
                each["metadata"].setdefault("name", "autonamed")
                for owner in each["metadata"].get("ownerReferences", ()):
                    owner["uid"] = "known-once-it-is-there"
                api.call("PATCH", api.path(each), each, APPLY, fieldManager=MANAGER, dryRun="All", **STRICT)
    finally:
        api.call("DELETE", api.path(space))
