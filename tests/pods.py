"""Pods of a service, as a Kubernetes API tells of them."""

from collections.abc import Mapping
from typing import Any

DIGEST = f"sha256:{'a' * 64}"


def pod(name: str, state: Mapping[str, Any], ready: bool = False, **status: Any) -> dict[str, Any]:
    """A pod of the service, as the API tells of it."""
    container = {"name": "api", "state": state, "restartCount": 0, "containerID": f"containerd://{name}", **status}
    sidecar = {"name": "proxy", "state": {"running": {}}, "restartCount": 7}
    conditions = [{"type": "Ready", "status": str(ready), "message": "containers with unready status: [api]"}]
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", "labels": {"app.kubernetes.io/name": "api"}},
        "spec": {"containers": [{"name": "proxy", "image": "proxy:1"}, {"name": "api", "image": f"acme/api@{DIGEST}"}]},
        "status": {"phase": "Running", "conditions": conditions, "containerStatuses": [sidecar, container]},
    }


RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
CRASHED = {"exitCode": 2, "reason": "Error", "message": "no such flag\n", "finishedAt": "2026-01-01T00:00:09Z"}
BACK_OFF = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container"}}
TEMPLATE = {
    "metadata": {"labels": {"app.kubernetes.io/name": "api", "app.kubernetes.io/part-of": "dev", "team": "shop"}},
    "spec": {
        "serviceAccountName": "api",
        "securityContext": {"runAsNonRoot": True},
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 70,
        "topologySpreadConstraints": [{"maxSkew": 1}],
        "containers": [
            {
                "name": "api",
                "image": f"acme/api@{DIGEST}",
                "args": ["serve"],
                "env": [{"name": "LOG_LEVEL", "value": "debug"}],
                "ports": [{"containerPort": 8080}],
                "lifecycle": {"preStop": {}},
                "livenessProbe": {},
                "securityContext": {"readOnlyRootFilesystem": True},
            }
        ],
    },
}
WANTED = {"spec": {"replicas": 2, "template": TEMPLATE}, "status": {"conditions": []}}
