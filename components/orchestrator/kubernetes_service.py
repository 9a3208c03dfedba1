"""One service as Kubernetes objects: the same for every cluster, and fit for Pod Security "restricted"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components.needs import Program
from components.orchestrator import HONOURED, Support, kubernetes_job, translated
from components.pull import Login
from components.release import Standing
from components.sdk import k8s
from components.service import EITHER_DAY, IN_ENV, IN_FILES, SECRETS_FOLDER, Service
from components.workload import Image

GRACE = 30
"""Seconds a pod has to finish what is under way once it has drained, until it is killed."""
PATIENCE = 600
"""Seconds a rollout may take: room for a node that starts first."""
SCALED_BY = "switchyard/scaled-by"
"""Annotation: who sets the count of the replicas. It makes a difference, and so an update of the Deployment, where the
count alone would not: what the state knows of the count is what it was before the autoscaler."""
PERMITTED = "switchyard/permissions"
"""Annotation of pods that have started with a role on AWS."""
CAPABILITIES: Mapping[str, Support] = {
    "port": HONOURED,
    "cpu": translated("CPU request; no limit, for a throttled replica answers late"),
    "memory": translated("memory request and limit"),
    "replicas": HONOURED,
    "autoscaling": translated("HorizontalPodAutoscaler on CPU"),
    "health": translated("readiness probe"),
    "env": HONOURED,
    "secrets": translated("Kubernetes Secret"),
    IN_ENV: HONOURED,
    IN_FILES: translated("files of the Secret at /run/secrets, which the service's user alone may read"),
    "command": translated("args of the container"),
    "release": translated("a Job of the new image, which the Deployment waits for"),
    "jobs": translated("CronJob; while a job still runs, its next time is left out"),
    EITHER_DAY: HONOURED,
    "public": translated("false: by NetworkPolicy nothing may connect"),
    "digest": HONOURED,
    "image": HONOURED,
    "architecture": translated("nodeSelector kubernetes.io/arch"),
    "user": translated("runAsUser, runAsGroup and fsGroup"),
    "writable": translated("emptyDir of at most 256 MiB"),
}
"""What these objects do with the features of a service, on every cluster; each adds what leads to them from outside."""
VERBS: Mapping[str, Support] = {
    "status": HONOURED,
    "run": translated("a Job with the Deployment's pod template, which is removed when it has ended"),
    "exec": translated("kubectl exec; where the image has no shell, the error names the `kubectl debug` that has one"),
}
"""The daily verbs in every cluster; where the logs are, each adds."""
KUBECTL = Program("kubectl", "`yard status`, `logs`, `run` and `exec` ask the cluster by it", for_up=False)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the objects go."""

    orchestrator: str
    stack: str
    namespace: pulumi.Input[str]
    callers: Sequence[pulumi.Input[str]]
    """The addresses (CIDR) that may connect to public services."""
    drain: int
    """Seconds a pod goes on serving after it is told to stop: longer than whatever sends to it goes on sending."""
    opts: pulumi.ResourceOptions
    """Parent, provider, and deleted_with where the cluster takes its objects along."""

    def after(self, *resources: pulumi.Resource) -> pulumi.ResourceOptions:
        """The same options, for an object that waits for others."""
        return pulumi.ResourceOptions.merge(self.opts, pulumi.ResourceOptions(depends_on=list(resources)))


def part_of(stack: str) -> dict[str, str]:
    """What every pod of a stack bears."""
    return {"app.kubernetes.io/part-of": stack}


def labels(stack: str, service: str) -> dict[str, str]:
    """What the pods of one service bear, and no others."""
    return {"app.kubernetes.io/name": service, **part_of(stack)}


def namespace(
    name: str, stack: str, opts: pulumi.ResourceOptions, labels: Mapping[str, str] | None = None
) -> pulumi.Output[str]:
    """A namespace that admits only pods that meet "restricted", and lets nothing in until a policy says so."""
    made = k8s.core.v1.Namespace(
        name,
        metadata={
            "name": stack,
            "labels": {
                "pod-security.kubernetes.io/enforce": "restricted",
                "pod-security.kubernetes.io/enforce-version": "latest",
                "pod-security.kubernetes.io/warn": "restricted",
                **(labels or {}),
            },
        },
        opts=opts,
    )
    deny(name, stack, made.metadata.name, {}, opts)
    return made.metadata.name


