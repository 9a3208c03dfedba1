"""The account on AWS: credentials, region, quotas, what the configuration says exists, and names that must be free."""

import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import boto3
import jmespath
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, ProfileNotFound
from botocore.exceptions import ConnectionError as NoConnection

from components import quotas
from components.needs import Existing, FixedNames, Question, Quota
from components.quotas import Limit
from components.shell import Shell, command, quoted
from config.settings import Settings
from yard.checks import TIMEOUT, Finding, fail, ok, warn
from yard.checks.project import UNREADABLE, Owned

HOMES = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
"""Partition -> a region that every account in it has, to ask about the others."""
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "NotAuthorized")
ABSENT = r"NotFound(Exception)?$|\.Malformed$|^NoSuchEntity$"
"""What AWS's codes end with, where something is not there."""
QUOTA = "aws service-quotas request-service-quota-increase --service-code {} --quota-code {} --desired-value {:g}"


class Client(Protocol):
    """Makes a boto3 client of a service, in another region than the stack's where one is given."""

    def __call__(self, service: str, region: str | None = None) -> Any: ...


@dataclass(frozen=True)
class Account:
    """Who is asked, about what."""

    settings: Settings
    client: Client
    home: str
    """A region that every account has."""
    owned: Owned = UNREADABLE
    """What the stack has already: neither in its own way, nor needed once more."""

    @property
    def region(self) -> str:
        """The stack's."""
        return self.settings.region

    def ask(self, question: Question) -> Any:
        """AWS's answer; raises `ClientError`."""
        client = self.client(question.service, question.region)
        return getattr(client, question.method)(**question.parameters)


Check = Callable[[Account], Finding | None]
"""None: it does not concern this stack."""


def account(settings: Settings) -> Account:
    """The account that `pulumi up` would use. Nothing is asked yet; raises `ProfileNotFound`."""
    session = boto3.Session(profile_name=settings.profile, region_name=settings.region)
    once = Config(connect_timeout=TIMEOUT, read_timeout=TIMEOUT, retries={"total_max_attempts": 1})
    partition = session.get_partition_for_region(settings.region)

    def client(service: str, region: str | None = None) -> Any:
        # A session makes one client at a time (boto3 guide, "Multithreading"), hence one session each.
        own: Any = boto3.Session(
            profile_name=settings.profile, region_name=settings.region
        )  # any service, not one of few
        return own.client(service, region_name=region or settings.region, config=once)

    return Account(settings, client, HOMES.get(partition, settings.region))


def look(settings: Settings, owned: Owned) -> Iterator[Finding]:
    """Everything about the account; `owned` is what the stack has there."""
    try:
        asked = account(settings)
    except ProfileNotFound as error:
        yield fail("aws-credentials", str(error), "aws configure --profile NAME; or fix aws:profile, or AWS_PROFILE")
        return
    yield from ask(replace(asked, owned=owned))


def ask(asked: Account) -> Iterator[Finding]:
    """All checks of an account at once; those that need credentials only where there are some."""
    first = credentials(asked)
    yield first
    if first.status == "fail":
        yield warn(
            "aws", "the account was not asked for region, quotas, names and what exists", "fix aws-credentials first"
        )
        return
    where = answer("aws-region", region, asked)
    yield from filter(None, [where])
    if where and where.status == "fail":
        return
    with ThreadPoolExecutor(max_workers=8) as pool:
        yield from filter(None, pool.map(lambda named: answer(named[0], named[1], asked), checks(asked)))


def checks(asked: Account) -> Iterator[tuple[str, Check]]:
    """Those that concern the stack, by name."""
    yield from ALWAYS.items()
    for need in asked.settings.needs:
        if isinstance(need, Quota | Existing | FixedNames):
            yield need.name, _check(need)


def answer(name: str, check: Check, asked: Account) -> Finding | None:
    """What a check found; where AWS does not say, that nobody could tell."""
    try:
        return check(asked)
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        if code in DENIED:
            action = error.operation_name
            return warn(name, f"not looked at: these credentials may not call {action}", f"allow {action} to see more")
        return warn(name, f"not looked at: {error.operation_name} answers {code}: {message}", "try again")
    except BotoCoreError as error:
        return warn(name, f"not looked at: {_silent(error)}", "check the network and any proxy")


def _silent(error: BotoCoreError) -> str:
    """Who does not answer."""
    if isinstance(error, NoConnection | HTTPClientError):
        return f"no answer from {error.kwargs.get('endpoint_url', 'AWS')}"
    return str(error)


def credentials(asked: Account) -> Finding:
    """Who the stack is made as."""
    name, fix = "aws-credentials", "aws configure, aws sso login, or AWS_PROFILE; then: aws sts get-caller-identity"
    try:
        who = asked.client("sts", asked.home).get_caller_identity()
    except ClientError as error:
        return fail(name, f"AWS refuses them: {error.response['Error'].get('Message', error)}", fix)
    except (NoConnection, HTTPClientError) as error:
        return fail(name, _silent(error), "check the network and any proxy")
    except BotoCoreError as error:
        return fail(name, f"there are none that work: {error}", fix)
    return ok(name, f"account {who['Account']}, as {who['Arn']}")


