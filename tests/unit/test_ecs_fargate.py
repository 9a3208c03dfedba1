"""ECS on Fargate: what AWS is asked for."""

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.edge.alb import DEREGISTRATION_DELAY
from components.orchestrator.ecs_fargate import _sizes, fargate_size
from components.testing.cloud import arn
from components.testing.engine import HIDDEN, Graph
from tests.program import DIGEST, EXISTING, config_for, run_program

PASSWORD = "hunter2"
RICH = {
    "port": 9000,
    "cpu": 0.3,
    "memory": 700,
    "replicas": {"min": 2, "max": 6, "cpu": 55},
    "health": "/up",
    "env": {"LOG_LEVEL": "info"},
    "secrets": {"DB_PASSWORD": PASSWORD},
    "command": ["serve", "--fast"],
    "architecture": "arm64",
    "user": 1000,
    "writable": ["/tmp", "/cache"],
    "digest": DIGEST,
}


@cache
def rich() -> Graph:
    """A service that uses every field, and a worker that nobody calls."""
    config = config_for("ecr", "ecs-fargate", api=RICH, worker={"public": False, "digest": DIGEST})
    return run_program(config, ("services",))


@cache
def within(registry: str = "ecr", **block: Any) -> Graph:
    """The service in a network that is there, with another block."""
    config = {**config_for(registry, "ecs-fargate", api=RICH), **EXISTING, "ecs-fargate": block}
    login = {"host": "registry.example.com", "username": "robot", "password": "s3cr3t-token"}
    return run_program({**config, "oci": login}, ("services", "oci"))


def container(graph: Graph, service: str = "api") -> dict[str, Any]:
    (definition,) = json.loads(graph.one("ecs/taskDefinition:TaskDefinition", service).inputs["containerDefinitions"])
    return dict(definition)


def policy(graph: Graph, name: str) -> list[dict[str, Any]]:
    return list(json.loads(graph.one("iam/rolePolicy:RolePolicy", name).inputs["policy"])["Statement"])


@pytest.mark.parametrize(
    ("cpu", "memory", "want"),
    [
        (0.05, 32, (256, 512)),
        (0.25, 512, (256, 512)),
        (0.25, 513, (256, 1024)),
        (0.25, 2049, (512, 3072)),
        (0.3, 512, (512, 1024)),
        (0.5, 4097, (1024, 5120)),
        (1, 2048, (1024, 2048)),
        (1, 1024, (1024, 2048)),
        (4, 30721, (8192, 32768)),
        (8, 16385, (8192, 20480)),
        (16, 32769, (16384, 40960)),
        (16, 122880, (16384, 122880)),
        (0.25, 122880, (16384, 122880)),
    ],
)
def test_a_size_is_raised_to_one_that_fargate_sells(cpu: float, memory: int, want: tuple[int, int]) -> None:
    assert fargate_size(cpu, memory) == want


@given(st.floats(0.05, 16), st.integers(32, 122880))
def test_every_legal_size_fits_into_one_that_is_sold(cpu: float, memory: int) -> None:
    units, mebibytes = fargate_size(cpu, memory)
    assert (units, mebibytes) in set(_sizes())
    assert units >= cpu * 1024
    assert mebibytes >= memory


def test_the_size_that_runs_is_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    config = config_for("ecr", "ecs-fargate", api={"cpu": 0.3, "memory": 700, "digest": DIGEST})
    run_program({**config, **EXISTING})
    assert "api: Fargate does not sell 0.3 vCPU with 700 MiB; it runs with 0.5 vCPU and 1024 MiB" in caplog.text


