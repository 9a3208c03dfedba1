"""One preview of stack `dev` in a process of its own: `python -m benchmarks.preview switchyard|flat SERVICES STATE`.

Prints {"seconds", "mib", "resources"}: how long the engine took, the most memory that the program's process held, and
how many resources of the cloud's (components do not count) were registered.
"""

import hashlib
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from yard import engine

ROOT = Path(__file__).resolve().parent.parent


def digest(name: str) -> str:
    """A digest for an image that is not there."""
    return f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"


def names(count: int) -> list[str]:
    """`count` services."""
    return [f"s{index}" for index in range(count)]


def config(count: int) -> str:
    """The stack file of `dev` with `count` services, each with a host name of its own."""
    services = {name: {"replicas": 2, "host": f"{name}.example.com", "digest": digest(name)} for name in names(count)}
    values = {
        "aws:region": "us-east-1",
        "switchyard:registry": "ecr",
        "switchyard:orchestrator": "ecs-fargate",
        "switchyard:preset": "trial",
        "switchyard:services": services,
    }
    return yaml.safe_dump({"config": values})


def program(which: str, count: int) -> Callable[[], Any]:
    """What to preview."""
    if which == "switchyard":
        return engine.main_program(ROOT)

    def by_hand() -> None:
        from benchmarks.flat import flat

        flat({name: digest(name) for name in names(count)})

    return by_hand


def main(which: str, count: int, place: Path) -> None:
    """Preview once and print the figures."""
    (place / "config" / "Pulumi.dev.yaml").write_text(config(count), encoding="utf-8")
    stack = engine.stack("dev", place, state=place / "state", program=program(which, count))
    counted: list[str] = []

    def show(step: Any, done: bool) -> None:
        if done and not step.type.startswith(("switchyard:", "pulumi:")):
            counted.append(step.type)

    begun = time.monotonic()
    engine.Watch(show).run(stack.preview)
    seconds = time.monotonic() - begun
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "mib": mib, "resources": sorted(counted)}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
