"""The daily verbs on Kubernetes, over an API server of the test's own."""

import base64
import json
import os
import queue
import re
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from components.operations import Deployed, OperationError
from components.operations import one_pod as once
from components.operations.eks import OnEks
from components.operations.kubernetes import PROVIDER, OnKubernetes
from components.orchestrator.eks import EksOptions
from components.orchestrator.kubernetes import KubernetesOptions
from rehearsal.apis.endpoint import Endpoint, Handler
from tests import kubectl
from tests.pods import BACK_OFF, CRASHED, DIGEST, RUNNING, TEMPLATE, WANTED, pod

SPACE = "/api/v1/namespaces/dev"
DEPLOYMENT = "/apis/apps/v1/namespaces/dev/deployments/api"
JOBS = "/apis/batch/v1/namespaces/dev/jobs"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class FakeCluster(Handler):
    """An API server: objects by path, what pods have written, and what happens while it is watched."""

    objects: dict[str, Any]
    written: dict[str, list[str]]
    happens: queue.SimpleQueue[Any]
    asked: list[tuple[str, str]]
    on_job: Any

    def do_GET(self) -> None:  # noqa: N802
        url = urlsplit(self.path)
        asked = {key: values[0] for key, values in parse_qs(url.query).items()}
        self.asked.append((f"GET {url.path}", asked.get("labelSelector", "")))
        if asked.get("watch"):
            self.watched()
        elif found := re.fullmatch(rf"{SPACE}/pods/([^/]+)/log", url.path):
            name = found[1] + ("--previous" if "previous" in asked else "")
            self.answer(200, "text/plain", "".join(f"{line}\n" for line in self.written.get(name, [])))
        else:
            self.told(self.objects.get(url.path))

    def told(self, found: Any) -> None:
        if found is None:
            status = {"kind": "Status", "reason": "NotFound", "message": "it is not there"}
            self.answer(404, "application/json", json.dumps(status))
        else:
            self.answer(200, "application/json", json.dumps(found))

    def watched(self) -> None:
        self.send_response(200)
        self.end_headers()
        while (event := self.happens.get()) is not None:
            self.wfile.write(f"{json.dumps(event)}\n".encode())
            self.wfile.flush()

    def respond(self, body: str) -> None:
        job = json.loads(body)
        self.objects[f"{self.path}/{job['metadata']['name']}"] = job
        self.on_job(job)
        self.told(job)

    def do_DELETE(self) -> None:  # noqa: N802
        self.asked.append((f"DELETE {urlsplit(self.path).path}", ""))
        self.told(self.objects.pop(urlsplit(self.path).path, None))


