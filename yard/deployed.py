"""A stack that is up, opened to be looked at: no program runs, and nothing of it is changed."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import click

from components.operations import Deployed, End, Operations
from config import digests
from config.load import of_file
from config.problems import nearest
from config.releases import DIGESTS
from config.settings import Settings
from config.stack_file import StackFile
from yard import state, suggest
from yard.local import STACK, Local, in_words
from yard.machine import MachineError


class NotRun(click.ClickException):
    """The command of `yard run` or `yard exec` was never run; its exit code is that of `docker run` for the same."""

    exit_code = 125


@dataclass(frozen=True)
class Opened:
    """A stack, as its configuration and its state have it."""

    settings: Settings
    deployed: Deployed
    outputs: Mapping[str, Any]
    """The stack's outputs of its last `up`."""

    @property
    def home(self) -> str:
        """The orchestrator that the stack is on; during a move, the one it comes from."""
        return self.settings.config.orchestrator

    def check(self, service: str) -> None:
        """Raise `MachineError` for what is no service, or has had no image yet."""
        services = self.deployed.services
        if service not in services:
            known = ", ".join(services)
            raise MachineError(f"there is no service {service!r}: use one of {known}{nearest(service, services)}")
        if service not in self.running:
            raise MachineError(f"{service} does not run yet: it waits for its first image")

    @property
    def running(self) -> list[str]:
        """The services that have an image."""
        return [name for name, each in self.deployed.services.items() if each.runs]

    def operations(self, verb: str, key: str) -> Operations[Any]:
        """Who does `verb` on an orchestrator; raises `MachineError` with the reason where that is refused."""
        options = self.settings.orchestrators[key]
        does = options.does(verb)
        if does.how == "refused" or options.operated_by is None:
            raise MachineError(f"`yard {verb}` does not work on {key}: {does.why}")
        made: Operations[Any] = resolve_name(options.operated_by)(options, self.deployed)
        return made


def opened(root: Path, stack: str) -> Opened:
    """Look at a stack of the project in `root`; raises `MachineError` or another error in words where it is not up."""
    file = StackFile(root, stack)
    settings = of_file(file)
    resources = _local(Local(root)) if stack == STACK else state.resources(root, stack)
    outputs = next((each.get("outputs", {}) for each in resources if each["type"] == "pulumi:pulumi:Stack"), None)
    up = suggest.bring_up(stack)
    if outputs is None:
        raise MachineError(f"stack {stack} is not up: `{up}` brings it up")
    services = digests.resolved(settings.services, {}, outputs.get(DIGESTS) or {})
    settings = replace(settings, config=settings.config.model_copy(update={"services": services}))
    deployed = Deployed(settings.stack, settings.region, settings.profile, settings.services, resources, up)
    return Opened(settings, deployed, outputs)


@lru_cache(maxsize=1)
def _opened_at(root: Path, stack: str, _since: datetime) -> Opened:
    """To look at a state takes seconds."""
    return opened(root, stack)


def ends(root: Path, stack: str, key: str, since: datetime) -> dict[str, Sequence[End]]:
    """Service -> its replicas on an orchestrator that ended by themselves since then."""
    found = _opened_at(root, stack, since)
    who = found.operations("status", key)
    return {name: who.ended(name, since) for name in found.running}


def _local(local: Local) -> list[dict[str, Any]]:
    return state.resources(local.place, STACK, state=local.state) if local.exists else []


@contextmanager
def in_words_not_run(stack: str) -> Iterator[None]:
    """As `in_words`, with an exit code that says that the user's command did not give it."""
    try:
        with in_words(stack):
            yield
    except click.ClickException as error:
        raise NotRun(error.message) from error
