"""ECS's own API, as far as the daily verbs ask it: services and tasks as they run, and tasks that run once."""

import json
from typing import Any

from rehearsal.apis.endpoint import BadRequest, Endpoint, JsonHandler
from rehearsal.aws import health, types
from rehearsal.aws.containers import STRATEGY
from rehearsal.state import ACCOUNT, CloudResource, CloudState
from rehearsal.tasks import Task, stream_of

NETWORK = "networkConfiguration"


def serve(cloud: CloudState) -> Endpoint:
    """Answer until closed."""
    return Endpoint(_Handler, state=cloud)


class _Handler(JsonHandler):
    state: CloudState

    def respond(self, body: str) -> None:
        with self.state.lock:
            super().respond(body)

    def on_DescribeServices(self, asked: Any) -> Any:  # noqa: N802
        cluster = self._cluster(asked)
        found = [self._service(cluster, each) for each in asked["services"]]
        return {"services": [_told(each, cluster) for each in found if each], "failures": []}

    def on_ListServiceDeployments(self, asked: Any) -> Any:  # noqa: N802
        """What fails in an `up` is gone with it: the last rollout of what is there went well."""
        service = self._service(self._cluster(asked), asked["service"])
        found = [{"serviceArn": service.get("arn"), "status": "SUCCESSFUL", "createdAt": 1.8e9}] if service else []
        return {"serviceDeployments": found}

    def on_ListTasks(self, asked: Any) -> Any:  # noqa: N802
        cluster, status = self._cluster(asked), asked.get("desiredStatus", "RUNNING")
        if "serviceName" in asked:
            service = self._service(cluster, asked["serviceName"])
            if service is None:
                raise BadRequest("ServiceNotFoundException", "Service not found.")
            return {"taskArns": list(self._replicas(service)) if status == "RUNNING" else []}
        once = [each for each in self.state.tasks.once.values() if each.mark == asked["startedBy"]]
        return {"taskArns": [each.arn for each in once if (each.status == "STOPPED") == (status == "STOPPED")]}

    def on_DescribeTasks(self, asked: Any) -> Any:  # noqa: N802
        once = self.state.tasks.once
        # While a service changes, the definition of its replicas may be gone already; nobody asks for these then.
        replicas_asked = set(asked["tasks"]) - once.keys()
        services = [each for each in self.state.every(types.ECS_SERVICE) if each.ready and replicas_asked]
        replicas = {arn: told for service in services for arn, told in self._replicas(service).items()}
        found = [self._going_on(once[arn]) if arn in once else replicas[arn] for arn in asked["tasks"]]
        return {"tasks": found, "failures": []}

    def on_RunTask(self, asked: Any) -> Any:  # noqa: N802
        cluster, definition = self._cluster(asked), self._definition(asked["taskDefinition"])
        self._check_placement(cluster, definition, asked)
        (override,) = asked["overrides"]["containerOverrides"]
        if override["name"] not in [each["name"] for each in _containers(definition)]:
            name = override["name"]
            raise BadRequest(
                "InvalidParameterException",
                f"Override for container named {name} is not a container in the TaskDefinition.",
            )
        task = Task(
            arn=_arn(cluster, self.state.hex("task", 32)),
            cluster=cluster.id,
            definition=definition.get("arn"),
            container=override["name"],
            mark=asked.get("startedBy", ""),
            ending=self.state.tasks.ends(override["command"]),
        )
        self.state.tasks.once[task.arn] = task
        return {"tasks": [self._once(task)], "failures": []}

    def on_StopTask(self, asked: Any) -> Any:  # noqa: N802
        task = self.state.tasks.once.get(asked["task"])
        if task is None:
            raise BadRequest("InvalidParameterException", "The referenced task was not found.")
        task.status, task.reason = "STOPPED", asked.get("reason", "")
        return {"task": self._once(task)}

    def _cluster(self, asked: Any) -> CloudResource:
        found = self.state.find(types.ECS_CLUSTER, asked.get("cluster", "default"))
        if found is None:
            raise BadRequest("ClusterNotFoundException", "Cluster not found.")
        return found

    def _service(self, cluster: CloudResource, handle: str) -> CloudResource | None:
        found = self.state.find(types.ECS_SERVICE, handle)
        return found if found and found.get("cluster") in cluster.handles else None

    def _definition(self, arn: str) -> CloudResource:
        found = next((each for each in self.state.every(types.TASK_DEFINITION) if each.get("arn") == arn), None)
        if found is None:
            raise BadRequest("ClientException", "Unable to describe task definition.")
        return found

    def _check_placement(self, cluster: CloudResource, definition: CloudResource, asked: Any) -> None:
        parts = self.state.where(types.ECS_PROVIDERS, "clusterName", *cluster.handles)
        has = {name for part in parts for name in part.all("capacityProviders")}
        for each in asked.get("capacityProviderStrategy", []):
            if each["capacityProvider"] not in has:
                raise BadRequest(
                    "InvalidParameterException", "The specified capacity provider was not found in the cluster."
                )
        if definition.get("networkMode") == "awsvpc" and not asked.get(NETWORK):
            message = "Network Configuration must be provided when networkMode 'awsvpc' is specified."
            raise BadRequest("InvalidParameterException", message)

    def _replicas(self, service: CloudResource) -> dict[str, Any]:
        """ARN -> what there is to tell of each replica of a service."""
        cluster = self.state.find(types.ECS_CLUSTER, service.get("cluster", ""))
        definition = self._definition(service.get("taskDefinition"))
        group = self.state.find(types.TARGET_GROUP, service.get("loadBalancers.targetGroupArn", ""))
        told = {}
        for index in range(service.get("desiredCount", 1)):
            arn = _arn(cluster, self.state.stable(f"{service.id} {definition.get('arn')} {index}", 32))
            address = {"name": "privateIPv4Address", "value": health.address(group, index) if group else "10.0.9.9"}
            told[arn] = {
                **_of_task(arn, definition, "RUNNING"),
                "attachments": [{"type": "ElasticNetworkInterface", "details": [address]}],
            }
        return told

    def _going_on(self, task: Task) -> Any:
        """One look further: it runs, has written what it writes, and ends."""
        if task.status == "RUNNING" and task.ending.code is not None:
            task.status, task.reason = "STOPPED", "Essential container in task exited"
        elif task.status == "PROVISIONING":
            task.status = "RUNNING"
            containers = _containers(self._definition(task.definition))
            container = next(each for each in containers if each["name"] == task.container)
            self.state.tasks.write(*stream_of(container, task.arn.rpartition("/")[2]), task.ending.lines)
        return self._once(task)

    def _once(self, task: Task) -> Any:
        told = _of_task(task.arn, self._definition(task.definition), task.status)
        if task.status == "STOPPED":
            told |= {"stopCode": "EssentialContainerExited", "stoppedReason": task.reason}
            told["containers"][0]["exitCode"] = 137 if task.ending.code is None else task.ending.code
        return told


