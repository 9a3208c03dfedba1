"""A pretend account, for what AWS refuses: its packages without an engine."""

import base64
import json
from typing import Any

import pytest

from rehearsal.aws import rows, types
from rehearsal.aws.package import Aws
from rehearsal.kubernetes import Kubernetes
from rehearsal.package import Naming, Urn
from rehearsal.state import CloudResource, CloudState, Refused

REGION = "eu-central-1"
IMAGE = "docker.io/acme/api@sha256:" + "a" * 64
TRUST = '{"Version": "2012-10-17", "Statement": []}'


class Account:
    """Makes and deletes resources as the provider would."""

    def __init__(self) -> None:
        self.state = CloudState()
        self._package = Aws(self.state, rows.load())

    def make(self, type_: str, name: str = "it", /, **inputs: Any) -> CloudResource:
        """Create a resource; its inputs are as the engine sends them."""
        urn = Urn(type_, name, f"urn:pulumi:lab::rehearsal::{type_}::{name}")
        checked = self._package.check(urn, inputs, {}, Naming(name, b"seed"))
        resource = self._package.make(urn, checked, {"region": REGION})
        resource.ready = True
        self.state.add(resource)
        self._package.made(resource)
        return resource

    def change(self, resource: CloudResource, **inputs: Any) -> None:
        """Update a resource's inputs."""
        changed = self._package.change(resource, resource.inputs | inputs, {"region": REGION})
        self.state.change(resource, changed.inputs, changed.outputs)

    def ask(self, token: str, **args: str) -> dict[str, Any]:
        """The answer of a data source."""
        return self._package.invoke(token, args, {"region": REGION})

    def delete(self, resource: CloudResource) -> None:
        """Delete it."""
        self._package.delete(resource, {"region": REGION})
        self.state.remove(resource)
        self._package.gone(resource)


class Town(Account):
    """An account with a network, a load balancer and a cluster."""

    def __init__(self) -> None:
        super().__init__()
        make = self.make
        self.vpc = make(types.VPC, cidrBlock="10.0.0.0/16")
        self.gateway = make(types.INTERNET_GATEWAY, vpcId=self.vpc.id)
        self.table = make(types.ROUTE_TABLE, vpcId=self.vpc.id)
        self.route = make(
            types.ROUTE, routeTableId=self.table.id, destinationCidrBlock="0.0.0.0/0", gatewayId=self.gateway.id
        )
        self.subnets = [
            make(types.SUBNET, f"s{i}", vpcId=self.vpc.id, cidrBlock=f"10.0.{i}.0/24", availabilityZone=f"{REGION}{z}")
            for i, z in enumerate("ab")
        ]
        self.associations = [
            make(types.ROUTE_TABLE_ASSOCIATION, f"a{i}", routeTableId=self.table.id, subnetId=subnet.id)
            for i, subnet in enumerate(self.subnets)
        ]
        self.ids = [each.id for each in self.subnets]
        self.group = make(types.SECURITY_GROUP, vpcId=self.vpc.id)
        self.balancer = make(types.LOAD_BALANCER, subnets=self.ids, securityGroups=[self.group.id])
        self.listener = make(types.LISTENER, loadBalancerArn=self.balancer.id, port=80, defaultActions=[])
        self.targets = self.target_group("targets")
        self.cluster = make(types.ECS_CLUSTER)
        self.providers = make(types.ECS_PROVIDERS, clusterName=self.cluster.get("name"), capacityProviders=["FARGATE"])
        self.role = make(types.ROLE, assumeRolePolicy=TRUST)

    def target_group(self, name: str, **inputs: Any) -> CloudResource:
        """A target group of type ip."""
        usual = {"port": 80, "protocol": "HTTP", "vpcId": self.vpc.id, "targetType": "ip"}
        return self.make(types.TARGET_GROUP, name, **(usual | inputs))

    def let_in(self, group: str, port: int) -> CloudResource:
        """A rule that lets the load balancer in on a port."""
        source = {"referencedSecurityGroupId": self.group.id, "ipProtocol": "tcp"}
        return self.make(types.INGRESS_RULE, securityGroupId=group, fromPort=port, toPort=port, **source)

    def rule(self, weights: dict[str, int], name: str = "rule", priority: int = 1) -> CloudResource:
        """A listener rule that forwards to groups by ARN."""
        groups = [{"arn": arn, "weight": weight} for arn, weight in weights.items()]
        actions = [{"type": "forward", "forward": {"targetGroups": groups}}]
        return self.make(types.LISTENER_RULE, name, listenerArn=self.listener.id, priority=priority, actions=actions)

    def task(self, image: str = IMAGE) -> CloudResource:
        """A task definition."""
        containers = json.dumps([{"name": "api", "image": image}])
        role = self.role.get("arn")
        return self.make(
            types.TASK_DEFINITION, networkMode="awsvpc", containerDefinitions=containers, executionRoleArn=role
        )

    def service(self, **inputs: Any) -> CloudResource:
        """An ECS service with two replicas in `targets`."""
        usual = {
            "cluster": self.cluster.id,
            "taskDefinition": inputs.pop("task", None) or self.task().get("arn"),
            "desiredCount": 2,
            "capacityProviderStrategies": [{"capacityProvider": "FARGATE", "weight": 1}],
            "networkConfiguration": {"subnets": self.ids, "assignPublicIp": True},
            "loadBalancers": [{"targetGroupArn": self.targets.id, "containerName": "api", "containerPort": 80}],
        }
        return self.make(types.ECS_SERVICE, "service", **(usual | inputs))


