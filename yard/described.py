"""`python -m yard.described PROJECT STACK PLACE`: what `yard diff` asks of the base's program, and then of the head's.

It brings the stack up in PLACE, on the cloud that the environment leads to, and leaves it there. It prints one JSON
document: `invalid`, what is wrong with the configuration; else `config`, all that the stack chose, without its secrets,
and `cost`; and of the rehearsal `steps`, what became of each resource, `policies`, what it breaks, and `urls`, where
each service answers; or `beyond`, why the rehearsal has no cloud for this stack; or `refused`, what went wrong.

The one that asks may be of another version than one of those who answer: what is said here holds for all that follow.
"""

import json
import logging
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
from pulumi import automation as auto
from pulumi.automation.events import StepEventMetadata

from components import prices
from components.service import Service
from config import digests
from config.estimates import of_stack
from config.load import of_file
from config.place import HOME
from config.settings import Settings
from config.stack_file import NoStack
from rehearsal.state import Refused
from yard import engine, policies, programs
from yard.rehearsable import StackConfig
from yard.rehearsing import STATE, lay_out
from yard.state import url_of


def describe(project: Path, name: str, place: Path) -> dict[str, Any]:
    """Everything about the stack."""
    try:
        config = StackConfig(project, name)
        settings = of_file(config)
    except (NoStack, pulumi.RunError) as error:
        return {"invalid": str(error)}
    found = {"config": chosen(settings), "cost": cost(settings)}
    if config.beyond:
        return {**found, "beyond": config.beyond}
    try:
        return {**found, **up(project, config, settings, place)}
    except (Refused, engine.EngineError) as error:
        return {**found, "refused": str(error)}


def chosen(settings: Settings) -> dict[str, Any]:
    """All keys as they are written, with what stands where the stack says nothing; stars stand for secrets."""
    models = {"": settings.config, **settings.backends}
    keys = {name: each.model_dump(mode="json", by_alias=True) for name, each in models.items()}
    return {"aws:region": settings.region or None, **keys.pop(""), **keys}


def cost(settings: Settings) -> dict[str, Any]:
    """What the stack costs a month with all of its services running: the total, and line by line, in USD as text."""
    placeholders = dict.fromkeys(settings.services, f"sha256:{'0' * 64}")
    running = digests.resolved(settings.services, {}, placeholders)
    stack = replace(settings, config=settings.config.model_copy(update={"services": running}))
    try:
        found = of_stack(stack)
    except prices.NoPrices as error:
        return {"total": None, "lines": [], "unknown": [str(error)]}
    total = found.amount().known
    return {
        "total": None if total is None else str(total),
        "lines": [[each.line.column, each.line.what, str(each.usd)] for each in found.counted() if each.usd],
        "unknown": found.unknown,
    }


def up(project: Path, config: StackConfig, settings: Settings, place: Path) -> dict[str, Any]:
    """Bring the stack up."""
    for _ in config.prepare():
        pass
    config.hurry()
    found: dict[str, dict[str, Any]] = {}

    def show(step: StepEventMetadata, done: bool) -> None:
        fate = programs.fate(step.op.value)
        state = step.new or step.old
        if done or not fate or not state or not state.custom or step.type.startswith("pulumi:"):
            return
        because = [str(each) for each in step.keys or step.diffs or ()]
        known = found.setdefault(step.urn, {"because": []})
        known |= {"fate": fate, "type": step.type, "name": step.urn.rpartition("::")[2]}
        known["because"] = sorted({*known["because"], *because}) if fate in ("updated", "replaced") else []

    program = engine.main_program(project, HOME)  # of which the project is not the user, where another stands for it
    stack = lay_out(project, config, place, {}, program)
    result: auto.UpResult = engine.Watch(show).run(stack.up)
    url = result.outputs["url"].value if "url" in result.outputs else None
    urls = {name: address(name, each, url) for name, each in settings.services.items()}
    return {
        "steps": sorted(found.values(), key=lambda each: (each["fate"], each["type"], each["name"])),
        "policies": policies.told(policies.broken(config, place / STATE)),
        "urls": {name: each for name, each in urls.items() if each},
    }


def address(name: str, service: Service, url: Any) -> str | None:
    """Where callers find a service, by the output `url`."""
    found = url_of(name, service, url)
    if not found or not service.host:
        return found
    scheme, _, rest = found.partition("://")
    return f"{scheme}://{service.host}/{rest.partition('/')[2]}"


def main(project: str, stack: str, place: str) -> None:
    """Answer on standard output, where nothing else may be: a project's transforms print as well."""
    logging.getLogger("grpc._server").setLevel(logging.CRITICAL)  # as in a rehearsal, when the engine stops
    with redirect_stdout(sys.stderr):
        found = describe(Path(project), stack, Path(place))
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
