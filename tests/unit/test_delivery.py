"""Who GitHub is: the trust of each role, evaluated over tokens; what each may do; what stays as it is without it."""

import json
import re
import shlex
from collections.abc import Mapping
from functools import cache
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from components.aws import cluster_admins
from components.aws.access import LONGEST_POLICY
from components.permissions import LONGEST, policy_size
from components.testing.cloud import Cloud
from components.testing.engine import Graph, deploy, start
from config.problems import BadConfig
from tests import iam
from tests.program import BLOCKS, DIGEST, SERVICE, config_for, run_program

HOST = "token.actions.githubusercontent.com"
GITHUB = {"repository": "acme/shop", "repository-id": 42, "owner-id": 7}
DELIVERY = "switchyard:delivery:Delivery"
EVERYWHERE = ["ecs-ec2", "ecs-fargate", "eks", "swarm-ec2"]
MAIN = "refs/heads/main"


@cache
def made(registry: str = "ecr", orchestrator: str = "ecs-fargate", preset: str = "trial", said: str = "{}") -> Graph:
    """The program with `github`."""
    blocks = {key: BLOCKS[key] for key in ("eks", "ecs-ec2", "swarm-ec2")}
    config = config_for(registry, orchestrator, preset) | blocks | {"github": GITHUB | json.loads(said)}
    return run_program(config)


def policies(graph: Graph, role: str) -> list[str]:
    """The policies of one of the roles."""
    inline = [each.inputs["policy"] for each in graph.of("iam/rolePolicy:RolePolicy") if each.name == f"github-{role}"]
    if role != "deploy":
        return inline
    return [*inline, *(each.inputs["policy"] for each in graph.of("iam/policy:Policy") if not each.name.endswith("ry"))]


def token(sub: str, ref: str | None = MAIN, **claims: Any) -> dict[str, str]:
    """What STS knows of a token."""
    found = {"aud": "sts.amazonaws.com", "sub": sub, "ref": ref, "repository_id": "42"} | claims
    return {f"{HOST}:{key}": value for key, value in found.items() if value is not None}


OLD, NEW = "repo:acme/shop", "repo:acme@7/shop@42"
TOKENS: Mapping[str, tuple[dict[str, str], set[str]]] = {
    "the branch, as older repositories have it": (token(f"{OLD}:ref:{MAIN}"), {"push", "deploy", "preview"}),
    "the branch, as newer ones have it": (token(f"{NEW}:ref:{MAIN}"), {"push", "deploy", "preview"}),
    "a pull request": (token(f"{OLD}:pull_request", "refs/pull/3/merge"), {"preview"}),
    "a pull request, newer": (token(f"{NEW}:pull_request", "refs/pull/3/merge"), {"preview"}),
    "another branch": (token(f"{NEW}:ref:refs/heads/topic", "refs/heads/topic"), set()),
    "a branch whose name begins so": (token(f"{NEW}:ref:{MAIN}2", f"{MAIN}2"), set()),
    "a tag": (token(f"{NEW}:ref:refs/tags/main", "refs/tags/main"), set()),
    "an environment that nobody named": (token(f"{NEW}:environment:prod"), set()),
    "a fork": (token(f"repo:mallory@9/shop@99:ref:{MAIN}", repository_id="99"), set()),
    "a fork, older": (token(f"repo:mallory/shop:ref:{MAIN}", repository_id="99"), set()),
    "another repository under the old name": (token(f"{OLD}:ref:{MAIN}", repository_id="99"), set()),
    "another owner under the old name": (token(f"repo:acme@8/shop@99:ref:{MAIN}", repository_id="99"), set()),
    "the repository under a new name": (token(f"repo:acme@7/store@42:ref:{MAIN}"), set()),
    "no number": (token(f"{NEW}:ref:{MAIN}", repository_id=None), set()),
    "no audience": (token(f"{NEW}:ref:{MAIN}", aud=None), set()),
    "for someone else": (token(f"{NEW}:ref:{MAIN}", aud="https://github.com/acme"), set()),
    "no subject": ({key: each for key, each in token("").items() if not key.endswith(":sub")}, set()),
    "no branch": (token(f"{NEW}:ref:{MAIN}", None), {"preview"}),
    "nothing": ({}, set()),
}


