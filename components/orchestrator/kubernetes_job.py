"""What runs once on Kubernetes, in a pod like the replicas' but for what makes these servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from components.job import Job
from components.release import PATIENCE, Standing, fingerprint
from components.sdk import k8s
from components.service import Service
from components.workload import Image

OF_SERVERS = ("ports", "startup_probe", "readiness_probe", "liveness_probe", "lifecycle")
"""What a container has because it serves."""
LATE = 300
"""Seconds after its time within which a job may still start. Without a limit, a CronJob that has missed its time more
than a hundred times never runs again (Kubernetes documentation, CronJob)."""


def once(pod: Mapping[str, Any], command: Sequence[str]) -> dict[str, Any]:
    """A pod that runs a command in place of the service's own, and ends with it."""
    (container,) = pod["containers"]
    alone = {key: value for key, value in container.items() if key not in OF_SERVERS} | {"args": list(command)}
    kept = {key: value for key, value in pod.items() if key != "topology_spread_constraints"}
    return {**kept, "containers": [alone], "restart_policy": "Never"}


def release(
    name: str,
    service: Service,
    image: Image,
    standing: Standing | None,
    pod: Mapping[str, Any],
    metadata: Mapping[str, Any],
    opts: pulumi.ResourceOptions,
) -> list[k8s.batch.v1.Job]:
    """The job that the replicas wait for; none where the command does not run. `metadata` has the namespace, and the
    labels that every pod of the stack bears: those of the replicas would let requests in."""
    if standing not in ("due", "done"):
        return []
    labels = {**metadata["labels"], "app.kubernetes.io/name": f"{name}--release"}
    job = k8s.batch.v1.Job(
        # Another command or image is another job; the one before goes when the replicas are there.
        f"{name}--release-{fingerprint(service.release, image.digest)}",
        metadata={
            "namespace": metadata["namespace"],
            # One that failed is made anew by the next `up` (pulumi-kubernetes, "pulumi.com/replaceUnready").
            "annotations": {"pulumi.com/replaceUnready": "true"},
        },
        spec=_spec(labels, once(pod, service.release)),
        opts=pulumi.ResourceOptions.merge(
            opts,
            pulumi.ResourceOptions(
                # What else has changed of the service since it ran is no reason to run it again.
                ignore_changes=["spec"] if standing == "done" else None,
                custom_timeouts=pulumi.CustomTimeouts(create=f"{PATIENCE + 60}s"),
            ),
        ),
    )
    return [job]


def schedule(
    name: str,
    service: Service,
    pod: Mapping[str, Any],
    metadata: Mapping[str, Any],
    opts: pulumi.ResourceOptions,
) -> None:
    """A CronJob for each of the service's jobs. `pod` is the replicas'; `metadata` as in `release`."""
    for key, job in service.jobs.items():
        called = f"{name}--{key}"
        labels = {**metadata["labels"], "app.kubernetes.io/name": called}
        k8s.batch.v1.CronJob(
            called,
            metadata={"name": called, "namespace": metadata["namespace"]},
            spec=_timed(job, labels, once(pod, job.command)),
            opts=opts,
        )


def _timed(job: Job, labels: Mapping[str, str], pod: Mapping[str, Any]) -> Any:
    # `Any`, for against all that the spec of a CronJob may be, mypy takes gigabytes to compare a literal.
    return {
        "schedule": job.when.unix,
        "time_zone": job.time_zone,
        "concurrency_policy": "Forbid",
        "starting_deadline_seconds": LATE,
        "successful_jobs_history_limit": 1,
        "failed_jobs_history_limit": 3,
        "job_template": {"spec": {"backoff_limit": 0, "template": {"metadata": {"labels": labels}, "spec": pod}}},
    }


def _spec(labels: Mapping[str, str], pod: Mapping[str, Any]) -> Any:
    return {
        "backoff_limit": 0,
        "active_deadline_seconds": PATIENCE,
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
