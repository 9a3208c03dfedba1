"""Which release commands have run, and where: the stack's output `released` is the record, as `digests` is of images.

A move takes the record along, so that a newcomer does not run again what the orchestrator before it has run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from components.release import Standing, fingerprint
from config.settings import Settings

RELEASED = "released"
"""The stack's output that keeps them: service -> {run, on}."""


def standings(settings: Settings, orchestrator: str) -> dict[str, Standing]:
    """Service -> how its release command stands on an orchestrator. They run on the stack's own alone."""
    if orchestrator != settings.config.orchestrator:
        return {}
    return {name: _standing(settings.released.get(name, {}), run, orchestrator) for name, run in _runs(settings)}


def record(settings: Settings) -> dict[str, Mapping[str, str]]:
    """What is so once every service is healthy. Where the stack has left the orchestrator on which a command ran,
    nothing of the run is left there, should the stack come back."""
    home = settings.config.orchestrator
    there = standings(settings, home)
    return {name: {"run": run, "on": "" if there[name] == "elsewhere" else home} for name, run in _runs(settings)}


def _runs(settings: Settings) -> Iterator[tuple[str, str]]:
    for name, service in settings.services.items():
        if service.release and service.runs:
            yield name, fingerprint(service.release, service.runs)


def _standing(last: Mapping[str, str], run: str, orchestrator: str) -> Standing:
    if last.get("run") != run:
        return "due"
    return "done" if last.get("on") == orchestrator else "elsewhere"
