"""A stack's settings: typed, checked in one pass before anything is made. Only this module reads `pulumi.Config`."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env, is_config_secret
from pydantic import Field, ValidationError

from components import orchestrator, registry
from components.choices import Domain, ExistingLoadBalancer, ExistingVpc, Kind
from components.gate import GateOptions
from components.model import Model
from components.orchestrator import Orchestrator
from components.registry import Registry
from components.service import Name, Service
from config.presets import PRESETS
from config.problems import BadConfig, Problem, nearest, translate

M = TypeVar("M", bound=Model)


class Keys(Model):
    """The keys that every stack understands; a backend's own block comes beside them, under the backend's name."""

    registry: str
    orchestrator: str
    preset: Literal["trial", "standard", "production"]
    services: dict[Name, Service] = Field(min_length=1)
    traffic: dict[str, int] = {}
    domain: Domain | None = None
    network: Kind | None = None
    zones: int | None = Field(default=None, ge=2, le=3)
    vpc: ExistingVpc | None = None
    load_balancer: ExistingLoadBalancer | None = None
    log_days: Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653] | None = None
    protect: bool | None = None
    access_logs: bool | None = None
    strict: bool | None = None
    gate: GateOptions = GateOptions()


TEXT = frozenset({"registry", "orchestrator", "preset", "network"})
"""Keys whose value is text as it stands; all others are JSON."""
UNSET = ("{}", "preset")
FROM_PRESET = ("network", "zones", "log_days", "protect", "access_logs", "strict")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything a stack chose, complete and consistent."""

    stack: str
    """The stack's name as a DNS label of at most 40 characters."""
    region: str | None
    profile: str | None
    keys: Keys
    registry: type[Registry]
    orchestrators: Mapping[str, type[Orchestrator]]
    """Those that are up: one, or during a move all that `traffic` names."""
    options: Mapping[str, Model]
    """Backend -> its own block."""

    @property
    def services(self) -> Mapping[str, Service]:
        """Every service, by name, sorted."""
        return dict(sorted(self.keys.services.items()))

    @property
    def weights(self) -> Mapping[str, int]:
        """Orchestrator -> its share of the traffic. Outside a move one has everything."""
        return self.keys.traffic or {self.keys.orchestrator: 100}

    @property
    def on_aws(self) -> bool:
        """True when the services stand behind a load balancer on AWS; False when they publish ports themselves."""
        return any(each.target for each in self.orchestrators.values())

    @property
    def vpc_endpoints(self) -> frozenset[str]:
        """What the network must reach where it has no other way out."""
        return self.registry.vpc_endpoints.union(*[each.vpc_endpoints for each in self.orchestrators.values()])

    @classmethod
    def load(cls) -> "Settings":
        """Read and check the stack's configuration; raise `BadConfig` with every problem in it."""
        config, aws = pulumi.Config(), pulumi.Config("aws")
        reader = _Reader(config)
        keys, registry_class, classes, options = reader.read()
        problems = reader.problems
        settings = None
        if keys and registry_class and classes is not None and not problems:
            settings = cls(
                stack=label(f"{pulumi.get_project()}-{pulumi.get_stack()}"),
                region=aws.get("region"),
                profile=aws.get("profile"),
                keys=_with_preset(keys),
                registry=registry_class,
                orchestrators=classes,
                options=options,
            )
            problems += [
                Problem(config.full_key(path) if ":" not in path else path, value, want)
                for path, value, want in _contradictions(settings, is_config_secret(config.full_key("services")))
            ]
        if problems or settings is None:
            raise BadConfig(problems)
        return settings


class _Reader:
    """Turns the stack's raw values into models, and keeps what is wrong with them."""

    def __init__(self, config: pulumi.Config) -> None:
        self.config = config
        self.problems: list[Problem] = []

    def read(
        self,
    ) -> tuple[Keys | None, type[Registry] | None, dict[str, type[Orchestrator]] | None, dict[str, Model]]:
        raw = {key: value for key, value in self._raw() if value is not None}
        keys = self._model(Keys, {key: value for key, value in raw.items() if key in _own_keys()}, "")
        chosen_registry = self._choice("registry", raw.get("registry"), registry.names())
        chosen = self._orchestrators(raw)
        registry_class = registry.load(chosen_registry) if chosen_registry else None
        classes = {key: orchestrator.load(key) for key in chosen} if chosen else None
        options: dict[str, Model] = {}
        blocks: dict[str, type[Model]] = {key: each.Options for key, each in (classes or {}).items()}
        if chosen_registry and registry_class:
            blocks[chosen_registry] = registry_class.Options
        for key, model in blocks.items():
            if (block := self._model(model, raw.get(key, {}), key)) is not None:
                options[key] = block
        return keys, registry_class, classes, options

    def _raw(self) -> Iterator[tuple[str, Any]]:
        """Each key of the project with its value; a misspelt one is a problem."""
        known = [*_own_keys(), *registry.names(), *orchestrator.names()]
        prefix = self.config.full_key("")
        for key in sorted(each.removeprefix(prefix) for each in _all_keys() if each.startswith(prefix)):
            if key not in known:
                want = f"a key that exists{nearest(key, known)}"
                self.problems.append(Problem(prefix + key, None, want, fix=f"pulumi config rm {prefix + key}"))
                continue
            yield key, self._value(key)

    def _value(self, key: str) -> Any:
        """The value as JSON. Pulumi.yaml must give every key a default, so `{}` and `preset` there mean: not set."""
        text = self.config.get(key)
        if text is None or text in UNSET:
            return None
        if key in TEXT:
            return text
        try:
            return json.loads(text)
        except ValueError:
            return text

    def _model(self, model: type[M], value: Any, path: str) -> M | None:
        try:
            # As JSON: a list may then become a tuple, and nothing else is bent.
            return model.model_validate_json(json.dumps(value))
        except ValidationError as error:
            self.problems += translate(error, self.config.full_key(path), model)
            return None

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
        found = [self._choice(path, key, orchestrator.names()) for path, key in wanted.items()]
        return [] if None in found else sorted({key for key in found if key})


