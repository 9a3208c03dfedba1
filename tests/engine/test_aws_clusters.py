"""The rehearsal's EKS, and what Kubernetes refuses in its clusters."""

import json
from contextlib import nullcontext
from typing import Any

import pytest

from rehearsal.aws import types
from rehearsal.aws.health import targets
from rehearsal.state import CloudResource
from tests.engine.account import IMAGE, REGION, Kube, Town, no

pytestmark = pytest.mark.engine


@pytest.mark.parametrize(
    ("access", "allowed"),
    [
        (["0.0.0.0/0"], True),
        (["203.0.113.0/24"], True),  # stands for someone's own
        (["203.0.113.0/24", "10.1.0.96/27"], False),
        (["2001:db8::/32"], False),
    ],
)
def test_a_clusters_api_is_reached_from_public_addresses(town: Town, access: list[str], allowed: bool) -> None:
    network = {"subnetIds": town.ids, "publicAccessCidrs": ["0.0.0.0/0"]}
    cluster = town.make(types.EKS_CLUSTER, "lab", name="lab", roleArn=town.role.get("arn"), vpcConfig=network)
    with nullcontext() if allowed else no("InvalidParameterException"):
        town.change(cluster, vpcConfig={**network, "publicAccessCidrs": access})


CONTROL_PLANE = "/aws/eks/lab/cluster"


def logging_cluster(town: Town, *logs: str, name: str = "lab") -> CloudResource:
    """A cluster whose control plane writes these logs."""
    network, role = {"subnetIds": town.ids}, town.role.get("arn")
    return town.make(
        types.EKS_CLUSTER, name, name=name, roleArn=role, vpcConfig=network, enabledClusterLogTypes=list(logs)
    )


def test_a_policy_is_given_to_an_access_entry_of_the_cluster(town: Town) -> None:
    cluster, other = logging_cluster(town), logging_cluster(town, name="other")
    admin = "arn:aws:iam::123456789012:role/ci"
    policy = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
    town.make(types.ACCESS_ENTRY, clusterName=other.id, principalArn=admin)
    inputs = {"clusterName": cluster.id, "principalArn": admin, "policyArn": policy, "accessScope": {"type": "cluster"}}
    with no("ResourceNotFoundException", "has no access entry in the cluster lab"):
        town.make(types.ACCESS_POLICY, **inputs)
    town.make(types.ACCESS_ENTRY, clusterName=cluster.id, principalArn=admin)
    assert town.make(types.ACCESS_POLICY, **inputs).id == f"lab#{admin}#{policy}"


@pytest.mark.parametrize(
    ("regions", "logs", "left"),
    [([], ["audit"], 1), ([REGION], ["audit"], 0), (["us-east-1"], ["audit"], 1), ([], [], 0)],
    ids=["it finds none", "it finds one", "one elsewhere", "no logs"],
)
def test_a_control_plane_makes_the_log_group_that_it_misses_and_leaves_it(
    town: Town, regions: list[str], logs: list[str], left: int
) -> None:
    groups = [town.make(types.LOG_GROUP, name=CONTROL_PLANE, region=each) for each in regions]
    town.delete(logging_cluster(town, *logs))
    for each in groups:
        town.delete(each)
    assert [each.name for each in town.state.every(types.LOG_GROUP)] == [CONTROL_PLANE] * left


def test_the_log_group_of_a_cluster_that_lives_comes_back_without_an_end(town: Town) -> None:
    group = town.make(types.LOG_GROUP, name=CONTROL_PLANE, retentionInDays=7)
    logging_cluster(town, "audit")
    town.delete(group)
    (again,) = town.state.every(types.LOG_GROUP)
    assert (again.get("name"), again.get("retentionInDays")) == (CONTROL_PLANE, None)
    with no("ResourceAlreadyExistsException"):
        town.make(types.LOG_GROUP, name=CONTROL_PLANE)


def test_kubernetes_knows_its_names_and_namespaces(kube: Kube) -> None:
    with no("NotFound"):
        kube.make("ConfigMap", "settings", "apps")
    apps = kube.make("Namespace", "apps")
    kube.make("ConfigMap", "settings", "apps")
    kube.make("ConfigMap", "settings", "kube-system")
    with no("AlreadyExists"):
        kube.make("ConfigMap", "settings", "apps")
    kube.delete(apps)
    assert [each.id for each in kube.state if each.cluster] == ["kube-system/settings"]


def test_a_cluster_that_is_gone_cannot_be_reached_and_takes_its_objects_along(town: Town, kube: Kube) -> None:
    made = kube.make("Namespace", "apps")
    town.delete(kube.cluster)
    assert not [each for each in town.state if each.cluster]
    with no("ClusterUnreachable"):
        kube.make("Namespace", "more")
    with no("ClusterUnreachable"):
        kube.delete(made)


def test_auto_mode_binds_only_groups_with_its_clusters_tag(town: Town, kube: Kube) -> None:
    def bind(arn: str, **spec: Any) -> CloudResource:
        service = {"serviceRef": {"name": "api", "port": 80}, "targetGroupARN": arn, **spec}
        return kube.make("TargetGroupBinding", "api", "default", "eks.amazonaws.com/v1", spec=service)

    with no("TargetGroupNotFound"):
        bind("arn:none", targetType="ip")
    with no("AccessDenied"):
        bind(town.targets.id, targetType="ip")
    tagged = town.target_group("tagged", tags={"eks:eks-cluster-name": "lab"})
    with no("Invalid"):
        bind(tagged.id)
    bind(tagged.id, targetType="ip")


