"""Reads a stack's configuration, fills it in from its preset, and checks it in one pass before anything is made."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import pulumi

from components import orchestrator, own_key
from components.edge import moved
from components.naming import label
from config import digests
from config.checks import contradictions, room, superfluous
from config.presets import PRESETS
from config.problems import MOST, BadConfig, Problem, remove_command
from config.reader import Keys, Reader, problem
from config.release_commands import RELEASED
from config.releases import History
from config.settings import Config, Settings
from config.stack_file import StackFile

FROM_PRESET = ("network", "zones", "flow_logs", "log_days", "protect", "access_logs", "strict")


def of_file(file: StackFile) -> Settings:
    """The settings of a stack that is not run, by its file: placeholders stand for its secrets."""
    pulumi.runtime.configure(pulumi.runtime.Settings(project=file.project["name"], stack=file.stack))
    pulumi.runtime.set_all_config(*file.handed())
    return load(file)


def running() -> Settings:
    """The settings of the stack that runs, with what its last `up` recorded: a service whose digest stands in no file
    runs the one that is given for this run, else the recorded. Raises `BadConfig` as `load` does."""
    settings, given = load(), digests.Given.of_environment()
    waiting = [name for name, each in settings.services.items() if each.runs is None and name not in given.digests]
    outputs = digests.recorded()
    came_from = outputs.get("orchestrator")
    recorded = outputs.get(own_key.OUTPUT) if settings.on_aws else None
    wrong = [*own_key.kept(settings.config.kms_key, recorded)]
    if came_from in _left_behind_edge(settings):
        wrong += room(settings, came_from)
    if wrong:
        raise BadConfig([problem(pulumi.Config(), *each) for each in wrong])
    history = History.of(outputs, given.changes)
    services = digests.resolved(settings.services, given.digests, history.digests)
    for name in waiting:
        if digest := services[name].digest:
            pulumi.log.info(f"{name} runs the image of the last `up`, {digest}: the configuration names none")
    return replace(
        settings,
        config=settings.config.model_copy(update={"services": services}),
        history=history,
        former_edge=_former_edge(settings, outputs.get(moved.OUTPUT)),
        released=outputs.get(RELEASED) or {},
    )


def look(settings: Settings) -> None:
    """Ask for all that the configuration says exists; raises `BadConfig` with what is not there."""
    asked = [(f"{below}{each.path}", each, each.problem()) for below, each in settings.lookups]
    if missing := [(path, each, words) for path, each, words in asked if words]:
        keys = pulumi.Config()
        raise BadConfig(
            [problem(keys, path, each.value, f"{each.want}; AWS says: {words}") for path, each, words in missing]
        )


def _former_edge(settings: Settings, recorded: str | None) -> str | None:
    return recorded if settings.edge and settings.edge.key != recorded else None


def _left_behind_edge(settings: Settings) -> list[str]:
    """Orchestrators that can stand behind the stack's edge and are not up any more, as it is configured."""
    takes = settings.edge.takes if settings.edge else frozenset()
    others = [each for each in orchestrator.names() if each not in settings.orchestrators]
    return [each for each in others if orchestrator.load(each).Options.target in takes]


def load(file: StackFile | None = None) -> Settings:
    """The settings of the stack that runs, as they are written; raises `BadConfig` with every problem in them. `file`
    is where they stand, if not in the place of the stack that runs."""
    config, aws = pulumi.Config(), pulumi.Config("aws")
    reader = Reader(config, file)
    choices = reader.read()
    problems = reader.problems
    if choices is None:
        raise BadConfig([*map(reader.encrypted.hide, problems[: MOST + 1])])
    settings = Settings(
        stack=label(f"{pulumi.get_project()}-{pulumi.get_stack()}"),
        region=aws.get("region") or "",
        profile=aws.get("profile"),
        config=_with_preset(choices.keys),
        given=choices.keys.model_fields_set,
        registries=choices.registries,
        orchestrators=choices.orchestrators,
        edge=choices.edge,
    )
    given = digests.Given.of_environment() if file is None else digests.Given("{}")
    problems += given.problems(settings.services)
    for path, value, want in islice(contradictions(settings, reader.encrypted), MOST + 1):
        problems.append(problem(config, path, value, want))
    for path, value, want in superfluous(settings):
        key = config.full_key(path)
        problems.append(Problem(key, value, want, fix=remove_command(key)))
    if problems:
        raise BadConfig([*map(reader.encrypted.hide, problems[: MOST + 1])])
    return settings


def _with_preset(keys: Keys) -> Config:
    """Complete: what the stack does not set itself is its preset's."""
    preset = PRESETS[keys.preset]
    unset = {name: getattr(preset, name) for name in FROM_PRESET if getattr(keys, name) is None}
    return Config.model_construct(**{**dict(keys), **unset})
