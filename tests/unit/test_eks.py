"""EKS: what AWS and the cluster are asked for."""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from typing import Any

import pytest

from components.edge.alb import DEREGISTRATION_DELAY
from components.testing.engine import HIDDEN, Graph, Node
from config.problems import BadConfig
from policy import CONTROLS, control
from tests.conformance.judged import resources
from tests.pod_security import violations
from tests.program import DIGEST, EXISTING, SERVICE, config_for, run_program
from tests.unit.test_ecs_fargate import PASSWORD, RICH

EKS = "switchyard:orchestrator:Eks"


@cache
def rich() -> Graph:
    """A service that uses every field, and a worker that nobody calls."""
    config = config_for("ecr", "eks", api=RICH, worker={"public": False, "digest": DIGEST})
    return run_program(config, ("services",))


@cache
def plain(preset: str = "trial") -> Graph:
    """A service that uses none, in a network that is there."""
    return run_program({**config_for("ecr", "eks"), "preset": preset, **EXISTING})


def kubernetes(graph: Graph) -> list[Node]:
    return [each for each in graph if each.type.startswith("kubernetes:")]


def pod(service: str = "api") -> dict[str, Any]:
    return dict(rich().one("apps/v1:Deployment", service).inputs["spec"]["template"]["spec"])


def container(service: str = "api") -> dict[str, Any]:
    (found,) = pod(service)["containers"]
    return dict(found)


class TestCluster:
    def test_it_is_an_auto_mode_cluster_with_a_name_known_beforehand(self) -> None:
        cluster = rich().one("eks:index:Cluster").inputs
        assert cluster["name"] == "switchyard-dev"
        assert cluster["autoMode"] == {"enabled": True}
        assert cluster["authenticationMode"] == "API"
        assert cluster["upgradePolicy"] == {"supportType": "STANDARD"}
        assert "audit" in cluster["enabledClusterLogTypes"]

    def test_it_waits_for_the_networks_ways_out(self) -> None:
        graph = rich()
        before = graph.waits_for(graph.one("eks:index:Cluster"))
        ways = [*graph.of("ec2/route:Route"), *graph.of("ec2/routeTableAssociation:RouteTableAssociation")]
        assert {each.urn for each in ways} <= before

    def test_production_names_who_may_reach_its_api(self) -> None:
        cluster = plain("production").one("eks:index:Cluster").inputs
        assert cluster["publicAccessCidrs"] == ["203.0.113.0/24"]

    def test_a_private_api_is_reached_from_the_ranges_that_are_named_alone(self) -> None:
        found = run_program({**config_for("ecr", "eks", "production"), "eks": {"private-access": ["10.8.0.0/16"]}})
        cluster = found.one("eks:index:Cluster")
        assert (cluster.inputs["endpointPublicAccess"], cluster.inputs["endpointPrivateAccess"]) == (False, True)
        assert "publicAccessCidrs" not in cluster.inputs
        rule = found.one("vpc/securityGroupIngressRule:SecurityGroupIngressRule", "eks-api-10.8.0.0-16")
        assert (rule.inputs["cidrIpv4"], rule.inputs["fromPort"], rule.inputs["toPort"]) == ("10.8.0.0/16", 443, 443)
        assert rule.inputs["securityGroupId"] == "sg-cluster"
        assert rule.urn in found.waits_for(found.one("apps/v1:Deployment"))
        assert CONTROLS["EKS.1"].broken_by(control.Graph(resources(found))) == []

    @pytest.mark.parametrize(
        ("block", "wanted"),
        [
            ({"private-access": ["10.0.0.0/8"], "access": ["9.9.9.9/32"]}, "nothing beside `private-access`"),
            ({"private-access": ["9.9.9.0/24"]}, "want private addresses"),
            ({"private-access": ["0.0.0.0/0"]}, "want private addresses"),
            ({"private-access": ["fd00::/8"]}, "want private addresses"),
        ],
    )
    def test_a_private_api_has_private_callers_alone(self, block: dict[str, list[str]], wanted: str) -> None:
        with pytest.raises(BadConfig, match=re.escape(wanted)):
            run_program({**config_for("ecr", "eks"), "eks": block})

    def test_an_example_that_was_not_filled_in_is_warned_of(self, caplog: pytest.LogCaptureFixture) -> None:
        run_program({**config_for("ecr", "eks"), **EXISTING, "eks": {"access": ["203.0.113.0/24", "9.9.9.9/32"]}})
        assert "203.0.113.0/24 is reserved for documentation" in caplog.text
        assert "9.9.9.9" not in caplog.text
        caplog.clear()
        run_program({**config_for("ecr", "eks"), **EXISTING, "eks": {}})
        assert "documentation" not in caplog.text

    def test_its_own_logs_have_an_end_and_go_after_it(self) -> None:
        group = rich().one("cloudwatch/logGroup:LogGroup", "eks-control-plane")
        assert (group.inputs["name"], group.inputs["retentionInDays"]) == ("/aws/eks/switchyard-dev/cluster", 7)
        assert group.urn in rich().waits_for(rich().one("eks:index:Cluster"))
        assert group in rich().under("switchyard:vault:Vault")

    def test_who_else_may_run_up_is_named(self) -> None:
        role = "arn:aws:iam::123456789012:role/ci"
        found = run_program({**config_for("ecr", "eks"), **EXISTING, "eks": {"admins": [role]}})
        (entry,) = found.one("eks:index:Cluster").inputs["accessEntries"].values()
        assert entry["principalArn"] == role
        assert entry["accessPolicies"]["admin"]["accessScope"] == {"type": "cluster"}
        assert "accessEntries" not in plain().one("eks:index:Cluster").inputs

    def test_objects_are_made_with_the_stacks_profile(self) -> None:
        found = run_program({**config_for("ecr", "eks"), **EXISTING, "aws:profile": "acme"})
        assert "acme" in found.one("pulumi:providers:kubernetes").inputs["kubeconfig"]
        assert "acme" not in plain().one("pulumi:providers:kubernetes").inputs["kubeconfig"]

    def test_a_switch_away_can_remove_it(self) -> None:
        assert "deletionProtection" not in plain("production").one("eks:index:Cluster").inputs

    def test_its_groups_bear_its_name(self) -> None:
        assert rich().one("lb/targetGroup:TargetGroup").inputs["tags"] == {"eks:eks-cluster-name": "switchyard-dev"}


