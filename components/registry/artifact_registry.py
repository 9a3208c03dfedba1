"""Google's Artifact Registry: near on Google Cloud; from anywhere else with a service account's key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from importlib.util import find_spec
from typing import Annotated, Any, Literal

import pulumi
from pydantic import Field, SecretStr

from components.cost import Demand, Item, Line
from components.model import Contradiction, Text
from components.needs import Need, RegistryApi
from components.pull import Login, NodeIdentity, Pull
from components.registry import Registry, RegistryOptions, Repository, push_commands
from components.sdk import gcp
from components.service import Service
from components.shell import command
from components.workflow import GOOGLE, ID_TOKEN, Access, Push, Setting, Step, docker_login

Id = Annotated[
    str, Text(r"^[a-z]([a-z0-9-]*[a-z0-9])?$", "lower-case letters, digits and dashes, a letter first", max_length=63)
]

PACKAGE = "pulumi_gcp"
INSTALL = "pip install '.[gcp]' (or uv pip install '.[gcp]')"
DAY = 24 * 60 * 60
MISSING = (
    "the name of a repository that exists; or, for Switchyard to make one, the package pulumi-gcp, which is not"
    f" installed: {INSTALL}"
)


PROVIDER = Setting(
    "GOOGLE_WORKLOAD_IDENTITY_PROVIDER",
    "the provider at Google Cloud that trusts the repository",
    output=("delivery", "workload-identity-provider"),
)
ACCOUNT = Setting("GOOGLE_SERVICE_ACCOUNT", "the service account that pushes", output=("delivery", "service-account"))


class ArtifactRegistryOptions(RegistryOptions):
    """`artifact-registry`."""

    key = "artifact-registry"
    pull_cases = {"": {"service-account-key": None}, "with `service-account-key`": {}}

    project: Id = Field(description="Id of the Google Cloud project.")
    location: Id = Field(description="Region or multi-region, such as asia-northeast1 or us.")
    repository: Id | None = Field(
        default=None,
        description="Name of a repository that exists; by default Switchyard makes one, with the package pulumi-gcp"
        f" ({INSTALL}).",
    )
    keep: int = Field(
        default=30,
        ge=10,
        le=1000,
        description="Images of each service that are kept, newest first, in a repository of our own. An index and each"
        " of its manifests count.",
    )
    service_account_key: SecretStr | None = Field(
        default=None,
        description="Key, in JSON, of a service account with roles/artifactregistry.reader, for whoever pulls from"
        " outside Google Cloud; set it with `pulumi config set --secret --path`. Without it the nodes pull by who they"
        " are, on GKE.",
    )

    def check(self, services: Mapping[str, Service], protect: bool) -> Iterator[Contradiction]:
        """That what makes a repository is installed, and that the key is not the path to it."""
        if self.repository is None and find_spec(PACKAGE) is None:
            yield "repository", None, MISSING
        key = self.service_account_key
        if key and key.get_secret_value().endswith(".json"):
            yield "service-account-key", key, "what is in the key's file, not the file's name"

    @property
    def host(self) -> str:
        """What an image's address begins with."""
        return f"{self.location}-docker.pkg.dev"

    def needs(self, stack: str, services: Mapping[str, Service], protect: bool) -> Iterator[Need]:
        yield RegistryApi(self.host)

    def path(self, namespace: str, service: str) -> str:
        """In the project's repository, the stack's own or one that exists."""
        return f"{self.project}/{self.repository or namespace}/{service}"

    def manifests_kept(self, on_aws: bool) -> int | None:
        """In a repository of our own. Google counts versions, of which each manifest is one."""
        return None if self.repository else self.keep

    def workflow_access(self, region: str) -> Access:
        """Nothing for a repository that exists."""
        lacks = (
            f"artifact-registry.repository is not set, and a workflow cannot make one: `up` would need {PACKAGE}, which"
            " the program's requirements.txt has not, and a login at Google Cloud. Make the repository once, from your"
            " machine, and name it there"
        )
        return Access(lacks=() if self.repository else (lacks,))

    def workflow_push(self, region: str) -> Push:
        """As a service account, for the token that GitHub gives the job; no key is kept anywhere."""
        inputs = {
            "workload_identity_provider": PROVIDER.expression,
            "service_account": ACCOUNT.expression,
            "token_format": "access_token",
            "create_credentials_file": "false",  # it would lie among the files that a build gets
        }
        google = Step("Log in to Google Cloud", GOOGLE, inputs, id="google")
        login = docker_login(self.host, "oauth2accesstoken", "${{ steps.google.outputs.access_token }}")
        return Push(Access((google, login), (ID_TOKEN,), (PROVIDER, ACCOUNT)), self.host)

    def pulled_by(self, on_aws: bool) -> type[Pull]:
        """With the key where there is one, else by who the nodes are."""
        return Login if self.service_account_key else NodeIdentity

    def costs(self, demand: Demand) -> Iterator[Item]:
        """Storage, and the way out of Google Cloud for all but a cluster there, which is taken to be near."""
        free = "artifact-registry.storage-free"
        kept = demand.stored(self.keep)
        yield Line(
            "registry", "images in Artifact Registry", kept, "GB-month", "artifact-registry.storage", free, "google"
        )
        pulls: tuple[Literal["transfer"], str, Decimal, str] = ("transfer", "pulls from Google", demand.pulled, "GB")
        if not demand.on_aws and demand.usage.cluster == "gke-autopilot":
            yield Line(*pulls, "artifact-registry.transfer-location", vendor="google")
        else:
            yield Line(*pulls, "artifact-registry.internet", vendor="google", region=self.location)

    @classmethod
    def example(cls, region: str) -> dict[str, Any]:
        near = "asia-northeast1" if region.startswith("ap-") else "us"
        return {"project": "acme", "location": near, "repository": "images", "service-account-key": "{}"}


