"""`yard up`: the example service, for real, on this machine."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import click
from pulumi import automation as auto
from pulumi.automation.events import OpType

from components.direct import open_directly
from components.orchestrator.swarm_parts.client import SwarmError
from yard import image, interrupts, machine, progress
from yard.local import SERVICE, Local, in_words, path

ROOT = Path(__file__).resolve().parent.parent
ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64"}
"""What an engine calls its CPU -> what a service calls it."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON; progress goes to standard error.")
@click.pass_context
def up(context: click.Context, as_json: bool) -> None:
    """Build the example, push it, run it on this machine's Docker, and call it.

    Again: only what changed. Without a Docker engine the rehearsal of stack `dev` runs instead.
    """

    def say(text: str) -> None:
        click.echo(text, err=as_json)

    local = Local(ROOT)
    with in_words():
        try:
            here = machine.find(local.docker_host, local.notes, say)
        except SwarmError as error:
            say(f"{error}. Here is the rehearsal of stack dev instead:")
            rehearse(context, as_json)
            return
        with interrupts.explained(lambda: "What was made stays: `make up` goes on, `make down` removes it."):
            outcome = run(local, here)
    if as_json:
        click.echo(json.dumps(outcome, indent=2))
    else:
        tell(outcome)


def rehearse(context: click.Context, as_json: bool) -> None:
    """The same story without Docker."""
    from yard.rehearse import rehearse as command

    context.invoke(command, stack="dev", as_json=as_json)


def run(local: Local, here: machine.Machine) -> dict[str, Any]:
    """Everything in its order; returns the outcome."""
    start = time.monotonic()
    local.check()
    machine.join_swarm(here)
    machine.start_registry(here, local.registry)
    digest = image.digest(local.root / "app", here, local.repository)
    stack = local.open(here.say)
    configure(local, stack, {"digest": digest, "architecture": architecture(here)})
    here.say("pulumi up, stack local")
    result = progress.run(stack.up, here.say, refresh=True)
    url = result.outputs["url"].value[SERVICE]
    return {
        "url": url,
        "answer": call(url) if url else None,
        "digest": digest,
        "changes": changes(result.summary.resource_changes),
        "logs": result.outputs["logs"].value[SERVICE][0],
        "seconds": round(time.monotonic() - start, 1),
    }


def architecture(here: machine.Machine) -> str:
    """The engine's CPU, for which the image was built."""
    return ARCHITECTURES.get(here.client.info()["Architecture"], "x86_64")


def configure(local: Local, stack: auto.Stack, wanted: Mapping[str, str]) -> None:
    """Write into the stack's configuration what it does not say already; x86_64 it says by saying nothing."""
    defaults = {"architecture": "x86_64"}
    for key, value in wanted.items():
        if (local.configured(key) or defaults.get(key)) != value:
            stack.set_config(path(key), auto.ConfigValue(value), path=True)


def changes(counts: Mapping[OpType, int] | None) -> dict[str, int]:
    """What changed, by operation; empty when nothing did."""
    return {str(op): count for op, count in (counts or {}).items() if op not in ("same", "read", "refresh")}


def call(url: str) -> Any:
    """What the service answers at its root; any status is an answer."""
    try:
        with open_directly(url, timeout=10) as response:
            text = response.read().decode()
    except HTTPError as error:
        return f"HTTP {error.code}"
    try:
        return json.loads(text)
    except ValueError:
        return text


def tell(outcome: Mapping[str, Any]) -> None:
    """The outcome for a person, and what to try next."""
    changed = ", ".join(f"{op} {count}" for op, count in outcome["changes"].items()) or "no changes"
    click.echo(f"\n{changed}, {outcome['seconds']} s\n")
    following = {
        outcome["logs"]: "see its log",
        "make up": "after a change under app/: build, push and roll out",
        ".venv/bin/yard rehearse --to eks": "rehearse stack dev, and its switch to another orchestrator",
        ".venv/bin/yard compare": "what stack dev would cost with each registry and orchestrator",
        "make down": "remove all of this",
    }
    if url := outcome["url"]:
        click.secho(f"  {url}", bold=True, nl=False)
        click.echo(f"  answers  {json.dumps(outcome['answer'])}\n")
        following = {f"curl {url}": "call it yourself", **following}
    click.echo("Next:")
    for command, what in following.items():
        click.echo(f"  {command:<52} {what}")
    click.echo("On AWS: see README.md")