def test_a_binding_keeps_its_group(town: Town, kube: Kube) -> None:
    one, two = (town.target_group(name, tags={"eks:eks-cluster-name": "lab"}) for name in ("one", "two"))
    spec = {"serviceRef": {"name": "api", "port": 80}, "targetGroupARN": one.id, "targetType": "ip"}
    bound = kube.make("TargetGroupBinding", "api", "default", "eks.amazonaws.com/v1", spec=spec)
    with no("Forbidden"):
        kube.change(bound, spec=spec | {"targetGroupARN": two.id})
    kube.change(bound, metadata=bound.inputs["metadata"] | {"labels": {"more": "x"}})


def test_pods_are_reached_on_the_port_that_their_cluster_and_policy_let_in(town: Town, kube: Kube) -> None:
    group = town.target_group("tagged", tags={"eks:eks-cluster-name": "lab"})
    town.rule({group.id: 1})

    def states() -> list[tuple[int, str]]:
        return [(each.port, each.state) for each in targets(town.state, group, 60)]

    labels = {"app": "api"}
    spec = {"serviceRef": {"name": "api", "port": 80}, "targetGroupARN": group.id, "targetType": "ip"}
    kube.make("TargetGroupBinding", "api", "default", "eks.amazonaws.com/v1", spec=spec)
    kube.make("Service", "api", "default", spec={"selector": labels})
    container = {"image": IMAGE, "ports": [{"containerPort": 8080}]}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    kube.make("Deployment", "api", "default", "apps/v1", spec={"template": pod})
    assert states() == [(8080, "healthy")]

    opened = town.let_in(kube.cluster.get("vpcConfig.clusterSecurityGroupId"), 9000)
    assert states() == [(8080, "unhealthy")]
    town.delete(opened)

    for number, (port, state) in enumerate(((9000, "unhealthy"), (8080, "healthy"), ("http", "healthy"))):
        rule = {"podSelector": {"matchLabels": labels}, "ingress": [{"ports": [{"port": port}]}]}
        policy = kube.make("NetworkPolicy", f"p{number}", "default", "networking.k8s.io/v1", spec=rule)
        assert states() == [(8080, state)]
        kube.delete(policy)


def test_the_replicas_behind_a_binding_are_its_targets(town: Town, kube: Kube) -> None:
    group = town.target_group("tagged", tags={"eks:eks-cluster-name": "lab"})

    def states() -> list[str]:
        return [each.state for each in targets(town.state, group, 60)]

    spec = {"serviceRef": {"name": "api", "port": 80}, "targetGroupARN": group.id, "targetType": "ip"}
    kube.make("TargetGroupBinding", "api", "default", "eks.amazonaws.com/v1", spec=spec)
    kube.make("Service", "api", "default", spec={"selector": {"app": "api"}})
    assert states() == []
    pod = {"metadata": {"labels": {"app": "api", "more": "x"}}, "spec": {"containers": [{"image": IMAGE}]}}
    kube.make("Deployment", "api", "default", "apps/v1", spec={"template": pod})
    assert states() == ["unused"]
    town.rule({group.id: 1})
    assert states() == ["healthy"]
    scale = {"scaleTargetRef": {"kind": "Deployment", "name": "api"}, "minReplicas": 3}
    kube.make("HorizontalPodAutoscaler", "api", "default", "autoscaling/v2", spec=scale)
    assert states() == ["healthy"] * 3
    town.state.unhealthy_groups.add("tagged")
    assert states() == ["unhealthy"] * 3


def test_pods_need_a_digest_and_nodes_that_may_pull(town: Town, kube: Kube) -> None:
    def deploy(image: str) -> CloudResource:
        pod = {"metadata": {"labels": {"app": "api"}}, "spec": {"containers": [{"image": image}]}}
        return kube.make("Deployment", "api", "default", "apps/v1", spec={"template": pod})

    with no("ImageWithoutDigest"):
        deploy("docker.io/acme/api:latest")
    image = f"{town.make(types.ECR_REPOSITORY, name='acme/api').get('repositoryUrl')}@sha256:{'c' * 64}"
    with no("CannotPullContainerError"):
        deploy(image)
    town.state.pushed[image.partition("@")[0]].add(image.partition("@")[2])
    with no("ErrImagePull"):
        deploy(image)
    pull = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"
    attached = town.make(types.ROLE_POLICY_ATTACHMENT, role=town.role.id, policyArn=pull)
    deploy(image)
    with no("RuntimeCutOff"):
        town.delete(attached)


def test_pods_get_only_a_role_that_trusts_them(town: Town) -> None:
    cluster = logging_cluster(town)
    trust = {"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": ["sts:AssumeRole"]}
    inputs = {"clusterName": cluster.id, "namespace": "shop", "serviceAccount": "api"}
    role = town.make(types.ROLE, "pods", assumeRolePolicy=json.dumps({"Statement": [trust]}))
    with no("InvalidParameterException", "with sts:AssumeRole and sts:TagSession"):
        town.make(types.POD_IDENTITY, **inputs, roleArn=role.get("arn"))
    with no("NoSuchEntity"):
        town.make(types.POD_IDENTITY, **inputs, roleArn="arn:aws:iam::123456789012:role/gone")
    trust["Action"] = ["sts:AssumeRole", "sts:TagSession"]
    town.change(role, assumeRolePolicy=json.dumps({"Statement": [trust]}))
    assert town.make(types.POD_IDENTITY, **inputs, roleArn=role.get("arn")).id == "lab:api"
