"""Who GitHub is on AWS: the identity provider, the roles that workflows take, and the boundary of all other roles."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pulumi

from components import pulumi_internals, transform
from components.aws import access
from components.aws.access import AwsAccess, Place, Statement
from components.aws.boundary import ROLE
from components.github import HOST, HOUR, GitHub
from components.permissions import policy_of
from components.sdk import aws

AUDIENCE = "sts.amazonaws.com"
"""Whom a token is for (aws-actions/configure-aws-credentials)."""
PUSH, DEPLOY, PREVIEW = "github-push", "github-deploy", "github-preview"
POLICIES = "iam::{account}:policy/github-*"
"""The boundary and the policies of these roles; no other policy of the stack's is called so."""
FINDING = {
    "iam:GetOpenIDConnectProvider": f"iam::{{account}}:oidc-provider/{HOST}",
    "iam:ListOpenIDConnectProviders": "*",
}
"""What finds a provider that exists."""
READS = ("iam:Get*", "iam:List*")
FORBIDDEN = ("iam:*", "organizations:*", "account:*", "sts:AssumeRole", "ssm:SendCommand", "ssm:StartSession")
"""What no role under the boundary may do: change who may do what, become someone else, or log in elsewhere."""
OF_NODES = (
    *("iam:CreateServiceLinkedRole", "iam:GetRole", "iam:GetInstanceProfile", "iam:ListInstanceProfiles"),
    *("iam:CreateInstanceProfile", "iam:DeleteInstanceProfile", "iam:TagInstanceProfile"),
    *("iam:AddRoleToInstanceProfile", "iam:RemoveRoleFromInstanceProfile"),
)
"""Of IAM, what EKS's own role needs for its nodes (AWS managed policy AmazonEKSComputePolicy)."""


@dataclass(frozen=True, kw_only=True)
class DeliveryArgs:
    """What is asked for."""

    github: GitHub
    stack: str
    region: str
    parts: Mapping[str, AwsAccess]
    """What the role that deploys takes, by the part of the stack that takes it."""
    pushes: AwsAccess
    """What pushes the images; nothing where the registry is not AWS's."""
    session: int
    """Seconds that a deployment may take."""


