"""`yard ci check`: what the workflows lack, here, in the stack and on GitHub."""

from collections.abc import Generator, Iterator, Mapping
from typing import Any

import click

from components.shell import Shell, command
from yard import doctor, here, state, suggest
from yard.checks import Finding, fail, ok, project, warn
from yard.choice import stack_option
from yard.ci import github, written
from yard.ci.subject import Subject

ROOT = here.ROOT
FAR_BACK = 10
"""Deployments that retention should reach back."""


@click.command()
@stack_option("The stack that the workflows deploy.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def check(stack: str, as_json: bool) -> None:
    """Say what the workflows of STACK lack: files, the way to the stack, roles, and what GitHub has to know.

    Changes nothing. GitHub is asked by its command `gh`, where that is installed and logged in. Exit 1 when a
    deployment would fail.
    """
    doctor.report(stack, look(Subject.of(ROOT, stack)), as_json)


def look(subject: Subject) -> Iterator[Finding]:
    """All findings: first what the configuration tells, then what the stack has, then GitHub."""
    yield from _files(subject)
    for why in subject.needed.lacks:
        says, _, fix = why.partition(": ")
        yield fail("reach", says, fix)
    yield from _retention(subject)
    yield from _state(subject)
    yield from _switch(subject)
    outputs = yield from _outputs(subject)
    yield from github.look(subject, outputs)


def _files(subject: Subject) -> Iterator[Finding]:
    init = suggest.yard("ci", "init", "--stack", subject.stack)
    for each in written.all_of(subject):
        name = f"file-{each.path.stem}"
        match each.state:
            case "new":
                yield fail(name, f"{each.path} is not there", init)
            case "old":
                yield fail(name, f"{each.path} is of an earlier configuration or program", init)
            case "changed":
                yield warn(
                    name, f"{each.path} was changed by hand, so it is yours to keep up to date", f"{init} --force"
                )
            case "same":
                yield ok(name, f"{each.path} is as it should be")


def _retention(subject: Subject) -> Iterator[Finding]:
    """A push is an index, and for each platform an image and what attests it; where retention counts each of these."""
    kept = subject.registry.manifests_kept(subject.settings.on_aws)
    if kept is None:
        return
    for name, service in subject.built.items():
        platforms = len(set(service.build.platforms)) if service.build and service.build.platforms else 1
        each = 1 + 2 * platforms
        says = f"{name}: {kept} manifests are kept and a push is {each}, so that a rollback reaches {kept // each} back"
        if kept // each < FAR_BACK:
            yield warn("retention", says, "docs/registries.md says how far back each registry reaches, and what helps")
        else:
            yield ok("retention", says)


def _switch(subject: Subject) -> Iterator[Finding]:
    """The roles know what a switch may go to only by name."""
    if subject.settings.edge and subject.github and not subject.github.orchestrators:
        names = subject.settings.orchestrators
        ways = [
            command(
                "pulumi", "config", "set", "--stack", subject.stack, "--path", f"github.orchestrators[{place}]", each
            )
            for place, each in enumerate([*names, Shell("OTHER")])
        ]
        says = f"the roles are for {', '.join(names)} alone: a switch by the workflow would have to change them"
        yield warn("switch", says, "; ".join([*ways, command("pulumi", "up", "--stack", subject.stack)]))


def _state(subject: Subject) -> Iterator[Finding]:
    url = project.backend(subject.file)
    if url and url.startswith("file:"):
        way = "keep it in a runner's reach: docs/delivery.md, step 2"
        yield fail("state", f"it is at {url}, on this machine", way)
    elif url:
        yield ok("state", f"kept at {url}")
    else:
        yield fail(
            "state", "nobody is logged in to Pulumi here, so there is no state to deploy from", "pulumi login URL"
        )


def _outputs(subject: Subject) -> Generator[Finding, None, Mapping[str, Any]]:
    """What the last `up` exported; says which of it is missing that GitHub has to be told."""
    try:
        outputs: Mapping[str, Any] = state.outputs(ROOT, subject.stack)
    except click.ClickException as error:
        way = command("pulumi", "stack", "output", "--stack", subject.stack)
        yield warn("outputs", f"the stack's outputs cannot be read: {error.message}", way)
        return {}
    up = command("pulumi", "up", "--stack", subject.stack)
    if not outputs:
        yield fail("outputs", "the stack is not up, and its first `up` makes what workflows log in with", up)
        return {}
    for name in subject.built:
        url, path = str(outputs["repositories"].get(name)), subject.registry.path(subject.settings.stack, name)
        if not url.endswith(f"/{path}"):
            yield fail("addresses", f"workflows push {name} to .../{path}, and the stack's repository is {url}", up)
    for each in subject.needed.settings:
        if each.output and github.at(outputs, each.output) is None:
            key = "set the key `github` (docs/delivery-roles.md), then " if not subject.github else ""
            yield fail("outputs", f"the stack's output {'.'.join(each.output)} is not there: {each.what}", f"{key}{up}")
    return outputs
