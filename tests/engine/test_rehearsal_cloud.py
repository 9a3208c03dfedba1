"""The rehearsal cloud behind the real engine: what it computes and replaces, what it refuses, and how it fails."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

import boto3
import botocore.exceptions
import pulumi
import pulumi_aws as aws
import pulumi_eks as eks
import pulumi_kubernetes as k8s
import pytest

from rehearsal import Fault
from rehearsal.aws import types
from tests.engine.account import IMAGE, REGION
from tests.engine.conftest import Lab, MakeLab, Program, nothing

pytestmark = pytest.mark.engine


def network() -> tuple[aws.ec2.Vpc, list[pulumi.Output[str]], list[pulumi.Resource]]:
    """A public network: the VPC, its subnets, and what a runtime in it must wait for."""
    vpc = aws.ec2.Vpc("net", cidr_block="10.0.0.0/16")
    gateway = aws.ec2.InternetGateway("net", vpc_id=vpc.id)
    table = aws.ec2.RouteTable("net", vpc_id=vpc.id)
    ready: list[pulumi.Resource] = [
        aws.ec2.Route("net", route_table_id=table.id, destination_cidr_block="0.0.0.0/0", gateway_id=gateway.id)
    ]
    zones = aws.get_availability_zones_output().names
    subnets = []
    for index in range(2):
        subnet = aws.ec2.Subnet(
            f"net-{index}", vpc_id=vpc.id, cidr_block=f"10.0.{index}.0/24", availability_zone=zones[index]
        )
        subnets.append(subnet.id)
        ready.append(aws.ec2.RouteTableAssociation(f"net-{index}", subnet_id=subnet.id, route_table_id=table.id))
    return vpc, subnets, ready


def group(name: str, port: int, vpc_id: pulumi.Input[str] | None = None, **options: Any) -> aws.lb.TargetGroup:
    return aws.lb.TargetGroup(name, port=port, protocol="HTTP", target_type="ip", vpc_id=vpc_id, **options)


def test_changes_replacements_refresh_and_secrets(make_lab: MakeLab) -> None:
    lab = make_lab()

    def program(port: int = 80, delay: int = 30, repository: str = "MUTABLE", family: str = "a") -> None:
        group("group", port, deregistration_delay=delay)
        aws.cloudwatch.LogGroup("logs", name="/fixed", retention_in_days=7)
        aws.ecr.Repository("repository", name="acme/api", image_tag_mutability=repository)
        aws.ecs.TaskDefinition("task", family="api", container_definitions=json.dumps([{"name": family}]))
        secret = aws.secretsmanager.Secret("secret")
        aws.secretsmanager.SecretVersion("secret", secret_id=secret.id, secret_string=pulumi.Output.secret("swordfish"))
        # Not a secret by its schema: only the value says so.
        aws.cloudwatch.LogGroup("tagged", tags={"owner": pulumi.Output.secret("swordfish")})

    assert lab.preview(program) == {"create": 8}
    assert not lab.cloud.calls
    assert not len(lab.cloud.state)
    assert lab.up(program) == {"create": 8}
    assert "swordfish" not in lab.saved()
    name = lab.resource("group")["outputs"]["name"]
    assert name.startswith("group-")
    assert len(name) == len("group-") + 7
    assert lab.preview(program) == {}

    changed = lambda: program(8080, 30, "IMMUTABLE", "b")  # noqa: E731
    assert lab.preview(changed) == {"replace": 2, "update": 1}
    assert lab.up(changed) == {"replace": 2, "update": 1}
    assert lab.resource("task")["outputs"]["revision"] == 2
    # The new one under another name, before the old one goes.
    assert lab.calls("create", "group")[-1].done < lab.calls("delete", "group")[0].begun  # type: ignore[operator]
    assert lab.resource("group")["outputs"]["name"] != name

    there = lab.cloud.state.every(types.TARGET_GROUP)[0]
    other = {"deregistrationDelay": 5}
    lab.cloud.state.change(there, there.inputs | other, there.outputs | other)
    lab.cloud.state.remove(lab.cloud.state.every(types.ECR_REPOSITORY)[0])
    lab.stack.refresh()
    assert lab.resource("group")["outputs"]["deregistrationDelay"] == 5
    assert lab.up(changed) == {"create": 1, "update": 1}
    lab.destroy()
    assert not len(lab.cloud.state)


def test_a_fixed_name_is_deleted_before_it_is_made_again(make_lab: MakeLab) -> None:
    lab = make_lab()
    plain = lambda: aws.ecr.Repository("images", name="acme/api")  # noqa: E731
    encrypted = lambda: aws.ecr.Repository(  # noqa: E731
        "images", name="acme/api", encryption_configurations=[{"encryption_type": "KMS"}]
    )
    lab.up(plain)  # type: ignore[arg-type]
    assert lab.up(encrypted) == {"replace": 1}  # type: ignore[arg-type]
    assert lab.calls("delete")[0].done < lab.calls("create")[-1].begun  # type: ignore[operator]


def test_what_is_not_known_is_refused_by_name(make_lab: MakeLab) -> None:
    lab = make_lab()

    def program() -> None:
        aws.sqs.Queue("queue")

    def question() -> None:
        aws.ec2.get_ami(owners=["self"])

    def existing() -> None:
        aws.cloudwatch.LogGroup.get("gone", "/not/there")

    assert "does not know aws:sqs/queue:Queue" in lab.refused(program)
    assert "no answer to aws:ec2/getAmi:getAmi" in lab.refused(question)
    assert "/not/there" in lab.refused(existing)
    assert not len(lab.cloud.state)


def test_the_engine_shows_the_refusal_and_keeps_what_is_there(make_lab: MakeLab) -> None:
    lab = make_lab()

    def program(double: bool = False) -> None:
        aws.cloudwatch.LogGroup("one", name="/same")
        if double:
            aws.cloudwatch.LogGroup("two", name="/same", opts=pulumi.ResourceOptions(depends_on=[]))

    lab.up(program)
    said = lab.refused(lambda: program(double=True))
    assert "ResourceAlreadyExistsException: two: name /same is taken by one" in said
    assert [each.ok for each in lab.calls("create", "two")] == [False]
    assert lab.preview(program) == {}


def test_faults_fail_hang_and_drop(make_lab: MakeLab) -> None:
    logs = "aws:cloudwatch/logGroup:LogGroup"
    lab = make_lab(faults=[Fault(logs, "create", 1, message="Throttling: slow down"), Fault(logs, "create", 3, "drop")])

    def program(count: int) -> None:
        for index in range(count):
            aws.cloudwatch.LogGroup(f"logs-{index}")

    assert "Throttling: slow down" in lab.refused(lambda: program(1))
    assert lab.up(lambda: program(1)) == {"create": 1}
    lab.refused(lambda: program(2))  # the connection is gone in the middle
    wait_until(lambda: len([each for each in lab.calls("create") if each.done]) == 3)
    assert len(lab.cloud.state) == 2  # AWS finished it, and the state does not know
    assert lab.up(lambda: program(2)) == {"create": 1}
    assert [each.ok for each in lab.calls("create")] == [False, True, False, True]
    assert len(lab.cloud.state) == 3


@pytest.mark.parametrize(("how", "known"), [(signal.SIGINT, True), (signal.SIGKILL, False)])
def test_what_an_interrupted_or_killed_engine_was_making_is_made(
    make_lab: MakeLab, how: signal.Signals, known: bool
) -> None:
    """An interrupted engine hears from the provider what there is; a killed one leaves a state that does not know."""
    logs = "aws:cloudwatch/logGroup:LogGroup"
    lab = make_lab(faults=[Fault(logs, "create", how="hang")])

    def program() -> None:
        aws.cloudwatch.LogGroup("logs", name="/fixed")

    interrupted(lab, "create", how, program)
    assert len(lab.cloud.state) == 1
    if how == signal.SIGKILL:
        lab.stack.cancel()  # it left its lock
    if known:
        lab.up(program)
        assert len(lab.calls("create")) == 1
    else:
        assert "ResourceAlreadyExistsException" in lab.refused(program)


@pytest.mark.parametrize("op", ["update", "delete"])
def test_what_a_killed_engine_was_changing_or_deleting_is_so_after_a_refresh(make_lab: MakeLab, op: Any) -> None:
    lab = make_lab(faults=[Fault("aws:cloudwatch/logGroup:LogGroup", op, how="hang")])

    def program(days: int) -> None:
        aws.cloudwatch.LogGroup("logs", retention_in_days=days)

    after = (lambda: program(30)) if op == "update" else nothing
    lab.up(lambda: program(7))
    interrupted(lab, op, signal.SIGKILL, after)
    lab.stack.cancel()
    lab.stack.refresh()
    assert lab.preview(after) == {}


def interrupted(lab: Lab, op: str, how: signal.Signals, program: Program) -> None:
    """Run `program`, whose engine gets a signal in the middle of an operation, and wait for the end of that."""
    thread = threading.Thread(target=send, args=(lab, op, how))
    thread.start()
    lab.refused(program)
    thread.join()
    wait_until(lambda: lab.calls(op)[0].done)
    assert not lab.calls(op)[0].ok


def send(lab: Lab, op: str, how: signal.Signals) -> None:
    """Signal the engine, a child of this process, in the middle of an operation."""
    wait_until(lambda: lab.calls(op))
    children = subprocess.run(["pgrep", "-P", str(os.getpid()), "pulumi"], capture_output=True, text=True, check=True)
    for child in children.stdout.split():
        os.kill(int(child), how)


def wait_until(holds: Callable[[], object]) -> None:
    """Return once it holds; fail after ten seconds."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.02)