def taken(graph: Graph, context: Mapping[str, str]) -> set[str]:
    """The roles that a token opens."""
    own = [each for each in graph.under(DELIVERY) if "assumeRolePolicy" in each.inputs]
    roles = {each.name: each.inputs["assumeRolePolicy"] for each in own}
    action = "sts:AssumeRoleWithWebIdentity"
    allowed = {name for name, policy in roles.items() if iam.decide([policy], action, context=context) == "allow"}
    return {each.removeprefix("github-") for each in allowed}


class TestTrust:
    @pytest.mark.parametrize("case", TOKENS)
    def test_a_token_opens_the_roles_that_are_for_it(self, case: str) -> None:
        context, roles = TOKENS[case]
        assert taken(made(), context) == roles

    @pytest.mark.parametrize("begins", [OLD, NEW])
    def test_with_an_environment_only_its_jobs_deploy(self, begins: str) -> None:
        graph = made(said='{"environment": "prod:eu"}')
        assert taken(graph, token(f"{begins}:ref:{MAIN}")) == {"push", "preview"}
        assert taken(graph, token(f"{begins}:environment:prod%3Aeu")) == {"push", "deploy", "preview"}
        assert taken(graph, token(f"{begins}:environment:prod%3Aeu", "refs/heads/topic")) == {"preview"}
        assert taken(graph, token(f"{begins}:environment:test")) == set()

    def test_another_branch_can_be_the_one(self) -> None:
        graph = made(said='{"branch": "release"}')
        assert taken(graph, token(f"{NEW}:ref:refs/heads/release", "refs/heads/release")) == {
            "push",
            "deploy",
            "preview",
        }
        assert taken(graph, token(f"{NEW}:ref:{MAIN}")) == set()

    def test_nothing_holds_where_a_claim_is_missing(self) -> None:
        written = json.dumps([each.inputs for each in made().under(DELIVERY)])
        assert "ForAllValues" not in written
        assert "IfExists" not in written

    def test_the_evaluator_knows_no_more_than_it_says(self) -> None:
        statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        for condition in ({"ForAllValues:StringEquals": {"a": "b"}}, {"StringEqualsIfExists": {"a": "b"}}):
            with pytest.raises(KeyError):
                iam.applies(statement | {"Condition": condition}, "s3:GetObject", "x", {})
        with pytest.raises(NotImplementedError):
            iam.applies(statement | {"NotPrincipal": "*"}, "s3:GetObject", "x", {})


GOOGLE = {"project": "acme", "location": "us", "repository": "images", "service-account-key": "{}"}
NAMED = {
    "workload-identity-provider": "projects/1/locations/global/workloadIdentityPools/github/providers/github",
    "service-account": "github-push@acme.iam.gserviceaccount.com",
}


def at_google(**more: str) -> Graph:
    config = config_for("artifact-registry", "ecs-fargate") | {"github": GITHUB}
    return run_program(config | {"artifact-registry": GOOGLE | more})


def holds(condition: str, context: Mapping[str, str]) -> bool:
    """Whether a token meets a condition of Google's, of the one form that is written: claims that equal a text."""
    claims = {key.partition(":")[2]: value for key, value in context.items()}
    wanted = [re.fullmatch(r"assertion\.(\w+) == '([^']+)'", each) for each in condition.split(" && ")]
    return all(each is not None and claims.get(each[1]) == each[2] for each in wanted)


@cache
def told() -> list[list[str]]:
    """The commands that are told where workflows are nobody at Google yet."""
    (note,) = [each for each in at_google().export("next") if "cannot push to artifact-registry" in each]
    return [shlex.split(each) for each in note.splitlines()[1:]]