def _own_keys() -> list[str]:
    return [field.alias or name for name, field in Keys.model_fields.items()]


def _all_keys() -> set[str]:
    """Every configured key. The SDK has no public way to list them, and without a list no misspelling can be found."""
    return {*CONFIG.get(), *get_config_env()}


def _with_preset(keys: Keys) -> Keys:
    preset = PRESETS[keys.preset]
    unset = {name: getattr(preset, name) for name in FROM_PRESET if getattr(keys, name) is None}
    return keys.model_copy(update=unset)


def label(name: str, limit: int = 40) -> str:
    """`name` as a DNS label. One that has to be cut or changed keeps apart from others by a hash at its end."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if plain == name and len(plain) <= limit:
        return plain
    mark = hashlib.sha256(name.encode()).hexdigest()[:7]
    return f"{plain[: limit - 8].rstrip('-')}-{mark}"


Contradiction = tuple[str, object, str]
"""Path of the key, its value, what is wanted."""


def _contradictions(settings: Settings, secret: bool) -> Iterator[Contradiction]:
    """What each key by itself does not show."""
    yield from _traffic(settings)
    yield from _plain_secrets(settings, secret)
    yield from _backends(settings)
    yield from _routes(settings)
    if settings.on_aws:
        yield from _aws(settings)


def _traffic(settings: Settings) -> Iterator[Contradiction]:
    traffic, keys = settings.keys.traffic, settings.keys
    if not traffic:
        return
    if keys.orchestrator not in traffic:
        yield "traffic", traffic, f"a weight for {keys.orchestrator} too, the stack's orchestrator"
    for key, weight in traffic.items():
        if not 0 <= weight <= 999:
            yield f"traffic.{key}", weight, "a weight from 0 to 999"
        if settings.orchestrators[key].target is None:
            yield (
                f"traffic.{key}",
                weight,
                f"orchestrators behind the load balancer; {key} publishes its ports itself, so no weight reaches it",
            )
    if sum(traffic.values()) <= 0:
        yield "traffic", traffic, "at least one weight above 0, or nobody is served"
    if len(traffic) > 5:
        yield "traffic", traffic, "at most 5 orchestrators: a listener rule takes no more target groups"


def _plain_secrets(settings: Settings, secret: bool) -> Iterator[Contradiction]:
    if secret:
        return
    for name, service in settings.services.items():
        for variable in service.secrets:
            yield (
                f"services.{name}.secrets.{variable}",
                "in plain text",
                f"an encrypted value: pulumi config set --secret --path services.{name}.secrets.{variable}",
            )


def _backends(settings: Settings) -> Iterator[Contradiction]:
    keys = settings.keys
    protect = bool(keys.protect)
    pull = settings.registry.pulled_by(settings.options[keys.registry])
    for key, cls in settings.orchestrators.items():
        if pull not in cls.pulls_by:
            yield (
                "registry",
                keys.registry,
                f"one whose images {key} can pull: {keys.registry} gives them by {pull.__name__},"
                f" and {key} knows {', '.join(each.__name__ for each in cls.pulls_by)}",
            )
        for name, service in settings.services.items():
            for feature, reason in cls.refusals(service).items():
                yield f"services.{name}.{feature}", _asked(service, feature), f"what {key} can do: {reason}"
        for path, value, want in cls.check(settings.options[key], settings.services, protect):
            yield f"{key}.{path}", value, want


def _asked(service: Service, feature: str) -> object:
    if feature == "autoscaling":
        return f"{service.replicas.min} to {service.replicas.max} replicas"
    return getattr(service, feature) if feature != "secrets" else sorted(service.secrets)


def _routes(settings: Settings) -> Iterator[Contradiction]:
    taken: dict[tuple[str | None, str], str] = {}
    if not settings.on_aws:
        return
    for name, service in settings.services.items():
        if not service.public:
            continue
        route = (service.host, service.path)
        if route in taken:
            yield (
                f"services.{name}.path",
                service.path,
                f"a route of its own: {taken[route]} has the same host and path",
            )
        taken.setdefault(route, name)


def _aws(settings: Settings) -> Iterator[Contradiction]:
    keys = settings.keys
    if settings.region is None:
        yield "aws:region", None, "the AWS region to run in, such as us-east-1 or ap-northeast-1"
    if keys.network == "endpoints" and not settings.registry.vpc_endpoints:
        yield (
            "network",
            "endpoints",
            f"a way out to {keys.registry}, which has no VPC endpoint: nat-single, nat-per-az or public",
        )
    if keys.load_balancer and keys.domain:
        yield (
            "domain",
            keys.domain.name,
            "no domain beside load-balancer: an existing load balancer has its own",
        )
    if keys.load_balancer and not keys.vpc:
        yield "vpc", None, "the VPC of the existing load balancer: {id, public-subnets}"
    yield from _hosts(settings)


def _hosts(settings: Settings) -> Iterator[Contradiction]:
    domain = settings.keys.domain
    if domain is None:
        return
    named = {"domain.name": domain.name} | {
        f"services.{name}.host": service.host for name, service in settings.services.items() if service.host
    }
    for path, host in named.items():
        if host != domain.zone and not host.endswith(f".{domain.zone}"):
            yield (
                path,
                host,
                f"a name in the zone {domain.zone}, where its DNS record and certificate proof go",
            )