def load_balanced(vpc: aws.ec2.Vpc, subnets: list[pulumi.Output[str]], name: str) -> pulumi.Output[str]:
    """The ARN of a target group, known once it hangs on a load balancer."""
    balancer = aws.lb.LoadBalancer("edge", subnets=subnets)
    answer = aws.lb.ListenerDefaultActionArgs(
        type="fixed-response",
        fixed_response=aws.lb.ListenerDefaultActionFixedResponseArgs(content_type="text/plain", status_code="404"),
    )
    listener = aws.lb.Listener("edge", load_balancer_arn=balancer.arn, port=80, default_actions=[answer])
    targets_of = group(name, 80, vpc.id, tags={"eks:eks-cluster-name": "lab"})
    rule = aws.lb.ListenerRule(
        name,
        listener_arn=listener.arn,
        priority=1,
        conditions=[{"path_pattern": {"values": ["/*"]}}],
        actions=[{"type": "forward", "target_group_arn": targets_of.arn}],
    )
    arn = pulumi.Output.all(targets_of.arn, rule.arn).apply(lambda both: str(both[0]))
    pulumi.export(name, arn)
    return arn


def pods(cluster: eks.Cluster, identifier: str, arn: pulumi.Input[str], replicas: int) -> None:
    """A namespace in a cluster with a Deployment whose pods are bound to a target group."""
    provider = k8s.Provider("lab", kubeconfig=cluster.kubeconfig_json, cluster_identifier=identifier)
    inside = pulumi.ResourceOptions(provider=provider, deleted_with=cluster)
    namespace = k8s.core.v1.Namespace("apps", metadata={"name": "apps"}, opts=inside).metadata.name
    password = {"it": pulumi.Output.secret("swordfish")}
    k8s.core.v1.Secret("password", metadata={"namespace": namespace}, string_data=password, opts=inside)
    labels = {"app": "api"}
    metadata: Any = {"name": "api", "namespace": namespace}
    served = k8s.core.v1.Service(
        "api", metadata=metadata, spec={"selector": labels, "ports": [{"port": 80}]}, opts=inside
    )
    pod: Any = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "api", "image": IMAGE}]}}
    run = k8s.apps.v1.Deployment(
        "api",
        metadata=metadata,
        spec={"replicas": replicas, "selector": {"match_labels": labels}, "template": pod},
        opts=inside,
    )
    service = {"name": served.metadata.name, "port": 80}
    k8s.apiextensions.CustomResource(
        "api",
        api_version="eks.amazonaws.com/v1",
        kind="TargetGroupBinding",
        metadata=metadata,
        spec={"serviceRef": service, "targetGroupARN": arn, "targetType": "ip"},
        opts=pulumi.ResourceOptions.merge(inside, pulumi.ResourceOptions(depends_on=[run])),
    )


