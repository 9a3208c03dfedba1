"""The package kubernetes: every kind by one handler, in the clusters that the pretend AWS has."""

from typing import Any

import yaml

from rehearsal import wire
from rehearsal.aws import health, types
from rehearsal.aws.registries import may_pull, pullable
from rehearsal.package import Naming, Op, Package, Urn, public, updated
from rehearsal.state import CloudResource, Refused

CLUSTER_WIDE = frozenset(
    {
        *("Namespace", "ClusterRole", "ClusterRoleBinding", "StorageClass", "IngressClass", "PriorityClass"),
        *("PersistentVolume", "CustomResourceDefinition", "NodePool", "NodeClass", "IngressClassParams"),
    }
)
"""Kinds that are in no namespace."""
NAMESPACE = "kubernetes:core/v1:Namespace"
BUILT_IN = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})
"""Namespaces that every cluster has."""
IMMUTABLE = {
    "Deployment": frozenset({"spec.selector"}),
    "StatefulSet": frozenset({"spec.selector", "spec.serviceName", "spec.volumeClaimTemplates"}),
    "Service": frozenset({"spec.clusterIP"}),
    "ConfigMap": frozenset({"data", "binaryData", "immutable"}),
    "Secret": frozenset({"data", "stringData", "type", "immutable"}),
    "Job": frozenset({"spec.selector", "spec.template"}),
}
"""What replaces an object, by kind (pulumi-kubernetes, forceNewProperties), besides its identity."""
IDENTITY = frozenset({"apiVersion", "kind", "metadata.name", "metadata.namespace"})
SECONDS = {"Deployment": (75.0, 60.0, 35.0), "Namespace": (1.0, 1.0, 12.0)}
"""To create, update and delete; a Deployment waits for its pods, and the first of them for a node. Estimates."""
AUTONAMED = "pulumi.com/autonamed"
TARGET_GROUP = "spec.targetGroupARN"
AUTO_MODE = "eks.amazonaws.com/v1"