def region(asked: Account) -> Finding:
    """That the region is open to the account."""
    name, wanted = "aws-region", asked.region
    found = asked.client("ec2", asked.home).describe_regions(RegionNames=[wanted], AllRegions=True)["Regions"]
    if found[0]["OptInStatus"] == "not-opted-in":
        fix = command("aws", "account", "enable-region", "--region-name", wanted)
        return fail(name, f"{wanted} is not enabled in this account", fix)
    return ok(name, f"{wanted} is enabled")


def quota(need: Quota, asked: Account) -> Finding | None:
    """Whether what is needed, and later perhaps at the most, goes into the quota besides what is in use."""
    limit = need.limit
    there = asked.owned.count(limit.made_of) if limit.made_of else 0
    needed, most = need.needed - there, max(need.most, need.needed) - there
    if most <= 0:
        return None
    allowed, used = _allowed(asked, limit), _in_use(limit, asked)
    message = f"{needed:g} of {allowed:g} {limit.what} needed"
    message += f", {most:g} at the most" if most > needed else ""
    message += f", {used:g} in use" if used else ""
    if used + most <= allowed:
        return ok(need.name, message)
    if limit.is_raised:
        place = asked.home if limit.of_account else asked.region
        fix = QUOTA.format(limit.service, limit.code, used + most) + f" --region {place}"
    else:
        message, fix = f"{message}; nobody raises it", limit.way
    return (fail if used + needed > allowed else warn)(need.name, message, fix)


def _allowed(asked: Account, limit: Limit) -> float:
    """The account's own, or the one that all start with (Service Quotas answers so, where none was ever applied)."""
    if not limit.is_raised:
        return limit.allowed
    quotas = asked.client("service-quotas", asked.home if limit.of_account else None)
    try:
        return float(quotas.get_service_quota(ServiceCode=limit.service, QuotaCode=limit.code)["Quota"]["Value"])
    except quotas.exceptions.NoSuchResourceException:
        default = quotas.get_aws_default_service_quota(ServiceCode=limit.service, QuotaCode=limit.code)
        return float(default["Quota"]["Value"])


def _in_use(limit: Limit, asked: Account) -> float:
    """How much of it is taken already, as far as one can ask; of what the stack's own resources are, without these."""
    if limit not in IN_USE:
        return 0
    return IN_USE[limit](asked)


def _vpcs(asked: Account) -> float:
    pages = asked.client("ec2").get_paginator("describe_vpcs").paginate()
    return sum(len(page["Vpcs"]) for page in pages)


def _addresses(asked: Account) -> float:
    return len(asked.client("ec2").describe_addresses()["Addresses"])


def _roles(asked: Account) -> float:
    return float(asked.client("iam", asked.home).get_account_summary()["SummaryMap"]["Roles"])


def _rules(asked: Account) -> float:
    """Of others, on a load balancer that exists; there are none on one of our own."""
    existing = asked.settings.config.load_balancer
    if existing is None:
        return 0
    pages = asked.client("elbv2").get_paginator("describe_rules").paginate(ListenerArn=existing.listener)
    others = [rule for page in pages for rule in page["Rules"] if not rule["IsDefault"]]
    return sum(("aws:lb/listenerRule:ListenerRule", rule["RuleArn"]) not in asked.owned.ids for rule in others)


def _groups(asked: Account) -> float:
    """Likewise."""
    existing = asked.settings.config.load_balancer
    if existing is None:
        return 0
    elb = asked.client("elbv2")
    (listener,) = elb.describe_listeners(ListenerArns=[existing.listener])["Listeners"]
    pages = elb.get_paginator("describe_target_groups").paginate(LoadBalancerArn=listener["LoadBalancerArn"])
    groups = [group["TargetGroupArn"] for page in pages for group in page["TargetGroups"]]
    return sum(("aws:lb/targetGroup:TargetGroup", each) not in asked.owned.ids for each in groups)


IN_USE: Mapping[Limit, Callable[[Account], float]] = {
    quotas.VPCS: _vpcs,
    quotas.ADDRESSES: _addresses,
    quotas.ROLES: _roles,
    quotas.LISTENER_RULES: _rules,
    quotas.TARGET_GROUPS: _groups,
}
"""What counts towards them besides this stack's own; of the others nobody says it in one answer."""


def zone(asked: Account) -> Finding | None:
    """The public zone that the domain's records go into."""
    domain = asked.settings.config.domain
    if domain is None or domain.zone is None:
        return None
    named = asked.client("route53").list_hosted_zones_by_name(DNSName=domain.zone)["HostedZones"]
    found = [each for each in named if each["Name"] == f"{domain.zone}." and not each["Config"]["PrivateZone"]]
    if len(found) == 1:
        return ok("zone", f"Route 53 has the public zone {domain.zone}")
    if found:
        return fail(
            "zone", f"Route 53 has {len(found)} public zones {domain.zone}", "delete those that nobody delegates to"
        )
    now = Shell("$(date +%s)")
    make = command("aws", "route53", "create-hosted-zone", "--name", domain.zone, "--caller-reference", now)
    return fail(
        "zone",
        f"Route 53 has no public zone {domain.zone} in this account",
        f"{make}, and delegate to it; or fix domain.zone",
    )


