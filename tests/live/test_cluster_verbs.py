"""The daily verbs on a real cluster, with the real kubectl: status, logs, run, exec."""

import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from components.operations import Deployed, Line, OperationError, Running
from components.operations.kubernetes import OnKubernetes
from components.orchestrator.kubernetes import KubernetesOptions
from tests.engine.conftest import abandoned_programs_are_over  # noqa: F401 - its programs are run by the SDK too
from tests.live.apply import ApplyServicer
from tests.live.calling import call
from tests.live.on_cluster import (
    DRAIN,
    PATIENCE,
    SECRET,
    SPACE,
    Images,
    answer,
    api_and_worker,
    exposed,
    listed,
    served,
    service_of,
    settled,
    url,
)
from tests.program import ROOT
from tests.stack import Stack
from tools.kube import node
from tools.kube.api import Api
from yard import engine, state

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
JOBS = "apis/batch/v1/jobs"
SERVES = ["-health=false"]
"""Arguments of the example with which it serves until it is stopped."""


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory,
    api: Api,
    images: Images,
    provider: ApplyServicer,
) -> Iterator[Stack]:
    """A stack of one service with a secret, up."""
    env = {"SWITCHYARD_DRAIN": "0s", "LOG_LEVEL": "debug"}
    block = {key: value for key, value in exposed("nodeport").items() if key != "kubeconfig-file"}
    secrets = {
        "services.api.secrets.DB_PASSWORD": SECRET,
        "kubernetes.kubeconfig": node.KUBECONFIG.read_text(encoding="utf-8"),
    }
    place = tmp_path_factory.mktemp("stack") / "stack"
    with served(place, images, provider, block, api_and_worker(images, replicas=2, env=env), secrets) as stack:
        stack.up()
        yield stack


@pytest.fixture
def on_cluster(stack: Stack) -> OnKubernetes:
    """The verbs of the stack."""
    options = KubernetesOptions.model_validate_json(json.dumps(exposed("nodeport")))
    return OnKubernetes(options, Deployed(SPACE, "", None, {}, []))


def until(done: Callable[[], bool], what: str) -> None:
    """Wait for what the cluster does a moment later."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


def test_status_is_healthy(on_cluster: OnKubernetes, images: Images) -> None:
    found = on_cluster.status("api")
    assert (found.wanted, found.healthy, found.failure) == (2, 2, "")
    assert {each.state for each in found.replicas} == {"running"}
    assert {each.digest for each in found.replicas} == {images.good}


def test_an_encrypted_kubeconfig_is_taken_from_the_state(stack: Stack) -> None:
    options = KubernetesOptions.model_validate_json(json.dumps({"context": node.CONTEXT, "kubeconfig": "(hidden)"}))
    resources = state.resources(stack.state.parent, "dev", state=stack.state)
    assert OnKubernetes(options, Deployed(SPACE, "", None, {}, resources)).status("api").healthy == 2


def test_run_gives_the_lines_and_the_exit_code(on_cluster: OnKubernetes, api: Api) -> None:
    *lines, code = on_cluster.run("api", ["-help"])
    assert code == 0
    assert any("health" in str(line) for line in lines), lines
    *lines, code = on_cluster.run("api", ["-no-such-flag"])
    assert code == 2
    assert lines[0] == "flag provided but not defined: -no-such-flag"
    until(lambda: not listed(api, JOBS), "the Jobs are still there")


def test_what_runs_once_is_none_of_the_replicas(on_cluster: OnKubernetes, api: Api) -> None:
    with closing(on_cluster.run("api", SERVES)) as lines:
        assert '"msg"' in str(next(lines))
        assert len(listed(api, JOBS)) == 1
        (pod,) = [each for name, each in listed(api, "api/v1/pods").items() if name.startswith("api--run-")]
        service = api.get(f"/api/v1/namespaces/{SPACE}/services/api")
        assert not service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
        container = pod["spec"]["containers"][0]
        assert {"DB_PASSWORD", "LOG_LEVEL"} <= {each["name"] for each in container["env"]}
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert on_cluster.status("api").healthy == 2
        assert len(on_cluster.status("api").replicas) == 2
    until(lambda: not listed(api, JOBS), "closed early, it leaves the Job")
    until(lambda: pod["metadata"]["name"] not in listed(api, "api/v1/pods"), "and the pod")


def test_run_is_removed_when_it_is_interrupted(on_cluster: OnKubernetes, api: Api) -> None:
    """In each of its phases: while it is made, while it starts, while it runs."""
    program = f"""
