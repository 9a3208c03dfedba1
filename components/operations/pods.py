"""What a cluster's objects say of a service's replicas, in Kubernetes' own words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from components.operations import End, Replica, Running

Object = Mapping[str, Any]
WORDS = 300
"""Characters of a message that are shown: a container's last words may be pages."""
DIGEST = re.compile(r"sha256:[0-9a-f]{64}$")


def running(service: str, deployment: Object, pods: list[Object], warnings: Mapping[str, str]) -> Running:
    """How a service does. `warnings`: uid of a pod -> the last event that warns of it."""
    # One that has ended for good, evicted for example, counts no more: another takes its place.
    counted = [pod for pod in pods if pod["status"].get("phase") not in ("Succeeded", "Failed")]
    replicas = [replica(service, pod, warnings.get(pod["metadata"]["uid"], "")) for pod in counted]
    failure = _rollout(deployment) or _last_end(service, pods)
    return Running(deployment["spec"].get("replicas", 1), replicas, failure)


def replica(service: str, pod: Object, warning: str = "") -> Replica:
    """One pod."""
    healthy = is_ready(pod) and not _leaves(pod)
    name = pod["metadata"]["name"]
    why = "" if healthy or _leaves(pod) else _why(service, pod, warning)
    return Replica(name, _state(service, pod).lower(), healthy, _digest(service, pod), why)


def is_ready(pod: Object) -> bool:
    """Whether it gets requests."""
    return any(each["type"] == "Ready" and each["status"] == "True" for each in _conditions(pod))


def status_of(service: str, pod: Object) -> Object:
    """What is told of the service's container; others in the pod were put there by the cluster. Empty: nothing yet."""
    found: list[Object] = pod["status"].get("containerStatuses") or []
    return next((each for each in found if each["name"] == service), {})


def stuck(service: str, pod: Object) -> str:
    """Why the service's container will not start, however long one waits; empty: it may."""
    waiting = status_of(service, pod).get("state", {}).get("waiting") or {}
    reason = waiting.get("reason", "")
    # ErrImagePull is tried once more, and is ImagePullBackOff then.
    if reason.endswith("BackOff") or reason in ("InvalidImageName", "ErrImageNeverPull") or "Config" in reason:
        return f"{reason}: {shown(waiting.get('message', 'no reason is given'))}"
    return ""


def unscheduled(pod: Object) -> str:
    """Why it has no node yet; empty: it has, or nobody has looked."""
    return _unmet(pod, "PodScheduled")


def end_of(state: Object) -> Object | None:
    """How a container ended, of its `state` or `lastState`; None: it did not."""
    found: Object | None = state.get("terminated")
    return found


def shown(text: str) -> str:
    """A message on one line, the end of it where it is long: there the reason stands."""
    line = " ".join(text.split())
    return line if len(line) <= WORDS else f"...{line[-WORDS:]}"


def _leaves(pod: Object) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def _conditions(pod: Object) -> list[Object]:
    found: list[Object] = pod["status"].get("conditions") or []
    return found


def _unmet(pod: Object, type_: str) -> str:
    for each in _conditions(pod):
        if each["type"] == type_ and each["status"] != "True":
            return shown(each.get("message") or each.get("reason") or "")
    return ""


def _state(service: str, pod: Object) -> str:
    if _leaves(pod):
        return "Terminating"
    state = status_of(service, pod).get("state", {})
    for kind in ("waiting", "terminated"):
        if kind in state:
            return str(state[kind].get("reason") or kind)
    return str(pod["status"].get("phase", "Unknown"))


def _why(service: str, pod: Object, warning: str) -> str:
    status = status_of(service, pod)
    if ended := end_of(status.get("state", {})) or _crashed(status):
        return _told(ended)
    if message := status.get("state", {}).get("waiting", {}).get("message"):
        return shown(message)
    return next(filter(None, _unready(pod, warning)), "")


def _crashed(status: Object) -> Object | None:
    """How the container ended before it was to start again: of CrashLoopBackOff only this is news."""
    again = status.get("state", {}).get("waiting", {}).get("reason") == "CrashLoopBackOff"
    return end_of(status.get("lastState", {})) if again else None


def _unready(pod: Object, warning: str) -> Iterator[str]:
    yield unscheduled(pod)
    for gate in pod["spec"].get("readinessGates") or []:
        # On EKS the load balancer's: it has not found the pod healthy.
        yield _unmet(pod, gate["conditionType"])
    yield shown(warning)
    yield _unmet(pod, "Ready")


def _told(ended: Object) -> str:
    reason, words = ended.get("reason") or "Error", ended.get("message") or ""
    return f"exit code {ended.get('exitCode')} ({reason}){f': {shown(words)}' if words else ''}"


def _digest(service: str, pod: Object) -> str | None:
    """What it was told to run; a node may name what it has pulled by the digest of one platform's part."""
    named = [each["image"] for each in pod["spec"]["containers"] if each["name"] == service]
    for image in (*named, status_of(service, pod).get("imageID", "")):
        if found := DIGEST.search(image):
            return found[0]
    return None


def _rollout(deployment: Object) -> str:
    """What Kubernetes says of a rollout that does not come on, or of replicas that it may not make."""
    for each in deployment.get("status", {}).get("conditions") or []:
        failed = each["type"] == "ReplicaFailure" and each["status"] == "True"
        if failed or each.get("reason") == "ProgressDeadlineExceeded":
            return f"{each['reason']}: {shown(each.get('message', ''))}"
    return ""


def _last_end(service: str, pods: list[Object]) -> str:
    """How the replica that ended last, and not well, ended."""
    ends = [
        (ended.get("finishedAt") or "", pod["metadata"]["name"], ended)
        for pod in pods
        for status in [status_of(service, pod)]
        for state in (status.get("lastState", {}), status.get("state", {}))
        if (ended := end_of(state)) and ended.get("exitCode")
    ]
    ends += [(str(pod["status"].get("startTime", "")), pod["metadata"]["name"], pod) for pod in pods if _evicted(pod)]
    if not ends:
        return ""
    at, name, last = max(ends, key=lambda each: each[0])
    told = _told(last) if "exitCode" in last else f"Evicted: {shown(last['status'].get('message', ''))}"
    return f"{name} ended at {at or 'a time that is not told'}: {told}"


def ends(service: str, pods: list[Object]) -> Iterator[End]:
    """The last end of each container that nobody had told to end."""
    for pod in pods:
        status = status_of(service, pod)
        ended = end_of(status.get("state", {})) or end_of(status.get("lastState", {}))
        if ended and ended.get("finishedAt") and not _leaves(pod):
            yield End(pod["metadata"]["name"], datetime.fromisoformat(ended["finishedAt"]), _told(ended))


def _evicted(pod: Object) -> bool:
    return bool(pod["status"].get("reason") == "Evicted")