class TestGoogle:
    def test_without_a_provider_the_commands_are_told(self) -> None:
        assert set(at_google().export("delivery")) == {"deploy-role", "preview-role", "session"}
        assert [each[0] for each in told()] == ["gcloud"] * 5 + ["pulumi"] * 2
        bound = [each for each in told() if "add-iam-policy-binding" in each]
        assert [each[4] for each in bound] == ["images", "github-push@acme.iam.gserviceaccount.com"]
        assert bound[1][-1].endswith("/workloadIdentityPools/github/attribute.repository_id/42")

    @pytest.mark.parametrize("case", TOKENS)
    def test_a_token_is_trusted_by_its_numbers_and_its_branch(self, case: str) -> None:
        """A name counts for nothing there, so that a rename changes nothing; the audience Google asks for itself."""
        context, roles = TOKENS[case]
        (given,) = [word for each in told() for word in each if word.startswith("--attribute-condition=")]
        owner = {"42": "7", "99": "9"}.get(context.get(f"{HOST}:repository_id", ""))
        context = context | ({f"{HOST}:repository_owner_id": owner} if owner else {})
        others = {"the repository under a new name", "an environment that nobody named", "no subject"}
        others |= {"no audience", "for someone else"}
        assert holds(given.partition("=")[2], context) is ("push" in roles or case in others)

    def test_with_both_the_output_has_them(self) -> None:
        graph = at_google(**NAMED)
        assert NAMED.items() <= graph.export("delivery").items()
        assert not [each for each in graph.exports().get("next", []) if "artifact-registry" in each]

    @pytest.mark.parametrize(("one", "other"), [tuple(NAMED), tuple(reversed(NAMED))])
    def test_one_without_the_other_is_a_mistake(self, one: str, other: str) -> None:
        with pytest.raises(BadConfig, match=rf"artifact-registry.{other}.*as `{one}` has one"):
            at_google(**{one: NAMED[one]})


PUSHED = {"ecr": "ecr", "ecr-public": "ecr-public"}


class TestPush:
    @pytest.mark.parametrize("registry", PUSHED)
    def test_it_pushes_to_the_very_repositories(self, registry: str) -> None:
        graph = made(registry)
        region = "us-east-1" if registry == "ecr" else ""
        own = f"arn:aws:{registry}:{region}:123456789012:repository/switchyard-dev/api"
        here = {"aws:RequestedRegion": "us-east-1"}
        for each in ("BatchCheckLayerAvailability", "InitiateLayerUpload", "UploadLayerPart", "PutImage"):
            assert iam.decide(policies(graph, "push"), f"{registry}:{each}", own, here) == "allow"
            assert iam.decide(policies(graph, "push"), f"{registry}:{each}", f"{own}2", here) == "nothing"
        assert iam.decide(policies(graph, "push"), f"{registry}:GetAuthorizationToken", "*", here) == "allow"
        assert iam.decide(policies(graph, "push"), f"{registry}:DeleteRepository", own, here) == "nothing"

    def test_a_repository_that_exists_is_named_by_itself(self) -> None:
        config = config_for("ecr", "ecs-fargate") | {"github": GITHUB, "ecr": {"repositories": {"api": "team/api"}}}
        graph = run_program(config)
        arn = "arn:aws:ecr:us-east-1:123456789012:repository/team/api"
        assert iam.decide(policies(graph, "push"), "ecr:PutImage", arn) == "allow"
        assert iam.decide(policies(graph, "preview"), "ecr:DescribeRepositories", arn) == "allow"

    @pytest.mark.parametrize("registry", ["ghcr", "dockerhub", "oci", "artifact-registry"])
    def test_no_role_pushes_where_the_registry_is_not_awss(self, registry: str) -> None:
        assert set(made(registry).export("delivery")) == {"deploy-role", "preview-role", "session"}


ROLE = "arn:aws:iam::123456789012:role/api-task-0a1b2c3"