import json, sys
from components.operations import Deployed
from components.operations.kubernetes import OnKubernetes
from components.orchestrator.kubernetes import KubernetesOptions
options = KubernetesOptions.model_validate_json(sys.argv[1])
for line in OnKubernetes(options, Deployed({SPACE!r}, "", None, {{}}, [])).run("api", {SERVES!r}):
    print(line, flush=True)
"""
    for moment in (0.6, 1.2, None):
        process = subprocess.Popen(
            [sys.executable, "-c", program, json.dumps(exposed("nodeport"))],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stdout
            if moment is None:
                assert process.stdout.readline()
            else:
                time.sleep(moment)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE)
        until(lambda: not listed(api, JOBS), f"a Job is left, after {moment} s")
    until(lambda: len(listed(api, "api/v1/pods")) == 3, "a pod is left")


def test_run_says_why_it_does_not_start(on_cluster: OnKubernetes, api: Api) -> None:
    """A quota that has no room: nobody waits for it."""
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "full", "namespace": SPACE},
        "spec": {"hard": {"pods": "3"}},
    }
    api.apply(quota, "kubectl")
    try:
        until(lambda: bool(listed(api, "api/v1/resourcequotas")["full"].get("status", {}).get("used")), "not counted")
        with pytest.raises(OperationError, match=r"the cluster does not make the task: .*exceeded quota"):
            list(on_cluster.run("api", ["-help"]))
    finally:
        api.call("DELETE", api.path(quota))
    assert not listed(api, JOBS)


def test_exec_runs_inside(on_cluster: OnKubernetes, capfd: pytest.CaptureFixture[str]) -> None:
    assert on_cluster.exec("api", ["/api", "-health"]) == 0
    assert on_cluster.exec("api", ["/api", "-no-such-flag"]) == 2
    assert "flag provided but not defined: -no-such-flag" in capfd.readouterr().err


def test_exec_says_that_the_image_has_no_shell(on_cluster: OnKubernetes) -> None:
    with pytest.raises(OperationError) as refused:
        on_cluster.exec("api", ["sh"])
    assert "the image of api has no program sh" in str(refused.value)
    assert f"kubectl debug --kubeconfig {node.KUBECONFIG} --context {node.CONTEXT}" in str(refused.value)


def test_the_way_beside_it_is_admitted(on_cluster: OnKubernetes, api: Api, images: Images) -> None:
    """The command that is printed: Pod Security "restricted" takes what kubectl makes of it."""
    with pytest.raises(OperationError) as refused:
        on_cluster.exec("api", ["sh"])
    words = str(refused.value).partition(": kubectl ")[2].split()
    words[words.index("busybox")] = f"{images.repository}@{images.good}"
    words = [each for each in words[: words.index("--")] if each != "-it"]
    answered = subprocess.run(["kubectl", *words], capture_output=True, text=True, timeout=PATIENCE)
    assert answered.returncode == 0, answered.stderr
    pods = listed(api, "api/v1/pods").values()
    assert any(each["spec"].get("ephemeralContainers") for each in pods)


def test_logs_are_merged(on_cluster: OnKubernetes, stack: Stack) -> None:
    asked = datetime.now(UTC)
    hosts = {call(url(stack))["host"] for _ in range(20)}
    assert len(hosts) == 2
    seen: list[Line] = []

    def written() -> bool:
        seen[:] = on_cluster.logs("api", asked - timedelta(seconds=1), follow=False)
        return len([line for line in seen if '"path":"/"' in line.text]) >= 20

    until(written, "20 requests were not all written")
    assert seen == sorted(seen, key=lambda line: line.at)
    assert min(line.at for line in seen) >= asked - timedelta(seconds=2)


def test_logs_go_on_through_a_rollout(on_cluster: OnKubernetes, stack: Stack, api: Api) -> None:
    came: queue.SimpleQueue[str] = queue.SimpleQueue()

    over = threading.Event()

    def read() -> None:
        for line in on_cluster.logs("api", datetime.now(UTC), follow=True):
            came.put(line.text)
            if over.is_set():
                return

    def heard() -> bool:
        call(url(stack))
        while not came.empty():
            if '"path":"/"' in came.get():
                return True
        return False

    reader = threading.Thread(target=read)
    reader.start()
    until(heard, "the old replicas are not heard")
    before = settled(api)
    service_of(stack, env={"SWITCHYARD_DRAIN": "0s", "LOG_LEVEL": "debug", "ROUND": "2"})
    stack.up()
    time.sleep(2 * DRAIN)
    assert not before & settled(api)
    while not came.empty():
        came.get()
    until(heard, "the new replicas are not heard")
    over.set()
    until(lambda: bool(call(url(stack))) and not reader.is_alive(), "it is still read")


def test_status_tells_of_a_bad_image(
    on_cluster: OnKubernetes,
    stack: Stack,
    provider: ApplyServicer,
    images: Images,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(provider, "longest", 15.0)
    bad = images.with_line('ENTRYPOINT ["/api", "-no-such-flag"]')
    service_of(stack, digest=bad)
    with pytest.raises(engine.EngineError):
        stack.up()
    found: list[Running] = []

    def crashes() -> bool:
        found[:] = [on_cluster.status("api")]
        return any(each.state == "crashloopbackoff" for each in found[0].replicas)

    until(crashes, "it does not crash")
    (said,) = found
    assert (said.wanted, said.healthy) == (2, 2)
    assert "flag provided but not defined: -no-such-flag" in said.failure
    crashed = [each for each in said.replicas if each.state == "crashloopbackoff"]
    assert all(each.digest == bad and each.why.startswith("exit code 2 (Error)") for each in crashed)

    nobody = f"sha256:{'0' * 64}"
    service_of(stack, digest=nobody)
    with pytest.raises(engine.EngineError):
        stack.up()
    until(lambda: any(each.state == "imagepullbackoff" for each in on_cluster.status("api").replicas), "it is pulled")
    (missing, *_) = [each for each in on_cluster.status("api").replicas if each.state == "imagepullbackoff"]
    assert nobody in missing.why
    with pytest.raises(OperationError, match=f"the task does not start: ImagePullBackOff: .*{nobody}"):
        list(on_cluster.run("api", ["-help"]))
    service_of(stack, digest=images.good)
    stack.up()
    assert answer(stack)["version"] == "good"


def test_what_is_not_there_is_said(on_cluster: OnKubernetes) -> None:
    with pytest.raises(OperationError, match="no Deployment nothing in namespace switchyard-dev"):
        on_cluster.status("nothing")


def test_a_cluster_that_does_not_answer_is_said(tmp_path: Any) -> None:
    text = node.KUBECONFIG.read_text(encoding="utf-8").replace(str(node.API_SERVER), "1")
    (tmp_path / "kubeconfig").write_text(text, encoding="utf-8")
    block = {"context": node.CONTEXT, "kubeconfig-file": str(tmp_path / "kubeconfig")}
    options = KubernetesOptions.model_validate_json(json.dumps(block))
    nowhere = OnKubernetes(options, Deployed(SPACE, "", None, {}, []))
    with pytest.raises(OperationError, match="was refused"):
        nowhere.status("api")
    with pytest.raises(OperationError, match="was refused"):
        next(nowhere.logs("api", datetime.now(UTC), follow=True))