def test_a_size_that_is_sold_needs_no_word(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    run_program({**config_for("ecr", "ecs-fargate"), **EXISTING})
    assert "Fargate" not in caplog.text


class TestTask:
    def test_size_and_platform(self) -> None:
        task = rich().one("ecs/taskDefinition:TaskDefinition", "api").inputs
        assert (task["cpu"], task["memory"], task["networkMode"]) == ("512", "1024", "awsvpc")
        assert task["runtimePlatform"] == {"operatingSystemFamily": "LINUX", "cpuArchitecture": "ARM64"}

    def test_the_replica_cannot_change_itself_or_rise(self) -> None:
        found = container(rich())
        assert found["readonlyRootFilesystem"] is True
        assert found["privileged"] is False
        assert found["user"] == "1000"
        assert found["linuxParameters"] == {"capabilities": {"drop": ["ALL"]}}

    def test_writable_paths_are_volumes(self) -> None:
        mounts = {each["containerPath"]: each["sourceVolume"] for each in container(rich())["mountPoints"]}
        volumes = [each["name"] for each in rich().one("ecs/taskDefinition:TaskDefinition", "api").inputs["volumes"]]
        assert list(mounts) == ["/tmp", "/cache"]
        assert list(mounts.values()) == volumes

    def test_environment(self) -> None:
        found = {each["name"]: each["value"] for each in container(rich())["environment"]}
        assert found == {
            "LOG_LEVEL": "info",
            "PORT": "9000",
            "SWITCHYARD_ORCHESTRATOR": "ecs-fargate",
            "SWITCHYARD_SERVICE": "api",
        }

    def test_the_image_has_the_digest(self) -> None:
        repository = "123456789012.dkr.ecr.us-east-1.amazonaws.com/switchyard-dev/api"
        assert container(rich())["image"] == f"{repository}@{DIGEST}"

    def test_command_and_port(self) -> None:
        assert container(rich())["command"] == ["serve", "--fast"]
        assert container(rich())["portMappings"] == [{"containerPort": 9000, "protocol": "tcp"}]
        assert "command" not in container(rich(), "worker")

    def test_it_stops_later_than_its_last_request(self) -> None:
        assert DEREGISTRATION_DELAY < container(rich())["stopTimeout"] <= 120

    def test_logs_go_to_the_stacks_group(self) -> None:
        assert container(rich())["logConfiguration"] == {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": "/switchyard-dev",
                "awslogs-region": "us-east-1",
                "awslogs-stream-prefix": "api/ecs-fargate",
            },
        }


class TestSecrets:
    SECRET_ARN = arn("secretsmanager", "secret/api--DB_PASSWORD-0a1b2c3")

    def test_they_come_by_reference_to_a_version(self) -> None:
        (secret,) = container(rich())["secrets"]
        assert secret["name"] == "DB_PASSWORD"
        assert secret["valueFrom"].startswith(f"{self.SECRET_ARN}:::version-of-")

    def test_the_value_is_a_pulumi_secret_in_the_vault_alone(self) -> None:
        holders = [each for each in rich() if PASSWORD in json.dumps(each.inputs)]
        assert [each.type for each in holders] == ["aws:secretsmanager/secretVersion:SecretVersion"]
        assert holders[0].clear["secretString"] == HIDDEN

    def test_a_registrys_login_is_a_secret_too(self) -> None:
        graph = within("oci")
        login = container(graph)["repositoryCredentials"]["credentialsParameter"]
        holders = [each for each in graph if "s3cr3t-token" in json.dumps(each.inputs)]
        assert {each.type for each in holders} == {"aws:secretsmanager/secretVersion:SecretVersion"}
        assert all("s3cr3t-token" not in json.dumps(each.clear) for each in holders)
        assert json.loads(holders[0].inputs["secretString"]) == {"username": "robot", "password": "s3cr3t-token"}
        assert login in policy(graph, "api-execution")[-1]["Resource"]