class TestDeploy:
    def under(self, graph: Graph) -> dict[str, str]:
        """A request that puts a role under the boundary."""
        policy = graph.one("iam/policy:Policy", "github-boundary")
        return {"iam:PermissionsBoundary": f"arn:aws:iam:us-east-1:123456789012:policy/{policy.name}-0a1b2c3"}

    @pytest.mark.parametrize("action", ["iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"])
    def test_roles_change_only_under_the_boundary(self, action: str) -> None:
        graph = made()
        own = policies(graph, "deploy")
        assert iam.decide(own, action, ROLE, self.under(graph)) == "allow"
        assert iam.decide(own, action, ROLE) == "nothing"
        assert iam.decide(own, action, ROLE, {"iam:PermissionsBoundary": "arn:aws:iam::aws:policy/x"}) == "nothing"
        assert iam.decide(own, action, "arn:aws:iam::123456789012:role/Admin", self.under(graph)) == "nothing"

    def test_nobody_takes_the_boundary_off(self) -> None:
        own = policies(made(), "deploy")
        assert iam.decide(own, "iam:DeleteRolePermissionsBoundary", ROLE) == "deny"
        assert iam.decide(own, "iam:UpdateAssumeRolePolicy", ROLE) == "nothing"

    @pytest.mark.parametrize(
        ("action", "of"),
        {
            "iam:CreatePolicyVersion": "github-boundary",
            "iam:DeletePolicy": "github-boundary",
            "iam:UpdateAssumeRolePolicy": "github-deploy",
            "iam:AttachRolePolicy": "github-deploy",
            "iam:PutRolePolicy": "github-push",
            "iam:PassRole": "github-deploy",
            "iam:DeleteRole": "github-preview",
            "iam:AddClientIDToOpenIDConnectProvider": "github",
            "iam:DeleteOpenIDConnectProvider": "github",
        }.items(),
    )
    def test_it_changes_nothing_of_who_may_deploy(self, action: str, of: str) -> None:
        graph = made()
        (arn,) = [arn for arn in _guarded(graph) if arn.endswith(f"/{of}-0a1b2c3")]
        assert iam.decide(policies(graph, "deploy"), action, arn, self.under(graph)) == "deny"
        assert iam.decide(policies(graph, "deploy"), "iam:GetRole", arn) == "allow"

    @pytest.mark.parametrize(("service", "decision"), {"ecs-tasks": "allow", "lambda": "nothing"}.items())
    def test_a_role_is_handed_only_to_what_runs_replicas(self, service: str, decision: str) -> None:
        context = {"iam:PassedToService": f"{service}.amazonaws.com"}
        own = policies(made(), "deploy")
        assert iam.decide(own, "iam:PassRole", ROLE, context) == decision
        assert iam.decide(own, "iam:PassRole", "arn:aws:iam::123456789012:role/Admin", context) == "nothing"

    def test_secrets_of_others_are_not_read(self) -> None:
        own, secret = policies(made(), "deploy"), "arn:aws:secretsmanager:us-east-1:123456789012:secret:"
        assert iam.decide(own, "secretsmanager:GetSecretValue", f"{secret}api--KEY-0a1b2c3-AbCdEf") == "allow"
        assert iam.decide(own, "secretsmanager:GetSecretValue", f"{secret}billing/root-AbCdEf") == "nothing"

    def test_commands_reach_the_swarms_own_instances(self) -> None:
        own = policies(made(orchestrator="swarm-ec2"), "deploy")
        instance = "arn:aws:ec2:us-east-1:123456789012:instance/i-1"
        assert (
            iam.decide(own, "ssm:SendCommand", instance, {"ssm:resourceTag/switchyard-swarm": "switchyard-dev"})
            == "allow"
        )
        assert iam.decide(own, "ssm:SendCommand", instance, {"ssm:resourceTag/switchyard-swarm": "other"}) == "nothing"

    def test_state_is_written_where_it_is(self) -> None:
        key = "arn:aws:kms:us-east-1:123456789012:key/1"
        graph = made(said=json.dumps({"state-bucket": "acme-state", "state-key": key}))
        wanted = {"s3:PutObject": "arn:aws:s3:::acme-state/.pulumi/a", "kms:Encrypt": key, "kms:Decrypt": key}
        for action, where in wanted.items():
            assert iam.decide(policies(graph, "deploy"), action, where) == "allow"
        reads = {
            role for role in ("preview", "push") if iam.decide(policies(graph, role), "kms:Decrypt", key) == "allow"
        }
        assert reads == {"preview"}
        assert iam.decide(policies(graph, "preview"), "s3:PutObject", wanted["s3:PutObject"]) == "nothing"

    @pytest.mark.parametrize("registry", ["ecr", "ghcr"])
    def test_policies_are_within_iams_limits(self, registry: str) -> None:
        graph = made(registry, "ecs-fargate", "production", json.dumps({"orchestrators": EVERYWHERE}))
        managed = {each.name: json.loads(each.inputs["policy"]) for each in graph.of("iam/policy:Policy")}
        assert {name: size for name, each in managed.items() if (size := policy_size(each)) > LONGEST_POLICY} == {}
        assert len(managed) - 1 <= 10  # policies that a role takes, without asking AWS for more
        inline = [json.loads(each) for role in ("push", "preview") for each in policies(graph, role)]
        assert all(policy_size(each) < LONGEST for each in inline)


