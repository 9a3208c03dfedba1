"""Pod Security Standards, level "restricted", as a plain function over a pod's spec.

Written from the checks of kubernetes/pod-security-admission (policy/check_*.go): the fields, not the code.
"""

from collections.abc import Iterator, Mapping
from typing import Any

VOLUMES = frozenset(
    {
        "configMap",
        "downwardAPI",
        "emptyDir",
        "projected",
        "secret",
        "csi",
        "persistentVolumeClaim",
        "ephemeral",
        "image",
    }
)


def violations(pod: Mapping[str, Any]) -> list[str]:
    """What the admission controller would say; empty: the pod is admitted."""
    return [*_pod(pod), *(found for container in _containers(pod) for found in _container(pod, container))]


def _containers(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*pod.get("initContainers", []), *pod["containers"]]


def _pod(pod: Mapping[str, Any]) -> Iterator[str]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field):
            yield f"{field} is true"
    for volume in pod.get("volumes", []):
        if kinds := volume.keys() - {"name"} - VOLUMES:
            yield f"volume {volume['name']} is {', '.join(kinds)}"
    if "sysctls" in pod.get("securityContext", {}):
        yield "sysctls are set"


def _container(pod: Mapping[str, Any], container: Mapping[str, Any]) -> Iterator[str]:
    own = container.get("securityContext", {})
    context = {**pod.get("securityContext", {}), **own}
    capabilities = own.get("capabilities", {})
    rules = {
        "allowPrivilegeEscalation is not false": own.get("allowPrivilegeEscalation") is not False,
        "privileged": own.get("privileged"),
        "capabilities are not all dropped": "ALL" not in capabilities.get("drop", []),
        "capabilities are added": set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"},
        "runAsNonRoot is not true": context.get("runAsNonRoot") is not True,
        "runs as root": context.get("runAsUser") == 0,
        "no seccomp profile": context.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"),
        "procMount is not the default": own.get("procMount", "Default") != "Default",
        "a host port": any(port.get("hostPort") for port in container.get("ports", [])),
    }
    yield from (f"{container['name']}: {words}" for words, broken in rules.items() if broken)
    yield from (f"{container['name']}: {where} names a host" for where in _hosts(container))


def _hosts(container: Mapping[str, Any]) -> Iterator[str]:
    """Probes and lifecycle hooks that go elsewhere than to the pod."""
    lifecycle = container.get("lifecycle", {})
    handlers = {
        **{probe: container.get(probe, {}) for probe in ("startupProbe", "readinessProbe", "livenessProbe")},
        **{hook: lifecycle.get(hook, {}) for hook in ("preStop", "postStart")},
    }
    for where, handler in handlers.items():
        if any(handler.get(kind, {}).get("host") for kind in ("httpGet", "tcpSocket")):
            yield where
