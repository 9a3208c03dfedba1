"""Swarm on EC2: what AWS and a manager's engine are asked for, and how the managers come and go."""

import json
from collections.abc import Mapping
from fnmatch import fnmatch
from functools import cache
from typing import Any

import pytest

from components.orchestrator.swarm_ec2 import FIRST_PORT, SwarmEc2Options
from components.service import Service
from components.testing.cloud import arn
from components.testing.engine import Graph
from config.problems import BadConfig
from tests.program import DIGEST, EXISTING, config_for, run_program

PASSWORD = "hunter2"
REPOSITORIES = "arn:aws:ecr:us-east-1:123456789012:repository/"
TOKEN = "s3cr3t-token"
INSTANCE, SERVICE = "ec2/instance:Instance", "dynamic/swarm:Service"
MANAGER, CLUSTER = "dynamic/swarm:Manager", "dynamic/swarm:Cluster"
API = {"digest": DIGEST, "replicas": 3, "memory": 256, "secrets": {"DB_PASSWORD": PASSWORD}}
SERVICES: Mapping[str, Any] = {
    "api": API,
    "web": {"digest": DIGEST, "path": "/web", "memory": 256},
    "worker": {"digest": DIGEST, "public": False, "memory": 256},
}


def graph() -> Graph:
    return of_preset("trial")


@cache
def of_preset(preset: str) -> Graph:
    """Two public services and one that is not, with two workers."""
    config = config_for("ecr", "swarm-ec2", preset, **SERVICES)
    return run_program(config | {"swarm-ec2": {"workers": 2}}, ("services",))


@cache
def within(registry: str = "ecr", **block: Any) -> Graph:
    """One of them in a network that is there, with another block."""
    config = config_for(registry, "swarm-ec2", api=API)
    login = {"host": "registry.example.com", "username": "robot", "password": TOKEN}
    blocks = {"oci": login, "swarm-ec2": {"workers": 2, **block}}
    return run_program({**config, **EXISTING, **blocks}, ("services", "oci", "ghcr"))


def policies(found: Graph, role: str) -> list[dict[str, Any]]:
    """All that one role of the nodes allows."""
    return [
        statement
        for each in found.of("iam/rolePolicy:RolePolicy")
        if each.inputs["role"].startswith(f"swarm-ec2-{role}")
        for statement in json.loads(each.inputs["policy"])["Statement"]
    ]


def spec(found: Graph, service: str) -> Any:
    return found.one(SERVICE, service).inputs["spec"]


