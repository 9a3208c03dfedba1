"""`yard up`: every service of stack `local`, for real, on this machine."""

import json
import time
from collections.abc import Mapping
from typing import Any

import click
from pulumi import automation as auto
from pulumi.automation.events import OpType

from components.docker_engine import SwarmError
from components.edge.proxy import ProxyOptions
from components.shell import command
from yard import answers, exits, here, image, interrupts, local_proxy, machine, progress, suggest, terminal
from yard.given import given
from yard.local import STACK, Local, in_words
from yard.state import url_of

ROOT = here.ROOT


def _only_local(context: click.Context, parameter: click.Parameter, stack: str) -> None:
    """What somebody wants who names another stack."""
    if stack != STACK:
        pulumi, deploy = command("pulumi", "up", "--stack", stack), suggest.yard("deploy", "--stack", stack)
        raise exits.Misused(
            f"this is for stack {STACK}: `{pulumi}` brings {stack} up, `{deploy}` builds for it as well"
        )


@click.command()
@click.option("--stack", "other", default=STACK, hidden=True, expose_value=False, callback=_only_local)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON; progress goes to standard error.")
@click.pass_context
def up(context: click.Context, as_json: bool) -> None:
    """Build the services of stack `local`, push them, run them on this machine's Docker, and call them.

    Again: only what changed. Without a Docker engine the rehearsal of stack `dev` runs instead.
    """

    def say(text: str) -> None:
        click.echo(text, err=as_json)

    def left() -> str:
        return f"What was made stays: `{suggest.yard('up')}` goes on, `{suggest.yard('down')}` removes it."

    local = Local(ROOT)
    with in_words(STACK):
        try:
            here = machine.find(local.docker_host, local.notes, say)
        except SwarmError as error:
            say(f"{error}. Here is the rehearsal of stack dev instead:")
            rehearse(context, as_json)
            return
        with interrupts.explained(left):
            done = run(local, here)
    if as_json:
        click.echo(json.dumps(done, indent=2))
    else:
        tell(done)


def rehearse(context: click.Context, as_json: bool) -> None:
    """The same story without Docker."""
    from yard.rehearse import rehearse as rehearsal

    context.invoke(rehearsal, stack="dev", as_json=as_json)


def run(local: Local, here: machine.Machine) -> dict[str, Any]:
    """Everything in its order; returns the outcome."""
    start = time.monotonic()
    local.check()
    machine.join_swarm(here)
    machine.start_registry(here, local.registry)
    if local.edge == ProxyOptions.key:
        local_proxy.have_image(here, local.proxy_image)
    named = local.services.keys() - {*local.built}
    if lost := [problem for name in sorted(named) if (problem := _lost(name, local, here))]:
        raise machine.MachineError("\n".join(lost))
    cpu = machine.architecture(here)
    for name in local.built:
        image.digest(local.source(name, cpu), here, local.repository(name))
    for name in sorted(named):
        here.say(f"{name}: the image is the one that the configuration names, {local.image(name)}")
    stack = local.open(here.say)
    here.say("pulumi up, stack local")
    with given(local.changes):
        result = progress.run(stack.up, here.say, refresh=True)
    return {
        "services": {name: outcome(name, local, result.outputs) for name in local.services},
        "changes": changes(result.summary.resource_changes),
        "notes": list(result.outputs["next"].value) if "next" in result.outputs else [],
        "seconds": round(time.monotonic() - start, 1),
    }


def _lost(name: str, local: Local, here: machine.Machine) -> str | None:
    """What to do where the image that the configuration names is neither in its registry nor on the engine."""
    written, key = local.services[name], f"services.{name}"
    digest = None if written.get("image") else local.digest(name)
    full = f"{local.repository(name)}@{digest}" if digest else str(written["image"])
    if image.is_here(here.client, full) or not image.is_lost(here.client, full):
        return None
    if digest is None:
        return f"{key}.image is {full}, and its registry does not have it: name an image that is there, by its digest"
    way = f"take {key}.digest out, and `{suggest.yard('up')}` builds the service" if written.get("build") else ""
    return f"{key}.digest is {digest}, and {local.repository(name)} does not have it: " + (
        way or f"push that image again, or set {key}.digest to one that is there"
    )


def outcome(name: str, local: Local, outputs: auto.OutputMap) -> dict[str, Any]:
    """What became of one service. One that is not public has no URL."""
    url = url_of(name, local.settings.services[name], outputs["url"].value)
    logs = outputs["logs"].value.get(name) or [None]
    answered = answers.outcome(answers.ask(url) if url else None)
    return {"url": url, "digest": local.digest(name), "logs": logs[0], **answered}


def changes(counts: Mapping[OpType, int] | None) -> dict[str, int]:
    """What changed, by operation; empty when nothing did."""
    return {str(op): count for op, count in (counts or {}).items() if op not in ("same", "read", "refresh")}


def tell(outcome: Mapping[str, Any]) -> None:
    """The outcome for a person, and what to try next."""
    click.echo(f"\n{progress.counted(outcome['changes'])}, in {outcome['seconds']} s\n")
    services = outcome["services"]
    width = max(len(str(each["url"] or name)) for name, each in services.items())
    for name, each in services.items():
        click.secho(f"  {each['url'] or name:<{width}}", bold=True, nl=False)
        if not each["url"]:
            click.echo("  runs; it is not public")
            continue
        click.echo(f"  {answers.briefly(each)}")
        answers.show(each)
    for note in outcome["notes"]:
        terminal.say(f"\n{note}")
    following = {
        suggest.yard("up"): "after a change: build, push and roll out what changed",
        suggest.yard("rehearse", "--to", "eks"): "rehearse stack dev, and its switch to another orchestrator",
        suggest.yard("compare"): "what stack dev would cost with each registry and orchestrator",
        suggest.yard("down"): "remove all of this",
    }
    logs = {str(each["logs"]): f"see the log of {name}" for name, each in services.items() if each["logs"]}
    calls = {f"curl {each['url']}": f"see the whole answer of {name}" for name, each in services.items() if each["url"]}
    click.echo("\nNext:")
    terminal.listed({**calls, **logs, **following})
    click.echo("On AWS: see README.md")