def deny(
    name: str, stack: str, namespace: pulumi.Input[str], pods: Mapping[str, str], opts: pulumi.ResourceOptions
) -> None:
    """Let nothing in to the pods with these labels (none: all pods of the namespace) until another policy does."""
    k8s.networking.v1.NetworkPolicy(
        f"{name}--deny",  # no service's name has two dashes in a row, so none is called like this
        metadata={"name": f"{stack}--deny", "namespace": namespace},
        spec={"pod_selector": {"match_labels": pods} if pods else {}, "policy_types": ["Ingress"]},
        opts=opts,
    )


def expose(name: str, place: Place) -> k8s.core.v1.Service:
    """The Service that a load balancer's binding, and the other pods, find the replicas by."""
    return k8s.core.v1.Service(
        name,
        metadata={
            "name": name,
            "namespace": place.namespace,
            # Pulumi would wait for endpoints, and the pods only come after it.
            "annotations": {"pulumi.com/skipAwait": "true"},
        },
        spec={
            "selector": labels(place.stack, name),
            "ports": [{"name": "http", "port": 80, "target_port": "http", "protocol": "TCP"}],
        },
        opts=place.opts,
    )


def run(
    name: str,
    service: Service,
    image: Image,
    place: Place,
    *before: pulumi.Resource,
    release: Standing | None = None,
    runs_jobs: bool = False,
) -> k8s.apps.v1.Deployment:
    """Everything that runs the replicas, once `before` is there and the release command, as far as it runs here, has
    ended well; then its jobs. The Deployment is done only when they are ready."""
    account = _account(name, image, place)
    secrets = _secrets(name, service, place)
    budget = _budget(name, service, place)
    pod = _pod(name, service, image, place, account.metadata.name, secrets)
    metadata = {"namespace": place.namespace, "labels": part_of(place.stack)}
    released = kubernetes_job.release(name, service, image, release, pod, metadata, place.after(*before))
    deployment = k8s.apps.v1.Deployment(
        name,
        metadata={
            "name": name,
            "namespace": place.namespace,
            "annotations": {
                SCALED_BY: _scaled_by(service),
                # Without it `up` fails for good once an autoscaler, or `kubectl scale`, has set the count. A Deployment
                # of someone else is safe from it: its selector, which cannot be changed, does not name this stack.
                "pulumi.com/patchForce": "true",
            },
        },
        spec=_deployment(name, service, place, pod),
        opts=pulumi.ResourceOptions.merge(
            place.after(*before, *released, budget),
            pulumi.ResourceOptions(
                # Left out while it scales, the count would fall to 1, Kubernetes' default, before the autoscaler acts.
                ignore_changes=["spec.replicas"] if service.replicas.scales else None,
                custom_timeouts=pulumi.CustomTimeouts(create=f"{PATIENCE}s", update=f"{PATIENCE}s"),
            ),
        ),
    )
    _admit(name, service, place)
    if runs_jobs:
        kubernetes_job.schedule(name, service, pod, metadata, place.after(deployment))
    if service.replicas.scales:
        _autoscaler(name, service, place, budget, deployment)
    return deployment


def _account(name: str, image: Image, place: Place) -> k8s.core.v1.ServiceAccount:
    return k8s.core.v1.ServiceAccount(
        name,
        metadata={"name": name, "namespace": place.namespace},
        automount_service_account_token=False,
        image_pull_secrets=[{"name": secret} for secret in _pull_secret(name, image, place)],
        opts=place.opts,
    )


def _scaled_by(service: Service) -> str:
    return "autoscaler" if service.replicas.scales else "program"


def _budget(name: str, service: Service, place: Place) -> k8s.policy.v1.PodDisruptionBudget:
    """At most one replica leaves at a time when nodes change.

    Pulumi deletes last, so an autoscaler that is no longer wanted would still correct the count that the Deployment has
    just been given. That is why the budget owns it, and is made anew when autoscaling goes on or off: the autoscaler
    goes with the old one, and the Deployment waits for the new one.
    """
    return k8s.policy.v1.PodDisruptionBudget(
        name,
        metadata={"name": name, "namespace": place.namespace, "annotations": {SCALED_BY: _scaled_by(service)}},
        spec={"max_unavailable": 1, "selector": {"match_labels": labels(place.stack, name)}},
        opts=pulumi.ResourceOptions.merge(
            place.opts,
            pulumi.ResourceOptions(
                replace_on_changes=[f'metadata.annotations["{SCALED_BY}"]'], delete_before_replace=True
            ),
        ),
    )