class ArtifactRegistry(Registry[ArtifactRegistryOptions]):
    """One repository for the stack, and in it an image a service."""

    token = "switchyard:registry:ArtifactRegistry"

    def build(self, child: pulumi.ResourceOptions) -> Mapping[str, Repository]:
        """One address a service, `<location>-docker.pkg.dev/<project>/<repository>/<service>`."""
        options = self.options
        host = options.host
        name = pulumi.Output.from_input(options.repository) if options.repository else self._make(child)
        key = options.service_account_key
        pull = Login(host, "_json_key", pulumi.Output.secret(key.get_secret_value())) if key else NodeIdentity()
        below = pulumi.Output.concat(f"{host}/{options.project}/", name)
        return {service: _repository(service, host, below, pull) for service in self.args.services}

    def _make(self, child: pulumi.ResourceOptions) -> pulumi.Output[str]:
        """A repository. Its images would go with it, so that `protect` has Pulumi refuse to delete it."""
        made = gcp.artifactregistry.Repository(
            "registry",
            project=self.options.project,
            location=self.options.location,
            repository_id=self.args.namespace,  # a person types it
            format="DOCKER",
            description=f"Images of {self.args.namespace}",
            # Tags are not immutable: such a tag cannot be deleted either, so nothing would ever expire. What runs is
            # named by its digest.
            cleanup_policies=[
                {"id": "keep-newest", "action": "KEEP", "most_recent_versions": {"keep_count": self.options.keep}},
                {"id": "expire-old", "action": "DELETE", "condition": {"older_than": f"{14 * DAY}s"}},
            ],
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(protect=self.args.protect)),
        )
        name: pulumi.Output[str] = made.repository_id
        return name


def _repository(service: str, host: str, below: pulumi.Output[str], pull: Pull) -> Repository:
    url = pulumi.Output.concat(below, f"/{service}")
    login = command("gcloud", "auth", "configure-docker", host)
    return Repository(url, pull, url.apply(lambda known: "\n".join([login, *push_commands(service, known)])))
