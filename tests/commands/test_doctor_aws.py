"""`yard doctor` and the account on AWS: each check, without any network."""

import datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError

from tests.commands.accounts import BALANCER, LISTENER, VPC, Aws, look_for
from tests.commands.doctoring import NOTHING, settings_of
from yard.checks import Finding, aws
from yard.checks.project import UNREADABLE, Owned


class TestCredentialsAndRegion:
    def test_who_it_is(self, tmp_path: Path, cloud: Aws) -> None:
        cloud.answers("sts", "get_caller_identity", {"Account": "123", "Arn": "arn:aws:iam::123:user/me"})
        found = aws.credentials(cloud.account(settings_of(tmp_path)))
        assert found == Finding("aws-credentials", "ok", "account 123, as arn:aws:iam::123:user/me")

    def test_refused(self, tmp_path: Path, cloud: Aws) -> None:
        cloud.refuses("sts", "get_caller_identity", "ExpiredToken")
        found = aws.credentials(cloud.account(settings_of(tmp_path)))
        assert (found.status, found.says) == ("fail", "AWS refuses them: ExpiredToken it is")

    @pytest.mark.parametrize(
        ("error", "words"),
        [
            (NoCredentialsError(), "there are none that work: Unable to locate credentials"),
            (EndpointConnectionError(endpoint_url="https://sts.x"), "no answer from https://sts.x"),
        ],
    )
    def test_none_or_no_network(self, tmp_path: Path, error: Exception, words: str) -> None:
        def client(service: str, region: str | None = None) -> Any:
            raise error

        account = aws.Account(settings_of(tmp_path), client, "us-east-1")
        first, second = aws.ask(account)
        assert (first.status, first.says) == ("fail", words)
        assert (second.name, second.status) == ("aws", "warn")

    def test_a_profile_that_does_not_exist(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.setenv(name, str(tmp_path / "none"))
        settings = settings_of(tmp_path, **{"aws:profile": "nobody"})
        (found,) = aws.look(settings, NOTHING)
        assert (found.status, found.says) == ("fail", "The config profile (nobody) could not be found")

    @pytest.mark.parametrize(
        ("region", "home"), [("eu-central-1", "us-east-1"), ("cn-north-1", "cn-north-1"), ("me-west-1", "us-east-1")]
    )
    def test_the_account_is_asked_at_home(self, tmp_path: Path, region: str, home: str) -> None:
        assert aws.account(settings_of(tmp_path, **{"aws:region": region})).home == home

    @pytest.mark.parametrize(
        ("opted", "status"), [("opted-in", "ok"), ("opt-in-not-required", "ok"), ("not-opted-in", "fail")]
    )
    def test_a_region_must_be_enabled(self, tmp_path: Path, cloud: Aws, opted: str, status: str) -> None:
        answer = {"Regions": [{"RegionName": "eu-central-2", "OptInStatus": opted}]}
        cloud.answers("ec2", "describe_regions", answer, {"RegionNames": ["eu-central-2"], "AllRegions": True})
        found = aws.region(cloud.account(settings_of(tmp_path, **{"aws:region": "eu-central-2"})))
        assert found.status == status

    def test_a_whole_account_is_looked_at(self, tmp_path: Path, cloud: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        cloud.answers("sts", "get_caller_identity", {"Account": "123", "Arn": "arn:aws:iam::123:user/me"})
        cloud.answers("ec2", "describe_regions", {"Regions": [{"OptInStatus": "opted-in"}]})
        owned = Owned(frozenset({("t", "1")}))
        asked = cloud.account(settings_of(tmp_path), owned)
        assert [name for name, _ in aws.checks(asked)] == [
            *("zone", "vpc", "load-balancer", "name-log-group"),
            *("quota-roles", "quota-fargate-vcpu", "quota-vpcs"),
            *("quota-target-groups", "quota-listener-rules", "quota-targets"),
            *("name-repositories", "ecs-role"),
        ]
        seen = []

        def check(account: aws.Account) -> Finding:
            seen.append(account.owned)
            return Finding("x", "ok", "")

        monkeypatch.setattr(aws, "checks", lambda _: [("x", check)])
        assert [each.name for each in aws.ask(asked)] == ["aws-credentials", "aws-region", "x"]
        assert seen == [owned]


class TestWhatAwsDoesNotSay:
    def run(self, cloud: Aws, root: Path) -> Finding:
        settings = settings_of(root, domain={"name": "a.example.com", "zone": "example.com"})
        found = aws.answer("zone", aws.zone, cloud.account(settings))
        assert found
        return found

    def test_no_permission_is_said(self, tmp_path: Path, cloud: Aws) -> None:
        found = self.run(cloud.refuses("route53", "list_hosted_zones_by_name", "AccessDenied"), tmp_path)
        assert found == Finding(
            "zone",
            "warn",
            "not looked at: these credentials may not call ListHostedZonesByName",
            "allow ListHostedZonesByName to see more",
        )

    def test_any_other_answer_is_said(self, tmp_path: Path, cloud: Aws) -> None:
        found = self.run(cloud.refuses("route53", "list_hosted_zones_by_name", "Throttling"), tmp_path)
        assert (found.status, found.fix) == ("warn", "try again")
        assert "ListHostedZonesByName answers Throttling: Throttling it is" in found.says

    def test_no_answer_is_said(self, tmp_path: Path) -> None:
        def check(account: aws.Account) -> Finding:
            raise EndpointConnectionError(endpoint_url="https://logs.x")

        found = aws.answer("log", check, Aws().account(settings_of(tmp_path)))
        assert found
        assert (found.status, found.says) == ("warn", "not looked at: no answer from https://logs.x")


def hosted(name: str, private: bool = False) -> dict[str, Any]:
    return {"Id": "Z", "Name": name, "CallerReference": "r", "Config": {"PrivateZone": private}}


def subnets(*of: tuple[str, str]) -> dict[str, Any]:
    return {
        "Subnets": [
            {"SubnetId": f"subnet-{index}", "VpcId": vpc, "AvailabilityZone": zone}
            for index, (vpc, zone) in enumerate(of, 1)
        ]
    }


class TestWhatExists:
    @pytest.mark.parametrize(
        ("zones", "status"),
        [
            ([hosted("example.com.")], "ok"),
            ([hosted("example.com.", private=True), hosted("example.com.")], "ok"),
            ([hosted("example.com."), hosted("example.com.")], "fail"),
            ([hosted("example.org.")], "fail"),
            ([hosted("example.com.", private=True)], "fail"),
        ],
    )
    def test_the_zone(self, tmp_path: Path, cloud: Aws, zones: list[dict[str, Any]], status: str) -> None:
        answer = {"HostedZones": zones, "IsTruncated": False, "MaxItems": "100"}
        cloud.answers("route53", "list_hosted_zones_by_name", answer, {"DNSName": "example.com"})
        settings = settings_of(tmp_path, domain={"name": "api.example.com", "zone": "example.com"})
        found = aws.zone(cloud.account(settings))
        assert found
        assert found.status == status

    def test_what_the_configuration_does_not_name_is_not_looked_for(self, tmp_path: Path, cloud: Aws) -> None:
        account = cloud.account(settings_of(tmp_path))
        for check in (aws.zone, aws.vpc, aws.load_balancer):
            assert check(account) is None
        assert look_for("ecs-cluster", account) is look_for("repositories", account) is None

    @pytest.mark.parametrize(
        ("answer", "status", "words"),
        [
            (subnets(("vpc-1", "a"), ("vpc-1", "b")), "ok", "vpc-1 exists, with its 2 subnets"),
            (subnets(("vpc-1", "a"), ("vpc-2", "b")), "fail", "not in vpc-1: subnet-2"),
            (subnets(("vpc-1", "a"), ("vpc-1", "a")), "fail", "the public subnets are all in a"),
        ],
    )
    def test_the_vpc(self, tmp_path: Path, cloud: Aws, answer: dict[str, Any], status: str, words: str) -> None:
        cloud.answers("ec2", "describe_vpcs", {"Vpcs": [{"VpcId": "vpc-1"}]}, {"VpcIds": ["vpc-1"]})
        cloud.answers("ec2", "describe_subnets", answer, {"SubnetIds": ["subnet-1", "subnet-2"]})
        found = aws.vpc(cloud.account(settings_of(tmp_path, vpc=VPC)))
        assert found
        assert (found.status, found.says) == (status, words)

    def test_a_vpc_that_does_not_exist(self, tmp_path: Path, cloud: Aws) -> None:
        account = cloud.refuses("ec2", "describe_vpcs", "InvalidVpcID.NotFound").account(settings_of(tmp_path, vpc=VPC))
        found = aws.vpc(account)
        assert found == Finding("vpc", "fail", "InvalidVpcID.NotFound it is", "fix vpc, or aws:region (us-east-1)")

    def test_the_load_balancer(self, tmp_path: Path, cloud: Aws) -> None:
        account = cloud.account(settings_of(tmp_path, vpc=VPC, **{"load-balancer": BALANCER}))
        cloud.answers("elbv2", "describe_listeners", {"Listeners": []}, {"ListenerArns": [LISTENER]})
        cloud.answers("ec2", "describe_security_groups", {"SecurityGroups": []}, {"GroupIds": ["sg-1"]})
        found = aws.load_balancer(account)
        assert found
        assert found.status == "ok"
        cloud.refuses("elbv2", "describe_listeners", "ListenerNotFound")
        found = aws.load_balancer(account)
        assert found
        assert found.status == "fail"

    @pytest.mark.parametrize(("state", "status"), [("ACTIVE", "ok"), ("INACTIVE", "fail"), (None, "fail")])
    def test_the_ecs_cluster(self, tmp_path: Path, cloud: Aws, state: str | None, status: str) -> None:
        cloud.answers("ecs", "describe_clusters", {"clusters": [{"status": state}] if state else []})
        settings = settings_of(tmp_path, **{"ecs-fargate": {"cluster": "arn:aws:ecs:us-east-1:123456789012:cluster/x"}})
        found = look_for("ecs-cluster", cloud.account(settings))
        assert found
        assert found.status == status

    def test_repositories(self, tmp_path: Path, cloud: Aws) -> None:
        account = cloud.account(settings_of(tmp_path, ecr={"repositories": {"api": "team/api"}}))
        cloud.answers("ecr", "describe_repositories", {"repositories": []}, {"repositoryNames": ["team/api"]})
        assert look_for("repositories", account) == Finding("repositories", "ok", "AWS has team/api")
        cloud.refuses("ecr", "describe_repositories", "RepositoryNotFoundException")
        found = look_for("repositories", account)
        assert found
        assert (found.status, found.fix) == ("fail", "fix ecr.repositories")
        assert look_for("name-repositories", account) is None


GROUP = "aws:cloudwatch/logGroup:LogGroup"
NAME = "/switchyard-dev"


class TestFixedNames:
    def groups(self, cloud: Aws, *names: str) -> Aws:
        return cloud.answers(
            "logs",
            "describe_log_groups",
            {"logGroups": [{"logGroupName": name} for name in names]},
            {"logGroupNamePrefix": NAME},
        )

    def test_a_free_name(self, tmp_path: Path, cloud: Aws) -> None:
        found = aws.log_group(self.groups(cloud, f"{NAME}-2").account(settings_of(tmp_path)))
        assert found == Finding("name-log-group", "ok", f"{NAME}: free")

    def test_a_name_that_is_this_stacks_own(self, tmp_path: Path, cloud: Aws) -> None:
        account = self.groups(cloud, NAME).account(settings_of(tmp_path), Owned(frozenset({(GROUP, NAME)})))
        assert aws.log_group(account) == Finding("name-log-group", "ok", f"{NAME}: this stack has it")

    @pytest.mark.parametrize(("owned", "status"), [(NOTHING, "fail"), (UNREADABLE, "warn")])
    def test_a_name_that_a_leftover_has(self, tmp_path: Path, cloud: Aws, owned: Owned, status: str) -> None:
        found = aws.log_group(self.groups(cloud, NAME).account(settings_of(tmp_path), owned))
        assert found.status == status
        assert found.says.startswith(f"{NAME} exists already")
        assert f"aws logs delete-log-group --log-group-name {NAME} --region us-east-1" in found.fix

    def test_repositories(self, tmp_path: Path, cloud: Aws) -> None:
        settings = settings_of(tmp_path, services={"api": {}, "web": {"path": "/web"}})
        cloud.refuses("ecr", "describe_repositories", "RepositoryNotFoundException")
        cloud.answers("ecr", "describe_repositories", {"repositories": []})
        found = look_for("name-repositories", cloud.account(settings))
        assert found
        assert found.status == "fail"
        assert found.says.partition(" ")[0] in ("switchyard-dev/api", "switchyard-dev/web")

    def test_public_repositories(self, tmp_path: Path, cloud: Aws) -> None:
        cloud.answers("ecr-public", "describe_repositories", {}, {"repositoryNames": ["switchyard-dev/api"]})
        found = look_for("name-repositories", cloud.account(settings_of(tmp_path, registry="ecr-public")))
        assert found
        assert found.status == "fail"

    def test_the_cluster(self, tmp_path: Path, cloud: Aws) -> None:
        account = cloud.account(settings_of(tmp_path, orchestrator="eks"))
        cloud.refuses("eks", "describe_cluster", "ResourceNotFoundException")
        assert look_for("name-cluster", account) == Finding("name-cluster", "ok", "switchyard-dev: free")
        cloud.answers("eks", "describe_cluster", {"cluster": {"createdAt": datetime.datetime.now(datetime.UTC)}})
        found = look_for("name-cluster", account)
        assert found
        assert found.status == "fail"
