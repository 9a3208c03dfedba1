"""What making something takes on AWS: for the role by which CI deploys. Each part of a stack says its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from components.aws.actions import ROWS

LONGEST_POLICY = 6_144
"""Characters of a managed policy, without white space (IAM user guide, "IAM and AWS STS quotas"; not adjustable)."""
BOUNDED = frozenset(
    f"iam:{each}"
    for each in (
        *("CreateRole", "PutRolePolicy", "DeleteRolePolicy", "AttachRolePolicy", "DetachRolePolicy"),
        "PutRolePermissionsBoundary",
    )
)
"""Actions for which IAM looks at the role's boundary ("Service Authorization Reference", iam:PermissionsBoundary)."""
WITHOUT_RESOURCE = frozenset(
    (
        *("ecr:GetAuthorizationToken", "ecr-public:GetAuthorizationToken", "eks:CreateCluster"),
        *("ecr:CreatePullThroughCacheRule", "ecr:DescribePullThroughCacheRules"),
        *("ecr:UpdatePullThroughCacheRule", "ecr:DeletePullThroughCacheRule", "logs:DescribeLogGroups"),
        *("ssm:DescribeInstanceInformation", "ssm:DescribeParameters", "ssm:GetCommandInvocation"),
    )
)
"""Actions that know no resource, of services whose others do (likewise)."""
ANYWHERE = frozenset({"ecr-public", "route53", "sts"})
"""Services that are in no region of the stack's."""

Statement = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a stack is on AWS, for its ARNs."""

    partition: str
    account: str
    region: str
    stack: str

    def arn(self, pattern: str) -> str:
        """An ARN, from what follows `arn:<partition>:`."""
        return f"arn:{self.partition}:" + pattern.format(account=self.account, region=self.region, stack=self.stack)


@dataclass(frozen=True, kw_only=True)
class AwsAccess:
    """What a part of a stack takes."""

    types: frozenset[str] = frozenset()
    """Types of resources that are made, by their tokens: each has its row in `ROWS`."""
    calls: frozenset[str] = frozenset()
    """Actions besides, of the program itself."""
    looks_up: Mapping[str, str] = field(default_factory=dict)
    """What the program looks up before it makes anything: action -> of what, `*` or as `Place.arn` takes it. It is all
    that a preview asks for."""
    arns: tuple[str, ...] = ()
    """Of the resources whose names are known beforehand, as `Place.arn` takes them. A service of which there is one
    here is allowed on these alone; each other one on whatever is in the region."""
    roles: tuple[str, ...] = ()
    """Names of the roles that are made, and of their instance profiles; * is a service's name, and ? a character of
    those that Pulumi appends."""
    commands: str = ""
    """The tag of instances that are given commands by SSM; its value is the stack's name."""

    @property
    def actions(self) -> frozenset[str]:
        """All actions."""
        return self.calls.union(self.looks_up, *(ROWS[each].all for each in self.types))

    def __or__(self, other: AwsAccess) -> AwsAccess:
        return AwsAccess(
            types=self.types | other.types,
            calls=self.calls | other.calls,
            looks_up={**self.looks_up, **other.looks_up},
            arns=tuple(dict.fromkeys((*self.arns, *other.arns))),
            roles=tuple(dict.fromkeys((*self.roles, *other.roles))),
            commands=self.commands or other.commands,
        )


RANDOM = "-???????"
"""What Pulumi appends to a name."""


def together(parts: Iterable[AwsAccess]) -> AwsAccess:
    """What all of them take."""
    whole = AwsAccess()
    for each in parts:
        whole |= each
    return whole


def shares(parts: Mapping[str, AwsAccess]) -> dict[str, AwsAccess]:
    """Part -> what it takes that no part before it takes too, but for roles; without those of which nothing is left."""
    given, found = set[str](), {}
    for name, each in parts.items():
        own = frozenset(action for action in each.actions - given if not action.startswith("iam:"))
        given |= own
        if own:
            found[name] = AwsAccess(calls=own, commands=each.commands)
    return found


