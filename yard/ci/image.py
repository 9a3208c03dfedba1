"""`yard ci image`: what a builder of images is told about a service, by the configuration."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping

import click

from components.registry import COMMIT
from yard import exits, here, machine
from yard import image as images
from yard.choice import stack_option
from yard.ci.subject import PREFIX, Subject
from yard.image import Source
from yard.local import in_words
from yard.machine import Machine, Notes, engine_host

ROOT = here.ROOT


@click.command()
@click.argument("service")
@stack_option("The stack that it is for.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def image(service: str, stack: str, as_json: bool) -> None:
    """Say what the image of SERVICE is built from and how it is called, in the form of a workflow's outputs.

    `digest` is empty unless the registry has that version already. If not, the service's `build.run` is run, which
    makes what the Dockerfile copies. Where the registry's address is known only to who is logged in, PREFIX says it.
    """
    with in_words(stack):
        subject = Subject.of(ROOT, stack)
        if service not in subject.built:
            raise exits.Misused(f"{service} is not built by a push: use one of {', '.join(subject.built)}")
        notes = Notes(ROOT / ".switchyard")
        engine = machine.find(engine_host({}), notes, lambda text: click.echo(text, err=True))
        told = of(subject, service, engine)
    click.echo(json.dumps(told, indent=2) if as_json else "\n".join(_lines(told)))


def of(subject: Subject, service: str, engine: Machine) -> dict[str, str]:
    """What the builder is told of a service; `build.run` has run where the registry lacks the image."""
    build = subject.built[service].build
    assert build  # `built` has only those
    source = Source(
        service, build, subject.root, subject.built[service].architecture, images.made(engine.notes, service)
    )
    source.check()
    version = source.version()
    tag = str(subject.registry.tag).replace(str(COMMIT), version)
    address = f"{_prefix(subject)}/{subject.registry.path(subject.settings.stack, service)}:{tag}"
    digest = images.pushed(source, engine, address) or ""
    if not digest:
        images.prepared(source, engine, images.variables(source, version))
    arguments = images.arguments(source, version)
    return {
        "image": address,
        "digest": digest,
        "context": str(source.context),
        "file": str(source.dockerfile),
        "target": build.target or "",
        "platforms": ",".join(source.platforms),
        "build-args": "\n".join(f"{key}={value}" for key, value in arguments.items()),
    }


def _prefix(subject: Subject) -> str:
    said = os.environ.get(PREFIX) or subject.push.prefix
    if "${{" in said:
        raise exits.Misused(
            f"where images go is known to the registry's login alone: set {PREFIX} to what stands before"
            f" {subject.registry.path(subject.settings.stack, 'SERVICE')} in the stack's output `repositories`"
        )
    return said


def _lines(told: Mapping[str, str]) -> Iterator[str]:
    for key, value in told.items():
        if "\n" not in value:
            yield f"{key}={value}"
            continue
        end = hashlib.sha256(value.encode()).hexdigest()  # no value can have its own hash in it
        yield f"{key}<<{end}\n{value}\n{end}"