def pods_in_a_cluster(replicas: int = 2, identifier: str = "lab") -> None:
    """A program: an EKS cluster with a load balancer in front of pods in it."""
    vpc, subnets, ready = network()
    arn = load_balanced(vpc, subnets, "pods")
    cluster = eks.Cluster(
        "lab",
        name="lab",
        vpc_id=vpc.id,
        subnet_ids=[
            pulumi.Output.all(each, *[one.urn for one in ready]).apply(lambda both: str(both[0])) for each in subnets
        ],
        authentication_mode=eks.AuthenticationMode.API,
        auto_mode={"enabled": True},
        create_instance_role=False,
        skip_default_node_group=True,
        coredns_addon_options={"enabled": False},
        tags={"team": "lab"},
    )
    pods(cluster, identifier, arn, replicas)
    pulumi.export("issuer", cluster.oidc_issuer)
    pulumi.export("name", cluster.eks_cluster.name)


def test_eks_kubernetes_health_and_time(make_lab: MakeLab) -> None:
    lab = make_lab(scale=1 / 5000)
    program = pods_in_a_cluster
    assert lab.up(program) == {"create": 33}
    assert "swordfish" not in lab.saved()
    assert lab.stack.outputs()["name"].value == "lab"
    (made,) = lab.calls("create", "lab-eksCluster")
    assert made.end is not None
    assert made.end - made.start == 540
    roles = {each.get("policyArn").rsplit("/")[-1] for each in lab.cloud.state.every(types.ROLE_POLICY_ATTACHMENT)}
    assert roles == {
        *("AmazonEKSClusterPolicy", "AmazonEKSComputePolicy", "AmazonEKSBlockStoragePolicy"),
        *("AmazonEKSLoadBalancingPolicy", "AmazonEKSNetworkingPolicy"),
        *("AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly"),
    }
    assert lab.preview(program) == {}

    arn = lab.stack.outputs()["pods"].value
    assert health(lab, arn) == [("initial", "Elb.InitialHealthChecking")] * 2
    wait_until(lambda: health(lab, arn) == [("healthy", None)] * 2)
    lab.up(lambda: program(replicas=3))
    assert len(health(lab, arn)) == 3
    lab.cloud.state.unhealthy_groups.add("pods")
    assert health(lab, arn) == [("unhealthy", "Target.ResponseCodeMismatch")] * 3

    # Another identifier is another cluster for the provider: all its objects go and come again.
    assert lab.preview(lambda: program(replicas=3, identifier="other")) == {"replace": 6}
    lab.destroy()
    assert not len(lab.cloud.state)
    assert not lab.calls("delete", "password"), "what goes with the cluster is not deleted one by one"