class TestObjects:
    def test_all_use_our_provider_and_go_with_the_cluster(self) -> None:
        graph = rich()
        provider, cluster = graph.one("pulumi:providers:kubernetes"), graph.one("eks:index:Cluster")
        assert provider.inputs["clusterIdentifier"] == "switchyard-dev"
        assert {each.provider for each in kubernetes(graph)} == {provider.urn}
        assert {each.deleted_with for each in kubernetes(graph)} == {cluster.urn}

    def test_the_namespace_admits_only_restricted_pods_and_lets_nothing_in(self) -> None:
        labels = rich().one("core/v1:Namespace").inputs["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
        assert labels["eks.amazonaws.com/pod-readiness-gate-inject"] == "enabled"
        (deny,) = [
            each for each in rich().of("networking.k8s.io/v1:NetworkPolicy") if each.inputs["spec"]["podSelector"] == {}
        ]
        assert deny.inputs["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}

    def test_all_of_a_service_is_in_the_stacks_namespace(self) -> None:
        outside = {"Namespace", "ConfigMap"}
        inside = [each for each in kubernetes(rich()) if each.type.rpartition(":")[2] not in outside]
        assert {each.inputs["metadata"]["namespace"] for each in inside} == {"switchyard-dev"}

    def test_only_the_networks_addresses_may_call_a_public_service(self) -> None:
        spec = rich().one("networking.k8s.io/v1:NetworkPolicy", "api").inputs["spec"]
        assert spec["ingress"] == [
            {"from": [{"ipBlock": {"cidr": "10.0.0.0/16"}}], "ports": [{"port": "http", "protocol": "TCP"}]}
        ]
        assert container()["ports"] == [{"name": "http", "containerPort": 9000}]
        assert "worker" not in {each.name for each in rich().of("networking.k8s.io/v1:NetworkPolicy")}

    @pytest.mark.parametrize("service", ["api", "worker"])
    def test_one_replica_leaves_at_a_time(self, service: str) -> None:
        labels = rich().one("apps/v1:Deployment", service).inputs["spec"]["template"]["metadata"]["labels"]
        budget = rich().one("policy/v1:PodDisruptionBudget", service).inputs["spec"]
        assert budget == {"maxUnavailable": 1, "selector": {"matchLabels": labels}}

    def test_a_field_that_someone_else_has_set_is_ours_again(self) -> None:
        assert rich().one("pulumi:providers:kubernetes").inputs["enablePatchForce"] == "true"
        for service in ("api", "worker"):
            annotations = rich().one("apps/v1:Deployment", service).inputs["metadata"]["annotations"]
            assert annotations["pulumi.com/patchForce"] == "true"

    def test_no_object_makes_a_load_balancer_of_its_own(self) -> None:
        assert {each.inputs["spec"].get("type", "ClusterIP") for each in rich().of("core/v1:Service")} == {"ClusterIP"}
        assert not [each for each in kubernetes(rich()) if each.type.endswith(":Ingress")]


class TestPod:
    @pytest.mark.parametrize("service", ["api", "worker"])
    def test_it_meets_pod_security_restricted(self, service: str) -> None:
        assert violations(pod(service)) == []

    def test_nothing_in_it_can_be_changed_but_what_is_declared(self) -> None:
        assert container()["securityContext"]["readOnlyRootFilesystem"] is True
        mounts = {each["mountPath"]: each["name"] for each in container()["volumeMounts"]}
        assert list(mounts) == ["/tmp", "/cache"]
        assert [each["name"] for each in pod()["volumes"]] == list(mounts.values())

    def test_it_has_no_token_of_the_cluster(self) -> None:
        assert pod()["automountServiceAccountToken"] is False
        assert rich().one("core/v1:ServiceAccount", "api").inputs["automountServiceAccountToken"] is False

    def test_it_runs_as_the_services_user(self) -> None:
        context = pod()["securityContext"]
        assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (1000, 1000, 1000)

    def test_resources(self) -> None:
        assert container()["resources"] == {
            "requests": {"cpu": "300m", "memory": "700Mi"},
            "limits": {"memory": "700Mi"},
        }

    def test_environment(self) -> None:
        plain = {each["name"]: each["value"] for each in container()["env"] if "value" in each}
        assert plain == {
            "LOG_LEVEL": "info",
            "PORT": "9000",
            "SWITCHYARD_ORCHESTRATOR": "eks",
            "SWITCHYARD_SERVICE": "api",
        }

    def test_image_command_and_architecture(self) -> None:
        repository = "123456789012.dkr.ecr.us-east-1.amazonaws.com/switchyard-dev/api"
        assert container()["image"] == f"{repository}@{DIGEST}"
        assert container()["args"] == ["serve", "--fast"]
        assert "command" not in container()
        assert pod()["nodeSelector"] == {"kubernetes.io/arch": "arm64"}

    def test_what_it_says_when_it_fails_reaches_the_user(self) -> None:
        assert container()["terminationMessagePolicy"] == "FallbackToLogsOnError"

    def test_replicas_spread_over_zones_without_stopping_a_rollout(self) -> None:
        (spread,) = pod()["topologySpreadConstraints"]
        assert spread["topologyKey"] == "topology.kubernetes.io/zone"
        assert spread["whenUnsatisfiable"] == "ScheduleAnyway"


class TestProbes:
    def test_only_readiness_asks_the_health_path(self) -> None:
        assert container()["readinessProbe"]["httpGet"] == {"path": "/up", "port": "http"}
        for probe in ("startupProbe", "livenessProbe"):
            assert container()[probe]["tcpSocket"] == {"port": "http"}
            assert "httpGet" not in container()[probe]

    def test_a_slow_starter_has_a_minute(self) -> None:
        probe = container()["startupProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] >= 60

    def test_it_serves_until_the_load_balancer_has_stopped_sending(self) -> None:
        drain = container()["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert DEREGISTRATION_DELAY < drain < pod()["terminationGracePeriodSeconds"]


class TestRollout:
    def test_no_replica_goes_before_its_successor_is_ready(self) -> None:
        strategy = rich().one("apps/v1:Deployment", "api").inputs["spec"]["strategy"]["rollingUpdate"]
        assert strategy == {"maxUnavailable": 0, "maxSurge": "100%"}

    def test_the_count_is_the_autoscalers(self) -> None:
        deployment = rich().one("apps/v1:Deployment", "api")
        assert deployment.inputs["spec"]["replicas"] == 2
        assert deployment.ignore_changes == ("spec.replicas",)
        spec = rich().one("autoscaling/v2:HorizontalPodAutoscaler").inputs["spec"]
        assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 6)
        assert spec["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 55}

    def test_what_scales_is_measured(self) -> None:
        assert rich().one("eks/addon:Addon", "eks-metrics").inputs["addonName"] == "metrics-server"
        addons = plain().of("eks/addon:Addon")
        assert [each.name for each in addons] == ["eks-logs"]

    def test_a_fixed_count_is_ours(self) -> None:
        assert rich().one("apps/v1:Deployment", "worker").ignore_changes == ()


class TestBinding:
    def test_pods_join_the_edges_group_by_address(self) -> None:
        spec = rich().one("eks.amazonaws.com/v1:TargetGroupBinding").inputs["spec"]
        assert spec["serviceRef"] == {"name": "api", "port": 80}
        assert spec["targetType"] == "ip"
        assert spec["targetGroupARN"].endswith("/api-eks-0a1b2c3")

    def test_it_waits_for_the_warm_up_rule_and_the_way_in(self) -> None:
        graph = rich()
        binding = graph.one("eks.amazonaws.com/v1:TargetGroupBinding")
        rule = graph.one("lb/listenerRule:ListenerRule", "api-eks--warm-up")
        way_in = graph.one("vpc/securityGroupIngressRule:SecurityGroupIngressRule", "eks-load-balancer")
        assert {rule.urn, way_in.urn} <= binding.dependencies
        assert way_in.inputs["referencedSecurityGroupId"] == "edge-id"

    def test_all_services_share_one_way_in_to_the_nodes(self) -> None:
        web = {"digest": DIGEST, "path": "/web"}
        graph = run_program({**config_for("ecr", "eks", api=SERVICE, web=web), **EXISTING})
        opened = graph.one("vpc/securityGroupIngressRule:SecurityGroupIngressRule").inputs
        assert (opened["fromPort"], opened["toPort"]) == (1024, 65535)
        bindings = graph.of("eks.amazonaws.com/v1:TargetGroupBinding")
        assert [each.name for each in bindings] == ["api", "web"]

    def test_pods_start_only_when_they_are_bound(self) -> None:
        graph = rich()
        binding = graph.one("eks.amazonaws.com/v1:TargetGroupBinding")
        assert binding.urn in graph.one("apps/v1:Deployment", "api").dependencies


class TestSecrets:
    def test_they_come_by_reference(self) -> None:
        (secret,) = [each for each in container()["env"] if each["name"] == "DB_PASSWORD"]
        name = rich().one("core/v1:Secret", "api").name
        assert secret["valueFrom"] == {"secretKeyRef": {"name": f"{name}-0a1b2c3", "key": "DB_PASSWORD"}}

    def test_the_value_is_a_pulumi_secret_in_one_place(self) -> None:
        holders = [each for each in rich() if PASSWORD in json.dumps(each.inputs)]
        assert [each.type for each in holders] == ["kubernetes:core/v1:Secret"]
        assert holders[0].clear["stringData"] in (HIDDEN, {"DB_PASSWORD": HIDDEN})

    def test_a_registrys_login_is_a_pull_secret(self) -> None:
        user = {"username": "robot", "password": "s3cr3t-token"}
        login = {"host": "registry.example.com", **user}
        graph = run_program({**config_for("oci", "eks"), **EXISTING, "oci": login}, ("oci",))
        (secret,) = [each for each in graph if "s3cr3t-token" in json.dumps(each.inputs)]
        assert secret.inputs["type"] == "kubernetes.io/dockerconfigjson"
        assert "s3cr3t-token" not in json.dumps(secret.clear)
        assert json.loads(secret.inputs["stringData"][".dockerconfigjson"]) == {"auths": {"registry.example.com": user}}
        pulls = graph.one("core/v1:ServiceAccount", "api").inputs["imagePullSecrets"]
        assert pulls == [{"name": f"{secret.name}-0a1b2c3"}]


class TestLogs:
    def test_nothing_is_put_into_the_pods(self) -> None:
        values = json.loads(rich().one("eks/addon:Addon", "eks-logs").inputs["configurationValues"])
        assert values["manager"]["applicationSignals"]["autoMonitor"] == {"monitorAllServices": False}

    def test_the_shipper_may_write_to_the_stacks_group_alone(self) -> None:
        policy = json.loads(rich().one("iam/rolePolicy:RolePolicy", "eks-logs").inputs["policy"])
        (statement,) = policy["Statement"]
        assert all(action.startswith("logs:") for action in statement["Action"])
        assert statement["Resource"] == ["arn:aws:logs:us-east-1:123456789012:log-group:/switchyard-dev:*"]

    def test_it_reads_the_stacks_pods_and_writes_to_its_group(self) -> None:
        values = json.loads(rich().one("eks/addon:Addon", "eks-logs").inputs["configurationValues"])
        text = values["containerLogs"]["fluentBit"]["config"]["extraFiles"]["application-log.conf"]
        assert "/var/log/containers/*_switchyard-dev_*.log" in text
        assert "log_group_name /switchyard-dev" in text

    def test_the_cluster_outlives_it(self) -> None:
        graph = rich()
        assert graph.one("eks:index:Cluster").urn in graph.waits_for(graph.one("eks/addon:Addon", "eks-logs"))


# The checker itself

BREAKS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "host network": (lambda pod: pod.update(hostNetwork=True), "HostNamespaces"),
    "host path": (lambda pod: pod.update(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), "Volumes"),
    "escalation": (
        lambda pod: pod["containers"][0]["securityContext"].pop("allowPrivilegeEscalation"),
        "PrivilegeEscalation",
    ),
    "capabilities kept": (
        lambda pod: pod["containers"][0]["securityContext"].pop("capabilities"),
        "Capabilities",
    ),
    "capability added": (
        lambda pod: pod["containers"][0]["securityContext"]["capabilities"].update(add=["SYS_ADMIN"]),
        "Capabilities",
    ),
    "may be root": (lambda pod: pod["securityContext"].pop("runAsNonRoot"), "RunAsNonRoot"),
    "is root": (lambda pod: pod["securityContext"].update(runAsUser=0), "RunAsNonRoot"),
    "no seccomp": (lambda pod: pod["securityContext"].pop("seccompProfile"), "Seccomp"),
    "host port": (lambda pod: pod["containers"][0]["ports"][0].update(hostPort=80), "HostPorts"),
    "probe elsewhere": (
        lambda pod: pod["containers"][0]["readinessProbe"]["httpGet"].update(host="evil.example"),
        "HostProbes",
    ),
}


@pytest.mark.parametrize(("damage", "found"), BREAKS.values(), ids=BREAKS)
def test_the_checker_sees_each_way_to_break_the_standard(damage: Callable[[Any], object], found: str) -> None:
    broken = deepcopy(pod())
    damage(broken)
    assert violations(broken) == [f"PodSecurity.{found}"]
