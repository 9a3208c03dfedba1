"""Google's Artifact Registry: near on Google Cloud; from anywhere else with a service account's key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from importlib.util import find_spec
from typing import Annotated, Any, Literal

import pulumi
from pydantic import Field, SecretStr

from components.cost import Demand, Item, Line
from components.github import HOST, GitHub
from components.model import Contradiction, Text
from components.needs import Need, RegistryApi
from components.pull import Login, NodeIdentity, Pull
from components.registry import Registry, RegistryOptions, Repository, push_commands
from components.sdk import gcp
from components.service import Service
from components.shell import Shell, command, quoted
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


Provider = Annotated[
    str,
    Text(
        r"^projects/\d+/locations/global/workloadIdentityPools/[a-z0-9-]+/providers/[a-z0-9-]+$",
        "projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER",
    ),
]
Account = Annotated[
    str,
    Text(
        r"^[a-z0-9-]+@[a-z0-9.:-]+\.gserviceaccount\.com$",
        "a service account's address, such as github-push@acme.iam.gserviceaccount.com",
    ),
]
PROVIDER_FIELD, ACCOUNT_FIELD = "workload-identity-provider", "service-account"
PROVIDER = Setting(
    "GOOGLE_WORKLOAD_IDENTITY_PROVIDER",
    "the provider at Google Cloud that trusts the repository",
    output=("delivery", PROVIDER_FIELD),
)
ACCOUNT = Setting("GOOGLE_SERVICE_ACCOUNT", "the service account that pushes", output=("delivery", ACCOUNT_FIELD))


class ArtifactRegistryOptions(RegistryOptions):
    """`artifact-registry`."""

    key = "artifact-registry"
    pull_cases = {"": {"service-account-key": None}, "with `service-account-key`": {}}

    project: Id = Field(description="Id of the Google Cloud project.")
    location: Id = Field(description="Region or multi-region, such as asia-northeast1 or us.")
    repository: Id | None = Field(
        default=None,
        description="Name of a repository that exists. Unset: Switchyard makes one, with the package pulumi-gcp"
        f" ({INSTALL}).",
    )
    keep: int = Field(
        default=30,
        ge=10,
        le=1000,
        description="How many of each service's newest images are kept, in a repository that Switchyard made. An"
        " index and each of its manifests count.",
    )
    service_account_key: SecretStr | None = Field(
        default=None,
        description="Key, in JSON, of a service account with roles/artifactregistry.reader, to pull from outside"
        " Google Cloud; set it with `pulumi config set --secret --path`. On GKE the nodes pull without it, as"
        " themselves.",
    )

    workload_identity_provider: Provider | None = Field(
        default=None,
        description="The provider at Google Cloud that trusts the repository's workflows on GitHub, so that they"
        " push without a key; with `service-account`. `up` says how to make both.",
    )
    service_account: Account | None = Field(
        default=None, description="The service account that workflows push as; with `workload-identity-provider`."
    )

    def check(self, services: Mapping[str, Service], protect: bool) -> Iterator[Contradiction]:
        """That what makes a repository is installed, that the key is not the path to it, and that whoever pushes from
        GitHub is named in full."""
        for one, other in ((PROVIDER_FIELD, ACCOUNT_FIELD), (ACCOUNT_FIELD, PROVIDER_FIELD)):
            if self._said(one) and not self._said(other):
                yield other, None, f"a value, as `{one}` has one: workflows need both"
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

    def _said(self, field: str) -> str | None:
        found: str | None = getattr(self, field.replace("-", "_"))
        return found

    def identity(self) -> Mapping[str, str]:
        """Both, or nothing."""
        found = {each: self._said(each) for each in (PROVIDER_FIELD, ACCOUNT_FIELD)}
        return {key: value for key, value in found.items() if value}

    def introduce(self, github: GitHub, stack: str) -> str | None:
        """The commands of Google's own program. They are no resources of the stack: each `up` of a workflow would then
        need a login at Google Cloud too."""
        return None if self.identity() else "\n".join(introduction(self, github, stack))

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


POOL = "github"
PUSHER = "github-push"


def introduction(options: ArtifactRegistryOptions, github: GitHub, stack: str) -> Iterator[str]:
    """Commands that let one branch push to one repository of images, and nothing else (Google Cloud documentation,
    "Configure Workload Identity Federation with deployment pipelines"). A claim that is missing equals nothing."""
    project, pool = f"--project={options.project}", f"--workload-identity-pool={POOL}"
    where = f"--location={options.location}"
    account = f"{PUSHER}@{options.project}.iam.gserviceaccount.com"
    number = Shell(f"$(gcloud projects describe {quoted(options.project)} --format='value(projectNumber)')")
    pools = f"iam.googleapis.com/projects/{number}/locations/global/workloadIdentityPools/{POOL}"
    whole = "--location=global"
    yield command("gcloud", "iam", "workload-identity-pools", "create", POOL, project, whole)
    yield command(
        *("gcloud", "iam", "workload-identity-pools", "providers", "create-oidc", POOL, project, whole, pool),
        f"--issuer-uri=https://{HOST}",
        "--attribute-mapping=google.subject=assertion.sub,attribute.repository_id=assertion.repository_id",
        f"--attribute-condition={condition(github)}",
    )
    yield command("gcloud", "iam", "service-accounts", "create", PUSHER, project)
    yield command(
        *("gcloud", "artifacts", "repositories", "add-iam-policy-binding", options.repository or stack, project, where),
        *(f"--member=serviceAccount:{account}", "--role=roles/artifactregistry.writer"),
    )
    yield command(
        *("gcloud", "iam", "service-accounts", "add-iam-policy-binding", account, project),
        "--role=roles/iam.workloadIdentityUser",
        Shell(f'"--member=principalSet://{pools}/attribute.repository_id/{github.repository_id}"'),
    )
    for field, value in {
        PROVIDER_FIELD: Shell(f'"{pools.removeprefix("iam.googleapis.com/")}/providers/{POOL}"'),
        ACCOUNT_FIELD: account,
    }.items():
        yield command("pulumi", "config", "set", "--path", f"{options.key}.{field}", value)


def condition(github: GitHub) -> str:
    """Which tokens count, in Google's words: of this repository and owner by their numbers, and of the branch."""
    wanted = {
        "repository_id": str(github.repository_id),
        "repository_owner_id": str(github.owner_id),
        "ref": github.ref,
    }
    return " && ".join(f"assertion.{claim} == '{value}'" for claim, value in wanted.items())


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