class TestRoles:
    def test_the_execution_role_may_start_this_service_and_no_more(self) -> None:
        repository = arn("ecr", "repository/switchyard-dev/api")
        assert policy(rich(), "api-execution") == [
            {
                "Effect": "Allow",
                "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": [arn("logs", "log-group:/switchyard-dev") + ":log-stream:api/*"],
            },
            {"Effect": "Allow", "Action": ["ecr:GetAuthorizationToken"], "Resource": ["*"]},
            {
                "Effect": "Allow",
                "Action": ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                "Resource": [repository],
            },
            {
                "Effect": "Allow",
                "Action": ["secretsmanager:GetSecretValue"],
                "Resource": [TestSecrets.SECRET_ARN],
            },
        ]

    def test_without_secrets_it_may_read_none(self) -> None:
        actions = [action for each in policy(rich(), "worker-execution") for action in each["Action"]]
        assert "secretsmanager:GetSecretValue" not in actions

    def test_a_public_image_needs_no_pull_rights(self) -> None:
        graph = run_program({**config_for("ecr-public", "ecs-fargate"), **EXISTING})
        (logs,) = policy(graph, "api-execution")
        assert logs["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]

    def test_the_task_role_may_do_nothing(self) -> None:
        attached = [each for each in rich() if each.type.startswith("aws:iam/role") and "Policy" in each.type]
        assert {each.inputs["role"] for each in attached} == {"api-execution-0a1b2c3", "worker-execution-0a1b2c3"}

    @pytest.mark.parametrize("name", ["api-execution", "api-task"])
    def test_only_ecs_tasks_take_them(self, name: str) -> None:
        trust = json.loads(rich().one("iam/role:Role", name).inputs["assumeRolePolicy"])
        (statement,) = trust["Statement"]
        assert statement["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
        assert statement["Action"] == ["sts:AssumeRole"]


class TestService:
    def test_a_bad_version_is_rolled_back_and_the_update_fails(self) -> None:
        service = rich().one("ecs/service:Service", "api").inputs
        assert service["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
        assert service["waitForSteadyState"] is True
        assert (service["deploymentMinimumHealthyPercent"], service["deploymentMaximumPercent"]) == (100, 200)

    def test_a_first_deployment_does_not_try_for_ever(self) -> None:
        assert rich().one("ecs/service:Service", "api").timeouts["create"] == "15m"

    def test_it_has_no_fixed_name_and_no_launch_type(self) -> None:
        service = rich().one("ecs/service:Service", "api").inputs
        assert not {"name", "launchType"} & service.keys()

    def test_its_replicas_join_the_group(self) -> None:
        (joined,) = rich().one("ecs/service:Service", "api").inputs["loadBalancers"]
        assert (joined["containerName"], joined["containerPort"]) == ("api", 9000)
        assert joined["targetGroupArn"].endswith("/api-ecs-fargate-0a1b2c3")

    def test_the_service_waits_for_all_it_needs(self) -> None:
        graph = rich()
        before = graph.waits_for(graph.one("ecs/service:Service", "api"))
        needed = [
            graph.one("lb/listenerRule:ListenerRule", "api-ecs-fargate--warm-up"),
            graph.one("iam/rolePolicy:RolePolicy", "api-execution"),
            graph.one("secretsmanager/secretVersion:SecretVersion"),
            graph.one("ecs/clusterCapacityProviders:ClusterCapacityProviders"),
            graph.one("ec2/route:Route", "network-public"),
            *(each for each in graph.of("vpc/securityGroupEgressRule:SecurityGroupEgressRule") if each.name == "api"),
            graph.one("vpc/securityGroupIngressRule:SecurityGroupIngressRule", "api--9000"),
        ]
        assert {each.urn for each in needed} <= before

    def test_a_private_service_has_no_way_in(self) -> None:
        graph = rich()
        assert "loadBalancers" not in graph.one("ecs/service:Service", "worker").inputs
        ways_in = {each.name for each in graph.of("vpc/securityGroupIngressRule:SecurityGroupIngressRule")}
        assert ways_in == {"edge-80", "api--9000"}
        assert not [each for each in graph.of("lb/listenerRule:ListenerRule") if each.name.startswith("worker")]


class TestScaling:
    def test_the_count_is_the_autoscalers(self) -> None:
        service = rich().one("ecs/service:Service", "api")
        assert service.inputs["desiredCount"] == 2
        assert service.ignore_changes == ("desiredCount",)

    def test_a_fixed_count_is_ours(self) -> None:
        assert rich().one("ecs/service:Service", "worker").ignore_changes == ()
        assert [each.name for each in rich().of("appautoscaling/target:Target")] == ["api"]

    def test_it_tracks_cpu_between_min_and_max(self) -> None:
        target = rich().one("appautoscaling/target:Target").inputs
        assert (target["minCapacity"], target["maxCapacity"]) == (2, 6)
        assert target["resourceId"] == "service/ecs-fargate-0a1b2c3/api-0a1b2c3"
        tracking = rich().one("appautoscaling/policy:Policy").inputs["targetTrackingScalingPolicyConfiguration"]
        assert tracking["targetValue"] == 55
        assert tracking["predefinedMetricSpecification"]["predefinedMetricType"] == "ECSServiceAverageCPUUtilization"


class TestCapacity:
    def test_on_demand_by_default(self) -> None:
        strategy = rich().one("ecs/service:Service", "api").inputs["capacityProviderStrategies"]
        assert strategy == [{"capacityProvider": "FARGATE", "base": 1, "weight": 1}]

    def test_the_first_replica_never_runs_on_spot(self) -> None:
        strategy = within(spot=True).one("ecs/service:Service", "api").inputs["capacityProviderStrategies"]
        assert strategy == [
            {"capacityProvider": "FARGATE", "base": 1, "weight": 0},
            {"capacityProvider": "FARGATE_SPOT", "weight": 1},
        ]

    def test_another_strategy_asks_for_a_new_deployment(self) -> None:
        kept, spot = (each.one("ecs/service:Service", "api").inputs["triggers"] for each in (rich(), within(spot=True)))
        assert kept != spot

    def test_an_existing_cluster_is_only_used(self) -> None:
        given_arn = arn("ecs", "cluster/shared")
        graph = within(cluster=given_arn)
        assert not graph.of("ecs/cluster:Cluster")
        assert graph.one("ecs/service:Service").inputs["cluster"] == given_arn