def test_a_service_that_never_gets_healthy_is_kept_and_seen_to_in_the_next_run(make_lab: MakeLab) -> None:
    lab = make_lab(unhealthy_groups={"tasks"})

    def program(image: str = IMAGE) -> None:
        vpc, subnets, ready = network()
        tasks = load_balanced(vpc, subnets, "tasks")
        cluster = aws.ecs.Cluster("lab")
        task = aws.ecs.TaskDefinition(
            "lab",
            family="lab",
            network_mode="awsvpc",
            container_definitions=json.dumps([{"name": "a", "image": image}]),
        )
        network_of = aws.ecs.ServiceNetworkConfigurationArgs(subnets=subnets, assign_public_ip=True)
        aws.ecs.Service(
            "lab",
            cluster=cluster.arn,
            task_definition=task.arn,
            desired_count=2,
            wait_for_steady_state=True,
            network_configuration=network_of,
            load_balancers=[{"target_group_arn": tasks, "container_name": "a", "container_port": 80}],
            opts=pulumi.ResourceOptions(depends_on=ready),
        )

    assert "circuit breaker: tasks failed ELB health checks" in lab.refused(program)
    assert lab.resource("lab")
    lab.cloud.state.unhealthy_groups.clear()
    assert lab.up(program) == {"update": 1}
    assert lab.preview(program) == {}

    lab.cloud.state.unhealthy_groups.add("tasks")
    (service,) = lab.cloud.state.every(types.ECS_SERVICE)
    running = service.get("taskDefinition")
    bad = IMAGE.replace("a" * 64, "b" * 64)
    assert "the former task definition goes on running" in lab.refused(lambda: program(bad))
    assert service.get("taskDefinition") == running


def health(lab: Lab, arn: str) -> list[tuple[str, str | None]]:
    """State and reason of each target, as boto3 reads them."""
    url = lab.cloud.env["AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2"]
    client = boto3.client(
        "elbv2", region_name=REGION, endpoint_url=url, aws_access_key_id="x", aws_secret_access_key="x"
    )
    states = [
        each["TargetHealth"] for each in client.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    ]
    with pytest.raises(botocore.exceptions.ClientError, match="TargetGroupNotFound"):
        client.describe_target_health(TargetGroupArn=arn + "0")
    with pytest.raises(botocore.exceptions.ClientError, match="no answer to DescribeRules"):
        client.describe_rules()
    return [(each["State"], each.get("Reason")) for each in states]


def test_outputs_are_what_the_engine_told_and_a_secret_one_is_asked_for(make_lab: MakeLab) -> None:
    lab = make_lab()

    def program(shown: bool) -> None:
        pulumi.export("open", {"answer": 42})
        if shown:
            pulumi.export("hidden", pulumi.Output.secret("hush"))

    assert lab.up(lambda: program(shown=False)) == {"create": 1}
    (told,) = lab.stack.outputs().values()
    assert (told.value, told.secret) == ({"answer": 42}, False)
    lab.up(lambda: program(shown=True))
    outputs = lab.stack.outputs()
    assert {name: (each.value, each.secret) for name, each in outputs.items()} == {
        "open": ({"answer": 42}, False),
        "hidden": ("hush", True),
    }