Cluster = type[FakeCluster]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A cluster with the service's Deployment and no pods."""
    kubectl.install(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.setattr(once, "PAUSE", 0.01)

    class Here(FakeCluster):
        objects = {DEPLOYMENT: WANTED, f"{SPACE}/pods": {"items": []}, f"{SPACE}/events": {"items": []}}
        written: dict[str, list[str]] = {}
        happens: queue.SimpleQueue[Any] = queue.SimpleQueue()
        asked: list[tuple[str, str]] = []

        @staticmethod
        def on_job(job: Any) -> None: ...

    endpoint = Endpoint(Here)
    (tmp_path / "kubeconfig").write_text(json.dumps(kubeconfig(endpoint.url)), encoding="utf-8")
    yield Here
    Here.happens.put(None)
    endpoint.close()


def kubeconfig(server: str) -> Any:
    """A kubeconfig in JSON, which is YAML as well."""
    return {
        "clusters": [{"name": "there", "cluster": {"server": server}}],
        "users": [{"name": "me", "user": {"token": "secret"}}],
        "contexts": [{"name": "prod", "context": {"cluster": "there", "user": "me"}}],
    }


@pytest.fixture
def verbs(cluster: Cluster, tmp_path: Path) -> OnKubernetes:
    """The verbs of stack `dev` there."""
    given = {"context": "prod", "kubeconfig-file": str(tmp_path / "kubeconfig")}
    options = KubernetesOptions.model_validate_json(json.dumps(given))
    return OnKubernetes(options, Deployed("dev", "", None, {}, []))


def has(cluster: Cluster, *found: Any) -> None:
    """Let the cluster have these pods of the service."""
    cluster.objects[f"{SPACE}/pods"] = {"items": list(found)}
    for each in found:
        cluster.objects[f"{SPACE}/pods/{each['metadata']['name']}"] = each


class TestStatus:
    def test_the_service_s_container_counts(self, cluster: Cluster, verbs: OnKubernetes) -> None:
        has(cluster, pod("api-1", RUNNING, ready=True), pod("api-2", RUNNING, ready=True))
        found = verbs.status("api")
        assert (found.wanted, found.healthy, found.failure) == (2, 2, "")
        assert {(each.state, each.digest, each.why) for each in found.replicas} == {("running", DIGEST, "")}
        selector = "app.kubernetes.io/name=api,app.kubernetes.io/part-of=dev"
        assert (f"GET {SPACE}/pods", selector) in cluster.asked
        assert (f"GET {SPACE}/events", "") not in cluster.asked, "nobody needs them"

    def test_a_crash_has_its_last_words(self, cluster: Cluster, verbs: OnKubernetes) -> None:
        has(cluster, pod("api-1", BACK_OFF, lastState={"terminated": CRASHED}))
        (replica,) = verbs.status("api").replicas
        assert (replica.state, replica.healthy) == ("crashloopbackoff", False)
        assert replica.why == "exit code 2 (Error): no such flag"
        assert verbs.status("api").failure == "api-1 ended at 2026-01-01T00:00:09Z: exit code 2 (Error): no such flag"

    def test_an_image_that_is_not_there_has_its_message(self, cluster: Cluster, verbs: OnKubernetes) -> None:
        waiting = {"reason": "ImagePullBackOff", "message": f"Back-off pulling image {DIGEST}"}
        has(cluster, pod("api-1", {"waiting": waiting}))
        (replica,) = verbs.status("api").replicas
        assert (replica.state, replica.why) == ("imagepullbackoff", waiting["message"])

    def test_an_event_says_why_it_is_not_ready(self, cluster: Cluster, verbs: OnKubernetes) -> None:
        has(cluster, pod("api-1", RUNNING))
        events = [
            {"involvedObject": {"uid": "uid-api-1"}, "message": said, "lastTimestamp": at}
            for at, said in (("2026-01-01T00:00:02Z", "statuscode: 500"), ("2026-01-01T00:00:01Z", "refused"))
        ]
        cluster.objects[f"{SPACE}/events"] = {"items": events}
        (replica,) = verbs.status("api").replicas
        assert (replica.state, replica.healthy, replica.why) == ("running", False, "statuscode: 500")

    def test_a_rollout_that_does_not_come_on_is_said(self, cluster: Cluster, verbs: OnKubernetes) -> None:
        late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
        cluster.objects[DEPLOYMENT] = {**WANTED, "status": {"conditions": [late]}}
        assert verbs.status("api").failure == "ProgressDeadlineExceeded: timed out"

    def test_a_deployment_that_is_gone_is_said(self, verbs: OnKubernetes) -> None:
        with pytest.raises(OperationError, match="no Deployment worker in namespace dev"):
            verbs.status("worker")

    def test_a_cluster_that_does_not_answer_is_said(self, verbs: OnKubernetes, tmp_path: Path) -> None:
        (tmp_path / "kubeconfig").write_text(json.dumps(kubeconfig("http://127.0.0.1:1")), encoding="utf-8")
        with pytest.raises(OperationError, match=r"kubectl: The connection to the server 127\.0\.0\.1:1 was refused"):
            verbs.status("api")

    def test_no_kubectl_is_said(self, verbs: OnKubernetes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(OperationError, match="there is no kubectl on PATH: install it"):
            verbs.status("api")


class TestLogs:
    def test_they_are_merged_by_time(self, cluster: Cluster, verbs: OnKubernetes) -> None:
        has(cluster, pod("api-1", RUNNING), pod("api-2", RUNNING, restartCount=1))
        cluster.written = {
            "api-1": ["2026-01-01T00:00:01.000000001Z one", "2026-01-01T00:00:04.000000000Z four"],
            "api-2": ["2026-01-01T01:00:03.000000000+01:00 three", "unable to retrieve container logs"],
            "api-2--previous": ["2026-01-01T01:00:02.000000000+01:00 two"],
        }
        assert [line.text for line in verbs.logs("api", BEGIN, follow=False)] == ["one", "two", "three", "four"]

    def test_followed_they_go_on_with_pods_that_come(self, cluster: Cluster, verbs: OnKubernetes) -> None:
        old = pod("api-1", RUNNING)
        has(cluster, old)
        cluster.written = {"api-1": ["2026-01-01T00:00:01.000000001Z one"]}
        with closing(verbs.logs("api", BEGIN, follow=True)) as lines:  # type: ignore[type-var]
            assert next(lines).text == "one"
            cluster.written["api-1"].append("2026-01-01T00:00:01.000000002Z two")
            cluster.written["api-9"] = ["2026-01-01T00:00:00.000000000Z of the new one"]
            ended = pod("api-1", {"terminated": {"exitCode": 0}})
            new = pod("api-9", {"terminated": {"exitCode": 0}})
            has(cluster, ended, new)
            cluster.happens.put({"type": "ADDED", "object": old})
            assert next(lines).text == "two"
            cluster.happens.put({"type": "MODIFIED", "object": old})
            cluster.happens.put({"type": "ADDED", "object": new})
            assert next(lines).text == "of the new one"

    def test_closed_it_leaves_no_process(self, cluster: Cluster, verbs: OnKubernetes) -> None:
        has(cluster, pod("api-1", {"terminated": {"exitCode": 0}}))
        cluster.written = {"api-1": ["2026-01-01T00:00:01.000000001Z one"]}
        before = set(children())
        lines = verbs.logs("api", BEGIN, follow=True)
        assert next(lines).text == "one"
        cluster.happens.put({"type": "ADDED", "object": pod("api-2", {"terminated": {"exitCode": 0}})})
        cluster.written["api-2"] = ["2026-01-01T00:00:02.000000001Z two"]
        assert next(lines).text == "two"
        lines.close()  # type: ignore[attr-defined]
        deadline = time.monotonic() + 10
        while not set(children()) <= before:
            assert time.monotonic() < deadline, "a process is left"
            time.sleep(0.05)


def children() -> Iterator[str]:
    """Command lines of this process's children that run kubectl."""
    for each in Path("/proc").glob("[0-9]*"):
        try:
            status, line = (each / "status").read_text(), (each / "cmdline").read_text()
        except OSError:
            continue
        if f"PPid:\t{os.getpid()}\n" in status and "kubectl" in line:
            yield line


class TestRun:
    @staticmethod
    def ends(cluster: Cluster, state: Any) -> None:
        """Let the pod of a Job be in this state."""

        def on_job(job: Any) -> None:
            cluster.asked.append(("JOB", json.dumps(job)))
            has(cluster, pod("api--run-1", state))

        cluster.on_job = staticmethod(on_job)

    def test_it_gives_the_lines_and_the_exit_code(self, cluster: Cluster, verbs: OnKubernetes) -> None:
        self.ends(cluster, {"terminated": {"exitCode": 3}})
        cluster.written = {
            "api--run-1": ["2026-01-01T00:00:01.000000001Z migrating", "2026-01-01T00:00:01.000000002Z "]
        }
        assert list(verbs.run("api", ["migrate", "--now"])) == ["migrating", "", 3]
        assert not [path for path in cluster.objects if path.startswith(JOBS)]

    def test_the_job_is_the_deployment_s_pod_and_none_of_its_replicas(
        self, cluster: Cluster, verbs: OnKubernetes
    ) -> None:
        self.ends(cluster, {"terminated": {"exitCode": 0}})
        list(verbs.run("api", ["migrate"]))
        (text,) = [text for what, text in cluster.asked if what == "JOB"]
        spec = json.loads(text)["spec"]
        assert spec["backoffLimit"] == 0
        made, template = spec["template"], TEMPLATE
        assert made["spec"]["restartPolicy"] == "Never"
        assert made["spec"]["terminationGracePeriodSeconds"] < 30
        for kept in ("serviceAccountName", "securityContext"):
            assert made["spec"][kept] == template["spec"][kept]  # type: ignore[index]
        (container,) = made["spec"]["containers"]
        assert container == {
            "name": "api",
            "image": f"acme/api@{DIGEST}",
            "args": ["migrate"],
            "env": [{"name": "LOG_LEVEL", "value": "debug"}],
            "securityContext": {"readOnlyRootFilesystem": True},
        }
        labels = made["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == "api--run"
        assert (labels["app.kubernetes.io/part-of"], labels["team"]) == ("dev", "shop")

    def test_closed_early_it_is_removed(self, cluster: Cluster, verbs: OnKubernetes) -> None:
        self.ends(cluster, RUNNING)
        cluster.written = {"api--run-1": ["2026-01-01T00:00:01.000000001Z one"]}
        with closing(verbs.run("api", ["serve"])) as lines:
            assert next(lines) == "one"
            assert [path for path in cluster.objects if path.startswith(JOBS)]
        assert not [path for path in cluster.objects if path.startswith(JOBS)]

    @pytest.mark.parametrize(
        ("state", "said"),
        [
            (
                {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}},
                "the task does not start: ImagePullBackOff: not found",
            ),
            (
                {"waiting": {"reason": "CreateContainerConfigError", "message": "no secret"}},
                "the task does not start: CreateContainerConfigError: no secret",
            ),
            (
                {"terminated": {"exitCode": 128, "reason": "StartError", "message": 'exec: "x": not found'}},
                'the command does not start: exec: "x": not found',
            ),
        ],
    )
    def test_what_never_starts_is_said_and_removed(
        self, cluster: Cluster, verbs: OnKubernetes, state: Any, said: str
    ) -> None:
        self.ends(cluster, state)
        with pytest.raises(OperationError, match=re.escape(said)):
            list(verbs.run("api", ["migrate"]))
        assert not [path for path in cluster.objects if path.startswith(JOBS)]

    def test_a_job_without_a_pod_says_why(self, cluster: Cluster, verbs: OnKubernetes) -> None:
        cluster.objects[f"{SPACE}/events"] = {"items": [{"message": "exceeded quota"}]}
        with pytest.raises(OperationError, match="the cluster does not make the task: exceeded quota"):
            list(verbs.run("api", ["migrate"]))

    def test_one_that_nobody_places_says_why(
        self, cluster: Cluster, verbs: OnKubernetes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(once, "PATIENCE", 0.2)

        def on_job(_: Any) -> None:
            late = pod("api--run-1", {})
            unplaced = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes"}
            late["status"] = {"phase": "Pending", "conditions": [unplaced]}
            has(cluster, late)

        cluster.on_job = staticmethod(on_job)
        with pytest.raises(OperationError, match="has not started within 0 s: 0/3 nodes"):
            list(verbs.run("api", ["migrate"]))


class TestExec:
    def test_it_runs_in_a_pod_that_is_ready(
        self, cluster: Cluster, verbs: OnKubernetes, capfd: pytest.CaptureFixture[str]
    ) -> None:
        has(cluster, pod("api-1", RUNNING), pod("api-2", RUNNING, ready=True))
        assert verbs.exec("api", ["true"]) == 0
        assert capfd.readouterr().out == "inside\n"

    def test_an_image_without_the_program_names_the_way(
        self, cluster: Cluster, verbs: OnKubernetes, tmp_path: Path
    ) -> None:
        has(cluster, pod("api-1", RUNNING), pod("api-2", RUNNING, ready=True))
        with pytest.raises(OperationError) as refused:
            verbs.exec("api", ["sh"])
        assert str(refused.value) == (
            "the image of api has no program sh. This starts a shell beside it, of another image: kubectl debug"
            f" --kubeconfig {tmp_path}/kubeconfig --context prod --namespace dev api-2 --target api --image busybox"
            " --profile restricted -it -- sh"
        )

    def test_without_a_replica_it_says_so(self, verbs: OnKubernetes) -> None:
        with pytest.raises(OperationError, match="no replica of api runs"):
            verbs.exec("api", ["sh"])


class TestAccess:
    def test_an_encrypted_kubeconfig_is_that_of_the_state(self, cluster: Cluster, tmp_path: Path) -> None:
        provider = {
            "type": PROVIDER,
            "urn": f"urn:pulumi:dev::switchyard::x${PROVIDER}::kubernetes",
            "parent": "urn:pulumi:dev::switchyard::x::kubernetes",
            "outputs": {"kubeconfig": (tmp_path / "kubeconfig").read_text()},
        }
        options = KubernetesOptions.model_validate_json('{"context": "prod", "kubeconfig": "(hidden)"}')
        verbs = OnKubernetes(options, Deployed("dev", "", None, {}, [provider]))
        assert verbs.status("api").wanted == 2
        with verbs.access()() as (_, file, *context):
            assert Path(file).stat().st_mode & 0o777 == 0o600
            assert context == ["--context", "prod"]
        assert not Path(file).exists()

    def test_a_cluster_behind_a_path_is_asked_there(
        self, cluster: Cluster, verbs: OnKubernetes, tmp_path: Path
    ) -> None:
        """As Rancher's are; `kubectl get --raw` leaves it out."""
        given = json.loads((tmp_path / "kubeconfig").read_text())
        given["clusters"][0]["cluster"]["server"] += "/k8s/clusters/c-1"
        (tmp_path / "kubeconfig").write_text(json.dumps(given))
        cluster.objects = {f"/k8s/clusters/c-1{path}": found for path, found in cluster.objects.items()}
        assert verbs.status("api").wanted == 2

    def test_eks_gets_a_token_for_its_cluster(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        token = OnEks(EksOptions(), Deployed("dev", "eu-west-1", None, {}, []))._token().removeprefix("k8s-aws-v1.")
        url = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
        assert url.startswith("https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&")
        signed = {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}
        assert signed["X-Amz-SignedHeaders"] == "host;x-k8s-aws-id"
        assert signed["X-Amz-Expires"] == "60"
