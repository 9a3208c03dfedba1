"""`yard rollback`: what ran before, by an ordinary `up`."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import click

from components.docker_engine import SwarmError
from components.service import Service
from config.problems import nearest
from config.releases import DIGESTS, Change, Release, parsed
from yard import deploy, exits, here, image, interrupts, machine, names, state, suggest
from yard.choice import stack_option
from yard.local import STACK, Local, in_words
from yard.machine import MachineError, engine_host
from yard.releases import SHORT

ROOT = here.ROOT


@click.command()
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=names.services)
@click.option("--to", type=click.IntRange(min=1), metavar="N", help="Back to what ran in release N.")
@stack_option("The stack.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON; progress goes to standard error.")
@click.option("--yes", is_flag=True, help="Do not ask first.")
def rollback(services: tuple[str, ...], to: int | None, stack: str, as_json: bool, yes: bool) -> None:
    """Take services of STACK back to the images that ran before: what the last release changed, or each SERVICE.

    It is an ordinary `up`: the replicas that run stay until the earlier ones are healthy, and it is recorded as a
    release. `yard releases` lists them.
    """

    def say(text: str) -> None:
        click.echo(text, err=as_json)

    with in_words(stack):
        back = Rollback.of(ROOT, stack, services, to)
        for line in back.plan():
            say(line)
        exits.confirm(f"Roll back stack {stack}?", yes=yes)
        with interrupts.explained(lambda: "The same command goes on." if stack == STACK else deploy.interrupted(stack)):
            outcome = back.deployment.run(say)
    deploy.show(outcome, stack, as_json)


@dataclass(frozen=True)
class Rollback:
    """Which services go back to which release; all of it is checked."""

    deployment: deploy.Deployment
    running: Mapping[str, str]
    """Service -> digest that runs now."""

    @classmethod
    def of(cls, root: Path, stack: str, names: Collection[str], to: int | None) -> "Rollback":
        """What the command's arguments mean; raises `MachineError` with all that is wrong."""
        services = deploy.services_of(root, stack)
        outputs = state.outputs(root, stack)
        goal = Goal(stack, services, parsed(outputs), outputs.get(DIGESTS) or {}, to)
        changes = goal.changes(names)
        if problems := [*_lost(root, stack, outputs.get("repositories") or {}, changes)]:
            raise MachineError("\n".join(problems))
        return cls(deploy.Deployment(root, stack, services, [], changes), goal.running)

    def plan(self) -> Iterator[str]:
        """What goes where, a line a service."""
        for name, change in self.deployment.pushed.items():
            commit = f", commit {change.commit}" if change.commit else ""
            yield (
                f"{name}: from {self.running[name][:SHORT]} back to release {change.back_to},"
                f" {change.digest[:SHORT]}{commit}"
            )


@dataclass(frozen=True)
class Goal:
    """Where to go back to, by the record."""

    stack: str
    services: Mapping[str, Service]
    record: Collection[Release]
    running: Mapping[str, str]
    to: int | None

    def changes(self, names: Collection[str]) -> dict[str, Change]:
        """Service -> what it goes back to; raises `MachineError` with all that is wrong."""
        problems = [*self._problems(names)]
        found = {} if problems else {name: self._earlier(name) for name in names or self._meant()}
        problems += [problem for name, each in found.items() if (problem := self._problem_of(name, each))]
        if problems or not found:
            raise MachineError("\n".join(problems) or f"nothing to go back: it is what runs on stack {self.stack}")
        return {name: _change(name, each) for name, each in found.items() if each}

    def _problems(self, names: Collection[str]) -> Iterator[str]:
        numbers = [each.number for each in self.record]
        if not numbers:
            yield f"stack {self.stack} has no releases yet, so there is nothing to go back to"
        elif self.to is not None and self.to not in numbers:
            yield f"there is no release {self.to} of stack {self.stack}: {self._listed()} shows those that there are"
        for name in names:
            if name not in self.services:
                known = ", ".join(self.services)
                yield f"there is no service {name!r}: use one of {known}{nearest(name, self.services)}"

    def _meant(self) -> list[str]:
        """Without a name: what the last release changed; with a number, all that ran otherwise in that release."""
        last = max(self.record, key=lambda each: each.number)
        meant = self._numbered().digests if self.to else last.changed
        return [
            name
            for name in sorted(meant)
            if name in self.running and not (self.to and meant[name] == self.running[name])
        ]

    def _numbered(self) -> Release:
        return next(each for each in self.record if each.number == self.to)

    def _earlier(self, name: str) -> Release | None:
        if name not in self.running:
            return None
        if self.to is None:
            return before(self.record, name, self.running[name])
        return self._numbered() if name in self._numbered().digests else None

    def _problem_of(self, name: str, release: Release | None) -> str | None:
        if name not in self.running:
            return f"{name} does not run on stack {self.stack} yet, so there is nothing to go back to"
        if release is None:
            which = "no earlier release" if self.to is None else f"no image in release {self.to}"
            return f"{name} has {which}: {self._listed(name)} shows those that there are"
        digest = release.digests[name]
        if digest == self.running[name]:
            return f"{name} runs the image of release {release.number} already"
        if self.services[name].digest:
            return (
                f"{name} is pinned to {self.services[name].digest} in the configuration, so nothing else can run: set"
                f" services.{name}.digest in config/Pulumi.{self.stack}.yaml to {digest}, or take it out"
            )
        return None

    def _listed(self, *names: str) -> str:
        return f"`{suggest.yard('releases', *names, '--stack', self.stack)}`"


def before(record: Collection[Release], name: str, running: str) -> Release | None:
    """The newest release in which a service ran another image, before the one that brought what runs now. Of a rollback
    that is the release it went back to: back again goes further back, not to what was left."""
    bound = _brought(record, name)
    earlier = (each for each in record if each.number < bound and each.digests.get(name, running) != running)
    return max(earlier, key=lambda each: each.number, default=None)


def _brought(record: Collection[Release], name: str) -> int:
    bound = max(each.number for each in record)
    while True:
        changes = [each for each in record if name in each.changed and each.number <= bound]
        newest = max(changes, key=lambda each: each.number, default=None)
        if newest is None:
            return bound
        back_to = newest.changed[name].back_to
        if back_to is None or back_to >= newest.number:
            return newest.number
        bound = back_to


def _change(name: str, release: Release) -> Change:
    """The commit of an image that ran before is in the record, whence the program takes it; here it is for the plan."""
    known = release.changed.get(name)
    return Change(digest=release.digests[name], commit=known.commit if known else None, back_to=release.number)


def _lost(root: Path, stack: str, repositories: Mapping[str, str], changes: Mapping[str, Change]) -> Iterator[str]:
    """Images that the registry says it no longer has, as far as this machine's Docker can ask it."""
    local = Local(root)
    try:
        client = machine.find(local.docker_host if stack == STACK else engine_host({}), local.notes, click.echo).client
    except SwarmError:
        return  # without an engine, the `up` will find out
    with closing(client):
        for name, change in changes.items():
            if name in repositories and image.is_lost(client, f"{repositories[name]}@{change.digest}"):
                yield (
                    f"{name}: {repositories[name]} no longer has {change.digest}, the image of release"
                    f" {change.back_to}: build that version again and deploy it, or go back to another"
                )
