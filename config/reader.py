"""Reads a stack's raw configuration into models, and keeps everything that is wrong with it."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any, Literal, Protocol, TypeVar

import pulumi
from pydantic import Field, SecretStr, ValidationError

from components import edge, orchestrator, pulumi_internals, registry
from components.edge import EdgeOptions
from components.gate import GateOptions
from components.github import GitHub, PolicyArn
from components.guard import GuardOptions
from components.model import Model, PlainText, Text, Wanted
from components.network_options import Domain, ExistingLoadBalancer, ExistingVpc, Flows, Kind, SecurityGroups
from components.orchestrator import OrchestratorOptions
from components.own_key import KeyArn
from components.registry import RegistryOptions
from components.service import Name, Service
from components.shell import command
from components.usage import Usage
from config.encrypted import PLAINLY, Encrypted
from config.fields import at, is_guarded, secrets_in
from config.problems import (
    ENCRYPTED,
    HIDDEN,
    MOST,
    TOLD,
    UNKNOWN,
    Problem,
    Words,
    edit,
    is_within,
    near,
    nearest,
    rename,
    translate,
)
from config.stack_file import StackFile, Steps, declared_value, steps_of

M = TypeVar("M", bound=Model)
Of = TypeVar("Of", bound=Model, covariant=True)


LogDays = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653]
"""What CloudWatch takes as a retention, in days."""


WEIGHT = "a weight as a whole number from 0 to 999, such as 90"


WEB_ACL = Text(
    r"^arn:aws[a-z-]*:wafv2:[a-z0-9-]+:\d{12}:regional/webacl/[\w-]{1,128}/[0-9a-f-]{36}$",
    "the ARN of a regional web ACL, such as"
    " arn:aws:wafv2:us-east-1:123456789012:regional/webacl/shop/a1b2c3d4-5678-90ab-cdef-1234567890ab",
)
TLS_POLICY = Text(
    r"^ELBSecurityPolicy-[A-Za-z0-9-]{1,100}$",
    "the name of a security policy of Elastic Load Balancing, such as ELBSecurityPolicy-TLS13-1-3-PQ-2025-09",
)


class Keys(Model):
    """The keys that every stack understands; a backend's own block comes beside them, under the backend's name."""

    also = {"region": "aws:region", "profile": "aws:profile"}

    registry: str = Field(
        default=registry.DEFAULT,
        description="Where images are kept: artifact-registry, dockerhub, ecr, ecr-public, ghcr or oci.",
    )
    pull_from: str | None = Field(
        default=None,
        description="Only while images move to another registry: the old one, which replicas still pull from."
        " `registry` is then the new one. Otherwise empty.",
    )
    orchestrator: str = Field(
        default=orchestrator.DEFAULT,
        description="What runs the services: ecs-fargate, ecs-ec2, eks, swarm-ec2, kubernetes or swarm. To change it,"
        " set it and run `pulumi up`. The URL stays if one edge is in front of both orchestrators.",
    )
    edge: str | None = Field(
        default=None,
        description="Where callers come in. alb: an Application Load Balancer on AWS. proxy: Traefik on a Docker"
        " engine. proxy-ec2: Traefik on the one instance of swarm-ec2. Unset: alb if an orchestrator of the stack"
        " can be behind it; otherwise none, and each service has its own address.",
    )
    preset: Literal["trial", "standard", "production"] = Field(
        default="trial",
        description="Defaults for the keys network, zones, flow-logs, log-days, protect, access-logs and strict.",
    )
    services: dict[Name, Service] = Field(
        min_length=1,
        examples=[{"api": {"port": 8080}}],
        description="The services, by name. docs/configuration.md lists the fields of each.",
    )
    traffic: dict[str, Annotated[int, Field(ge=0, le=999), Wanted(WEIGHT)]] = Field(
        default={},
        description="Only during a move: the weight, 0 to 999, of each orchestrator that is up, such as {eks: 90,"
        " ecs-fargate: 10}. Otherwise `orchestrator` gets all requests.",
    )
    domain: Domain | None = Field(
        default=None,
        examples=[{"name": "api.example.com", "zone": "example.com"}],
        description="The host name of the URL, which then has HTTPS: {name: api.example.com, zone: example.com};"
        " with edge proxy, no `zone`. Unset: the URL is plain HTTP at the load balancer's or the proxy's own name.",
    )
    plain_http: bool = Field(
        default=False,
        description="true: the URL has no HTTPS on purpose, for example because something in front of the load"
        " balancer has it. With `protect` (preset production) a stack needs `domain` or this key.",
    )
    network: Kind | None = Field(
        default=None, description="How replicas reach what is outside the network. `preset`: the value of the preset."
    )
    zones: Annotated[int, Field(ge=2, le=3), Wanted("2 or 3, the number of availability zones to use")] | None = Field(
        default=None, description="How many availability zones to use. `preset`: the value of the preset."
    )
    vpc: ExistingVpc | None = Field(
        default=None,
        description="A VPC that exists; Switchyard then makes none: {id, public-subnets: [...], private-subnets:"
        " [...]}.",
    )
    security_groups: SecurityGroups | None = Field(
        default=None,
        examples=[{"load-balancer": "sg-0abc1234", "replicas": "sg-0def5678"}],
        description="Security groups that exist, in the VPC of key `vpc`: {load-balancer, replicas}. Switchyard"
        " makes no others in their place, and adds no rule to them.",
    )
    load_balancer: ExistingLoadBalancer | None = Field(
        default=None,
        description="A load balancer that exists; Switchyard then makes none: {listener, security-group, url}.",
    )
    flow_logs: Flows | None = Field(
        default=None,
        description="Which connections in the network are logged: none, rejected or all. `preset`: the value of the"
        " preset.",
    )
    log_days: LogDays | None = Field(
        default=None, description="How long logs are kept, in days. `preset`: the value of the preset."
    )
    protect: bool | None = Field(
        default=None,
        description="Protect the load balancer and the images against deletion, and keep deleted secrets for a"
        " week. Orchestrators are not protected, because a switch removes the old one. `preset`: the value of the"
        " preset.",
    )
    access_logs: bool | None = Field(
        default=None,
        description="Keep the load balancer's access logs in a bucket for a year. `preset`: the value of the preset.",
    )
    strict: bool | None = Field(
        default=None,
        description="Refuse every HTTP request that can be read in two ways (desync mitigation `strictest`)."
        " `preset`: the value of the preset.",
    )
    permissions_boundary: PolicyArn | None = Field(
        default=None,
        examples=["arn:aws:iam::123456789012:policy/boundary"],
        description="ARN of an IAM policy that limits every role that the stack makes. With `github` it limits only"
        " the workflows' roles, and `github.permissions-boundary` limits the others.",
    )
    kms_key: KeyArn | None = Field(
        default=None,
        examples=["arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"],
        description="ARN of your own KMS key, in the stack's region. It encrypts images in ECR, logs, the services'"
        " secrets in Secrets Manager, and Kubernetes Secrets on EKS. A stack keeps its first key: see"
        " docs/security.md.",
    )
    waf: Annotated[str, WEB_ACL] | None = Field(
        default=None,
        examples=["arn:aws:wafv2:us-east-1:123456789012:regional/webacl/shop/a1b2c3d4-5678-90ab-cdef-1234567890ab"],
        description="ARN of a web ACL of AWS WAF, in the stack's region. It checks each request before the load"
        " balancer sends it on.",
    )
    tls_policy: Annotated[str, TLS_POLICY] | None = Field(
        default=None,
        examples=["ELBSecurityPolicy-TLS13-1-3-PQ-2025-09"],
        description="The load balancer's security policy for HTTPS: which versions of TLS, which ciphers. Unset:"
        " TLS 1.2 with forward secrecy, and TLS 1.3.",
    )
    exceptions: dict[str, Annotated[PlainText, Field(min_length=1)]] = Field(
        default={},
        examples=[{"ELB.5": "the proxy in front of it keeps the logs"}],
        description="Controls that this stack does not meet on purpose, each with the reason, such as"
        " {ELB.5: the proxy in front of it keeps the logs}. See docs/controls.md.",
    )
    github: GitHub | None = Field(
        default=None,
        description="The repository on GitHub whose workflows build and deploy: {repository, repository-id,"
        " owner-id, environment, branch, ...}. AWS then lets them in without a password.",
    )
    gate: GateOptions = Field(
        default=GateOptions(),
        description="How long the gate looks at health before traffic moves, and how long the old replicas stay"
        " afterwards: {polls, interval, timeout, settle}.",
    )
    guard: GuardOptions = Field(
        default=GuardOptions(),
        description="How much worse than before a newcomer's answers may be. Beyond that `yard switch` gives all"
        " traffic back, and an `up` in one step fails: {errors, latency, samples, restarts, patience, alarms}.",
    )
    usage: Usage = Field(
        default=Usage.model_validate({}),
        description="What happens in a month, for the estimate of its cost: {preset: small, image-size, deploys,"
        " requests, ...}. It changes no resource.",
    )


DEFAULTS: Mapping[str, str] = {key: Keys.model_fields[key].default for key in ("registry", "orchestrator", "preset")}
"""What a stack chooses that says nothing of it."""
TEXT = frozenset(
    {"registry", "pull-from", "orchestrator", "edge", "preset", "network", "waf", "tls-policy", "permissions-boundary"}
    | {"kms-key"}
)
"""Keys whose value is text as it stands; all others are JSON."""
UNSET = ("", "{}", "preset")
OURS = "switchyard:"
"""The namespace of the keys in Switchyard's own project. A project's keys have its own name, or none, in front."""


class HasOptions(Protocol[Of]):
    """A backend's component, which knows the class of its options."""

    @property
    def Options(self) -> type[Of]: ...  # noqa: N802 - as the class variable is called


