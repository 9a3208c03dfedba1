"""What is said of GitHub: which repository's workflows may build and deploy. A cloud's component makes roles of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from components.lookup import Lookup
from components.model import Model, Text
from components.needs import Existing, Need, Question
from components.own_key import KeyArn

HOST = "token.actions.githubusercontent.com"
"""Who signs the tokens."""
LONGEST_SESSION = 12 * 60 * 60
"""Seconds that a role's session lasts at the most (IAM API, CreateRole, MaxSessionDuration)."""
HOUR = 60 * 60
"""Seconds of a session where nobody asks for more, likewise."""

Id = Annotated[int, Field(ge=1)]
Repository = Annotated[
    str,
    Text(
        r"^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}$",
        "a repository as owner/name, such as acme/shop, in the letters that GitHub shows",
    ),
]
Environment = Annotated[str, Text(r"^\S(.*\S)?$", "the name of an environment of the repository", max_length=255)]
Branch = Annotated[
    str, Text(r"^[^\s~^:?*\[\\]+$", "the name of a branch, such as main, without refs/heads/", max_length=244)
]
PolicyArn = Annotated[
    str,
    Text(
        r"^arn:aws[a-z-]*:iam::(\d{12}|aws):policy/\S+$",
        "an IAM policy's ARN, such as arn:aws:iam::123456789012:policy/boundary",
    ),
]
Bucket = Annotated[str, Text(r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", "the name of an S3 bucket, without s3://")]


class GitHub(Model):
    """The repository whose workflows may build and deploy, without a password."""

    repository: Repository = Field(examples=["acme/shop"], description="Owner and name, exactly as GitHub shows them.")
    repository_id: Id = Field(
        examples=[123456789],
        description="Its number, which stays after a rename and which no other repository gets: `gh api"
        " repos/OWNER/NAME --jq .id`.",
    )
    owner_id: Id = Field(
        examples=[1234567], description="The owner's number: `gh api repos/OWNER/NAME --jq .owner.id`."
    )
    environment: Environment | None = Field(
        default=None,
        description="The environment of the repository that a job must be in to deploy. GitHub can ask people to"
        " agree first. Unset: any job of `branch` may deploy.",
    )
    branch: Branch = Field(
        default="main", description="The branch that is deployed. Workflows of other branches can only preview."
    )
    permissions_boundary: PolicyArn | None = Field(
        default=None,
        description="ARN of the policy that limits every role of the stack. Unset: Switchyard makes one, which"
        " allows no change to who may do what.",
    )
    provider: Literal["make", "existing"] = Field(
        default="make",
        description="AWS's identity provider for GitHub. An account has only one: make it, or use the existing one.",
    )
    orchestrators: tuple[str, ...] = Field(
        default=(),
        examples=[["ecs-fargate", "eks"]],
        description="Orchestrators on AWS that workflows may switch between. Unset: only those that are up; then"
        " somebody with more permissions must run the first and the last `pulumi up` of a switch.",
    )
    state_bucket: Bucket | None = Field(
        default=None, description="The S3 bucket that Pulumi keeps the stack's state in, if it is in S3."
    )
    state_key: KeyArn | None = Field(
        default=None, description="ARN of the KMS key that encrypts the stack's secrets and its state, if there is one."
    )

    def needs(self) -> Iterator[Need]:
        """What must be there before an `up`."""
        if self.provider == "existing":
            yield Existing(
                "github-provider",
                f"the identity provider {HOST}",
                Question("iam", "list_open_id_connect_providers", {}),
                "set `github.provider` to make, in one stack of the account",
                f"OpenIDConnectProviderList[?ends_with(Arn, '/{HOST}')] | [0]",
            )

    def lookups(self) -> Iterator[Lookup]:
        """What the program asks for before it makes anything."""
        if self.provider == "existing":
            want = "make, in one stack of the account: it has no such identity provider"
            found = {"url": f"https://{HOST}"}
            yield Lookup("github.provider", "existing", want, "iam", "get_open_id_connect_provider", found)

    @property
    def subjects(self) -> tuple[str, str]:
        """How the `sub` of a token begins. Repositories that are new, renamed or moved since July 2026 have the numbers
        in it, older ones have not (GitHub docs, "OpenID Connect reference")."""
        owner, name = self.repository.split("/")
        return f"repo:{self.repository}", f"repo:{owner}@{self.owner_id}/{name}@{self.repository_id}"

    @property
    def on_branch(self) -> tuple[str, ...]:
        """The `sub` of a job of the branch that is in no environment."""
        return tuple(f"{each}:ref:{self.ref}" for each in self.subjects)

    @property
    def deploying(self) -> tuple[str, ...]:
        """The `sub` of a job that may deploy."""
        if self.environment is None:
            return self.on_branch
        # The parts of a `sub` are divided by colons, so there is none in them (likewise).
        return tuple(f"{each}:environment:{self.environment.replace(':', '%3A')}" for each in self.subjects)

    @property
    def proposing(self) -> tuple[str, ...]:
        """The `sub` of a job for a pull request; GitHub gives no token to one from a fork."""
        return tuple(f"{each}:pull_request" for each in self.subjects)

    @property
    def ref(self) -> str:
        """The branch as Git has it."""
        return f"refs/heads/{self.branch}"
