"""`yard deploy`: a new version of services on a stack: build, push, `up`, wait until healthy, call."""

import json
import re
import shlex
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
from pulumi import automation as auto

from components.registry import COMMIT
from components.service import Service
from components.shell import command
from config.load import of_file
from config.problems import nearest
from config.releases import Change
from config.stack_file import StackFile
from yard import answers, engine, here, image, interrupts, machine, names, progress, suggest
from yard.answers import Answer
from yard.choice import stack_option
from yard.given import given
from yard.local import STACK, Local, in_words
from yard.machine import Machine, MachineError, Misconfigured, Notes, Say, engine_host
from yard.push_commands import PushCommands
from yard.state import url_of
from yard.up import changes

ROOT = here.ROOT

QUIET = 120.0
"""Seconds until a URL answers: its name may be new."""


@click.command()
@click.argument("images", nargs=-1, metavar="[SERVICE[=DIGEST]]...", shell_complete=names.services)
@stack_option("The stack to deploy to.")
@click.option("--commit", help="What the images that are named by digest were built from, for the record of releases.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON; progress goes to standard error.")
def deploy(images: tuple[str, ...], stack: str, commit: str | None, as_json: bool) -> None:
    """Deploy services of STACK: build and push what has `build`, bring it up, wait until it is healthy, call it.

    SERVICE alone is built here; SERVICE=sha256:... is in the registry already, as CI has pushed it. Without any, all
    that have `build` are. What runs is recorded in the output `digests`, which the next `up` from anywhere keeps.
    """

    def say(text: str) -> None:
        click.echo(text, err=as_json)

    with in_words(stack):
        deployment = Deployment.of(ROOT, stack, images, commit or None)
        with interrupts.explained(lambda: f"What was pushed stays. {interrupted(stack)}"):
            outcome = deployment.run(say)
    show(outcome, stack, as_json)


def interrupted(stack: str) -> str:
    """On Kubernetes the new version is there then, and the state has the old one: `up` alone finds nothing to do."""
    back = command("pulumi", "up", "--refresh", "--stack", stack)
    return f"The same command goes on. `{back}` goes back to what ran before."


@dataclass(frozen=True)
class Deployment:
    """What is to be deployed where; all of it is checked."""

    root: Path
    stack: str
    services: Mapping[str, Service]
    build: Collection[str]
    """Services that are built here."""
    pushed: Mapping[str, Change] = field(default_factory=dict)
    """Services with an image that the registry has."""

    @classmethod
    def of(cls, root: Path, stack: str, images: Collection[str], commit: str | None = None) -> "Deployment":
        """What the command's arguments mean; raises `MachineError` with all that is wrong."""
        if stack == STACK:
            raise Misconfigured(f"stack {STACK} is this machine's: `yard up` deploys it")
        services = services_of(root, stack)
        named = dict(_named(each) for each in images) or {name: None for name, each in services.items() if each.build}
        found = cls(root, stack, services, [name for name, digest in named.items() if digest is None])
        if problems := [*found._problems(named, commit)]:
            raise Misconfigured("\n".join(problems))
        pushed = {name: Change(digest=digest, commit=commit) for name, digest in named.items() if digest}
        return replace(found, pushed=pushed)

    def _problems(self, named: Mapping[str, str | None], commit: str | None) -> Iterator[str]:
        if commit and not any(named.values()):
            yield "--commit is for images that are named by digest; of one that is built here it is known"
        if not named:
            yield f"no service of stack {self.stack} has `build`: name what to deploy, as SERVICE=sha256:..."
        for name, digest in named.items():
            if name not in self.services:
                known = ", ".join(self.services)
                yield f"there is no service {name!r}: use one of {known}{nearest(name, self.services)}"
            else:
                yield from self._problems_of(name, digest)

    def _problems_of(self, name: str, digest: str | None) -> Iterator[str]:
        service = self.services[name]
        if service.image:
            yield (
                f"{name} runs an image that someone else built: another one is another services.{name}.image in"
                f" config/Pulumi.{self.stack}.yaml, and `{command('pulumi', 'up', '--stack', self.stack)}`"
            )
            return
        if digest is not None and not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            yield f"{name}={digest}: want a digest, sha256: and 64 hexadecimal digits, as `docker push` prints it"
        if service.digest not in (None, digest):
            yield (
                f"{name} is pinned to {service.digest} in the configuration, so nothing else can run: take"
                f" services.{name}.digest out of config/Pulumi.{self.stack}.yaml"
            )
        if digest is None and service.build is None:
            yield f"{name} has no `build`: say its folder, or give {name}=sha256:..."
        if digest is None and service.build:
            try:
                self._source(name).check()
            except MachineError as error:
                yield str(error)

    @property
    def notes(self) -> Notes:
        """What builds have left on this machine."""
        return Notes(self.root / ".switchyard")

    def _source(self, name: str) -> image.Source:
        service = self.services[name]
        assert service.build  # `of` has seen to it
        made = image.made(self.notes, name)
        return image.Source(name, service.build, self.root, service.architecture, made)

    def run(self, say: Say) -> dict[str, Any]:
        """Everything in its order; returns the outcome."""
        start = time.monotonic()
        local = self.stack == STACK
        opened = Local(self.root).open(say) if local else engine.stack(self.stack, self.root, state=None)
        return self.on(opened, say) | {"seconds": round(time.monotonic() - start, 1)}

    def on(self, opened: auto.Stack, say: Say, ask: Callable[[str], Answer | None] | None = None) -> dict[str, Any]:
        """The same on a stack that is open. `ask`: who calls a URL, once the stack is up."""
        deployed = dict(self.pushed) | dict(self._built(opened, say))
        say(f"pulumi up, stack {self.stack}")
        with given(deployed):
            result = progress.run(opened.up, say)
        urls = result.outputs["url"].value
        return {
            "services": {
                name: self._outcome(name, each.digest, urls, ask or _answer) for name, each in deployed.items()
            },
            "changes": changes(result.summary.resource_changes),
        }

    def _built(self, opened: auto.Stack, say: Say) -> Iterator[tuple[str, Change]]:
        if not self.build:
            return
        push = _push(opened)
        if missing := [name for name in self.build if name not in push]:
            say(f"pulumi up, stack {self.stack}: it makes the repositories of {', '.join(missing)}")
            progress.run(opened.up, say)
            push = _push(opened)
        here = machine.find(engine_host({}), self.notes, say)
        for name in self.build:
            yield name, _pushed(self._source(name), here, push[name])

    def _outcome(self, name: str, digest: str, urls: Any, ask: Callable[[str], Answer | None]) -> dict[str, Any]:
        url = url_of(name, self.services[name], urls)
        return {"digest": digest, "url": url, **answers.outcome(ask(url) if url else None)}


