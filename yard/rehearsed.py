"""`python -m yard.rehearsed up|preview PROJECT STACK PLACE`: what `yard upgrade` asks of the old and the new program.

`up` makes the stack on the rehearsal's cloud and leaves it in PLACE, as a project's folder: its file, and its state.
`preview` says what this program would do to the stack that is there. It prints one JSON document: `steps`, a list of
operation, type and name; or `beyond`, why the rehearsal has no cloud for this stack; or `refused`, what went wrong.

The one that asks is of another version than one of those who answer: what is said here holds for all that follow.
"""

import json
import logging
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from pulumi import automation as auto
from pulumi.automation.events import StepEventMetadata

from config.place import HOME
from config.stack_file import BadStack
from rehearsal import Cloud
from rehearsal.state import Refused
from yard import engine
from yard.rehearsable import StackConfig
from yard.rehearsing import environment, lay_out, open_stack


def up(project: Path, name: str, place: Path) -> dict[str, Any]:
    """Make the stack, and leave it in `place`."""
    config = StackConfig(project, name)
    if config.beyond:
        return {"beyond": config.beyond}
    for _ in config.prepare():
        pass
    config.hurry()
    with _cloud(config) as cloud, environment(cloud):
        return _steps(lay_out(project, config, place, cloud.env).up)


def preview(project: Path, name: str, place: Path) -> dict[str, Any]:
    """What this program would do to the stack in `place`."""
    with _cloud(StackConfig(place, name)) as cloud, environment(cloud):
        program = engine.main_program(project, HOME)  # of which the project is not the user yet
        return _steps(open_stack(name, place, cloud.env, program).preview)


RUNS = {"up": up, "preview": preview}


def _cloud(config: StackConfig) -> Cloud:
    return Cloud(existing=config.existing, images=config.digests)


def _steps(operation: Callable[..., Any]) -> dict[str, Any]:
    steps: list[tuple[str, str, str]] = []

    def show(step: StepEventMetadata, done: bool) -> None:
        if not done and step.op != auto.OpType.SAME:
            steps.append((step.op.value, step.type, step.urn.rpartition("::")[2]))

    engine.Watch(show).run(operation)
    return {"steps": sorted(steps)}


def main(run: str, project: str, stack: str, place: str) -> None:
    """Answer on standard output, where nothing else may be: a project's transforms print as well."""
    logging.getLogger("grpc._server").setLevel(logging.CRITICAL)  # as in a rehearsal, when the engine stops
    with redirect_stdout(sys.stderr):
        try:
            found = RUNS[run](Path(project), stack, Path(place))
        except (BadStack, Refused, engine.EngineError) as error:
            found = {"refused": str(error)}
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
