"""The state of a rehearsed cloud, made by hand: services on ECS and Kubernetes behind one load balancer."""

import json
from typing import Any

from rehearsal.aws import health, types
from rehearsal.state import CloudResource, CloudState, Registers

ENV = [{"name": "SWITCHYARD_ORCHESTRATOR", "value": "x"}, {"name": "SWITCHYARD_SERVICE", "value": "api"}]
TASK = {"name": "api", "image": "api@sha256:1", "environment": ENV, "stopTimeout": 60}
POD = {
    "containers": [
        {
            "image": "api@sha256:1",
            "env": ENV,
            "ports": [{"containerPort": 8080}],
            "lifecycle": {"preStop": {"sleep": {"seconds": 40}}},
        }
    ],
    "terminationGracePeriodSeconds": 70,
}


class Land:
    """A cloud's state, made by hand."""

    def __init__(self, health: str = "/up") -> None:
        self.state = CloudState()
        self.state.registers[types.ECS_SERVICE] = Registers(
            "loadBalancers.targetGroupArn", "loadBalancers.containerPort", "desiredCount", "securityGroups"
        )
        self.make(types.LISTENER, "http", loadBalancerArn="balancer")
        asked = {"path": health, "matcher": "200-299", "interval": 10, "healthyThreshold": 2}
        for name in ("api-old", "api-new"):
            self.make(types.TARGET_GROUP, name, deregistrationDelay=30, healthCheck=asked, port=8080)

    def make(self, type_: str, name: str, ready: bool = True, **outputs: Any) -> CloudResource:
        made = CloudResource(type_, name, name, f"urn:{name}", {}, outputs, ready=ready)
        self.state.add(made)
        return made

    def rule(self, **weights: int) -> CloudResource:
        shares = [{"arn": f"api-{name}", "weight": weight} for name, weight in weights.items()]
        asked = [{"pathPattern": {"values": ["/*"]}}]
        forward = [{"forward": {"targetGroups": shares}}]
        return self.make(types.LISTENER_RULE, "api", listenerArn="http", priority=9, conditions=asked, actions=forward)

    def task(self, count: int = 2) -> CloudResource:
        self.make(types.TASK_DEFINITION, "task", containerDefinitions=json.dumps([TASK]))
        hangs = {"targetGroupArn": "api-old", "containerName": "api", "containerPort": 8080}
        return self.make(
            types.ECS_SERVICE,
            "ecs",
            taskDefinition="task",
            loadBalancers=[hangs],
            desiredCount=count,
            healthCheckGracePeriodSeconds=60,
        )

    def pods(self, name: str = "pods", spec: Any = POD, group: str = "api-new", count: int = 1) -> CloudResource:
        """A Deployment, with the Service that selects its pods and the binding that registers them."""
        where, labels = {"namespace": "here"}, {"app": name}
        self.make(health.SERVICE, f"{name}-k8s", metadata={"name": f"{name}-k8s", **where}, spec={"selector": labels})
        bound = {"targetGroupARN": group, "serviceRef": {"name": f"{name}-k8s"}}
        self.make(health.BINDINGS[0], f"{name}-bind", metadata=where, spec=bound)
        template = {"metadata": {"labels": labels}, "spec": spec}
        asked = {"replicas": count, "template": template, "progressDeadlineSeconds": 300}
        return self.make(health.DEPLOYMENT, name, metadata=where, spec=asked)
