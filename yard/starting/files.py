"""What stands in the files of a project that begins."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from components import edge, orchestrator
from config.yaml_text import flow
from yard.starting.services import Begun

PROGRAM = "switchyard"
"""The folder of the program, in the project's."""
FILES = ("Pulumi.yaml", "config/Pulumi.local.yaml", "config/Pulumi.dev.yaml")
IGNORED = ("/.state/", "/.switchyard/", "__pycache__/")
NOT_SENT = (PROGRAM, ".state", ".switchyard", ".git")
"""What a builder that gets the whole project needs nothing of."""


@dataclass(frozen=True)
class Answers:
    """What a project is to be."""

    name: str
    region: str
    registry: str
    orchestrator: str
    services: Sequence[Begun]

    @property
    def files(self) -> Mapping[str, str]:
        """The project's files and what is in them, from its folder."""
        project = PROJECT.format(name=self.name, program=PROGRAM)
        return dict(zip(FILES, (project, "\n".join(self._local()), "\n".join(self._dev())), strict=True))

    @property
    def builds_all(self) -> bool:
        """Whether a service is built from the project's own folder."""
        return any(each.folder == "." for each in self.services)

    def _local(self) -> Iterator[str]:
        yield "# This machine: Docker Swarm, and a registry at localhost:5000. `yard up` builds and runs the services."
        yield "config:"
        yield "  registry: oci"
        yield "  orchestrator: swarm"
        yield '  oci: {host: "localhost:5000"}'
        if ports := self._ports():
            yield f"  swarm: {flow({'ports': ports})}  # each service has a port of this machine"
        yield "  services:"
        for each in self.services:
            yield from _service(each)
        yield ""

    def _dev(self) -> Iterator[str]:
        yield f"# Images in {self.registry}, run on {self.orchestrator}. Every key: {PROGRAM}/docs/configuration.md."
        yield "config:"
        yield f"  aws:region: {self.region}"
        yield f"  registry: {self.registry}"
        yield f"  orchestrator: {self.orchestrator}"
        yield "  preset: trial  # as cheap as it goes; later standard or production"
        yield "  services:"
        shared = edge.chosen(None, [orchestrator.load(self.orchestrator).Options.target]) is not None
        for place, each in enumerate(self.services):
            yield from _service(each)
            if place and shared:
                yield f"      path: /{each.name}  # services share one URL: requests under this path are this one's"
        yield ""

    def _ports(self) -> Mapping[str, int]:
        """A port of the machine for each service whose own is taken by one before it."""
        taken: dict[str, int] = {}
        for each in self.services:
            port = each.port
            while port in taken.values():
                port += 1
            taken[each.name] = port
        return {each.name: taken[each.name] for each in self.services if taken[each.name] != each.port}


PROJECT = """\
# A Switchyard project. The program is the folder {program}/, at a version: nothing in there is edited.
name: {name}
description: The services of {name}.
main: {program}
runtime:
  name: python
  options: {{toolchain: pip, virtualenv: {program}/.venv}}
stackConfigDir: config
config:
  aws:defaultTags:
    value:
      tags: {{managed-by: switchyard}}
"""


def _service(service: Begun) -> Iterator[str]:
    yield f"    {service.name}:"
    yield f"      build: {flow(service.folder)}"
    note = f"  # its Dockerfile exposes {service.exposed}; nobody is root here, so it must listen on 1024 or above"
    yield f"      port: {service.port}{note if service.exposed is not None else ''}"
    yield "      health: /  # a path that answers 200 once the service can take requests"


def with_lines(text: str, wanted: Sequence[str]) -> str:
    """A file of one entry a line, with those that it lacks at its end; unchanged when it lacks none."""
    missing = [each for each in wanted if each not in text.splitlines()]
    if not missing:
        return text
    return "".join([text, "" if text.endswith("\n") or not text else "\n", *[f"{each}\n" for each in missing]])
