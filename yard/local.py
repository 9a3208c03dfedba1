"""Stack `local`: where its files are, and what its configuration says."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from docker.errors import DockerException
from pulumi import automation as auto

from components.naming import label
from components.orchestrator.swarm_parts.client import SwarmError, explain
from config.stack_file import NoStack, StackFile
from yard import engine
from yard.machine import MachineError, Notes, Say, engine_host

STACK = "local"
SERVICE = "api"
"""The service that the example's image is for."""
MEND = f"edit it, or put it back as it was with `git checkout config/Pulumi.{STACK}.yaml`"


@dataclass(frozen=True)
class Local:
    """A checkout and its stack `local`."""

    root: Path

    @property
    def file(self) -> Path:
        """The stack's configuration."""
        return self.root / "config" / f"Pulumi.{STACK}.yaml"

    @property
    def state(self) -> Path:
        """Where Pulumi keeps the stack's state."""
        return self.root / ".state"

    @property
    def exists(self) -> bool:
        """Whether the state has the stack, up or not."""
        return any(self.state.glob(f".pulumi/stacks/**/{STACK}.json"))

    @property
    def notes(self) -> Notes:
        """What `up` made around the stack."""
        return Notes(self.root / ".switchyard")

    @property
    def _written(self) -> StackFile:
        """The configuration, read anew: an `up` writes into it."""
        return StackFile(self.root, STACK)

    def block(self, key: str) -> dict[str, Any]:
        """One key of the configuration that holds a map; raises `MachineError` where it holds something else."""
        found = self._written.get(key) or {}
        if not isinstance(found, dict):
            raise MachineError(f"{key} in {self.file} is no map, such as {{key: value}}: {MEND}")
        return found

    def check(self) -> None:
        """Raise `MachineError` where the configuration is not the example's, before anything is made for it."""
        if not isinstance(self.block("services").get(SERVICE), dict):
            raise MachineError(f"{self.file} has no service {SERVICE}, which is what `yard up` builds and runs: {MEND}")

    @property
    def docker_host(self) -> str:
        """The engine that runs the stack."""
        return engine_host(self.block("swarm"))

    @property
    def registry(self) -> str:
        """Host and port of the stack's registry."""
        return str(self.block("oci").get("host") or "localhost:5000")

    @property
    def name(self) -> str:
        """The stack's name as its resources bear it."""
        return label(f"{self.project}-{STACK}")

    @property
    def project(self) -> str:
        """The project's name."""
        return str(self._written.project["name"])

    @property
    def repository(self) -> str:
        """Where the example's image goes, as registry `oci` has it."""
        return f"{self.registry}/{self.block('oci').get('namespace') or self.name}/{SERVICE}"

    def open(self, say: Say) -> auto.Stack:
        """The stack, made if need be, and free of what a killed run holds."""
        if engine.unlock(self.state):
            say("an earlier run was killed; this one goes on from where it was")
        stack = engine.stack(STACK, self.root, state=self.state)
        if pending := engine.pending(self._saved()):
            say(f"an earlier run was ended while it was {', '.join(pending)}: looking at what is there")
            # A creation may be forgotten: `up` takes over a service that is there, `down` removes all with our label.
            engine.Watch().run(stack.refresh, clear_pending_creates=True)
        return stack

    def known_ids(self) -> set[str]:
        """The ids of what the state has."""
        return {each["id"] for each in self._saved().get("resources", []) if "id" in each}

    def _saved(self) -> Mapping[str, Any]:
        """The state, read from the file: the CLI would take a second for it."""
        for file in self.state.glob(f".pulumi/stacks/**/{STACK}.json"):
            return json.loads(file.read_text(encoding="utf-8"))["checkpoint"]["latest"] or {}
        return {}

    def configured(self, key: str) -> str | None:
        """What the configuration says of the example service's `key`."""
        value = self._written.at(("services", SERVICE, key))
        return None if value is None else str(value)


def path(key: str) -> str:
    """Where the configuration has the example service's `key`."""
    return f"switchyard:services.{SERVICE}.{key}"


@contextmanager
def in_words() -> Iterator[None]:
    """Show what may go wrong on a machine as a message, not as a traceback."""
    try:
        yield
    except (engine.EngineError, MachineError, NoStack, SwarmError) as error:
        raise click.ClickException(str(error)) from error
    except auto.CommandError as error:
        raise click.ClickException(engine.plain(str(error))) from error
    except DockerException as error:
        raise click.ClickException(explain(str(error))) from error
    except OSError as error:  # a file, or a request that got no answer
        raise click.ClickException(str(error)) from error