class Kubernetes(Package):
    """Any object of any kind."""

    name = "kubernetes"

    def check(self, urn: Urn, news: wire.Properties, olds: wire.Properties, naming: Naming) -> wire.Properties:
        metadata = wire.reveal(news.get("metadata") or {})
        if not isinstance(metadata, dict) or metadata.get("name"):
            return news
        old = wire.reveal(olds.get("metadata") or {})
        kept = old.get("name") if AUTONAMED in (old.get("annotations") or {}) else None
        marked = {**(metadata.get("annotations") or {}), AUTONAMED: "true"}
        named = {"name": kept or naming.unique(8, 253), "annotations": marked}
        return news | {"metadata": wire.merged(news.get("metadata"), named)}

    def replaces(self, type_: str, path: str) -> bool:
        return wire.under(path, IDENTITY | IMMUTABLE.get(type_.rsplit(":", 1)[-1], frozenset()))

    def one_at_a_time(self, type_: str, olds: wire.Properties, news: wire.Properties) -> bool:
        before, after = (wire.reveal(each.get("metadata") or {}) for each in (olds, news))
        return all(before.get(key) == after.get(key) for key in ("name", "namespace"))

    def make(self, urn: Urn, inputs: wire.Properties, config: wire.Properties) -> CloudResource:
        cluster = self._cluster(config)
        plain = wire.reveal(inputs)
        metadata = plain["metadata"]
        found: dict[str, Any] = {"uid": self.state.hex(urn.text, 32), "generation": 1}
        if plain["kind"] not in CLUSTER_WIDE:
            found["namespace"] = metadata.get("namespace") or config.get("namespace") or "default"
        id_ = "/".join(filter(None, (found.get("namespace"), metadata["name"])))
        outputs = public(inputs) | {"metadata": wire.merged(inputs["metadata"], found)} | _computed(plain)
        resource = CloudResource(urn.type, id_, urn.name, urn.text, inputs, outputs, cluster=cluster.get("endpoint"))
        self._refuse(cluster, resource)
        return resource

    def change(self, resource: CloudResource, inputs: wire.Properties, config: wire.Properties) -> CloudResource:
        cluster = self._cluster(config)
        kept = {key: resource.get(f"metadata.{key}") for key in ("uid", "namespace") if resource.get(f"metadata.{key}")}
        kept["generation"] = resource.get("metadata.generation") + 1
        changed = updated(resource, inputs)
        metadata = wire.merged(inputs["metadata"], kept)
        outputs = changed.outputs | {"metadata": metadata} | _computed(wire.reveal(inputs))
        changed = CloudResource(**vars(changed) | {"outputs": outputs})
        if resource.type in health.BINDINGS and resource.get(TARGET_GROUP) != changed.get(TARGET_GROUP):
            raise Refused(
                "Forbidden",
                f"TargetGroupBinding update may not change {TARGET_GROUP} of {resource.id}",
                "aws-load-balancer-controller #2764",
            )
        self._can_run(cluster, changed)
        self._ports_are_free(changed)
        return changed

    def delete(self, resource: CloudResource, config: wire.Properties) -> None:
        self._cluster(config)

    def find(self, urn: Urn, id_: str, config: wire.Properties) -> CloudResource | None:
        cluster = self._cluster(config)
        address = cluster.get("endpoint")
        same = self.state.where(urn.type, "metadata.name", id_.rpartition("/")[2])
        here = [each for each in same if (each.id, each.cluster) == (id_, address)]
        return next((each for each in here if each.urn == urn.text), here[0] if here else None)

    def seconds(self, op: Op, resource: CloudResource) -> float:
        create, update, delete = SECONDS.get(resource.get("kind"), (1.0, 1.0, 1.0))
        return {"create": create, "update": update, "delete": delete, "read": 0.0}[op]

    def gone(self, resource: CloudResource) -> None:
        """What is in a namespace goes with it, and what an object owns with that (Kubernetes, garbage collection)."""
        uid, name = resource.get("metadata.uid"), resource.get("metadata.name")
        for each in [each for each in self.state if each.cluster == resource.cluster]:
            inside = resource.get("kind") == "Namespace" and each.get("metadata.namespace") == name
            if inside or uid in each.all("metadata.ownerReferences.uid"):
                self.state.remove(each)

    def replaces_provider(self, olds: wire.Properties, news: wire.Properties) -> bool:
        """By its identifier where it has one, else by the address in its kubeconfig (pulumi-kubernetes, DiffConfig)."""
        names = [each.get("clusterIdentifier") for each in (olds, news)]
        if any(names):
            return names[0] != names[1]
        before, after = (_address(wire.reveal(each)) for each in (olds, news))
        return before != after

    def _cluster(self, config: wire.Properties) -> CloudResource:
        """The cluster that the provider's kubeconfig leads to."""
        address = _address(config)
        for cluster in self.state.every(types.EKS_CLUSTER):
            if cluster.ready and cluster.get("endpoint") == address:
                return cluster
        raise Refused(
            "ClusterUnreachable",
            f"configured Kubernetes cluster is unreachable: {address or 'the provider has no kubeconfig'}",
            "pulumi-kubernetes #1379, #2463",
        )

    def _refuse(self, cluster: CloudResource, resource: CloudResource) -> None:
        namespace, name = resource.get("metadata.namespace"), resource.get("metadata.name")
        if namespace not in BUILT_IN | {None} and not self._here(NAMESPACE, namespace, resource):
            raise Refused("NotFound", f'namespaces "{namespace}" not found', "Kubernetes API")
        if any(each.id == resource.id for each in self._here(resource.type, name, resource)):
            raise Refused(
                "AlreadyExists", f"{resource.get('kind')} {resource.id} already exists", "pulumi-kubernetes #2926"
            )
        if resource.type in health.BINDINGS:
            self._binds(cluster, resource)
        self._can_run(cluster, resource)
        self._ports_are_free(resource)
        if resource.get("kind") == "Job":
            self._ends_well(resource)

    def _here(self, type_: str, name: str, resource: CloudResource) -> list[CloudResource]:
        """Objects of a type and name in the cluster of `resource`."""
        return [each for each in self.state.where(type_, "metadata.name", name) if each.cluster == resource.cluster]

    def _ports_are_free(self, resource: CloudResource) -> None:
        """A port of the nodes is one Service's in the whole cluster."""
        for port in resource.all("spec.ports.nodePort"):
            for other in self.state.where(health.SERVICE, "spec.ports.nodePort", port):
                if other.cluster == resource.cluster and not other.same(resource):
                    raise Refused(
                        "Invalid",
                        f"{resource.id}: spec.ports.nodePort {port}: provided port is already allocated, to {other.id}",
                        "Kubernetes documentation, Service, type NodePort",
                    )

    def _binds(self, cluster: CloudResource, binding: CloudResource) -> None:
        """Auto Mode's controller may only register in groups that bear the cluster's name."""
        arn = binding.get(TARGET_GROUP, "")
        group = self.state.find(types.TARGET_GROUP, arn)
        if group is None:
            raise Refused("TargetGroupNotFound", f"{binding.id} names {arn}, which does not exist", "ELBv2 API")
        if binding.get("apiVersion") != AUTO_MODE:
            return
        if not binding.get("spec.targetType"):
            raise Refused("Invalid", f"{binding.id}: spec.targetType is required", "EKS user guide, auto-configure-alb")
        tags = group.get("tags", {})
        if tags.get("eks:eks-cluster-name") != cluster.id:
            raise Refused(
                "AccessDenied",
                f"{group.name} needs the tag eks:eks-cluster-name={cluster.id}, else no pod is registered in it;"
                f" it has {tags or 'none'}",
                "AmazonEKSLoadBalancingPolicy v4; containers-roadmap #2508",
            )

    def _ends_well(self, job: CloudResource) -> None:
        """A Job is made only when its pod has ended, and not when that has failed."""
        for container in job.all("spec.template.spec.containers"):
            if code := self.state.tasks.ends(container.get("args", [])).code:
                raise Refused(
                    "BackoffLimitExceeded",
                    f"the Job {job.id} has failed: its container ended with exit code {code}",
                    "Kubernetes, Jobs; pulumi-kubernetes awaits them",
                )

    def _can_run(self, cluster: CloudResource, resource: CloudResource) -> None:
        template = "spec.jobTemplate.spec.template" if resource.get("kind") == "CronJob" else "spec.template"
        for image in resource.all(f"{template}.spec.containers.image"):
            pullable(self.state, resource, image)
            if not may_pull(self.state, cluster.get("computeConfig.nodeRoleArn", ""), image):
                raise Refused(
                    "ErrImagePull",
                    f"the nodes of {cluster.id} may not pull {image}",
                    "EKS user guide, Auto Mode node role: AmazonEC2ContainerRegistryPullOnly",
                )


def _computed(plain: wire.Properties) -> wire.Properties:
    if plain["kind"] == "Deployment":
        replicas = plain["spec"].get("replicas", 1)
        return {"status": {"replicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas}}
    return {}


def _address(config: wire.Properties) -> str | None:
    """The server in a kubeconfig's current context."""
    try:
        parsed: Any = yaml.safe_load(config.get("kubeconfig") or "")
        contexts = {each["name"]: each["context"]["cluster"] for each in parsed["contexts"]}
        clusters = {each["name"]: each["cluster"]["server"] for each in parsed["clusters"]}
        server: str = clusters[contexts[parsed["current-context"]]]
    except (yaml.YAMLError, KeyError, TypeError):
        return None
    return server