def _told(service: CloudResource, cluster: CloudResource) -> Any:
    network = {"subnets": service.all(f"{NETWORK}.subnets"), "securityGroups": service.all(f"{NETWORK}.securityGroups")}
    public = "ENABLED" if service.get(f"{NETWORK}.assignPublicIp") else "DISABLED"
    count = service.get("desiredCount", 1)
    return {
        "serviceArn": service.get("arn"),
        "serviceName": service.get("name"),
        "clusterArn": cluster.get("arn"),
        "status": "ACTIVE",
        "desiredCount": count,
        "runningCount": count,
        "taskDefinition": service.get("taskDefinition"),
        "capacityProviderStrategy": service.all(STRATEGY.rpartition(".")[0]),
        NETWORK: {"awsvpcConfiguration": {**network, "assignPublicIp": public}},
        "loadBalancers": service.all("loadBalancers"),
        "deployments": [{"status": "PRIMARY", "rolloutState": "COMPLETED", "desiredCount": count}],
    }


def _of_task(arn: str, definition: CloudResource, status: str) -> Any:
    containers = [{"name": each["name"], "image": each["image"]} for each in _containers(definition)]
    return {
        "taskArn": arn,
        "taskDefinitionArn": definition.get("arn"),
        "lastStatus": status,
        "containers": containers,
    }


def _containers(definition: CloudResource) -> list[Any]:
    found: list[Any] = json.loads(definition.get("containerDefinitions", "[]"))
    return found


def _arn(cluster: CloudResource | None, task: str) -> str:
    region = cluster.get("region", "us-east-1") if cluster else "us-east-1"
    return f"arn:aws:ecs:{region}:{ACCOUNT}:task/{cluster.get('name') if cluster else 'default'}/{task}"
