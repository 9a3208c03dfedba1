"""What Pulumi's own provider waits for, and what it says of an object that did not become ready in time.

Read from pulumi-kubernetes 4.32 to 4.34: provider/pkg/await/{deployment,service,ingress}.go and checker/pod/check.go.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from tools.kube.api import Api, Object

DEFAULT_TIMEOUT = 600.0
"""Seconds, where the program does not say how long."""
REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"

Look = Callable[[Api, Object], Sequence[str]]
"""Looks at a live object: why it is not ready. Nothing: it is."""


def look_at(wanted: Object) -> Look:
    """How an object is looked at."""
    if wanted["metadata"].get("annotations", {}).get("pulumi.com/skipAwait") == "true":
        return _always
    return LOOKS.get(wanted["kind"], _always)


def _always(api: Api, live: Object) -> Sequence[str]:
    return ()


def _deployment(api: Api, live: Object) -> Sequence[str]:
    """Ready when its newest replica set is. Until the time is up no condition and no pod is a reason to stop."""
    status, revision = live.get("status", {}), live["metadata"].get("annotations", {}).get(REVISION)
    if status.get("observedGeneration", 0) < live["metadata"]["generation"] or revision is None:
        return ["Minimum number of live Pods was not attained"]
    conditions = {each["type"]: each for each in status.get("conditions", [])}
    available = conditions.get("Available", {}).get("status") == "True"
    progress = conditions.get("Progressing", {})
    rolled_out = (progress.get("status"), progress.get("reason")) == ("True", "NewReplicaSetAvailable")
    newest = _replica_set(api, live, revision)
    ready = bool(newest) and newest.get("status", {}).get("readyReplicas", 0) >= newest["spec"]["replicas"]
    if available and ready and (rolled_out or revision == "1"):
        return ()
    told = [f"[{each['reason']}] {each['message']}" for each in conditions.values() if each["status"] != "True"]
    if not available:
        told.append("Minimum number of live Pods was not attained")
    elif not rolled_out:
        told.append("Minimum number of Pods to consider the application live was not attained")
    else:
        told.append("Attempted to roll forward to new ReplicaSet, but minimum number of Pods did not become live")
    return [*told, *_pods(api, newest)]


def _replica_set(api: Api, deployment: Object, revision: str) -> Object:
    space, uid = deployment["metadata"]["namespace"], deployment["metadata"]["uid"]
    for each in api.get(f"/apis/apps/v1/namespaces/{space}/replicasets")["items"]:
        metadata: Object = each["metadata"]
        owners = [owner["uid"] for owner in metadata.get("ownerReferences", [])]
        if uid in owners and metadata.get("annotations", {}).get(REVISION) == revision:
            return dict(each)
    return {}


def _pods(api: Api, replica_set: Object) -> Iterator[str]:
    if not replica_set:
        return
    space, marked = replica_set["metadata"]["namespace"], replica_set["metadata"]["labels"][HASH]
    for pod in api.get(f"/api/v1/namespaces/{space}/pods", labelSelector=f"{HASH}={marked}")["items"]:
        status = pod.get("status", {})
        ready: Object = next((each for each in status.get("conditions", []) if each["type"] == "Ready"), {})
        lines = [line for each in status.get("containerStatuses", []) for line in _container(each)]
        if ready.get("status") == "False" and (lines or ready.get("message")):
            yield f"[Pod {space}/{pod['metadata']['name']}]: {ready.get('message', '')}" + "\n".join(lines)


def _container(status: Object) -> Iterator[str]:
    """Of the container's own words it knows what Kubernetes keeps as its termination message."""
    if status["ready"]:
        return
    waiting, ended = status["state"].get("waiting", {}), status["state"].get("terminated", {})
    if waiting and waiting["reason"] != "ContainerCreating":
        yield f"[{waiting['reason']}] {waiting.get('message', '')}"
    if ended.get("reason"):
        code = f'container "{status["name"]}" completed with exit code {ended["exitCode"]}'
        yield f"[{ended['reason']}] {ended['message']}" if ended.get("message") else code
    if last := status.get("lastState", {}).get("terminated"):
        how = f"{last['reason']}: exit code {last['exitCode']}"
        yield f'container "{status["name"]}" terminated at {last["finishedAt"]} ({how})'
        yield from filter(None, [last.get("message")])


def _service(api: Api, live: Object) -> Sequence[str]:
    """An address where one is to come, and a pod behind it."""
    told = []
    if live["spec"].get("selector") and not _endpoints(api, live):
        told.append(
            "Service does not target any Pods. Selected Pods may not be ready, or field '.spec.selector' may not match"
            " labels on any Pods"
        )
    if live["spec"].get("type") == "LoadBalancer" and not _addresses(live):
        told.append("Service was not allocated an IP address; does your cloud provider support this?")
    return told


def _endpoints(api: Api, service: Object) -> bool:
    space, name = service["metadata"]["namespace"], service["metadata"]["name"]
    slices = api.get(
        f"/apis/discovery.k8s.io/v1/namespaces/{space}/endpointslices",
        labelSelector=f"kubernetes.io/service-name={name}",
    )
    return any(end["conditions"].get("ready") for each in slices["items"] for end in each["endpoints"] or [])


def _addresses(live: Object) -> Sequence[Object]:
    given: Sequence[Object] = live.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
    return given


def _ingress(api: Api, live: Object) -> Sequence[str]:
    return () if _addresses(live) else ["Ingress .status.loadBalancer field was not updated with a hostname/IP address"]


LOOKS: Mapping[str, Look] = {"Deployment": _deployment, "Service": _service, "Ingress": _ingress}
