"""A stack's settings: typed, complete and consistent. `config.load` makes them."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

from components import own_key
from components.edge import EdgeOptions, Traffic
from components.lookup import Lookup
from components.needs import Need, Quota
from components.network_options import Flows, Kind, of_network
from components.options import Options
from components.orchestrator import OrchestratorOptions
from components.registry import RegistryOptions
from components.service import Service
from config.reader import Keys, LogDays
from config.releases import History


class Config(Keys):
    """The keys of a stack with those that it leaves to its preset."""

    network: Kind
    zones: int
    flow_logs: Flows
    log_days: LogDays
    protect: bool
    access_logs: bool
    strict: bool


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything a stack chose, complete and consistent."""

    stack: str
    """The stack's name as a DNS label of at most 40 characters."""
    region: str
    """Of AWS; empty where the stack sets none, which only one off AWS may."""
    profile: str | None
    config: Config
    given: Set[str]
    """Fields of `config` that the stack sets itself, rather than its preset."""
    registries: Mapping[str, RegistryOptions]
    """Those that are up: one, or while images move the one that they come from as well."""
    orchestrators: Mapping[str, OrchestratorOptions]
    """Those that are up: one, or during a move all that `traffic` names."""
    edge: EdgeOptions | None = None
    """Where callers come in; None: at an address of each service's own."""
    former_edge: str | None = None
    """The edge that the last `up` left the name at, where it is another and stands on an instance."""
    history: History = field(default_factory=History)
    """What ran so far; nothing of a stack that is not run."""
    released: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What is recorded of services' release commands, likewise."""

    @property
    def services(self) -> Mapping[str, Service]:
        """Every service, by name, sorted."""
        return dict(sorted(self.config.services.items()))

    @property
    def stored(self) -> Mapping[str, Service]:
        """Those whose images are in the stack's registry."""
        return {name: each for name, each in self.services.items() if each.image is None}

    @property
    def pulled_from(self) -> str:
        """The registry that replicas pull from."""
        return self.config.pull_from or self.config.registry

    @property
    def weights(self) -> Mapping[str, int]:
        """Orchestrator -> its share of the traffic. Outside a move one has everything."""
        return self.config.traffic or {self.config.orchestrator: 100}

    @property
    def on_aws(self) -> bool:
        """Whether an orchestrator stands on AWS, and so on a network there."""
        return any(each.platform == "aws" for each in self.orchestrators.values())

    def is_behind_edge(self, orchestrator: str) -> bool:
        """Whether an orchestrator that is up stands behind the edge; off it, it publishes ports itself."""
        return self.edge is not None and self.orchestrators[orchestrator].target in self.edge.takes

    @property
    def is_plain(self) -> bool:
        """Whether callers have no HTTPS, though the stack's edge would give it to them with `domain`."""
        keys = self.config
        return self.edge is not None and "domain" in self.edge.reads and not (keys.domain or keys.load_balancer)

    @property
    def vpc_endpoints(self) -> frozenset[str]:
        """What the network must reach where it has no other way out."""
        return frozenset[str]().union(*[each.vpc_endpoints for each in self.backends.values()])

    def traffic(self, joining: int = 0) -> Traffic:
        """How much the stack has at its edge, with so many orchestrators that join those that are up."""
        public = {name: each for name, each in self.services.items() if each.public}
        targets = [
            found.nodes or service.replicas.max
            for each in self.orchestrators.values()
            for name, service in public.items()
            if (found := each.registers(name, service, self.stack, self.protects(each)))
        ]
        hosts = {each.host for each in public.values() if each.host}
        up = len(self.orchestrators)
        return Traffic(
            public=len(public),
            orchestrators=up + joining,
            targets=sum(targets) * (up + joining) // up,
            names=len(hosts | {self.config.domain.name}) if self.config.domain else 0,
        )

    @property
    def quotas(self) -> Sequence[Quota]:
        """The room that the stack needs, each quota once."""
        found = [need for need in self._stated() if isinstance(need, Quota)]
        if self.on_aws and not self.config.vpc:
            nodes = sum(each.addresses(self.protects(each)) for each in self.orchestrators.values())
            found += of_network(self.config.network, self.config.zones, nodes)
        if self.edge:
            found += self.edge.quotas(self.traffic())
        limits = list(dict.fromkeys(each.limit for each in found))
        of_each = {limit: [each for each in found if each.limit == limit] for limit in limits}
        return [
            Quota(limit, sum(each.needed for each in those), sum(max(each.needed, each.most) for each in those))
            for limit, those in of_each.items()
        ]

    @property
    def needs(self) -> Sequence[Need]:
        """What the stack needs, each once."""
        return [*self.quotas, *(each for each in self._stated() if not isinstance(each, Quota))]

    def _stated(self) -> Sequence[Need]:
        """What backends say that they need, each once."""
        found = [*self.config.github.needs()] if self.config.github else []
        found += [own_key.needed(self.config.kms_key)] if self.config.kms_key else []
        if self.config.security_groups and self.config.vpc:
            found += self.config.security_groups.needs(self.config.vpc)
        for each in self.backends.values():
            wanted = each.needs(self.stack, self.services_of(each), self.protects(each))
            found += [need for need in wanted if need not in found]
        return found

    def protects(self, backend: Options) -> bool:
        """What a backend is told of `protect`: an orchestrator serves as in production until the stack is gone."""
        serves = isinstance(backend, OrchestratorOptions) and self.config.preset == "production"
        return self.config.protect or serves

    @property
    def lookups(self) -> Iterator[tuple[str, Lookup]]:
        """What the configuration says exists, with what its path is below."""
        keys = self.config
        for own in (keys.vpc, keys.domain, keys.github):
            yield from (("", each) for each in (own.lookups() if own else ()))
        if keys.kms_key:
            yield "", own_key.lookup(keys.kms_key)
        if keys.security_groups and keys.vpc:
            yield from (("", each) for each in keys.security_groups.lookups(keys.vpc))
        for key, backend in self.backends.items():
            yield from ((f"{key}.", each) for each in backend.lookups())

    def services_of(self, backend: Options) -> Mapping[str, Service]:
        """What a backend is there for: to keep images, or to run services."""
        if isinstance(backend, RegistryOptions):
            return self.stored
        return {name: self.as_run_by(backend.key, each) for name, each in self.services.items()}

    def as_run_by(self, orchestrator: str, service: Service) -> Service:
        """A service as an orchestrator has to run it: behind the edge, its route is the edge's affair."""
        if orchestrator not in self.orchestrators or not self.is_behind_edge(orchestrator):
            return service
        unsaid = {"host": None, "path": "/"}
        said = service.model_fields_set - unsaid.keys()
        return Service.model_construct(said, **{**dict(service), **unsaid})

    @property
    def backends(self) -> Mapping[str, Options]:
        """Registries, orchestrators and the edge, by name."""
        return {**self.registries, **self.orchestrators, **({self.edge.key: self.edge} if self.edge else {})}