def vpc(asked: Account) -> Finding | None:
    """The VPC of the configuration, and its subnets."""
    wanted = asked.settings.config.vpc
    if wanted is None:
        return None
    ec2, fix = asked.client("ec2"), f"fix vpc, or aws:region ({asked.region})"
    subnets = [*wanted.public_subnets, *wanted.private_subnets]
    try:
        ec2.describe_vpcs(VpcIds=[wanted.id])
        found = ec2.describe_subnets(SubnetIds=subnets)["Subnets"]
    except ClientError as error:
        return _absent("vpc", error, fix)
    if astray := sorted(each["SubnetId"] for each in found if each["VpcId"] != wanted.id):
        return fail("vpc", f"not in {wanted.id}: {', '.join(astray)}", fix)
    zones = {each["AvailabilityZone"] for each in found if each["SubnetId"] in wanted.public_subnets}
    if len(zones) < 2:
        return fail(
            "vpc",
            f"the public subnets are all in {', '.join(zones)}",
            "name two in different zones: a load balancer wants them",
        )
    return ok("vpc", f"{wanted.id} exists, with its {len(found)} subnets")


def load_balancer(asked: Account) -> Finding | None:
    """The listener and the security group of the configuration."""
    wanted = asked.settings.config.load_balancer
    if wanted is None:
        return None
    try:
        asked.client("elbv2").describe_listeners(ListenerArns=[wanted.listener])
        asked.client("ec2").describe_security_groups(GroupIds=[wanted.security_group])
    except ClientError as error:
        return _absent("load-balancer", error, f"fix load-balancer, or aws:region ({asked.region})")
    return ok("load-balancer", "the listener and its security group exist")


def existing(need: Existing, asked: Account) -> Finding:
    """What the configuration of a backend says exists."""
    try:
        found = asked.ask(need.question)
    except ClientError as error:
        if not need.for_up and _says_absent(error):
            return warn(need.name, f"there is no {need.what}", need.fix)
        return _absent(need.name, error, need.fix)
    if not jmespath.search(need.where, found):
        return fail(need.name, f"there is no {need.what}", need.fix)
    return ok(need.name, f"AWS has {need.what}")


def _absent(name: str, error: ClientError, fix: str) -> Finding:
    """What AWS says is not there is a failure; anything else that goes wrong is not."""
    if not _says_absent(error):
        raise error
    return fail(name, error.response["Error"].get("Message", str(error)), fix)


def log_group(asked: Account) -> Finding:
    """The log group's name. One of a stack with `protect` stays when the stack goes."""
    name = f"/{asked.settings.stack}"
    pages = asked.client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    taken = {each["logGroupName"] for page in pages for each in page["logGroups"]} & {name}
    delete = ("aws", "logs", "delete-log-group", "--log-group-name")
    return _names(FixedNames("name-log-group", "aws:cloudwatch/logGroup:LogGroup", {}, delete), asked, {name}, taken)


def fixed_names(need: FixedNames, asked: Account) -> Finding:
    """The names that a backend gives must be free."""
    taken = {name for name, question in need.questions.items() if _exists(asked, question)}
    return _names(need, asked, set(need.questions), taken)


def _exists(asked: Account, question: Question) -> bool:
    try:
        asked.ask(question)
    except ClientError as error:
        if _says_absent(error):
            return False
        raise
    return True


def _says_absent(error: ClientError) -> bool:
    return re.search(ABSENT, error.response["Error"]["Code"]) is not None


def _names(need: FixedNames, asked: Account, wanted: set[str], taken: set[str]) -> Finding:
    """Fixed names are free, or this stack's own: what an earlier stack left makes an `up` fail half-way."""
    foreign = sorted(each for each in taken if (need.type_, each) not in asked.owned.ids)
    if not foreign:
        return ok(need.name, f"{', '.join(sorted(wanted))}: {'this stack has it' if taken else 'free'}")
    message = f"{', '.join(foreign)} exists already"
    delete = command(*need.delete, Shell(" or ".join(map(quoted, foreign))))
    fix = f"if nobody needs it: {delete} --region {asked.region}; else take another stack name, or `pulumi import` it"
    if not asked.owned.known:
        return warn(
            need.name, f"{message}; whether it is this stack's own is not known, as its state cannot be read", fix
        )
    return fail(need.name, f"{message}, and this stack's state does not know it", fix)


ALWAYS: dict[str, Check] = {
    "zone": zone,
    "vpc": vpc,
    "load-balancer": load_balancer,
    "name-log-group": log_group,
}
"""Whatever the backends."""


def _check(need: Quota | Existing | FixedNames) -> Check:
    """What looks for a need in the account."""
    match need:
        case Quota():
            return partial(quota, need)
        case Existing():
            return partial(existing, need)
        case FixedNames():
            return partial(fixed_names, need)
