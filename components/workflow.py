"""What a job of GitHub Actions needs so that it can reach a backend. Each backend says it as data; `yard ci` makes
workflows of it, and looks whether GitHub has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

Of = TypeVar("Of")


@dataclass(frozen=True)
class Action:
    """An action at one version."""

    name: str
    version: str
    commit: str
    """What the tag of the version names: 40 hexadecimal digits. A tag can be moved, a commit cannot."""

    @property
    def pinned(self) -> str:
        """As a workflow names it, with the comment that Dependabot reads and renews."""
        return f"{self.name}@{self.commit} # v{self.version}"


# Each commit is the one that public workflows have beside the version's tag. Dependabot brings newer ones.
CHECKOUT = Action("actions/checkout", "6.0.3", "df4cb1c069e1874edd31b4311f1884172cec0e10")
QEMU = Action("docker/setup-qemu-action", "4.4.0", "99012661954931238ded8c8b007157a8430204e1")
BUILDX = Action("docker/setup-buildx-action", "4.4.1", "f87e5991a6d7451dcb8d9637bfbc97413f497069")
BUILD = Action("docker/build-push-action", "7.4.0", "c3c9e263c25d99ce0380d002d59b67737d91b0dc")
DOCKER = Action("docker/login-action", "4.6.0", "dbcb813823bdd20940b903addbd779551569679f")
AWS = Action("aws-actions/configure-aws-credentials", "6.2.3", "e6de054238d6b7531b4efff3b6587d9aade6a06c")
ECR = Action("aws-actions/amazon-ecr-login", "2.0.1", "062b18b96a7aff071d4dc91bc00c4c1a7945b076")
GOOGLE = Action("google-github-actions/auth", "3.0.0", "7c6bc770dae815cd3e89ee6cdf493a5fab2cc093")
ACTIONS = (CHECKOUT, QEMU, BUILDX, BUILD, DOCKER, AWS, ECR, GOOGLE)


@dataclass(frozen=True)
class Setting:
    """A value that the repository, or its environment, has on GitHub."""

    name: str
    what: str
    """What it is, in words that follow "is"."""
    secret: bool = False
    output: tuple[str, ...] = ()
    """Where the stack's outputs have it; empty: a person knows it."""
    default: str = ""
    """What a workflow takes where it is not there; empty: it needs it."""

    @property
    def expression(self) -> str:
        """How a workflow reads it."""
        return f"${{{{ {'secrets' if self.secret else 'vars'}.{self.name} }}}}"


@dataclass(frozen=True)
class Step:
    """A step of a job: an action with its inputs, or a command."""

    name: str
    uses: Action | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    run: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    id: str = ""
    when: str = ""
    """A condition; empty: always."""


@dataclass(frozen=True)
class Access:
    """How a job gets at a backend."""

    steps: tuple[Step, ...] = ()
    permissions: tuple[str, ...] = ()
    """What the job's own token must be allowed, to write each time."""
    settings: tuple[Setting, ...] = ()
    lacks: tuple[str, ...] = ()
    """Why a runner of GitHub's cannot get at it as the stack is configured, and what to change."""

    def __add__(self, other: Access) -> Access:
        """Both, each step and setting once."""
        return Access(
            _once(self.steps, other.steps),
            tuple(sorted({*self.permissions, *other.permissions})),
            _once(self.settings, other.settings),
            _once(self.lacks, other.lacks),
        )


def _once(one: Iterable[Of], other: Iterable[Of]) -> tuple[Of, ...]:
    found: list[Of] = []
    for each in (*one, *other):
        if each not in found:
            found.append(each)
    return tuple(found)


@dataclass(frozen=True)
class Push:
    """How a job pushes to a registry."""

    access: Access
    prefix: str
    """What stands before a repository's path (`RegistryOptions.path`) in an image's address; may be an expression."""


PUSH_ROLE = Setting("AWS_PUSH_ROLE", "the ARN of the role that pushes images", output=("delivery", "push-role"))
DEPLOY_ROLE = Setting("AWS_DEPLOY_ROLE", "the ARN of the role that deploys", output=("delivery", "deploy-role"))
SESSION = Setting(
    "AWS_SESSION_SECONDS", "how many seconds an `up` may take", output=("delivery", "session"), default="3600"
)
ID_TOKEN = "id-token"
"""The permission to ask GitHub for a token that names repository and branch, which a cloud takes for a login."""


def aws_role(role: Setting, region: str, *more: Setting, **inputs: str) -> Access:
    """A role on AWS, for the token that GitHub gives the job; no key is kept anywhere."""
    given = {"role-to-assume": role.expression, "aws-region": region, **inputs}
    step = Step(f"Take the role that {role.what.partition(' that ')[2]}", AWS, given)
    return Access((step,), (ID_TOKEN,), (role, *more))


def deploy_role(region: str) -> Access:
    """The role of an `up`, for as long as the longest takes."""
    seconds = f"${{{{ vars.{SESSION.name} || {SESSION.default} }}}}"
    return aws_role(DEPLOY_ROLE, region, SESSION, **{"role-duration-seconds": seconds})


def docker_login(registry: str, username: str, password: str) -> Step:
    """The login of a registry by name and password."""
    return Step("Log in to the registry", DOCKER, {"registry": registry, "username": username, "password": password})
