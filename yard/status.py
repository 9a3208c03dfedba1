"""`yard status`: what runs, how it does, who gets the traffic, and what it costs."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from components.operations import OperationError, Replica
from config import estimates
from yard import here, suggest, terminal
from yard.choice import stack_option
from yard.deployed import Opened, opened
from yard.local import STACK, in_words
from yard.machine import MachineError
from yard.state import url_of
from yard.switch import shares

ROOT = here.ROOT


@click.command()
@stack_option("The stack.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def status(stack: str, as_json: bool) -> None:
    """Show the state of STACK's services: replicas wanted and healthy, images, traffic, costs, and what failed last.

    Exit code 1: an orchestrator did not answer; what the others say is shown.
    """
    with in_words(stack):
        found = report(opened(ROOT, stack))
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        for line in told(stack, found):
            terminal.say(line)
    if any("error" in on for each in found["services"].values() for on in each["on"].values()):
        raise SystemExit(1)


def report(stack: Opened) -> dict[str, Any]:
    """Everything there is to say; an orchestrator that does not answer has `error` in place of replicas."""
    return {
        "traffic": traffic(stack),
        "usd_a_month": estimates.as_output(stack.settings).get("usd", "?"),
        "services": {name: _service(stack, name) for name in stack.deployed.services},
    }


def traffic(stack: Opened) -> dict[str, int]:
    """Each orchestrator that is up, with its share in percent by the last `up`."""
    weights = stack.settings.config.traffic or {}
    edge = stack.settings.edge
    found = shares(stack.home, weights, edge.shared(stack.deployed.resources) if edge else ())
    return found or {stack.home: 100}


def _service(stack: Opened, name: str) -> dict[str, Any]:
    service = stack.deployed.services[name]
    url = url_of(name, service, stack.outputs.get("url")) if service.runs else None
    on = {key: _on(stack, key, name) for key in stack.settings.orchestrators} if service.runs else {}
    return {"url": url, "digest": service.runs, "on": on}


def _on(stack: Opened, key: str, service: str) -> dict[str, Any]:
    try:
        found = stack.operations("status", key).status(service)
    except (OperationError, MachineError) as error:
        return {"error": str(error)}
    return {
        "wanted": found.wanted,
        "healthy": found.healthy,
        "failure": found.failure,
        "replicas": [vars(each) for each in found.replicas],
    }


def told(stack: str, found: Mapping[str, Any]) -> Iterator[str]:
    """The same for a person."""
    moving = len(found["traffic"]) > 1
    shared = ", ".join(f"{key} {share} %" for key, share in found["traffic"].items())
    yield f"stack {stack}: {'traffic ' if moving else ''}{shared if moving else next(iter(found['traffic']))}"
    cost = found["usd_a_month"]
    yield f"costs about {cost} USD a month" if cost != "?" else "what it costs a month is not known"
    for name, each in found["services"].items():
        yield ""
        if each["digest"] is None:
            first = suggest.yard("up") if stack == STACK else suggest.yard("deploy", name, "--stack", stack)
            yield f"{name}: waits for its first image (`{first}`)"
            continue
        yield f"{name}: {each['url'] or 'not public'}"
        yield f"  image {each['digest']}"
        for key, on in each["on"].items():
            yield from _of_one(key, each["digest"], on)


def _of_one(key: str, digest: str, on: Mapping[str, Any]) -> Iterator[str]:
    if "error" in on:
        yield f"  {key}: does not answer: {on['error']}"
        return
    yield f"  {key}: {on['healthy']} of {on['wanted']} replicas healthy"
    for each in (Replica(**replica) for replica in on["replicas"]):
        other = f", runs {each.digest}" if each.digest not in (None, digest) else ""
        if other or not each.healthy:
            yield f"    {each.name}: {each.state}{other}{f': {each.why}' if each.why else ''}"
    if on["failure"]:
        yield f"    failed last: {on['failure']}"