class Fleet(Town):
    """A town whose cluster runs its replicas on EC2 instances: two at the most, of a type with three interfaces."""

    def __init__(self) -> None:
        super().__init__()
        self.delete(self.providers)
        self.script = base64.b64encode(f"ECS_CLUSTER={self.cluster.get('name')}\n".encode()).decode()
        self.template = self.launch_template("fleet")
        self.instances = self.fleet("fleet")
        self.provider = self.capacity("fleet", self.instances)
        self.providers = self.associate(self.provider)
        self.rule({self.targets.id: 1})

    def launch_template(self, name: str, **inputs: Any) -> CloudResource:
        """One whose instances join the cluster and have public addresses."""
        interfaces = [{"associatePublicIpAddress": "true", "securityGroups": [self.group.id]}]
        usual = {"networkInterfaces": interfaces, "userData": self.script}
        return self.make(types.LAUNCH_TEMPLATE, name, **(usual | inputs))

    def fleet(
        self, name: str, template: CloudResource | None = None, type_: str = "t3.small", **inputs: Any
    ) -> CloudResource:
        """An Auto Scaling group."""
        specification = {"launchTemplateId": (template or self.template).id, "version": "1"}
        policy = {"launchTemplateSpecification": specification, "overrides": [{"instanceType": type_}]}
        usual = {
            "mixedInstancesPolicy": {"launchTemplate": policy},
            "vpcZoneIdentifiers": self.ids,
            "maxSize": 2,
            "protectFromScaleIn": True,
            "forceDelete": True,
        }
        return self.make(types.AUTO_SCALING_GROUP, name, **(usual | inputs))

    def capacity(self, name: str, instances: CloudResource, scaling: str = "ENABLED") -> CloudResource:
        """A capacity provider with managed termination protection."""
        said = {
            "autoScalingGroupArn": instances.get("arn"),
            "managedTerminationProtection": "ENABLED",
            "managedScaling": {"status": scaling},
        }
        return self.make(types.CAPACITY_PROVIDER, name, autoScalingGroupProvider=said)

    def associate(self, *providers: CloudResource) -> CloudResource:
        """Let the cluster have capacity providers."""
        names = [each.get("name") for each in providers]
        return self.make(types.ECS_PROVIDERS, clusterName=self.cluster.get("name"), capacityProviders=names)

    def service(self, **inputs: Any) -> CloudResource:
        """An ECS service with two replicas on the instances."""
        strategy = [{"capacityProvider": self.provider.get("name"), "weight": 1}]
        usual = {"capacityProviderStrategies": strategy, "networkConfiguration": {"subnets": self.ids}}
        return super().service(**(usual | inputs))


class Kube:
    """Objects in the EKS cluster `lab` of a town."""

    def __init__(self, town: Town) -> None:
        self.state = town.state
        self._package = Kubernetes(town.state)
        role = town.role.get("arn")
        compute = {"nodeRoleArn": role}
        network = {"subnetIds": town.ids}
        self.cluster = town.make(
            types.EKS_CLUSTER, "lab", name="lab", roleArn=role, vpcConfig=network, computeConfig=compute
        )
        server = self.cluster.get("endpoint")
        self.config = {
            "kubeconfig": json.dumps(
                {
                    "current-context": "it",
                    "contexts": [{"name": "it", "context": {"cluster": "it"}}],
                    "clusters": [{"name": "it", "cluster": {"server": server}}],
                }
            )
        }

    def make(
        self, kind: str, name: str, namespace: str | None = None, version: str = "v1", **body: Any
    ) -> CloudResource:
        """Create an object."""
        group = version if "/" in version else f"core/{version}"
        urn = Urn(f"kubernetes:{group}:{kind}", name, f"urn:{kind}:{name}")
        metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
        inputs = {"apiVersion": version, "kind": kind, "metadata": metadata, **body}
        resource = self._package.make(urn, inputs, self.config)
        resource.ready = True
        self.state.add(resource)
        return resource

    def change(self, resource: CloudResource, **body: Any) -> None:
        """Update an object."""
        changed = self._package.change(resource, resource.inputs | body, self.config)
        self.state.change(resource, changed.inputs, changed.outputs)

    def delete(self, resource: CloudResource) -> None:
        """Delete an object."""
        self._package.delete(resource, self.config)
        self.state.remove(resource)
        self._package.gone(resource)


def no(code: str, words: str = "") -> Any:
    """The cloud refuses, with AWS's error code, and in these words."""
    return pytest.raises(Refused, match=f"^{code}: .*{words}")
