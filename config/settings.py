"""A stack's settings: typed, checked in one pass before anything is made. Only `config/` reads `pulumi.Config`."""

from collections.abc import Mapping, Set
from dataclasses import dataclass

import pulumi
from pulumi.runtime import settings as runtime
from pulumi.runtime.config import set_all_config

from components.model import Model
from components.naming import label
from components.orchestrator import Orchestrator
from components.registry import Registry
from components.service import Service
from config.checks import contradictions, superfluous
from config.presets import PRESETS
from config.problems import BadConfig, Problem, remove_command
from config.reader import Keys, Reader, problem
from config.stack_file import StackFile


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything a stack chose, complete and consistent."""

    stack: str
    """The stack's name as a DNS label of at most 40 characters."""
    region: str | None
    profile: str | None
    keys: Keys
    said: Set[str]
    """Fields of `keys` that the stack sets itself, rather than its preset."""
    registries: Mapping[str, type[Registry]]
    """Those that are up: one, or while images move the one that they come from as well."""
    orchestrators: Mapping[str, type[Orchestrator]]
    """Those that are up: one, or during a move all that `traffic` names."""
    options: Mapping[str, Model]
    """Backend -> its own block."""

    @property
    def services(self) -> Mapping[str, Service]:
        """Every service, by name, sorted."""
        return dict(sorted(self.keys.services.items()))

    @property
    def pulled_from(self) -> str:
        """The registry that copies pull from."""
        return self.keys.pull_from or self.keys.registry

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
        backends: list[type[Registry] | type[Orchestrator]] = [*self.registries.values(), *self.orchestrators.values()]
        return frozenset[str]().union(*[each.vpc_endpoints for each in backends])

    @classmethod
    def of_file(cls, file: StackFile) -> "Settings":
        """The same for a stack that is not run, by its file: placeholders stand for its secrets."""
        runtime.configure(runtime.Settings(project=file.project["name"], stack=file.stack))
        set_all_config(*file.handed())
        return cls.load(file)

    @classmethod
    def load(cls, file: StackFile | None = None) -> "Settings":
        """Read and check the stack's configuration; raise `BadConfig` with every problem in it. `file` is where it
        stands, if not in the place of the stack that runs."""
        config, aws = pulumi.Config(), pulumi.Config("aws")
        reader = Reader(config, file)
        choices = reader.read()
        problems = reader.problems
        if choices is None:
            raise BadConfig([*map(reader.encrypted.hide, problems)])
        settings = cls(
            stack=label(f"{pulumi.get_project()}-{pulumi.get_stack()}"),
            region=aws.get("region"),
            profile=aws.get("profile"),
            keys=_with_preset(choices.keys),
            said=choices.keys.model_fields_set,
            registries=choices.registries,
            orchestrators=choices.orchestrators,
            options=choices.options,
        )
        for path, value, want in contradictions(settings, reader.encrypted):
            problems.append(problem(config, path, value, want))
        for path, value, want in superfluous(settings):
            key = config.full_key(path)
            problems.append(Problem(key, value, want, fix=remove_command(key)))
        if problems:
            raise BadConfig([*map(reader.encrypted.hide, problems)])
        return settings


FROM_PRESET = ("network", "zones", "log_days", "protect", "access_logs", "strict")


def _with_preset(keys: Keys) -> Keys:
    preset = PRESETS[keys.preset]
    unset = {name: getattr(preset, name) for name in FROM_PRESET if getattr(keys, name) is None}
    return keys.model_copy(update=unset)
