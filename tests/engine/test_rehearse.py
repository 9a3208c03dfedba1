"""`yard rehearse`: a stack's whole passage, what it reports, and what it must not miss."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from components import orchestrator
from config.stack_file import PLACEHOLDER
from tests.engine.conftest import ROOT
from yard import suggest
from yard.rehearse import rehearse as command
from yard.rehearsing import Listener, Report, rehearse

pytestmark = pytest.mark.engine

FAST = 1e6
"""Rehearsal seconds a second."""


def run(*arguments: str) -> Result:
    """Call the command."""
    return CliRunner().invoke(command, [*arguments, "--speed", str(FAST)])


def test_the_passage_of_dev_as_json_and_as_a_page(tmp_path: Path) -> None:
    files = {path: path.read_bytes() for path in (ROOT / "config").iterdir() if path.is_file()}
    result = run("--json", "--html", str(tmp_path / "page.html"))
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report.keys() == {"ok", "orchestrators", "steps", "served", "changes", "url", "cost", "policies"}
    assert report["orchestrators"] == {"before": "ecs-fargate", "after": "eks"}
    assert [(each["phase"], each["service"], each["shares"]) for each in report["served"]] == [
        ("up", "api", "ecs-fargate"),
        ("switch", "api", "eks"),
        ("back", "api", "ecs-fargate"),
        ("destroy", "api", ""),
    ]
    assert (report["cost"]["before"], report["cost"]["after"][-2:]) == ("49.74", "+?")
    assert list(report["changes"]) == ["up", "preview", "switch", "switch-preview", "back", "destroy"]
    assert report["changes"]["preview"].keys() == report["changes"]["switch-preview"].keys() == {"same"}
    assert report["changes"]["destroy"].keys() == {"delete"}
    assert report["url"]["before"] == report["url"]["after"]
    assert report["url"]["before"].startswith("http://")
    assert report["policies"] == []

    steps = [step for step in report["steps"] if step["phase"] == "switch"]
    assert all(step.keys() == {"phase", "op", "type", "name", "part", "start", "end"} for step in steps)
    moved = next(step for step in steps if step["op"] == "update")
    (pods,) = [step for step in steps if step["type"] == "kubernetes:apps/v1:Deployment"]
    (tasks,) = [step for step in steps if step["type"] == "aws:ecs/service:Service"]
    assert moved["type"] == "aws:lb/listenerRule:ListenerRule"
    assert pods["op"] == "create"
    assert tasks["op"] == "delete"
    assert (pods["part"], tasks["part"], moved["part"]) == ("eks", "ecs-fargate", "edge")
    assert moved["end"] == report["served"][1]["at"]
    page = (tmp_path / "page.html").read_text()
    assert page.count("<svg") == 2
    assert page.count('<rect class="create"') == sum(each["op"] == "create" for each in report["steps"] + steps)
    assert pods["end"] <= moved["start"] < moved["end"] <= tasks["start"]
    # A new EKS cluster alone takes nine minutes; the engine's own time does not count.
    assert 9 * 60 < steps[-1]["end"] - steps[0]["start"] < 15 * 60
    assert files == {path: path.read_bytes() for path in (ROOT / "config").iterdir() if path.is_file()}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--to", "nomad"], f"there is no orchestrator 'nomad': use one of {', '.join(orchestrator.names())}"),
        (["--to", "ecs-fargate"], "stack dev is on ecs-fargate already: name another with --to"),
        (
            ["--stack", "local"],
            f"and swarm runs elsewhere: `{suggest.yard('up')}` brings stack local up for real",
        ),
        (["--to", "swarm"], "and swarm runs elsewhere: name another with --to"),
        (
            ["--to", "ecs-ec2"],
            "stack dev cannot go to ecs-ec2 as it is configured: one thing needs a change in the stack's configuration;"
            " nothing was made.\n  switchyard:network is 'public'",
        ),
    ],
)
def test_what_cannot_be_rehearsed_is_said(arguments: list[str], reason: str) -> None:
    told = run(*arguments)
    assert (told.exit_code, told.stdout) == (2, ""), "nothing was begun"
    assert reason in told.stderr
    as_json = run(*arguments, "--json")
    assert as_json.exit_code == 2
    report = json.loads(as_json.stdout)
    assert not report["ok"]
    assert reason in report["reason"]


class Project:
    """A project of its own, whose program is a few lines."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "config").mkdir()
        (root / ".tools").symlink_to(ROOT / ".tools")
        (root / "Pulumi.yaml").write_text("name: switchyard\nruntime: python\nstackConfigDir: config\n")

    def rehearse(self, program: str, config: str = "", listener: Listener | None = None) -> Report:
        """Rehearse a program from ecs-fargate to eks."""
        (self.root / "__main__.py").write_text(HEAD + program)
        file = self.root / "config/Pulumi.dev.yaml"
        file.write_text("config:\n  aws:region: us-east-1\n  switchyard:orchestrator: ecs-fargate\n" + config)
        before = file.read_bytes()
        report = rehearse(self.root, "dev", "eks", FAST, listener or Listener())
        assert file.read_bytes() == before
        return report


HEAD = """
import json
import pulumi
import pulumi_aws as aws
config = pulumi.Config("switchyard")
there = config.require("orchestrator")
pulumi.export("url", "http://same")
RETAIN = pulumi.ResourceOptions(retain_on_delete=True)
"""
NETWORK = """
vpc = aws.ec2.Vpc("net", cidr_block="10.0.0.0/16")
zones = aws.get_availability_zones_output().names
subnets = [
    aws.ec2.Subnet(f"net-{i}", vpc_id=vpc.id, cidr_block=f"10.0.{i}.0/24", availability_zone=zones[i]) for i in (0, 1)
]
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_what_the_program_says_is_told_once(project: Project) -> None:
    noted: list[str] = []
    program = 'pulumi.log.warn("mind the range")\npulumi.log.info("smaller than sold")\n'
    project.rehearse(program, listener=Listener(note=noted.append))
    assert noted == ["mind the range", "smaller than sold"]


def test_secrets_never_leave_the_stack(project: Project) -> None:
    report = project.rehearse(
        """
