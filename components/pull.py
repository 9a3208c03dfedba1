"""How a runtime gets at images: a value that the registry gives and each orchestrator turns into its own terms."""

from dataclasses import dataclass, field

import pulumi


@dataclass(frozen=True)
class Anonymous:
    """Anyone may pull."""


@dataclass(frozen=True)
class AwsRole:
    """The puller's IAM role must allow `actions` on `arns`, and ecr:GetAuthorizationToken, which takes no resource."""

    actions: tuple[str, ...]
    arns: tuple[pulumi.Input[str], ...]
    stack_arns: tuple[pulumi.Input[str], ...] = ()
    """ARNs of the repositories of all the stack's services, for a role that pulls for every one of them: as few as can
    be, and one and the same tuple for each service. Empty: the registry cannot say."""


@dataclass(frozen=True)
class Cached(AwsRole):
    """The same, from an ECR pull-through cache: what is not in it, ECR itself fetches with a login of its own."""


@dataclass(frozen=True)
class NodeIdentity:
    """The nodes themselves may pull, by who they are on the registry's own cloud."""


@dataclass(frozen=True)
class Login:
    """A user name and a password (always a secret) for `server`."""

    server: str
    username: pulumi.Input[str]
    password: pulumi.Output[str] = field(repr=False)


Pull = Anonymous | AwsRole | NodeIdentity | Login
