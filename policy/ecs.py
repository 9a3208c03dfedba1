"""Clusters, services and tasks of Amazon ECS."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from policy.control import PRIVATE, PRODUCTION, Control, Resource

CLUSTER = ("aws:ecs/cluster:Cluster",)
SERVICE = ("aws:ecs/service:Service",)
TASK = ("aws:ecs/taskDefinition:TaskDefinition",)
PROVIDER = ("aws:ecs/capacityProvider:CapacityProvider",)
KEYS = frozenset({"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "ECS_ENGINE_AUTH_DATA"})
"""The variables that ECS.8 names."""
ROOT = ("", "0", "root")


def containers(task: Resource) -> Sequence[Mapping[str, Any]]:
    """The containers of a task definition."""
    found: Sequence[Mapping[str, Any]] = task.document("containerDefinitions") or ()
    return found


def _of(**container: Any) -> dict[str, str]:
    return {"containerDefinitions": json.dumps([{"name": "api", **container}])}


ROWS = (
    Control(
        "ECS.2",
        SERVICE,
        "Its tasks get no public address",
        lambda it, _: not it.on("networkConfiguration.assignPublicIp"),
        {"networkConfiguration": {"assignPublicIp": True}},
        PRIVATE,
        key="network",
    ),
    Control(
        "ECS.3",
        TASK,
        "It does not see the processes of the host",
        lambda it, _: it.get("pidMode") != "host",
        {"pidMode": "host"},
    ),
    Control(
        "ECS.4",
        TASK,
        "No container is privileged",
        lambda it, _: not any(each.get("privileged") for each in containers(it)),
        _of(privileged=True),
    ),
    Control(
        "ECS.5",
        TASK,
        "The root file system can only be read",
        lambda it, _: all(each.get("readonlyRootFilesystem") for each in containers(it)),
        _of(readonlyRootFilesystem=False),
    ),
    Control(
        "ECS.8",
        TASK,
        "No key of AWS stands in the environment",
        lambda it, _: not any(one["name"] in KEYS for each in containers(it) for one in each.get("environment", ())),
        _of(environment=[{"name": "AWS_SECRET_ACCESS_KEY", "value": "x"}]),
    ),
    Control(
        "ECS.9",
        TASK,
        "What containers write is kept",
        lambda it, _: all(each.get("logConfiguration", {}).get("logDriver") for each in containers(it)),
        _of(logConfiguration={}),
    ),
    Control(
        "ECS.10",
        SERVICE,
        "It runs on the newest platform version",
        lambda it, _: it.get("platformVersion", "LATEST") == "LATEST",
        {"platformVersion": "1.3.0"},
    ),
    Control(
        "ECS.12",
        CLUSTER,
        "Container Insights are on",
        lambda it, _: any(value in ("enabled", "enhanced") for value in it.every("settings.value")),
        {"settings": [{"name": "containerInsights", "value": "disabled"}]},
        PRODUCTION,
        key="preset",
    ),
    Control(
        "ECS.17",
        TASK,
        "It does not share the network of the host",
        lambda it, _: it.get("networkMode") != "host",
        {"networkMode": "host"},
    ),
    Control(
        "ECS.19",
        PROVIDER,
        "An instance with tasks is not ended",
        lambda it, _: it.get("autoScalingGroupProvider.managedTerminationProtection") == "ENABLED",
        {"autoScalingGroupProvider": {"managedTerminationProtection": "DISABLED"}},
    ),
    Control(
        "ECS.20",
        TASK,
        "No container runs as root",
        lambda it, _: all(str(each.get("user", "")).partition(":")[0] not in ROOT for each in containers(it)),
        _of(user="root"),
    ),
)
