"""Pod Security Standards, level "restricted": the fields of kubernetes/pod-security-admission (policy/check_*.go)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from policy.control import Control, Resource, Test

PODS = {
    "kubernetes:apps/v1:Deployment": "spec.template.spec",
    "kubernetes:batch/v1:Job": "spec.template.spec",
    "kubernetes:batch/v1:CronJob": "spec.jobTemplate.spec.template.spec",
}
"""Type -> where its pod is."""
VOLUMES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
Fields = Mapping[str, Any]


def _pod(it: Resource) -> Fields:
    found: Fields = it.get(PODS[it.type], {})
    return found


def _containers(pod: Fields) -> list[Fields]:
    return [*(pod.get("initContainers") or ()), *(pod.get("containers") or ())]


def _each(holds: Any) -> Test:
    """A test of pods: every container does, by its own security context and by one that has the pod's as well."""
    return lambda it, _: all(
        holds(
            each.get("securityContext") or {},
            {**(_pod(it).get("securityContext") or {}), **(each.get("securityContext") or {})},
        )
        for each in _containers(_pod(it))
    )


def _hosts(container: Fields) -> Iterator[Any]:
    """Whom probes and lifecycle hooks ask, other than the pod."""
    lifecycle = container.get("lifecycle") or {}
    handlers = [*(container.get(each) for each in PROBES), *(lifecycle.get(each) for each in ("preStop", "postStart"))]
    for each in filter(None, handlers):
        yield from (asked.get("host") for kind in ("httpGet", "tcpSocket") if (asked := each.get(kind)))


def _pod_of(**fields: Any) -> Fields:
    return {"spec": {"template": {"spec": {"containers": [{"name": "api"}], **fields}}}}


def _container(**fields: Any) -> Fields:
    return _pod_of(containers=[{"name": "api", **fields}])


def _context(**fields: Any) -> Fields:
    return _container(securityContext=fields)


def _row(id_: str, says: str, holds: Test, turned: Fields) -> Control:
    return Control(f"PodSecurity.{id_}", tuple(PODS), says, holds, turned)


ROWS = (
    _row(
        "HostNamespaces",
        "Pods do not share the host's network, processes or IPC",
        lambda it, _: not any(_pod(it).get(each) for each in ("hostNetwork", "hostPID", "hostIPC")),
        _pod_of(hostPID=True),
    ),
    _row(
        "Volumes",
        "Volumes are of kinds that do not reach the host",
        lambda it, _: all({*each} - {"name"} <= VOLUMES for each in _pod(it).get("volumes") or ()),
        _pod_of(volumes=[{"name": "host", "hostPath": {"path": "/"}}]),
    ),
    _row(
        "Sysctls",
        "No kernel parameter is set",
        lambda it, _: not (_pod(it).get("securityContext") or {}).get("sysctls"),
        _pod_of(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}),
    ),
    _row(
        "HostPorts",
        "No container takes a port of the host",
        lambda it, _: (
            not any(port.get("hostPort") for each in _containers(_pod(it)) for port in each.get("ports") or ())
        ),
        _container(ports=[{"containerPort": 80, "hostPort": 80}]),
    ),
    _row(
        "HostProbes",
        "Probes and hooks ask the pod alone",
        lambda it, _: not any(host for each in _containers(_pod(it)) for host in _hosts(each)),
        _container(readinessProbe={"httpGet": {"host": "169.254.169.254", "port": 80}}),
    ),
    _row(
        "Privileged",
        "No container is privileged",
        _each(lambda own, _: not own.get("privileged")),
        _context(privileged=True),
    ),
    _row(
        "PrivilegeEscalation",
        "No process gets more rights than its parent",
        _each(lambda own, _: own.get("allowPrivilegeEscalation") is False),
        _context(allowPrivilegeEscalation=True),
    ),
    _row(
        "Capabilities",
        "All capabilities are dropped, and none is added but NET_BIND_SERVICE",
        _each(
            lambda own, _: (
                "ALL" in (own.get("capabilities") or {}).get("drop", ())
                and {*(own.get("capabilities") or {}).get("add", ())} <= {"NET_BIND_SERVICE"}
            )
        ),
        _context(capabilities={"drop": ["ALL"], "add": ["NET_ADMIN"]}),
    ),
    _row(
        "RunAsNonRoot",
        "No container runs as root",
        _each(lambda _, both: both.get("runAsNonRoot") is True and both.get("runAsUser") != 0),
        _context(runAsNonRoot=True, runAsUser=0),
    ),
    _row(
        "Seccomp",
        "System calls are filtered",
        _each(lambda _, both: (both.get("seccompProfile") or {}).get("type") in ("RuntimeDefault", "Localhost")),
        _context(seccompProfile={"type": "Unconfined"}),
    ),
    _row(
        "ProcMount",
        "/proc hides what it hides by default",
        _each(lambda own, _: own.get("procMount", "Default") == "Default"),
        _context(procMount="Unmasked"),
    ),
)
