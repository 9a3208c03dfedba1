"""What a user says about a service: the same words for every orchestrator."""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from components.build import BuildOrFolder
from components.job import Job
from components.model import TEXT_TO_NUMBER, Contradiction, Model, PlainText, Text, Wanted, wanted
from components.permissions import Permissions

NAME = Text(r"^[a-z](-?[a-z0-9])*$", "lower-case letters, digits and single dashes, a letter first", max_length=20)
Name = Annotated[str, NAME]
"""A service's name. It becomes part of a DNS label, a target group, a role: hence lower case and at most 20."""

EnvName = Annotated[
    str,
    Text(
        r"^[A-Za-z_][A-Za-z0-9_]*$",
        "the name of an environment variable: letters, digits and _, no digit first",
        max_length=128,
    ),
]
Digest = Annotated[str, Text(r"^sha256:[0-9a-f]{64}$", "sha256: and 64 hexadecimal digits, as `docker push` prints it")]


def _anyones(image: str) -> str:
    if ".dkr.ecr." in image:
        raise wanted(
            "an image that anyone may pull: one in a private registry of AWS is for registry `ecr`, with its repository"
            " under `ecr.repositories`, and for `digest`"
        )
    return image


PublicImage = Annotated[
    str,
    Text(
        r"^([a-z0-9-]+(\.[a-z0-9-]+)+(:[0-9]+)?|[a-z0-9-]+:[0-9]+|localhost)(/[a-z0-9]+([._-]+[a-z0-9]+)*)+@sha256:[0-9a-f]{64}$",
        "registry/repository@sha256:... with 64 hexadecimal digits and no tag, such as"
        " docker.io/library/nginx@sha256:..., as `docker buildx imagetools inspect` prints it",
        max_length=400,
    ),
    AfterValidator(_anyones),
]
"""An image that anyone may pull. With its registry, for not every runtime takes Docker Hub where there is none."""
MAX_SEGMENTS = 4
RoutePath = Annotated[
    str,
    Text(
        rf"^/$|^(/[A-Za-z0-9._~-]+){{1,{MAX_SEGMENTS}}}$",
        "/ or a path such as /orders/v2: at most four segments, no slash at its end",
        max_length=100,
    ),
]
"""A route's path prefix. The edge orders routes by the number of segments, hence a limit."""
UrlPath = Annotated[str, Text(r"^/[A-Za-z0-9._~/-]*$", "a path, such as /healthz", max_length=128)]
MAX_LABEL = 63
"""Characters between two dots of a host name (RFC 1035, 2.3.4)."""


def _resolvable(host: str) -> str:
    if max(map(len, host.split("."))) > MAX_LABEL:
        raise wanted(f"a host name with at most {MAX_LABEL} characters between two dots: DNS knows no longer ones")
    return host


Host = Annotated[
    str,
    Text(
        r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$",
        "a host name in lower case, such as api.example.com",
        max_length=128,
    ),
    AfterValidator(_resolvable),
]
SECRETS_FOLDER = "/run/secrets"
"""Where secrets are files, each is here under its variable's name."""
SYSTEM_FOLDERS = ("/proc", "/sys", "/dev", SECRETS_FOLDER)
"""Where a container has something else than files of its own."""


def _scratch(path: str) -> str:
    if {".", ".."} & {*path.split("/")}:
        raise wanted("an absolute path without the steps . and .., such as /tmp")
    if any(path == each or path.startswith(f"{each}/") for each in SYSTEM_FOLDERS):
        raise wanted(f"a path that is not in {', '.join(SYSTEM_FOLDERS)}: these are the system's")
    return path


AbsolutePath = Annotated[
    str,
    Text(r"^(/[A-Za-z0-9._-]+)+$", "an absolute path, such as /tmp", max_length=128),
    AfterValidator(_scratch),
]

RESERVED_ENV = ("PORT", "SWITCHYARD_ORCHESTRATOR", "SWITCHYARD_SERVICE")
"""Set by Switchyard in every replica; see `environment`."""
MAX_SECRET = 65_536
"""Bytes (Secrets Manager API, SecretString; Docker's and Kubernetes' limits are higher)."""
KEYS_OF_AWS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
"""Never in the clear (Security Hub, ECS.8)."""


def _number_to_text(value: Any) -> Any:
    """Of `WORKERS: 4` the process gets the text. A boolean has two spellings, so it must be quoted."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _number_to_range(value: Any) -> Any:
    """`replicas: 2` is short for `{min: 2, max: 2}`."""
    if isinstance(value, dict | Replicas):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_REPLICAS:
        return {"min": value, "max": value}
    raise wanted(REPLICAS)


EnvValue = Annotated[PlainText, BeforeValidator(_number_to_text)]


MAX_REPLICAS = 1000
REPLICAS = f"a whole number from 1 to {MAX_REPLICAS}, or {{min, max, cpu}}; a service that shall not run is taken out"


class Replicas(Model):
    """How many replicas run. With `max` above `min` the count follows the load."""

    also = {"minReplicas": "min", "maxReplicas": "max", "range": "max"}

    min: int = Field(ge=1, le=MAX_REPLICAS, description="Replicas that always run.")
    max: int = Field(ge=1, le=MAX_REPLICAS, description="The most replicas that run.")
    cpu: int = Field(default=70, ge=10, le=95, description="Average CPU percent that autoscaling aims for.")

    @model_validator(mode="before")
    @classmethod
    def _default_max(cls, value: Any) -> Any:
        return {"max": value["min"], **value} if isinstance(value, dict) and "min" in value else value

    @model_validator(mode="after")
    def _ordered(self) -> "Replicas":
        if self.max < self.min:
            raise ValueError(f"max {self.max} is below min {self.min}")
        return self

    @property
    def scales(self) -> bool:
        """True when the count is the autoscaler's to choose, not ours."""
        return self.max > self.min