def _guarded(graph: Graph) -> list[str]:
    policy = json.loads(graph.one("iam/policy:Policy", "github-roles").inputs["policy"])
    (denied,) = [each for each in policy["Statement"] if "NotAction" in each]
    arns: list[str] = denied["Resource"]
    return arns


class TestBoundary:
    @pytest.mark.parametrize(
        ("action", "resource", "decision"),
        [
            ("s3:GetObject", "arn:aws:s3:::photos/1", "allow"),
            ("logs:PutLogEvents", "*", "allow"),
            ("iam:PassRole", ROLE, "allow"),
            ("iam:PassRole", "arn:aws:iam::123456789012:role/Admin", "nothing"),
            ("iam:CreateUser", "*", "nothing"),
            ("iam:PutRolePolicy", ROLE, "nothing"),
            ("sts:AssumeRole", "arn:aws:iam::123456789012:role/Admin", "nothing"),
            ("ssm:SendCommand", "*", "nothing"),
        ],
    )
    def test_no_role_changes_who_may_do_what(self, action: str, resource: str, decision: str) -> None:
        boundary = made().one("iam/policy:Policy", "github-boundary").inputs["policy"]
        assert iam.decide([boundary], action, resource) == decision

    def test_one_of_ones_own_is_used(self) -> None:
        graph = made(said='{"permissions-boundary": "arn:aws:iam::123456789012:policy/ours"}')
        assert not [each for each in graph.of("iam/policy:Policy") if each.name == "github-boundary"]
        context = {"iam:PermissionsBoundary": "arn:aws:iam::123456789012:policy/ours"}
        assert iam.decide(policies(graph, "deploy"), "iam:CreateRole", ROLE, context) == "allow"


def transformed(type_: str, props: dict[str, Any]) -> pulumi.ResourceTransformArgs:
    return pulumi.ResourceTransformArgs(True, type_, "eks", props, pulumi.ResourceOptions())