def _autoscaler(
    name: str,
    service: Service,
    place: Place,
    owner: k8s.policy.v1.PodDisruptionBudget,
    deployment: k8s.apps.v1.Deployment,
) -> None:
    target: Any = {"type": "Utilization", "average_utilization": service.replicas.cpu}
    k8s.autoscaling.v2.HorizontalPodAutoscaler(
        name,
        metadata={
            "name": name,
            "namespace": place.namespace,
            "owner_references": [
                {
                    "api_version": "policy/v1",
                    "kind": "PodDisruptionBudget",
                    "name": name,
                    "uid": owner.metadata.uid,
                    # The owner is gone, for whoever waits for that, only once this is.
                    "block_owner_deletion": True,
                }
            ],
        },
        spec={
            "scale_target_ref": {"api_version": "apps/v1", "kind": "Deployment", "name": name},
            "min_replicas": service.replicas.min,
            "max_replicas": service.replicas.max,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
        opts=place.after(deployment),
    )


def _secrets(name: str, service: Service, place: Place) -> k8s.core.v1.Secret | None:
    if not service.secrets:
        return None
    return k8s.core.v1.Secret(
        name,
        # Autonamed: another value makes another secret before the old one goes, and its new name starts new pods.
        # (A fixed name would be deleted first, and the Deployment that refers to it with it.)
        metadata={"namespace": place.namespace},
        string_data={
            variable: pulumi.Output.secret(value.get_secret_value())
            for variable, value in sorted(service.secrets.items())
        },
        opts=place.opts,
    )


def _pull_secret(name: str, image: Image, place: Place) -> list[pulumi.Output[str]]:
    """The name of the secret with the registry's login, where the image needs one."""
    if not isinstance(image.pull, Login):
        return []
    login = image.pull
    # The password is a secret, and so is everything made of it.
    config = pulumi.Output.json_dumps(
        {"auths": {login.server: {"username": login.username, "password": login.password}}}
    )
    secret = k8s.core.v1.Secret(
        f"{name}--registry",
        metadata={"namespace": place.namespace},
        type="kubernetes.io/dockerconfigjson",
        string_data={".dockerconfigjson": config},
        opts=place.opts,
    )
    return [secret.metadata.name]


def _deployment(name: str, service: Service, place: Place, pod: dict[str, Any]) -> Any:
    return {
        "replicas": service.replicas.min,
        "selector": {"match_labels": labels(place.stack, name)},
        "strategy": {"type": "RollingUpdate", "rolling_update": {"max_unavailable": 0, "max_surge": "100%"}},
        # Kubernetes calls a rollout failed after so long without progress. Pulumi only warns of that: `up` fails when
        # the Deployment's own time-out is over, with the pod's reason.
        "progress_deadline_seconds": PATIENCE,
        "template": {
            "metadata": {"labels": labels(place.stack, name), **_marks(service)},
            "spec": pod,
        },
    }


def _marks(service: Service) -> dict[str, Any]:
    """Pods learn of a role as they start, so those that run make way for others once the service has one."""
    return {"annotations": {PERMITTED: "true"}} if service.permissions else {}


def _pod(
    name: str,
    service: Service,
    image: Image,
    place: Place,
    account: pulumi.Output[str],
    secrets: k8s.core.v1.Secret | None,
) -> dict[str, Any]:
    return {
        "service_account_name": account,
        "automount_service_account_token": False,
        "node_selector": {"kubernetes.io/arch": "amd64" if service.architecture == "x86_64" else "arm64"},
        "termination_grace_period_seconds": place.drain + GRACE,
        "security_context": {
            "run_as_non_root": True,
            "run_as_user": service.user,
            "run_as_group": service.user,
            "fs_group": service.user,
            "seccomp_profile": {"type": "RuntimeDefault"},
        },
        "topology_spread_constraints": [
            {
                "max_skew": 1,
                "topology_key": "topology.kubernetes.io/zone",
                # A zone without room must not stop a rollout.
                "when_unsatisfiable": "ScheduleAnyway",
                "label_selector": {"match_labels": labels(place.stack, name)},
            }
        ],
        "containers": [_container(name, service, image, place, secrets)],
        "volumes": [
            {"name": f"scratch-{index}", "empty_dir": {"size_limit": "256Mi"}} for index in range(len(service.writable))
        ]
        + _secret_volume(service, secrets),
    }


def _container(
    name: str, service: Service, image: Image, place: Place, secrets: k8s.core.v1.Secret | None
) -> dict[str, Any]:
    environment = service.environment(name, place.orchestrator)
    return {
        "name": name,
        "image": image.ref,
        "args": list(service.command) or None,
        "ports": [{"name": "http", "container_port": service.port}],
        "env": [{"name": variable, "value": value} for variable, value in environment.items()]
        + _secret_variables(service, secrets),
        "resources": {
            "requests": {"cpu": f"{round(service.cpu * 1000)}m", "memory": f"{service.memory}Mi"},
            # Memory over the limit ends the pod. CPU has no limit: a throttled pod answers late and fails its probes.
            "limits": {"memory": f"{service.memory}Mi"},
        },
        **_probes(service),
        # A container that fails says why in its last lines; these go into the pod's status, and into the error of `up`.
        "termination_message_policy": "FallbackToLogsOnError",
        "lifecycle": {"pre_stop": {"sleep": {"seconds": place.drain}}},
        "security_context": {
            "allow_privilege_escalation": False,
            "read_only_root_filesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volume_mounts": [
            {"name": f"scratch-{index}", "mount_path": path} for index, path in enumerate(service.writable)
        ]
        + _secret_mounts(service),
    }


def _secret_variables(service: Service, secrets: k8s.core.v1.Secret | None) -> list[dict[str, Any]]:
    if service.secrets_as == "file":
        return [{"name": variable, "value": path} for variable, path in service.secret_files.items()]
    return [
        {"name": variable, "value_from": {"secret_key_ref": {"name": secrets.metadata.name, "key": variable}}}
        for variable in sorted(service.secrets)
        if secrets is not None
    ]


def _secret_volume(service: Service, secrets: k8s.core.v1.Secret | None) -> list[dict[str, Any]]:
    """The files are root's; fsGroup, which only the process is in, lets the kubelet make them readable for it."""
    if secrets is None or service.secrets_as != "file":
        return []
    return [{"name": "secrets", "secret": {"secret_name": secrets.metadata.name, "default_mode": 0o400}}]


def _secret_mounts(service: Service) -> list[dict[str, Any]]:
    """File by file: a volume over the whole folder is read-only, and EKS mounts tokens below /run/secrets too."""
    if service.secrets_as != "file":
        return []
    return [
        {"name": "secrets", "mount_path": f"{SECRETS_FOLDER}/{variable}", "sub_path": variable, "read_only": True}
        for variable in sorted(service.secrets)
    ]


def _probes(service: Service) -> dict[str, Any]:
    """Readiness asks the health path: a replica that says no gets no requests and may recover. Liveness only knocks at
    the port: if it asked the health path too, a dependency that is down would restart every replica, over and over, and
    make it worse. Startup gives a slow starter a minute before liveness begins."""
    ready = {"http_get": {"path": service.health, "port": "http"}, "period_seconds": 5, "timeout_seconds": 3}
    alive = {"tcp_socket": {"port": "http"}, "period_seconds": 10, "failure_threshold": 3}
    return {
        "startup_probe": {"tcp_socket": {"port": "http"}, "period_seconds": 2, "failure_threshold": 30},
        "readiness_probe": {**ready, "failure_threshold": 2},
        "liveness_probe": alive,
    }


def _admit(name: str, service: Service, place: Place) -> None:
    """Let what sends to a public service, and nothing else, connect to its replicas."""
    if not service.public:
        return
    k8s.networking.v1.NetworkPolicy(
        name,
        metadata={"name": name, "namespace": place.namespace},
        spec={
            "pod_selector": {"match_labels": labels(place.stack, name)},
            "policy_types": ["Ingress"],
            "ingress": [
                {
                    "from_": [{"ip_block": {"cidr": block}} for block in place.callers],
                    # By name it is each pod's own, so that a change of the port cuts off none of the old.
                    "ports": [{"port": "http", "protocol": "TCP"}],
                }
            ],
        },
        opts=place.opts,
    )
