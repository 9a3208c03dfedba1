"""`yard doctor`: what a stack needs on this machine and in this account, what is missing, and how to fix it."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from textwrap import indent

import click
from rich.console import Console
from rich.markup import escape

from components.needs import KubernetesCluster, Program, RegistryApi, SwarmManager
from config.place import HOME
from config.settings import Settings
from config.stack_file import BadStack, NoStack, StackFile
from yard import exits, here, suggest, terminal
from yard.checks import Finding, docker, fail, kubernetes, machine, project, warn
from yard.choice import stack_option
from yard.local import STACK
from yard.machine import engine_host

ROOT = here.ROOT

SIGNS = {"ok": "[green]ok  [/]", "warn": "[yellow]warn[/]", "fail": "[bold red]fail[/]"}

INDENT = 5
"""Columns of a sign and what stands after it."""

NOT_LOOKED_AT = warn(
    "backends",
    "plugins, Docker, the registry and the account were not looked at: what is needed of them, only a valid"
    " configuration says",
    "fix config first",
)

Check = Callable[[], list[Finding]]


@click.command()
@stack_option("The stack, by its config file config/Pulumi.<stack>.yaml.")
@click.option("--offline", is_flag=True, help="Look at the stack's file alone, as for a pull request.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def doctor(stack: str, offline: bool, as_json: bool) -> None:
    """Check whether this machine and this account have what STACK needs, and say how to fix what is missing.

    It checks only what the stack's registry and orchestrator need, and changes nothing. Exit 1 when something would
    stop an `up`.
    """
    report(stack, _look(stack, offline), as_json)


def report(stack: str, findings: Iterator[Finding], as_json: bool) -> None:
    """Tell each finding as soon as it is there; ends with 1 where something is missing."""
    found = []
    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        found.append(finding)
        if not as_json:
            console.print(_line(finding, terminal.width(console)))
    good = not any(finding.status == "fail" for finding in found)
    if as_json:
        click.echo(json.dumps({"ok": good, "checks": [vars(finding) for finding in found]}, indent=2))
    else:
        console.print(_summary(stack, found), soft_wrap=False)
    if not good:
        raise SystemExit(1)


def _look(stack: str, offline: bool) -> Iterator[Finding]:
    try:
        file = StackFile(ROOT, stack)
    except BadStack as error:
        says = " ".join(str(error).split())
        yield fail("config", says, "edit that file, or put it back as it was with `git checkout`; then call this again")
    except NoStack as error:
        raise exits.Misused(str(error)) from error
    else:
        yield from (about(stack, finding) for finding in examine(file, offline=offline))


def about(stack: str, finding: Finding) -> Finding:
    """The same, with the stack's name in commands: those without one are about the stack that is selected."""
    return replace(finding, fix=suggest.about(stack, finding.fix))


def examine(file: StackFile, *, offline: bool = False) -> Iterator[Finding]:
    """All findings in their order, each as soon as those before it are there; `offline`: those of the file alone."""
    settings, findings = project.settings(file)
    yield from findings
    if offline:
        yield from project.secrets(file)
        return
    checks = list(_checks(file, settings))
    with ThreadPoolExecutor(max_workers=len(checks)) as pool:
        for findings in pool.map(lambda check: check(), checks):
            yield from findings


def _checks(file: StackFile, settings: Settings | None) -> Iterator[Check]:
    yield lambda: list(project.secrets(file))
    yield lambda: [project.state(file)]
    yield lambda: [machine.pulumi(HOME)]
    yield lambda: [machine.python(HOME)]
    if file.stack != STACK:  # which `yard up` runs without
        yield lambda: [machine.language_host()]
    if settings:
        yield lambda: [machine.plugins(settings)]
        yield from _backends(file.stack, settings)
        if settings.on_aws:
            yield lambda: list(_aws(file, settings))
    else:
        yield lambda: [NOT_LOOKED_AT]


def _backends(stack: str, settings: Settings) -> Iterator[Check]:
    needs = settings.needs
    swarms = [each for each in needs if isinstance(each, SwarmManager)]
    for each in swarms:
        yield partial(lambda host: [docker.swarm(host, local=stack == STACK)], engine_host({"host": each.host}))
    if not swarms:
        yield lambda: [docker.builds(engine_host({}))]
    for need in needs:
        match need:
            case RegistryApi():
                yield partial(lambda host: [docker.registry(host, stack)], need.host)
            case Program() if need.name != "aws":  # see _aws
                yield partial(lambda need: [machine.program(need)], need)
            case KubernetesCluster():
                yield partial(lambda need: list(kubernetes.cluster(need)), need)


def _aws(file: StackFile, settings: Settings) -> Iterator[Finding]:
    from yard.checks import aws  # boto3 takes half a second to import

    owned = project.owned(file, ROOT)
    yield machine.aws_cli(settings.needs)
    yield from project.interrupted(owned)
    yield from aws.look(settings, owned)


def _line(finding: Finding, width: int) -> str:
    """What was found, wrapped; the fix is not, for it is there to be pasted."""
    said = terminal.wrapped(f"{finding.name}: {finding.says}", width - INDENT)
    name, _, says = escape(indent(said, " " * INDENT).lstrip()).partition(":")
    line = f"{SIGNS[finding.status]} [bold]{name}[/]:{says}"
    return f"{line}\n{' ' * INDENT}{escape(finding.fix)}" if finding.fix else line


def _summary(stack: str, found: list[Finding]) -> str:
    counts = Counter(finding.status for finding in found)
    warned = f"; {counts['warn']} worth a look" if counts["warn"] else ""
    if counts["fail"]:
        return f"\n[bold red]Found {counts['fail']} missing[/] for stack {escape(stack)}{warned}. Nothing was changed."
    return f"\n[bold green]Found nothing missing[/] for stack {escape(stack)}{warned}. Nothing was changed."
