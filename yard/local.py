"""Stack `local`: where its files are, and what its configuration says."""

import copy
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pulumi
import yaml
from docker.errors import DockerException
from pulumi import automation as auto
from pydantic import TypeAdapter, ValidationError

from components.build import Build, BuildOrFolder
from components.docker_engine import SwarmError, explain
from components.edge.proxy import IMAGE, ProxyOptions
from components.naming import label
from components.operations import OperationError
from config.load import of_file
from config.problems import BadConfig, translate
from config.releases import Change
from config.settings import Settings
from config.stack_file import NoStack, StackFile
from config.yaml_text import read
from yard import engine, exits, files, suggest
from yard.image import Source, made
from yard.machine import MachineError, Misconfigured, Notes, Say, engine_host

STACK = suggest.LOCAL
SALT = "encryptionsalt"
_BUILD: TypeAdapter[Build] = TypeAdapter(BuildOrFolder)
FIX = f"edit config/Pulumi.{STACK}.yaml"


@dataclass(frozen=True)
class Local:
    """A project and its stack `local`."""

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
        """One key of the configuration that holds a map; raises `Misconfigured` where it holds something else."""
        found = self._written.get(key) or {}
        if not isinstance(found, dict):
            raise Misconfigured(f"{key} in {self.file} is not a map, such as {{key: value}}: {FIX}")
        return found

    @property
    def services(self) -> Mapping[str, Any]:
        """The services, as the configuration has them."""
        return self.block("services")

    def check(self) -> None:
        """Raise `Misconfigured`, or `BadConfig`, for everything that keeps the services from being built or run, before
        anything is."""
        if not self.services:
            raise Misconfigured(f"{self.file} has no services, which are what `yard up` builds and runs: {FIX}")
        problems = [str(problem) for name in self.services for problem in self._problems(name)]
        if problems:
            raise Misconfigured("\n".join(problems))
        _ = self.settings

    @property
    def settings(self) -> Settings:
        """The configuration, read and checked; raises `BadConfig`."""
        return of_file(self._written)

    def _problems(self, name: str) -> Iterator[MachineError]:
        service = self.services[name]
        if not isinstance(service, dict):
            yield Misconfigured(f"services.{name} in {self.file} is not a map, such as {{build: ../{name}}}: {FIX}")
        elif not any(service.get(each) for each in ("build", "digest", "image")):
            yield Misconfigured(
                f"services.{name} says neither how its image is built nor which it is: set services.{name}.build to the"
                f" folder of its Dockerfile, or services.{name}.image to one that someone else built; {FIX}"
            )
        elif service.get("build"):
            try:
                self.source(name, "x86_64").check()
            except Misconfigured as error:
                yield error

    def source(self, name: str, architecture: str) -> Source:
        """What the image of a service is made from, for the engine's `architecture` unless the service says one."""
        service = self.services[name]
        try:
            build = _BUILD.validate_python(service["build"])
        except ValidationError as error:
            raise Misconfigured(
                "\n".join(str(each) for each in translate(error, f"services.{name}.build", Build))
            ) from error
        cpu = str(service.get("architecture") or architecture)
        return Source(name, build, self.root, cpu, made(self.notes, name))

    @property
    def built(self) -> list[str]:
        """Services that are built here. What has a digest in the configuration is that image, whatever is built."""
        return [name for name in self.services if not self.image(name)]

    @property
    def edge(self) -> str | None:
        """What stands before the services; None: nothing."""
        found = self._written.get("edge")
        return None if found is None else str(found)

    @property
    def proxy_image(self) -> str:
        """The image of the proxy, where there is one."""
        return str(self.block("proxy").get("image") or self.notes.read().get("proxy") or IMAGE)

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

    def repository(self, service: str) -> str:
        """Where a service's image goes, as registry `oci` has it."""
        return f"{self.registry}/{self.block('oci').get('namespace') or self.name}/{service}"

    def digest(self, service: str) -> str | None:
        """The image that a service runs: the configuration's, else the one that was built last."""
        found = self.image(service) or self._images.get(service, {}).get("digest")
        return None if found is None else str(found).rpartition("@")[2]

    def image(self, service: str) -> str | None:
        """The image of a service as the configuration has it: someone else's, or a digest in the registry."""
        written = self.services.get(service, {})
        found = written.get("image") or written.get("digest")
        return None if found is None else str(found)

    @property
    def changes(self) -> dict[str, Change]:
        """What was built for the next `up`: service -> image."""
        images = {name: self._images[name] for name in self.built if name in self._images}
        return {name: Change(digest=each["digest"], commit=each["version"]) for name, each in images.items()}

    @property
    def _images(self) -> Mapping[str, Any]:
        """What was built: service -> digest, version, repository, architecture."""
        found: Mapping[str, Any] = self.notes.read().get("images", {})
        return found

    @property
    def images(self) -> set[str]:
        """The repositories of what was built, and of what the swarm has pulled from the stack's registry."""
        pulled = {self.repository(name) for name, each in self.services.items() if not each.get("image")}
        return pulled | {str(each["repository"]) for each in self._images.values()}

    @property
    def place(self) -> Path:
        """The directory that the engine works in: so nothing that it writes is in a file of yours."""
        return self.notes.directory / "project"

    def open(self, say: Say) -> auto.Stack:
        """The stack, made if need be, and free of what a killed run holds."""
        if engine.unlock(self.state):
            say("an earlier run was killed; this one goes on from where it was")
        self.lay_out()
        program = engine.main_program(self.root)
        # On the way to Kubernetes its provider is fetched, unless that is forbidden here.
        env = {engine.NO_PLUGINS: os.environ.get(engine.NO_PLUGINS, "false")}
        stack = engine.stack(STACK, self.place, state=self.state, env=env, program=program)
        if pending := engine.pending(self._saved()):
            say(f"an earlier run was ended while it was {', '.join(pending)}: looking at what is there")
            # A creation may be forgotten: `up` takes over a service that is there, `down` removes all with our label.
            engine.Watch().run(stack.refresh, clear_pending_creates=True)
        return stack

    @property
    def own(self) -> auto.Workspace:
        """The project itself: what is set there stands in the stack's own file."""
        return engine.workspace(self.root, state=self.state)

    def lay_out(self) -> None:
        """The project as the engine gets it: the configuration, with the CPU of what was built, and with the proxy that
        this machine has."""
        ours = self.place / "config" / self.file.name
        salt = read(ours.read_bytes()).get(SALT) if ours.is_file() else None
        if not self.place.exists():
            engine.borrow(self.root, self.place)
        engine.write_project(self.root, self.place)
        document = copy.deepcopy(self._written.document)
        config = document.setdefault("config", {})
        for name, service in (self._block_of(config, "services") or {}).items():
            if isinstance(service, dict) and not self.image(name) and (image := self._images.get(name)):
                service.setdefault("architecture", image["architecture"])
        if self.edge == ProxyOptions.key:
            proxy = self._block_of(config, "proxy")
            proxy.setdefault("host", self.docker_host)  # the proxy and the swarm are on one engine
            if built := self.notes.read().get("proxy"):
                proxy.setdefault("image", built)
        if salt:
            document.setdefault(SALT, salt)
        files.write(ours, yaml.safe_dump(document, sort_keys=False))

    def _block_of(self, config: dict[str, Any], key: str) -> Any:
        """A key of a file's configuration, which may be written with the project's name before it."""
        full = f"{self.project}:{key}"
        return config.setdefault(full if full in config else key, {})

    def known_ids(self) -> set[str]:
        """The ids of what the state has."""
        return {each["id"] for each in self._saved().get("resources", []) if "id" in each}

    def _saved(self) -> Mapping[str, Any]:
        return engine.saved(self.state, STACK)


@contextmanager
def in_words(stack: str | None = None) -> Iterator[None]:
    """Show what may go wrong on a machine as a message, not as a traceback; its commands are about `stack`."""
    try:
        yield
    except (BadConfig, Misconfigured, NoStack) as error:
        raise exits.Misused(suggest.about(stack, str(error)) if stack else str(error)) from error
    except (engine.EngineError, MachineError, OperationError, SwarmError, pulumi.RunError) as error:
        raise click.ClickException(suggest.about(stack, str(error)) if stack else str(error)) from error
    except auto.CommandError as error:
        raise click.ClickException(engine.plain(str(error))) from error
    except DockerException as error:
        raise click.ClickException(explain(str(error))) from error
    except BrokenPipeError:  # who read the output has enough; click ends the command
        raise
    except OSError as error:  # a file, or a request that got no answer
        raise click.ClickException(str(error)) from error