services = config.require_secret_object("services")
value = services["api"]["secrets"]["PASSWORD"]
aws.cloudwatch.LogGroup("logs", name=pulumi.Output.unsecret(value))
aws.cloudwatch.LogGroup("digest", name=pulumi.Output.unsecret(services["api"]["digest"].apply(lambda it: it[7:])))
aws.ec2.Subnet("subnet", vpc_id=config.require("vpc"), cidr_block="10.0.0.0/24")
""",
        "  switchyard:vpc: vpc-0123\n"
        "  switchyard:services: {api: {secrets: {PASSWORD: {secure: v1:AAAA:BBBB}}}}\n"
        "encryptionsalt: v1:none:of:the:rehearsals:business\n",
    )
    assert report.ok, report.reason
    assert {step.name for step in report.steps} == {"logs", "digest", "subnet"}
    assert PLACEHOLDER not in json.dumps(report.json())


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (
            "aws.cloudwatch.LogGroup(f\"logs-{__import__('uuid').uuid4()}\")",
            "a second look would change: ",
        ),
        ('pulumi.export("url", f"http://{there}")', "the URL changed: http://ecs-fargate became http://eks"),
        (
            'aws.cloudwatch.LogGroup("kept", skip_destroy=True, name="/kept") if there == "ecs-fargate" else None',
            "kept: the name /kept is taken: the log group was kept when its stack was destroyed",
        ),
        ('aws.sqs.Queue("queue")', "the rehearsal does not know aws:sqs/queue:Queue"),
        (
            'aws.cloudwatch.LogGroup("left", opts=RETAIN) if there == "eks" else None',
            "there and back again is not the same: urn:pulumi:dev::switchyard::aws:cloudwatch/logGroup:LogGroup::left",
        ),
        (
            'aws.cloudwatch.LogGroup("left", opts=RETAIN)',
            "destroy left left (aws:cloudwatch/logGroup:LogGroup)",
        ),
    ],
)
def test_what_does_not_hold_is_the_reason(project: Project, program: str, reason: str) -> None:
    report = project.rehearse(program)
    assert not report.ok
    assert reason in report.reason


REPOSITORY = """
aws.ecr.Repository("images", name="images", force_delete=True, image_tag_mutability="IMMUTABLE")
"""


def test_a_mandatory_policy_that_breaks_is_the_reason(project: Project) -> None:
    report = project.rehearse(
        REPOSITORY, "  switchyard:preset: production\n  switchyard:exceptions: {ECR.3: nothing is ever pushed}\n"
    )
    assert not report.ok
    assert report.reason.splitlines() == [
        "policies that the preset makes mandatory are broken:",
        "  mandatory ECR.1: images Repository: Images are scanned when they are pushed",
        "Meet them, or say of each why this stack does not: "
        "pulumi config set --path 'exceptions[\"ECR.1\"]' 'why not here' --stack dev",
    ]
    assert list(report.changes)[-1] == "destroy"


@pytest.mark.parametrize("says", ["switchyard:protect: true", "switchyard:preset: production"])
def test_what_is_protected_is_set_free_before_it_is_destroyed(project: Project, says: str) -> None:
    report = project.rehearse(
        NETWORK
        + """
guarded = config.get_bool("protect") is not False
aws.lb.LoadBalancer("edge", subnets=[each.id for each in subnets], enable_deletion_protection=guarded)
""",
        f"  {says}\n  switchyard:exceptions: {{ELB.4: a, ELB.5: few, EC2.2: lines, EC2.6: here}}\n",
    )
    assert report.ok, report.reason
    assert list(report.changes)[-2:] == ["unprotect", "destroy"]
    assert report.changes["unprotect"]["update"] == 1


def test_the_callers_own_account_is_not_needed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "acme-nobody")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "theirs")
    monkeypatch.setenv("PULUMI_CLOUD_SECRET_OVERRIDE", "hashivault://theirs")
    report = project.rehearse(
        """
import boto3
found = boto3.Session(profile_name=pulumi.Config("aws").get("profile")).get_credentials()
pulumi.export("url", f"{found.access_key} {found.token}")
""",
        "  aws:profile: acme-nobody\n",
    )
    assert report.ok, report.reason
    assert report.url["before"] == "rehearsal None"


def test_traffic_to_nobody_is_not_missed(project: Project) -> None:
    """AWS allows it, the engine is content, and every caller gets a 503."""
    report = project.rehearse(
        NETWORK
        + """
balancer = aws.lb.LoadBalancer("edge", subnets=[each.id for each in subnets])
answer = {"type": "fixed-response", "fixed_response": {"content_type": "text/plain", "status_code": "404"}}
listener = aws.lb.Listener("edge", load_balancer_arn=balancer.arn, port=80, default_actions=[answer])
if there == "eks":
    group = aws.lb.TargetGroup("empty", port=80, protocol="HTTP", target_type="ip", vpc_id=vpc.id)
    forward = {"target_groups": [{"arn": group.arn, "weight": 1}]}
    aws.lb.ListenerRule(
        "api",
        listener_arn=listener.arn,
        conditions=[{"path_pattern": {"values": ["/*"]}}],
        actions=[{"type": "forward", "forward": forward}],
    )
"""
    )
    assert (
        "after create of api (aws:lb/listenerRule:ListenerRule) callers of api would be answered 503" in report.reason
    )