@dataclass(frozen=True)
class Choices:
    """What could be read."""

    keys: Keys
    registries: Mapping[str, RegistryOptions]
    orchestrators: Mapping[str, OrchestratorOptions]
    edge: EdgeOptions | None


class Reader:
    """Turns the stack's raw values into models, and keeps what is wrong with them in `problems`."""

    def __init__(self, config: pulumi.Config, file: StackFile | None = None) -> None:
        self.config = config
        self.encrypted = Encrypted(config, file)
        self.problems: list[Problem] = []

    def read(self) -> Choices | None:
        """Everything that can be read. What is wrong by itself is left out, so that the rest can be checked as well;
        None when too little remains."""
        raw = {key: value for key, value in self._raw() if value is not None}
        own = self._in_clear({**DEFAULTS, **{key: value for key, value in raw.items() if key in own_keys()}})
        keys = self._model(Keys, own, "")
        registries = self._blocks(registry.load, self._registries(own), raw)
        runtimes = self._blocks(orchestrator.load, self._orchestrators(own), raw)
        edges = self._blocks(edge.load, self._edge(own, runtimes), raw)
        for key, found in {**registries, **runtimes, **edges, "services": keys.services if keys else None}.items():
            if found is not None:
                self._has_a_secret(key, found)
        read = {key: each for key, each in registries.items() if each is not None}
        ran = {key: each for key, each in runtimes.items() if each is not None}
        if keys is None or not read or not ran or None in [*registries.values(), *runtimes.values(), *edges.values()]:
            return None
        return Choices(keys, read, ran, next(iter(edges.values()), None))

    def _blocks(
        self, load: Callable[[str], HasOptions[M]], names: Sequence[str], raw: Mapping[str, Any]
    ) -> dict[str, M | None]:
        """The block of each backend; None for one that cannot be read."""
        return {key: self._block(key, load(key).Options, raw.get(key, {})) for key in names}

    def _raw(self) -> Iterator[tuple[str, Any]]:
        """Each key of the project with its value; a misspelt one is a problem, and so is one of Switchyard's own
        project, as its documents and files have them, in another."""
        known = [*own_keys(), *registry.names(), *orchestrator.names(), *edge.names()]
        prefix, there = self.config.full_key(""), sorted(pulumi_internals.config_keys())
        for full in [each for each in there if each.startswith(OURS) and prefix != OURS]:
            key = full.removeprefix(OURS)
            want = f"a key of this project, which is called {prefix.removesuffix(':')}"
            self.problems.append(Problem(full, UNKNOWN, want, rename(full, key)))
        for key in [each.removeprefix(prefix) for each in there if each.startswith(prefix)]:
            if len(self.problems) > MOST:
                return
            if key not in known:
                self.problems.append(self._unknown(key, known))
                continue
            yield key, self._value(key)

    def _unknown(self, key: str, known: Sequence[str]) -> Problem:
        full, meant = self.config.full_key(key), near(key, known)
        if ours := Keys.also.get(key):
            return Problem(full, TOLD, f"it is called {ours} here", rename(full, ours))
        file = self.encrypted.written
        there = meant is not None and file is not None and file.get(meant) is not None
        # Taken out where it only looks like a key, or that is set as well; else its default would hold, unseen.
        fix = rename(full, meant) if meant and not there else command("pulumi", "config", "rm", full)
        return Problem(full, UNKNOWN, f"a key that exists{nearest(key, known)}", fix)

    def _value(self, key: str) -> Any:
        """The value as JSON; None: not set, or set to what says so."""
        text = self.config.get(key)
        if text is None or text in UNSET:
            return None
        if key in TEXT:
            return text
        try:
            return json.loads(text)
        except ValueError:
            return text

    def block(self, name: str, model: type[M], example: Mapping[str, Any]) -> M | None:
        """The block of a backend that the stack has not chosen, as far as it has one; the rest from `example`. None
        when that is not right either."""
        given = self._value(name)
        for value in ({**example, **(given if isinstance(given, dict) else {})}, example):
            with suppress(ValidationError):  # nobody has to fix what is not used
                return _parse(model, value)
        return None

    def _in_clear(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """Our own keys without what is encrypted where no secret belongs, which is a problem."""
        kept = dict(own)
        for key in own:
            for steps, problem in islice(self.encrypted.misplaced(key, Keys, (key,)), MOST + 1):
                self.problems.append(problem)
                kept = _without(kept, [*steps])
        return kept

    def _block(self, key: str, model: type[M], value: Any) -> M | None:
        """A backend's block, likewise, as a model."""
        for steps, problem in islice(self.encrypted.misplaced(key, model, ()), MOST + 1):
            self.problems.append(problem)
            value = _without(value, [*steps])
        return self._model(model, value, key)

    def _has_a_secret(self, key: str, value: object) -> None:
        """A key with something encrypted in it, nobody knows where, has a secret."""
        full = self.config.full_key(key)
        if not self.encrypted.is_in(key) or self.encrypted.located(key) or any(secrets_in(value, ())):
            return
        if not any(is_within(each.key, full) for each in self.problems):
            want = f"a map with only its secrets encrypted, and none of them is set: {PLAINLY}"
            self.problems.append(Problem(full, ENCRYPTED, want, edit(full)))

    def _model(self, model: type[M], value: Any, path: str) -> M | None:
        try:
            return _parse(model, value)
        except ValidationError as error:
            self.problems += filter(self._is_new, translate(error, self.config.full_key(path), model))
            if error.error_count() > MOST:
                return None  # to leave out each of them, too, takes long
            for found in error.errors():
                value = _without(value, [step for step in found["loc"] if step != "[key]"])
        try:
            return _parse(model, value)
        except ValidationError:
            return None  # something is missing, or wrong all through: it has been said

    def _is_new(self, problem: Problem) -> bool:
        """False for what is wrong only because an encrypted value was left out."""
        encrypted = [each.key for each in self.problems if each.value is ENCRYPTED]
        return not any(is_within(problem.key, key) or is_within(key, problem.key) for key in encrypted)

    def _choice(self, key: str, value: Any, known: list[str]) -> str | None:
        if value is None:
            return None  # the model has said that it is missing
        if value in known:
            return str(value)
        want = f"one of {', '.join(known)}{nearest(str(value), known)}"
        self.problems.append(Problem(self.config.full_key(key), value, want))
        return None

    def _orchestrators(self, raw: Mapping[str, Any]) -> list[str]:
        """The names of those that are up; empty when one of them does not exist."""
        traffic = raw.get("traffic")
        named = list(traffic) if isinstance(traffic, dict) and traffic else []
        wanted = {"orchestrator": raw.get("orchestrator")} | {f"traffic.{key}": key for key in named}
        return self._choices(wanted, orchestrator.names())

    def _edge(self, raw: Mapping[str, Any], runtimes: Iterable[str]) -> list[str]:
        """The name of the edge; empty where there is none, or it does not exist."""
        named = self._choices({"edge": raw["edge"]} if "edge" in raw else {}, edge.names())
        if "edge" in raw and not named:
            return []
        chosen = edge.chosen(next(iter(named), None), [orchestrator.load(key).Options.target for key in runtimes])
        return [chosen] if chosen else []

    def _registries(self, raw: Mapping[str, Any]) -> list[str]:
        """Likewise."""
        wanted = {key: raw[key] for key in ("registry", "pull-from") if key in raw}
        return self._choices(wanted, registry.names())

    def _choices(self, wanted: Mapping[str, Any], known: list[str]) -> list[str]:
        found = [self._choice(path, value, known) for path, value in wanted.items()]
        return [] if None in found else sorted({key for key in found if key})


def model_at(steps: Steps) -> tuple[type[Model], Steps] | None:
    """The model that has what stands at `steps`, from the name of a key on, and the way to it there."""
    key = str(steps[0])
    if key in own_keys():
        return Keys, steps
    for table in (registry, orchestrator, edge):
        if key in table.names():
            return table.load(key).Options, steps[1:]
    return None


def problem(config: pulumi.Config, path: str, value: object, want: str) -> Problem:
    """What is wrong with the value at `path`, from the name of a key on; one of another package is full."""
    found = model_at(steps_of(path))
    if found and is_guarded(*found) and not isinstance(value, Words | SecretStr | None):
        value = HIDDEN
    types = tuple(at(*found)) if found else ()
    return Problem(path if ":" in path else config.full_key(path), value, want, types=types)


def default_of(project: Mapping[str, Any], key: str) -> Any:
    """What one of the project's keys is where a stack does not set it: Pulumi.yaml may say it for all stacks."""
    config = project.get("config") or {}
    declared = declared_value(config.get(key, config.get(f"{project['name']}:{key}")))
    return DEFAULTS.get(key) if declared is None else declared


def own_keys() -> list[str]:
    """The keys of `Keys` as they are written."""
    return [field.alias or name for name, field in Keys.model_fields.items()]


def _parse(model: type[M], value: Any) -> M:
    # As JSON: a list may then become a tuple, and nothing else is bent.
    return model.model_validate_json(json.dumps(value))


def _without(value: Any, path: list[int | str]) -> Any:
    """`value` without what is at `path`, if it is there."""
    if not path or not isinstance(value, dict):
        return {}  # wrong all through, or wrong inside a list: nothing of it can be kept
    head, *rest = path
    if head not in value:
        return value
    kept = {key: each for key, each in value.items() if key != head}
    return kept | {str(head): _without(value[head], rest)} if rest else kept
