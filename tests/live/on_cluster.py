"""A stack on a real cluster, and what is asked of both."""

import io
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rehearsal.server import Server
from tests.live.apply import ApplyServicer
from tests.live.calling import call
from tests.live.login_registry import PASSWORD, USER
from tests.live.project import example
from tests.program import config_for
from tests.stack import Stack
from tools.kube import node
from tools.kube.api import Api, Object
from yard import image
from yard.machine import Machine

SPACE = "switchyard-dev"
"""The stack's namespace."""
DEPLOYMENTS = "apis/apps/v1/deployments"
SECRET = "correct horse battery staple"
DRAIN = 5
"""Far longer than this cluster goes on sending to a pod that leaves."""
CALLERS = 4
PATIENCE = 60.0
"""Seconds for what the cluster does a moment later, on a machine that is busy."""
STUCK = 20.0
"""Seconds until a container that ends at once has been started twice."""


class Images:
    """The example's image as `acme/api` and `acme/worker`, and bad ones, in a registry that wants a login."""

    def __init__(self, machine: Machine, app: Path, host: str) -> None:
        self.host = host
        self.repository = f"{host}/acme/api"
        self._machine = machine
        machine.client.login(USER, PASSWORD, registry=host, reauth=True)
        image.build(example(app.parent), machine, f"{self.repository}:good", "good")
        self.good = image.push(machine, self.repository, "good")
        worker = f"{host}/acme/worker"
        assert machine.client.images.get(f"{self.repository}:good").tag(worker, "good")
        assert image.push(machine, worker, "good") == self.good

    def with_line(self, line: str) -> str:
        """The digest of the image with one more line in its Dockerfile."""
        text = f"FROM {self.repository}:good\n{line}\n"
        self._machine.client.images.build(fileobj=io.BytesIO(text.encode()), tag=f"{self.repository}:bad", rm=True)
        return image.push(self._machine, self.repository, "bad")

    def built(self, folder: Path, services: Iterable[str]) -> str:
        """The digest of another image, of the Dockerfile in a folder, as that of each of these services."""
        made, _ = self._machine.client.images.build(path=str(folder), tag=f"{self.repository}:other", rm=True)
        for repository in (f"{self.host}/acme/{name}" for name in services):
            made.tag(repository, "other")
            digest = image.push(self._machine, repository, "other")
        return digest

    def at(self, host: str) -> str:
        """The digest of the good one, pushed to another registry with the same login."""
        self._machine.client.login(USER, PASSWORD, registry=host, reauth=True)
        repository = f"{host}/acme/api"
        assert self._machine.client.images.get(f"{self.repository}:good").tag(repository, "good")
        return image.push(self._machine, repository, "good")

    def remove(self) -> None:
        """Take them from the Docker engine again."""
        for each in self._machine.client.images.list():
            if any(tag.startswith(f"{self.host}/") for tag in each.tags):
                self._machine.client.images.remove(str(each.id), force=True)


def exposed(exposure: str, **more: Any) -> dict[str, Any]:
    """The block of the orchestrator."""
    block = {"context": node.CONTEXT, "kubeconfig-file": str(node.KUBECONFIG), "drain": DRAIN, "exposure": exposure}
    return {**block, **({"address": node.address()} if exposure == "nodeport" else {}), **more}


@contextmanager
def served(
    place: Path,
    images: Images,
    provider: ApplyServicer,
    block: Mapping[str, Any],
    services: Mapping[str, Any],
    secrets: Mapping[str, str],
) -> Iterator[Stack]:
    """The program's stack with these services, not up yet; removed when the block ends, also when it fails."""
    server = Server(provider)
    config = config_for("oci", "kubernetes", **services) | {
        "oci": {"host": images.host, "namespace": "acme", "username": USER},
        "kubernetes": block,
    }
    env = {"PULUMI_DEBUG_PROVIDERS": f"kubernetes:{server.port}"}
    encrypted = {f"switchyard:{path}": value for path, value in {"oci.password": PASSWORD, **secrets}.items()}
    stack = Stack(place, env, config, encrypted)
    try:
        yield stack
    finally:
        stack.destroy()
        server.stop()


def api_and_worker(images: Images, **api: Any) -> dict[str, Any]:
    """Two services of the example; `api` with these fields besides."""
    return {
        "api": {"digest": images.good, "cpu": 0.1, "memory": 64, "writable": ["/tmp"], **api},
        "worker": {"digest": images.good, "cpu": 0.05, "memory": 32, "public": False},
    }


def namespaces(api: Api) -> set[str]:
    """Names of the namespaces that exist. With one everything in it goes."""
    return {each["metadata"]["name"] for each in api.get("/api/v1/namespaces")["items"]}


def listed(api: Api, path: str, space: str = SPACE) -> dict[str, Object]:
    """The objects of one kind in a stack's namespace, by name."""
    version, _, kind = path.rpartition("/")
    found = api.get(f"/{version}/namespaces/{space}/{kind}")["items"]
    return {each["metadata"]["name"]: each for each in found}


def service_of(stack: Stack, **changes: Any) -> None:
    """Change fields of the service `api`."""
    services = {"api": {**stack.service("api"), **changes}, "worker": stack.service("worker")}
    stack.set(services=services)


def url(stack: Stack) -> str:
    """Where the service answers."""
    return str(stack.outputs["url"]["api"])


def answer(stack: Stack) -> Any:
    """What the service says; a node's port opens a moment after the Service is there."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return call(url(stack))
        except OSError:
            assert time.monotonic() < deadline, f"nobody answers at {url(stack)}"
            time.sleep(0.5)


def settled(api: Api, service: str = "api", space: str = SPACE) -> set[str]:
    """Names of the pods of a service, once none of them is on its way out any more."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = listed(api, "api/v1/pods", space)
        pods = {name: pod for name, pod in found.items() if name.startswith(f"{service}-")}
        leaving = [name for name, pod in pods.items() if "deletionTimestamp" in pod["metadata"]]
        if not leaving:
            return set(pods)
        assert time.monotonic() < deadline, f"still there: {', '.join(leaving)}"
        time.sleep(0.5)


@contextmanager
def load_balancers(api: Api, address: str) -> Iterator[None]:
    """What a cloud does for Services of that type: give them an address."""
    over = threading.Event()

    def give() -> None:
        status = {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}
        while not over.wait(0.5):
            for name, each in listed(api, "api/v1/services").items():
                if each["spec"]["type"] == "LoadBalancer" and not each["status"]["loadBalancer"]:
                    path = f"/api/v1/namespaces/{SPACE}/services/{name}/status"
                    api.call("PATCH", path, status, "application/merge-patch+json")

    thread = threading.Thread(target=give)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