class TestNodes:
    @pytest.mark.parametrize(("preset", "count"), [("trial", 1), ("standard", 1), ("production", 3)])
    def test_production_has_three_managers_in_three_zones(self, preset: str, count: int) -> None:
        found = of_preset(preset)
        interfaces = found.of("ec2/networkInterface:NetworkInterface")
        assert len(found.of(INSTANCE)) == len(interfaces) == count
        assert len({each.inputs["subnetId"] for each in interfaces}) == count

    def test_managers_stay_while_the_stack_is_set_free_for_its_end(self) -> None:
        """`protect` false comes before `pulumi destroy`, and until then the swarm serves."""
        config = config_for("ecr", "swarm-ec2", "production", api=API)
        assert len(run_program({**config, "protect": False}, ("services",)).of(INSTANCE)) == 3

    def test_a_manager_is_on_an_address_that_outlives_it(self) -> None:
        for each in of_preset("production").of(INSTANCE):
            assert each.inputs["primaryNetworkInterface"] == {"networkInterfaceId": f"{each.name}-id"}

    def test_each_manager_waits_until_the_one_before_has_joined(self) -> None:
        found = of_preset("production")
        for index in (1, 2):
            before = found.waits_for(found.one(INSTANCE, f"manager-{index}"))
            assert found.one(MANAGER, f"manager-{index - 1}").urn in before

    def test_a_manager_leaves_before_its_instance_goes(self) -> None:
        found = of_preset("production")
        for each in found.of(MANAGER):
            assert each.from_inputs["instance"] == {found.one(INSTANCE, each.name).urn}

    def test_a_newer_image_or_script_replaces_nothing_by_the_way(self) -> None:
        for preset in ("trial", "production"):
            for each in of_preset(preset).of(INSTANCE):
                assert set(each.ignore_changes) == {"ami", "userData"}

    def test_an_image_that_is_asked_for_replaces(self) -> None:
        asked = within(managers=3, ami="ami-0123456789abcdef0")
        assert len(asked.of(INSTANCE)) == 3
        assert not [each for each in asked.of(INSTANCE) if each.ignore_changes]
        assert {each.inputs["ami"] for each in asked.of(INSTANCE)} == {"ami-0123456789abcdef0"}

    def test_credentials_stay_on_the_host_and_disks_are_encrypted(self) -> None:
        found = graph()
        nodes = [found.one(INSTANCE), found.one("ec2/launchTemplate:LaunchTemplate")]
        for each in nodes:
            assert each.inputs["metadataOptions"] == {
                "httpEndpoint": "enabled",
                "httpTokens": "required",
                "httpPutResponseHopLimit": 1,
            }
        assert nodes[0].inputs["rootBlockDevice"]["encrypted"] is True
        assert nodes[1].inputs["blockDeviceMappings"][0]["ebs"]["encrypted"] == "true"

    def test_workers_come_once_there_is_a_swarm(self) -> None:
        group = graph().one("autoscaling/group:Group")
        assert (group.inputs["minSize"], group.inputs["maxSize"]) == (2, 2)
        assert graph().one(CLUSTER).urn in graph().waits_for(group)
        assert within(workers=0).one(CLUSTER)
        assert not within(workers=0).of("autoscaling/group:Group")
        assert not within(workers=0).of("ec2/launchTemplate:LaunchTemplate")

    def test_in_a_public_subnet_a_manager_has_a_way_out_before_it_starts(self) -> None:
        found = graph()
        (address,) = [each for each in found.of("ec2/eip:Eip") if each.name == "manager-0"]
        assert address.urn in found.waits_for(found.one(INSTANCE))
        assert not [each for each in of_preset("standard").of("ec2/eip:Eip") if each.name == "manager-0"]

    def test_nodes_talk_to_each_other_alone(self) -> None:
        rules = graph().under("switchyard:orchestrator:SwarmEc2")
        found = {
            (each.inputs["ipProtocol"], each.inputs["fromPort"]): each.inputs["referencedSecurityGroupId"]
            for each in rules
            if each.type.endswith(":SecurityGroupIngressRule")
        }
        between = {("tcp", 2377), ("tcp", 7946), ("udp", 7946), ("udp", 4789)}
        assert {key for key, group in found.items() if group == "swarm-ec2--nodes-id"} == between
        assert {key for key, group in found.items() if group == "edge-id"} == {("tcp", FIRST_PORT)}