class Delivery(pulumi.ComponentResource):
    """The roles that the workflows of one repository take, each for one purpose."""

    deployer: aws.iam.Role
    """Whoever deploys."""

    def __init__(self, name: str, args: DeliveryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("switchyard:delivery:Delivery", name, None, opts)
        self._args, self._github = args, args.github
        self._child = pulumi.ResourceOptions(parent=self)
        # First of all: from here on every role is made under the boundary.
        transform.register([self._bound])
        self._identity = self._identity_provider()
        self._place = self._identity.apply(self._placed)
        self._whole = access.together(args.parts.values())
        self._finding = AwsAccess(looks_up=FINDING if self._github.provider == "existing" else {})
        self.boundary = self._boundary()
        on_branch = (*self._github.on_branch, *self._github.deploying)
        self._roles = {
            # A build need not wait until people agree to the deployment.
            **({PUSH: self._role(PUSH, dict.fromkeys(on_branch), HOUR)} if args.pushes.calls else {}),
            DEPLOY: self._role(DEPLOY, self._github.deploying, args.session),
            PREVIEW: self._role(PREVIEW, dict.fromkeys((*self._github.proposing, *on_branch)), HOUR, any_branch=True),
        }
        self.deployer = self._roles[DEPLOY]
        self._allow()
        self.outputs = {f"{each.removeprefix('github-')}-role": role.arn for each, role in self._roles.items()}
        self.register_outputs(self.outputs)

    def _bound(
        self, type_: str, name: str, props: transform.Props, opts: pulumi.ResourceOptions
    ) -> tuple[transform.Props, pulumi.ResourceOptions] | None:
        """Put the boundary on a role, also one inside a packaged component; on these here it would be of no use."""
        if type_ != ROLE or name in (PUSH, DEPLOY, PREVIEW):
            return None
        return {**props, "permissionsBoundary": self._limit}, opts

    def _boundary(self) -> pulumi.Output[str]:
        """The ARN of what limits every role of the stack."""
        if self._github.permissions_boundary:
            self._limit = pulumi.Output.from_input(self._github.permissions_boundary)
            return self._limit
        made = aws.iam.Policy(
            "github-boundary",
            description=f"The most that a role of {self._args.stack} may do",
            policy=self._place.apply(lambda place: json.dumps(policy_of(most(self._whole, place)))),
            opts=self._child,
        )
        # AWS deletes no policy that bounds a role.
        self._limit = pulumi_internals.depending(made.arn, made)
        return made.arn

    def _identity_provider(self) -> pulumi.Output[str]:
        """The ARN of the account's provider for GitHub."""
        url = f"https://{HOST}"
        if self._github.provider == "existing":
            opts = pulumi.InvokeOutputOptions(parent=self)
            return aws.iam.get_open_id_connect_provider_output(url=url, opts=opts).arn
        return aws.iam.OpenIdConnectProvider("github", url=url, client_id_lists=[AUDIENCE], opts=self._child).arn

    def _placed(self, provider: str) -> Place:
        _, partition, _, _, account, _ = provider.split(":", 5)
        return Place(partition, account, self._args.region, self._args.stack)

    def _role(self, name: str, subjects: Any, seconds: int, any_branch: bool = False) -> aws.iam.Role:
        """A role for the jobs with one of these subjects."""
        return aws.iam.Role(
            name,
            description=f"For workflows of {self._github.repository} on GitHub",
            assume_role_policy=self._identity.apply(
                lambda arn: json.dumps(policy_of([trust(arn, self._github, [*subjects], any_branch)]))
            ),
            max_session_duration=seconds,
            opts=self._child,
        )

    def _allow(self) -> None:
        """Give each role what it is for, and no more."""
        args, github = self._args, self._github
        if PUSH in self._roles:
            self._inline(PUSH, self._place.apply(lambda place: access.allowed(args.pushes, place)))
        self._inline(PREVIEW, self._place.apply(self._reads))
        if github.state_bucket or github.state_key:
            self._inline(DEPLOY, self._place.apply(lambda place: on_state(github, place, True)))
        for part, share in access.shares(args.parts).items():
            self._attach(part, self._place.apply(partial(access.allowed, share, arns=self._whole.arns)))
        guarded = [self.boundary, self._identity, *[each.arn for each in self._roles.values()]]
        self._attach("roles", pulumi.Output.all(self._place, *guarded).apply(self._on_roles))

    def _reads(self, place: Place) -> list[Statement]:
        return [*access.reading(self._whole | self._finding, place), *on_state(self._github, place, False)]

    def _on_roles(self, known: Sequence[Any]) -> list[Statement]:
        place, boundary, provider, *roles = known
        own = [boundary, provider, *roles, place.arn(POLICIES)]
        return [*access.on_roles(self._whole, place, boundary), *access.reading(self._finding, place), *guard(own)]

    def _inline(self, name: str, statements: pulumi.Output[list[Statement]]) -> None:
        policy = statements.apply(lambda known: json.dumps(policy_of(known)))
        aws.iam.RolePolicy(name, role=self._roles[name].name, policy=policy, opts=self._child)

    def _attach(self, part: str, statements: pulumi.Output[list[Statement]]) -> None:
        """A policy of its own for each part: all in one would be longer than IAM takes."""
        name = f"github-{part}"
        policy = aws.iam.Policy(
            name,
            description=f"What {part} takes, for whoever deploys {self._args.stack}",
            policy=statements.apply(lambda known: json.dumps(policy_of(known))),
            opts=self._child,
        )
        aws.iam.RolePolicyAttachment(name, role=self.deployer.name, policy_arn=policy.arn, opts=self._child)


def trust(provider: str, github: GitHub, subjects: Sequence[str], any_branch: bool = False) -> Statement:
    """Who may take a role: jobs of this very repository, by its number, with one of these subjects. What a token does
    not say matches nothing: there is no `ForAllValues` and no `IfExists`."""
    claims: dict[str, Any] = {
        "aud": AUDIENCE,
        "sub": [*subjects],
        "repository_id": str(github.repository_id),
        # A subject with an environment names no branch.
        **({} if any_branch else {"ref": github.ref}),
    }
    return {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{HOST}:{claim}": value for claim, value in claims.items()}},
    }


def guard(own: Sequence[str]) -> list[Statement]:
    """What nobody who deploys may change: who may deploy, and the boundary."""
    return [
        {"Effect": "Allow", "Action": list(READS), "Resource": [*own]},
        {"Effect": "Deny", "NotAction": list(READS), "Resource": [*own]},
        {"Effect": "Deny", "Action": ["iam:DeleteRolePermissionsBoundary"], "Resource": "*"},
    ]


def most(whole: AwsAccess, place: Place) -> list[Statement]:
    """What the roles of a stack may do at the most; what each really may, its own policies say. A role may be handed on
    only if it is the stack's, which is under this too."""
    roles = [place.arn(f"iam::{{account}}:role/{each}") for each in whole.roles]
    passing = [{"Effect": "Allow", "Action": ["iam:PassRole"], "Resource": roles}] if roles else []
    return [
        {"Effect": "Allow", "NotAction": [*FORBIDDEN], "Resource": "*"},
        {"Effect": "Allow", "Action": [*OF_NODES], "Resource": "*"},
        *passing,
    ]


def on_state(github: GitHub, place: Place, writes: bool) -> list[Statement]:
    """What Pulumi needs where it keeps the stack's state; to preview it only reads."""
    found: list[Statement] = []
    if github.state_bucket:
        bucket = place.arn(f"s3:::{github.state_bucket}")
        objects = ["s3:GetObject", *(("s3:PutObject", "s3:DeleteObject") if writes else ())]
        found.append({"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [bucket]})
        found.append({"Effect": "Allow", "Action": objects, "Resource": [f"{bucket}/*"]})
    if github.state_key:
        uses = ["kms:Decrypt", *(("kms:Encrypt", "kms:GenerateDataKey") if writes else ())]
        found.append({"Effect": "Allow", "Action": uses, "Resource": [github.state_key]})
    return found