def services_of(root: Path, stack: str) -> Mapping[str, Service]:
    """The services of a stack to which something can be deployed; raises `MachineError` where nothing can be now."""
    settings = of_file(StackFile(root, stack))
    if settings.config.pull_from:
        raise Misconfigured(
            f"images of stack {stack} are on their way from {settings.config.pull_from} to"
            f" {settings.config.registry}: finish that first (`pulumi stack output next --stack {stack}` says how)"
        )
    return settings.services


def _named(text: str) -> tuple[str, str | None]:
    name, separator, digest = text.partition("=")
    return name, digest if separator else None


def _push(opened: auto.Stack) -> Mapping[str, str]:
    """The commands that push each service's image; none before the first `up`."""
    outputs = opened.outputs()
    return dict(outputs["push"].value) if "push" in outputs else {}


def _pushed(source: image.Source, here: Machine, commands: str) -> Change:
    """A service's image in the stack's registry: built and pushed, unless this very version is there."""
    told, version = PushCommands.of(commands), source.version()
    repository, _, tag = shlex.split(told.image.replace(str(COMMIT), version))[0].rpartition(":")
    for line in told.login:
        image.run(line, "the login at the registry failed", {})
    digest = image.pushed(source, here, f"{repository}:{tag}")
    if digest:
        here.say(f"{source.service}: {repository}:{tag} is there already")
    else:
        digest = image.build_and_push(source, here, repository, tag)
        here.say(f"{source.service}: pushed {repository}:{tag}")
    for line in told.filling(version):
        image.run(line, "the cache was not filled", {})
    return Change(digest=digest, commit=version)


def _answer(url: str) -> Answer | None:
    """What a URL answers, as soon as it does; None: nothing."""
    deadline = time.monotonic() + QUIET
    while True:
        try:
            return answers.ask(url)
        except OSError:
            if time.monotonic() > deadline:
                return None
            time.sleep(1)


def show(outcome: Mapping[str, Any], stack: str, as_json: bool) -> None:
    """Print the outcome; the command has failed where a URL does not answer."""
    if as_json:
        click.echo(json.dumps(outcome, indent=2))
    else:
        tell(outcome)
    if silent := [each["url"] for each in outcome["services"].values() if each["url"] and each["status"] is None]:
        raise click.ClickException(
            f"no answer from {', '.join(silent)} within {QUIET:.0f} s. What was deployed is healthy and runs: is the"
            f" address reached from here, and is its name known yet? `{suggest.yard('status', '--stack', stack)}`"
        )


def tell(outcome: Mapping[str, Any]) -> None:
    """The outcome for a person."""
    click.echo(f"\n{progress.counted(outcome['changes'])}, in {outcome['seconds']} s\n")
    for name, each in outcome["services"].items():
        click.secho(f"  {name}", bold=True, nl=False)
        click.echo(f"  {each['digest']}")
        if each["url"]:
            click.echo(f"    {each['url']}  {answers.briefly(each)}")
            answers.show(each)