class TestStack:
    def test_without_github_nothing_is_another(self) -> None:
        """Not a resource, an input or an output of any other component."""
        with_it, without = made("ecr", "eks"), run_program(config_for("ecr", "eks") | {"ecs-ec2": BLOCKS["ecs-ec2"]})
        others = {each.urn: each.inputs for each in with_it if DELIVERY not in each.urn}
        assert others.keys() == {each.urn for each in without}
        changed = {each.name for each in without if each.inputs != others[each.urn]}
        assert changed == {"eks"}  # the cluster: the deployer is an admin of it
        assert "delivery" not in without.exports()
        assert {*with_it.exports()} - {*without.exports()} == {"delivery"}

    def test_the_deployer_is_an_admin_of_the_cluster(self) -> None:
        entries = made("ecr", "eks").one("eks:index:Cluster").inputs["accessEntries"]
        (entry,) = entries.values()
        assert entry["principalArn"].endswith("role/github-deploy-0a1b2c3")

    @pytest.mark.parametrize(
        ("caller", "by_eks"),
        {
            "user/ada": True,
            "assumed-role/Admin/ada": True,
            "assumed-role/github-deploy-0a1b2c3/GitHubActions": False,
        }.items(),
    )
    def test_eks_makes_no_entry_for_a_deployer_that_has_one(self, caller: str, by_eks: bool) -> None:
        """Two for one role are an error; anyone else who makes the cluster would be locked out without."""
        arn = f"arn:aws:sts::123456789012:{caller}"
        start(Cloud(answers={"aws:index/getCallerIdentity:getCallerIdentity": lambda _: {"arn": arn}}))

        def program() -> Any:
            role = aws.iam.Role("github-deploy", assume_role_policy="{}")
            change = cluster_admins.creator_by_entry(role, role)
            props = {"name": "shop", "accessConfig": {"authenticationMode": "API"}}
            changed: Any = change(transformed("aws:eks/cluster:Cluster", props))
            assert change(transformed("aws:iam/role:Role", {})) is None
            return changed.props

        access = {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": by_eks}
        assert deploy(program) == {"name": "shop", "accessConfig": access}

    def test_a_provider_that_exists_is_used(self) -> None:
        graph = made(said='{"provider": "existing"}')
        assert not graph.of("iam/openIdConnectProvider:OpenIdConnectProvider")
        assert taken(graph, token(f"{NEW}:ref:{MAIN}")) == {"push", "deploy", "preview"}
        arn = f"arn:aws:iam::123456789012:oidc-provider/{HOST}"
        for role in ("deploy", "preview"):
            assert iam.decide(policies(graph, role), "iam:GetOpenIDConnectProvider", arn) == "allow"

    @pytest.mark.parametrize(("key", "seconds"), {"ecs-fargate": 7200, "eks": 10800}.items())
    def test_a_session_lasts_as_long_as_an_up(self, key: str, seconds: int) -> None:
        graph = made("ecr", key)
        assert graph.export("delivery")["session"] == seconds
        assert graph.one("iam/role:Role", "github-deploy").inputs["maxSessionDuration"] == seconds

    def test_off_aws_there_is_a_role_only_for_what_is_there(self) -> None:
        assert set(made("ghcr", "kubernetes").export("delivery")) == {"session"}
        assert not made("ghcr", "kubernetes").under(DELIVERY)
        assert {"push-role", "deploy-role"} <= set(made("ecr-public", "kubernetes").export("delivery"))

    def test_what_is_for_aws_alone_is_not_ignored_off_it(self) -> None:
        more = {"permissions-boundary": "arn:aws:iam::123456789012:policy/ours", "state-bucket": "acme-state"}
        config = config_for("ghcr", "kubernetes") | {"github": GITHUB | more}
        with pytest.raises(BadConfig) as problem:
            run_program(config)
        for key in more:
            assert f"pulumi config rm --path switchyard:github.{key}" in str(problem.value)

    def test_a_stack_off_aws_says_that_there_are_no_roles(self) -> None:
        assert [each for each in made("ghcr", "kubernetes").export("next") if "get no role" in each]


MISTAKES = {
    "repository": ("acme", "a repository as owner/name"),
    "repository-id": (0, "at least 1"),
    "owner-id": ("acme", "a whole number"),
    "environment": (" ", "the name of an environment"),
    "branch": ("refs heads", "the name of a branch"),
    "permissions-boundary": ("boundary", "an IAM policy's ARN"),
    "provider": ("new", "one of make, existing"),
    "state-bucket": ("s3://state", "the name of an S3 bucket, without s3://"),
    "state-key": ("arn:aws:kms:us-east-1:123456789012:alias/a", "a KMS key's ARN, not an alias's"),
}


class TestMistakes:
    def test_all_are_said_at_once(self) -> None:
        said = {key: value for key, (value, _) in MISTAKES.items()}
        with pytest.raises(BadConfig) as problem:
            run_program(config_for("ecr", "ecs-fargate") | {"github": said})
        for key, (_, want) in MISTAKES.items():
            assert f"switchyard:github.{key}" in str(problem.value)
            assert want in str(problem.value)

    def test_what_is_required_is_missed(self) -> None:
        with pytest.raises(BadConfig) as problem:
            run_program(config_for("ecr", "ecs-fargate") | {"github": {"repository": "acme/shop"}})
        assert "github.repository-id" in str(problem.value)
        assert "github.owner-id" in str(problem.value)

    def test_an_orchestrator_off_aws_takes_no_role(self) -> None:
        config = config_for("ecr", "ecs-fargate") | {"github": GITHUB | {"orchestrators": ["eks", "swarm"]}}
        with pytest.raises(BadConfig, match=r"github.orchestrators\[1\].*an orchestrator on AWS"):
            run_program(config)


def test_services_without_images_of_ours_are_not_pushed() -> None:
    cache = {"image": f"docker.io/library/redis@{DIGEST}", "public": False}
    services: dict[str, Any] = {"api": SERVICE, "cache": cache}
    graph = run_program(config_for("ecr", "ecs-fargate", **services) | {"github": GITHUB})
    (policy,) = policies(graph, "push")
    assert "switchyard-dev/api" in policy
    assert "switchyard-dev/cache" not in policy