def allowed(access: AwsAccess, place: Place, arns: Iterable[str] = ()) -> list[Statement]:
    """The statements that allow it, but for roles; `arns` are those of what else is there."""
    scopes: dict[str, list[str]] = {}
    for arn in dict.fromkeys((*access.arns, *arns)):
        scopes.setdefault(arn.partition(":")[0], []).append(place.arn(arn))
    groups: dict[tuple[str, ...], list[str]] = {}
    for action in sorted(each for each in access.actions if not each.startswith("iam:")):
        service = action.partition(":")[0]
        resources = ("*",) if action in WITHOUT_RESOURCE else tuple(scopes.get(service, ("*",)))
        # Of what is in no region, nothing says a region.
        groups.setdefault(("*", "") if resources == ("*",) and service in ANYWHERE else resources, []).append(action)
    here = {"Condition": {"StringEquals": {"aws:RequestedRegion": place.region}}}
    found: list[Statement] = []
    for where, actions in groups.items():
        resource = [each for each in where if each]
        found.append({"Effect": "Allow", "Action": actions, "Resource": resource, **(here if where == ("*",) else {})})
    return [*found, *_commands(access, place)]


def reading(access: AwsAccess, place: Place) -> list[Statement]:
    """The statements that allow what a preview looks up."""
    groups: dict[str, list[str]] = {}
    for action, where in sorted(access.looks_up.items()):
        groups.setdefault(where if where == "*" else place.arn(where), []).append(action)
    return [{"Effect": "Allow", "Action": actions, "Resource": [where]} for where, actions in groups.items()]


def _commands(access: AwsAccess, place: Place) -> Iterator[Statement]:
    """Commands by SSM, on the stack's own instances."""
    if access.commands:
        own = {"StringEquals": {f"ssm:resourceTag/{access.commands}": place.stack}}
        instances = place.arn("ec2:{region}:{account}:instance/*")
        yield {"Effect": "Allow", "Action": ["ssm:SendCommand"], "Resource": [instances], "Condition": own}
        script = place.arn("ssm:{region}::document/AWS-RunShellScript")
        yield {"Effect": "Allow", "Action": ["ssm:SendCommand"], "Resource": [script]}


def on_roles(access: AwsAccess, place: Place, boundary: str) -> list[Statement]:
    """What may be done with roles: only with those of the stack's own kinds, and only under the boundary."""
    actions = {each for each in access.actions if each.startswith("iam:")}
    if not access.roles:
        return []
    profiles = {each for each in actions if each.endswith("InstanceProfile")}
    roles = [place.arn(f"iam::{{account}}:role/{each}") for each in access.roles]
    under = {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    rows = [ROWS[each] for each in sorted(access.types)]
    passed = sorted(set[str]().union(*(each.passed_to for each in rows)))
    statements: list[Statement] = [
        {"Effect": "Allow", "Action": sorted(actions & BOUNDED), "Resource": roles, "Condition": under},
        {"Effect": "Allow", "Action": sorted(actions - BOUNDED - profiles), "Resource": roles},
        {
            "Effect": "Allow",
            "Action": ["iam:PassRole"],
            "Resource": roles,
            "Condition": {"StringEquals": {"iam:PassedToService": passed}},
        },
    ]
    if profiles:
        named = [place.arn(f"iam::{{account}}:instance-profile/{each}") for each in access.roles]
        statements.append({"Effect": "Allow", "Action": sorted(profiles), "Resource": named})
    return [*statements, *_linked(sorted(set[str]().union(*(each.linked for each in rows))), place)]


def _linked(services: list[str], place: Place) -> Iterator[Statement]:
    """Roles that services of AWS make for themselves, with the first of their resources in an account."""
    if services:
        yield {
            "Effect": "Allow",
            "Action": ["iam:CreateServiceLinkedRole"],
            "Resource": [place.arn("iam::{account}:role/aws-service-role/*")],
            "Condition": {"StringEquals": {"iam:AWSServiceName": services}},
        }