PORTS = (1024, 65535)
"""What a process that is not root may listen on."""
Port = Annotated[
    int,
    Field(ge=PORTS[0], le=PORTS[1]),
    Wanted("a port from 1024 to 65535: the process is not root, so it may not listen on a lower one"),
]
Cpu = Annotated[float, Field(ge=0.05, le=16), TEXT_TO_NUMBER, Wanted("vCPU as a number from 0.05 to 16, such as 0.25")]
Memory = Annotated[int, Field(ge=32, le=122880), Wanted("MiB as a whole number from 32 to 122880, such as 512")]
SecretsAs = Annotated[Literal["env", "file"], Wanted("env or file")]
Architecture = Annotated[Literal["x86_64", "arm64"], Wanted("x86_64, which is also called amd64, or arm64")]


USER = "the number of a user from 1 to 65535, such as 65532: no name, and never root, which is 0"


class Service(Model):
    """One HTTP service (or, with `public: false`, one that nobody calls from outside)."""

    elsewhere = {
        "tag": "the image is in the stack's registry under the service's name, and `digest` says which one",
        "volumes": "nothing that lasts is kept beside a service; `writable` is scratch space",
        "depends-on": "services start in no order; let this one try again until the other answers",
        "depends_on": "services start in no order; let this one try again until the other answers",
        "domain": "`host` is the name that requests for this service have",
    }
    also = {
        "environment": "env",
        "variables": "env",
        "ports": "port",
        "expose": "port",
        "cpus": "cpu",
        "count": "replicas",
        "instances": "replicas",
        "scale": "replicas",
        "healthcheck": "health",
        "args": "command",
        "cmd": "command",
        "cron": "jobs",
        "platform": "architecture",
    }

    port: Port = Field(
        default=8080,
        examples=[8080],
        description="Port that the process listens on: 1024 or above, because it does not run as root.",
    )
    cpu: Cpu = Field(default=0.25, description="vCPU for each replica.")
    memory: Memory = Field(default=512, description="Memory for each replica, in MiB.")
    replicas: Annotated[Replicas, BeforeValidator(_number_to_range)] = Field(
        default=Replicas(min=1, max=1),
        description="How many replicas run: a number, or {min, max, cpu}, where the number follows the load.",
    )
    health: UrlPath = Field(
        default="/healthz", description="Path that a replica answers with 200 when it can take requests."
    )
    env: dict[EnvName, EnvValue] = Field(
        default={}, examples=[{"LOG_LEVEL": "info"}], description="Environment variables that are not secret."
    )
    secrets: dict[EnvName, SecretStr] = Field(
        default={},
        description="Environment variables that are secret; set them with `pulumi config set --secret --path`.",
    )
    secrets_as: SecretsAs | None = Field(
        default=None,
        description="env: each secret is an environment variable. file: each secret is a file, and the variable"
        " NAME_FILE has its path. Unset: file on Swarm, env on all others.",
    )
    command: tuple[PlainText, ...] = Field(
        default=(), examples=[["npm", "start"]], description="Arguments in place of the image's own command."
    )
    release: tuple[PlainText, ...] = Field(
        default=(),
        description="Arguments in place of the image's own command, for one task that runs before the replicas of a"
        " new image, such as a migration. If it fails, the service stays as it is.",
    )
    jobs: dict[Name, Job] = Field(
        default={},
        description="Commands that run by a schedule, beside the replicas: each a name with {command, schedule,"
        " time-zone}.",
    )
    path: RoutePath = Field(
        default="/",
        description="Requests under this path go to this service. If several paths fit, the longest one wins.",
    )
    host: Host | None = Field(default=None, description="Requests for this host name go to this service.")
    public: bool = Field(
        default=True,
        description="false: no route at the URL, for a worker. Other services cannot call it either, except on Swarm.",
    )
    build: BuildOrFolder | None = Field(
        default=None,
        description="How its image is built: a folder with a Dockerfile, as a path from the folder of Pulumi.yaml;"
        " or {context, dockerfile, target, args, run, platforms}.",
    )
    digest: Digest | None = Field(
        default=None,
        description="Keeps the service at this image, sha256:.... Unset: it runs the image that was deployed last;"
        " before the first one, nothing of it runs.",
    )
    image: PublicImage | None = Field(
        default=None,
        description="An image that someone else built and that anyone may pull, by its digest, such as"
        " docker.io/library/nginx@sha256:.... It stands in place of `build` and `digest`, and is not in the stack's"
        " registry.",
    )
    architecture: Architecture = Field(default="x86_64", description="CPU architecture that the image was built for.")
    user: Annotated[int, Field(ge=1, le=65535), Wanted(USER)] = Field(
        default=65532, description="Number of the user that the process runs as; never root."
    )
    writable: tuple[AbsolutePath, ...] = Field(
        default=(),
        description="Paths that the process may write to; what is there is lost with the replica. The rest of the file"
        " system is read-only.",
    )
    permissions: Permissions = Field(
        default=(),
        description="What its process may do on AWS: a list of {actions, resources, conditions}. Unset: nothing.",
    )

    @model_validator(mode="after")
    def _one_meaning_for_each_variable(self) -> "Service":
        if both := sorted(self.env.keys() & self.secrets.keys()):
            raise ValueError(f"{both[0]} is in env and in secrets: keep one")
        if taken := sorted((self.env.keys() | self.secrets.keys()) & set(RESERVED_ENV)):
            raise ValueError(f"{taken[0]} is set by Switchyard itself: take it out of env and secrets")
        if self.secrets_as == "file" and (hidden := sorted(self.env.keys() & self.secret_files.keys())):
            raise ValueError(f"{hidden[0]} says where the file of a secret is: take it out of env")
        return self

    @model_validator(mode="after")
    def _no_keys_in_the_clear(self) -> "Service":
        if keys := sorted(self.env.keys() & set(KEYS_OF_AWS)):
            raise ValueError(
                f"{keys[0]} is in env, in the clear: take it out, and give the service a role by `permissions`; where"
                " that is refused, put it into `secrets`"
            )
        return self

    @model_validator(mode="after")
    def _secrets_of_a_size(self) -> "Service":
        for variable, secret in self.secrets.items():
            length = len(secret.get_secret_value().encode())
            if not 1 <= length <= MAX_SECRET:
                raise ValueError(
                    f"the secret {variable} has {length} bytes: 1 to {MAX_SECRET} is what a store of secrets takes"
                )
        return self

    @model_validator(mode="after")
    def _each_path_once(self) -> "Service":
        if twice := sorted({path for path in self.writable if self.writable.count(path) > 1}):
            raise ValueError(f"writable has {twice[0]} twice: name it once")
        return self

    @model_validator(mode="after")
    def _one_image(self) -> "Service":
        if self.image is None:
            return self
        for field in ("build", "digest"):
            if getattr(self, field) is not None:
                raise ValueError(
                    f"image and {field} say two things: keep `image` for one that someone else built, or `{field}` for"
                    " one in the stack's registry"
                )
        return self

    @model_validator(mode="after")
    def _built_for_its_cpu(self) -> "Service":
        if self.build and (problem := self.build.lacks(self.architecture)):
            raise ValueError(problem)
        return self

    @property
    def secret_files(self) -> dict[str, str]:
        """What the environment says of secrets that are files: NAME_FILE -> the path. Sorted."""
        return {f"{variable}_FILE": f"{SECRETS_FOLDER}/{variable}" for variable in sorted(self.secrets)}

    @property
    def runs(self) -> str | None:
        """The digest of its image; None: it waits for its first, and nothing of it runs."""
        return self.image.partition("@")[2] if self.image else self.digest

    def environment(self, name: str, orchestrator: str) -> dict[str, str]:
        """What every replica finds in its environment besides its secrets. Sorted, so that a preview sees no change."""
        own = {"PORT": str(self.port), "SWITCHYARD_ORCHESTRATOR": orchestrator, "SWITCHYARD_SERVICE": name}
        return dict(sorted({**self.env, **own}.items()))


