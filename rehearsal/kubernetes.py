"""The package kubernetes: every kind by one handler, in the clusters that the pretend AWS has."""

from typing import Any

import yaml

from rehearsal import aws, health, refusals, wire
from rehearsal.package import Naming, Op, Package, Resource, public, updated
from rehearsal.refusals import Refused
from rehearsal.world import Thing

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

    def check(
        self, resource: Resource, news: wire.Properties, olds: wire.Properties, naming: Naming
    ) -> wire.Properties:
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

    def make(self, resource: Resource, inputs: wire.Properties, config: wire.Properties) -> Thing:
        cluster = self._cluster(config)
        plain = wire.reveal(inputs)
        metadata = plain["metadata"]
        found: dict[str, Any] = {"uid": self.world.hex(resource.urn, 32), "generation": 1}
        if plain["kind"] not in CLUSTER_WIDE:
            found["namespace"] = metadata.get("namespace") or config.get("namespace") or "default"
        id_ = "/".join(filter(None, (found.get("namespace"), metadata["name"])))
        outputs = public(inputs) | {"metadata": wire.merged(inputs["metadata"], found)} | _computed(plain)
        thing = Thing(resource.type, id_, resource.name, resource.urn, inputs, outputs, cluster=cluster.get("endpoint"))
        self._refuse(cluster, thing)
        return thing

    def change(self, thing: Thing, inputs: wire.Properties, config: wire.Properties) -> Thing:
        cluster = self._cluster(config)
        kept = {key: thing.get(f"metadata.{key}") for key in ("uid", "namespace") if thing.get(f"metadata.{key}")}
        kept["generation"] = thing.get("metadata.generation") + 1
        changed = updated(thing, inputs)
        metadata = wire.merged(inputs["metadata"], kept)
        outputs = changed.outputs | {"metadata": metadata} | _computed(wire.reveal(inputs))
        changed = Thing(**vars(changed) | {"outputs": outputs})
        if thing.type in health.BINDINGS and thing.get(TARGET_GROUP) != changed.get(TARGET_GROUP):
            raise Refused(
                "Forbidden",
                f"TargetGroupBinding update may not change {TARGET_GROUP} of {thing.id}",
                "aws-load-balancer-controller #2764",
            )
        self._can_run(cluster, changed)
        return changed

    def delete(self, thing: Thing, config: wire.Properties) -> None:
        self._cluster(config)

    def find(self, resource: Resource, id_: str, config: wire.Properties) -> Thing | None:
        cluster = self._cluster(config)
        address = cluster.get("endpoint")
        same = self.world.where(resource.type, "metadata.name", id_.rpartition("/")[2])
        here = [each for each in same if (each.id, each.cluster) == (id_, address)]
        return next((each for each in here if each.urn == resource.urn), here[0] if here else None)

    def seconds(self, op: Op, thing: Thing) -> float:
        create, update, delete = SECONDS.get(thing.get("kind"), (1.0, 1.0, 1.0))
        return {"create": create, "update": update, "delete": delete, "read": 0.0}[op]

    def went(self, thing: Thing) -> None:
        if thing.get("kind") == "Namespace":
            for each in [each for each in self.world if each.cluster == thing.cluster]:
                if each.get("metadata.namespace") == thing.get("metadata.name"):
                    self.world.remove(each)

    def replaces_provider(self, olds: wire.Properties, news: wire.Properties) -> bool:
        """By its identifier where it has one, else by the address in its kubeconfig (pulumi-kubernetes, DiffConfig)."""
        names = [each.get("clusterIdentifier") for each in (olds, news)]
        if any(names):
            return names[0] != names[1]
        before, after = (_address(wire.reveal(each)) for each in (olds, news))
        return before != after

    def _cluster(self, config: wire.Properties) -> Thing:
        """The cluster that the provider's kubeconfig leads to."""
        address = _address(config)
        for cluster in self.world.every(aws.EKS_CLUSTER):
            if cluster.ready and cluster.get("endpoint") == address:
                return cluster
        raise Refused(
            "ClusterUnreachable",
            f"configured Kubernetes cluster is unreachable: {address or 'the provider has no kubeconfig'}",
            "pulumi-kubernetes #1379, #2463",
        )

    def _refuse(self, cluster: Thing, thing: Thing) -> None:
        namespace, name = thing.get("metadata.namespace"), thing.get("metadata.name")
        if namespace not in BUILT_IN | {None} and not self._here(NAMESPACE, namespace, thing):
            raise Refused("NotFound", f'namespaces "{namespace}" not found', "Kubernetes API")
        if any(each.id == thing.id for each in self._here(thing.type, name, thing)):
            raise Refused("AlreadyExists", f"{thing.get('kind')} {thing.id} already exists", "pulumi-kubernetes #2926")
        if thing.type in health.BINDINGS:
            self._binds(cluster, thing)
        self._can_run(cluster, thing)

    def _here(self, type_: str, name: str, thing: Thing) -> list[Thing]:
        """Objects of a type and name in the cluster of `thing`."""
        return [each for each in self.world.where(type_, "metadata.name", name) if each.cluster == thing.cluster]

    def _binds(self, cluster: Thing, binding: Thing) -> None:
        """Auto Mode's controller may only register in groups that bear the cluster's name."""
        arn = binding.get(TARGET_GROUP, "")
        group = self.world.find(aws.TARGET_GROUP, arn)
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

    def _can_run(self, cluster: Thing, thing: Thing) -> None:
        for image in thing.all("spec.template.spec.containers.image"):
            refusals.pinned(thing, image)
            refusals.in_repository(self.world, image)
            nodes = cluster.get("computeConfig.nodeRoleArn", "")
            if ".dkr.ecr." in image and not refusals.may_pull(self.world, nodes, image):
                raise Refused(
                    "ErrImagePull",
                    f"the nodes of {cluster.id} may not pull {image}",
                    "EKS user guide, Auto Mode node role: AmazonEC2ContainerRegistryPullOnly",
                )


def _computed(plain: wire.Properties) -> wire.Properties:
    if plain["kind"] == "Deployment":
        copies = plain["spec"].get("replicas", 1)
        return {"status": {"replicas": copies, "readyReplicas": copies, "availableReplicas": copies}}
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