class TestPermissions:
    def test_workers_cannot_become_managers(self) -> None:
        text = json.dumps(policies(graph(), "worker"))
        assert "worker-token" in text
        assert "manager-token" not in text
        assert "ssm:PutParameter" not in text
        assert "secretsmanager" not in text

    @pytest.mark.parametrize("role", ["manager", "worker"])
    def test_nothing_but_what_has_no_resource_is_allowed_on_all(self, role: str) -> None:
        wide = {action for each in policies(graph(), role) if each["Resource"] == ["*"] for action in each["Action"]}
        agents = {each for each in wide if each.startswith(("ssmmessages:", "ec2messages:"))}
        token = {"ecr:GetAuthorizationToken"} if role == "manager" else set()
        assert wide - agents == {"ssm:UpdateInstanceInformation"} | token

    @pytest.mark.parametrize(
        ("registry", "below"), [("ecr", "switchyard-dev"), ("ghcr", "switchyard-dev/ghcr"), ("oci", None)]
    )
    def test_managers_pull_from_the_stacks_own_repositories_and_workers_with_a_login_of_theirs(
        self, registry: str, below: str | None
    ) -> None:
        found = within(registry)
        pulls = [each["Resource"] for each in policies(found, "manager") if "ecr:BatchGetImage" in each["Action"]]
        assert pulls == ([[f"{REPOSITORIES}{below}/*"]] if below else [])
        made = [each.inputs["name"] for each in found.of("ecr/repository:Repository")]
        assert all(fnmatch(f"{REPOSITORIES}{name}", allowed) for name in made for (allowed,) in pulls)
        assert "ecr:" not in json.dumps(policies(found, "worker"))

    def test_managers_pull_from_the_very_repositories_that_others_made(self) -> None:
        config = config_for("ecr", "swarm-ec2", **SERVICES) | {"ecr": {"repositories": {"web": "acme/site"}}}
        found = policies(run_program(config, ("services",)), "manager")
        pulls = [each["Resource"] for each in found if "ecr:BatchGetImage" in each["Action"]]
        assert pulls == [[f"{REPOSITORIES}switchyard-dev/*", f"{REPOSITORIES}acme/site"]]

    @pytest.mark.parametrize("role", ["manager", "worker"])
    def test_nodes_write_this_orchestrators_streams_of_this_stacks_logs(self, role: str) -> None:
        logs = [
            arn for each in policies(graph(), role) if "logs:PutLogEvents" in each["Action"] for arn in each["Resource"]
        ]
        assert logs == ["arn:aws:logs:us-east-1:123456789012:log-group:/switchyard-dev:log-stream:*/swarm-ec2/*"]
        tag = spec(graph(), "api")["TaskTemplate"]["LogDriver"]["Options"]["tag"]
        assert fnmatch(f"log-stream:{tag}", logs[0].partition("/switchyard-dev:")[2])

    def test_managers_read_the_very_secrets_before_a_service_needs_them(self) -> None:
        found = within("oci")
        allowed = found.of("secretsmanager/secretPolicy:SecretPolicy")
        assert [each.name for each in allowed] == ["api--registry-login", "api--DB_PASSWORD"]
        for each in allowed:
            assert each.from_inputs["secretArn"] == {found.one("secretsmanager/secret:Secret", each.name).urn}
            assert json.loads(each.inputs["policy"])["Statement"] == [
                {
                    "Effect": "Allow",
                    "Action": ["secretsmanager:GetSecretValue"],
                    "Resource": ["*"],  # in a policy of its own: this secret
                    "Principal": {"AWS": arn("iam", "role/swarm-ec2-manager-0a1b2c3")},
                }
            ]
            assert each.urn in found.waits_for(found.one(SERVICE, "api"))

    def test_every_service_waits_for_the_one_permission_to_pull(self) -> None:
        (pull,) = [
            each for each in graph().of("iam/rolePolicy:RolePolicy") if "ecr:BatchGetImage" in each.inputs["policy"]
        ]
        assert all(pull.urn in graph().waits_for(graph().one(SERVICE, name)) for name in SERVICES)

    def test_without_workers_there_is_no_role_of_theirs(self) -> None:
        found = within(workers=0)
        assert not [each for each in found if each.type.startswith("aws:iam/") and "worker" in each.name]

    def test_a_token_is_written_by_the_first_manager_and_left_alone(self) -> None:
        for role in ("manager", "worker"):
            token = graph().one("ssm/parameter:Parameter", f"swarm-ec2-{role}-token")
            assert (token.inputs["type"], token.inputs["value"]) == ("SecureString", "none")
            assert token.ignore_changes == ("value",)