def of_no_service(field: str, values: Mapping[str, object], services: Mapping[str, Service]) -> Iterator[Contradiction]:
    """(path, value, what is wanted) for each entry of a backend's option by service whose name is no service's."""
    for name, value in values.items():
        if name not in services:
            yield f"{field}.{name}", value, f"the name of a service: {', '.join(services)}"


Feature = Callable[[Service], bool]


def _field(name: str) -> Feature:
    return lambda service: name in service.model_fields_set


IN_ENV, IN_FILES = "secrets as env", "secrets as file"
EITHER_DAY = "jobs by day of month or week"
FEATURES: dict[str, Feature] = {
    name: _field(name) for name in Service.model_fields if name not in ("build", "secrets_as")
} | {
    "autoscaling": lambda service: service.replicas.scales,
    IN_ENV: lambda service: service.secrets_as == "env",
    IN_FILES: lambda service: service.secrets_as == "file",
    EITHER_DAY: lambda service: any(job.when.on_either_day for job in service.jobs.values()),
}
"""Everything a service can ask of an orchestrator, and whether one does. Each of these says what it does with it."""
ASKED_BY = {"autoscaling": "replicas", IN_ENV: "secrets-as", IN_FILES: "secrets-as", EITHER_DAY: "jobs"}
"""Feature -> the key that asks for it, where that has another name."""
