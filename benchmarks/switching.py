"""One rehearsed switch in a process of its own: `python -m benchmarks.switching SERVICES FROM TO PLACE`.

Stack `dev` comes up on orchestrator FROM, switches to TO, back, and goes, on the rehearsal cloud. Prints as JSON the
real seconds of each phase and the memory of the program's process (MiB, the most); and of the switch how many
operations changed the cloud, its length in the cloud's own time, and its critical path.

Of the services at most 50 are public: one load balancer has no room for more in a move.
"""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from benchmarks.preview import ROOT, digest, names
from components.orchestrator.swarm_ec2 import FIRST_PORT
from tools.scale import ROOM
from yard.rehearsing import Listener, Report, rehearse
from yard.story import Phase

PUBLIC = 50
FAST = 1e6
"""Rehearsal seconds a second: nothing is waited for, and the cloud's own time stands still while the engine works."""


def lay_out(count: int, orchestrator: str, place: Path) -> None:
    """A project with the stack, on nodes that are large enough."""
    services = {
        name: {"digest": digest(name), "host": f"{name}.example.com"}
        if index < PUBLIC
        else {"digest": digest(name), "public": False}
        for index, name in enumerate(names(count))
    }
    ports = {name: FIRST_PORT + index for index, name in enumerate(services)}  # of their names two have the same
    nodes = {**ROOM, "swarm-ec2": {**ROOM["swarm-ec2"], "ports": ports}}
    values = {"aws:region": "us-east-1", "preset": "standard", "orchestrator": orchestrator, "services": services}
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8")) | {"main": str(ROOT)}
    (place / "config").mkdir()
    (place / "Pulumi.yaml").write_text(yaml.safe_dump(project), encoding="utf-8")
    (place / "config" / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": values | nodes}), encoding="utf-8")


def measured(count: int, old: str, new: str, place: Path) -> dict[str, Any]:
    """The figures."""
    lay_out(count, old, place)
    began: dict[str, float] = {}
    took: dict[str, float] = {}

    def phase(name: str, _: str) -> None:
        began[name] = time.monotonic()

    def done(name: str, _: Report) -> None:
        took[name] = time.monotonic() - began[name]
        print(f"{name}: {took[name]:.1f} s", file=sys.stderr, flush=True)  # the whole takes minutes, or an hour

    report = rehearse(place, "dev", new, FAST, Listener(phase=phase, done=done))
    if not report.ok:
        raise SystemExit(report.reason)
    switch = Phase("switch", report)
    return {
        "seconds": took,
        "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "operations": len(switch.steps),
        "cloud": switch.end - switch.start,
        "path": [(each.op, each.type.rpartition(":")[2], each.name, each.end - each.start) for each in switch.path()],
    }


if __name__ == "__main__":
    services, old, new, place = sys.argv[1:]
    print(json.dumps(measured(int(services), old, new, Path(place))))