class TestServices:
    def test_every_node_is_a_target_under_the_published_port(self) -> None:
        found, port = of_preset("production"), SwarmEc2Options().port("api")
        attached = [each for each in found.of("lb/targetGroupAttachment:TargetGroupAttachment") if "api" in each.name]
        assert [each.inputs["targetId"] for each in attached] == ["manager-0-id", "manager-1-id", "manager-2-id"]
        assert {each.inputs["port"] for each in attached} == {port}
        assert found.one("autoscaling/attachment:Attachment", "api")
        # An Auto Scaling group registers its instances under the group's own port.
        group = found.one("lb/targetGroup:TargetGroup", "api-swarm-ec2")
        assert (group.inputs["port"], group.ignore_changes) == (port, ())
        assert spec(found, "api")["EndpointSpec"]["Ports"] == [
            {"Protocol": "tcp", "TargetPort": 8080, "PublishedPort": port, "PublishMode": "ingress"}
        ]

    def test_a_node_becomes_a_target_once_the_service_runs(self) -> None:
        found = graph()
        for each in found.of("lb/targetGroupAttachment:TargetGroupAttachment"):
            service = each.name.partition("--")[0]
            assert found.one(SERVICE, service).urn in found.waits_for(each)

    def test_a_service_that_is_not_public_opens_nothing(self) -> None:
        assert "Ports" not in spec(graph(), "worker")["EndpointSpec"]
        assert not [each for each in graph().of("autoscaling/attachment:Attachment") if each.name == "worker"]

    def test_replicas_are_replaced_one_by_one_the_new_one_first(self) -> None:
        update = spec(graph(), "api")["UpdateConfig"]
        assert (update["Parallelism"], update["Order"], update["FailureAction"]) == (1, "start-first", "rollback")

    def test_logs_are_where_all_logs_are(self) -> None:
        driver = spec(graph(), "api")["TaskTemplate"]["LogDriver"]
        assert driver["Name"] == "awslogs"
        assert driver["Options"]["awslogs-group"] == "/switchyard-dev"
        assert driver["Options"]["tag"] == "api/swarm-ec2/{{.ID}}"

    def test_no_value_of_a_secret_comes_near_a_command(self) -> None:
        found = within("oci")
        secret = found.one("dynamic/swarm:Secret", "api-DB_PASSWORD")
        assert secret.inputs["value"].endswith(":::version-of-api--DB_PASSWORD")
        for each in found:
            if "dynamic/swarm" in each.type:
                assert PASSWORD not in str(each.inputs)
                assert TOKEN not in str(each.inputs)

    def test_the_manager_is_told_where_logins_are(self) -> None:
        assert graph().one(SERVICE, "api").inputs["login"] == {"from": "ecr:us-east-1"}
        login = within("oci").one(SERVICE, "api").inputs["login"]["from"]
        assert login.endswith(":::version-of-api--registry-login")
        assert "login" not in within("ecr-public").one(SERVICE, "api").inputs


class TestRefusals:
    def refused(self, block: Mapping[str, Any], **services: Any) -> str:
        config = config_for("ecr", "swarm-ec2", **services)
        with pytest.raises(BadConfig) as refusal:
            run_program(config | {"swarm-ec2": block})
        return str(refusal.value)

    def test_autoscaling(self) -> None:
        said = self.refused({}, api={"digest": DIGEST, "replicas": {"min": 1, "max": 3}})
        assert "Swarm has no autoscaler" in said

    def test_two_services_under_one_port(self) -> None:
        said = self.refused({"ports": {"api": 9999, "web": 9999}}, **SERVICES)
        assert "switchyard:swarm-ec2.ports.web is 9999" in said
        assert "another port than that of api" in said

    def test_a_port_of_the_swarms_own(self) -> None:
        assert "the swarm itself" in self.refused({"ports": {"api": 7946}}, **SERVICES)

    def test_a_port_of_nobody(self) -> None:
        assert "the name of a service: api" in self.refused({"ports": {"wep": 9999}}, **SERVICES)

    def test_another_architecture(self) -> None:
        said = self.refused({"instance-type": "t4g.small"}, **SERVICES)
        assert "a type of x86_64 for api" in said

    def test_a_replica_that_no_node_can_hold(self) -> None:
        said = self.refused({}, api={"digest": DIGEST, "memory": 2000})
        assert "a type with room for a replica of api" in said

    def test_more_replicas_than_the_nodes_can_hold(self) -> None:
        said = self.refused({}, api={"digest": DIGEST, "memory": 600, "replicas": 2})
        assert "1 x t3.small have 1748 MiB for replicas, which take 1200 MiB, and 600 MiB more during an update" in said

    def test_managers_that_would_all_be_no_targets_at_once(self) -> None:
        block = {"managers": 3, "ami": "ami-0123456789abcdef0"}
        assert "switchyard:swarm-ec2.workers is 0; want at least 1 where `ami` is given" in self.refused(
            block, **SERVICES
        )

    def test_managers_without_a_majority(self) -> None:
        assert "switchyard:swarm-ec2.managers" in self.refused({"managers": 2}, **SERVICES)


def test_a_port_follows_from_the_name() -> None:
    options = SwarmEc2Options(ports={"web": 8081})
    assert options.port("api") == SwarmEc2Options().port("api")
    assert 20_000 <= options.port("api") <= 29_999
    assert options.port("web") == 8081
    assert list(options.check({"web": Service(memory=64)}, False)) == []
