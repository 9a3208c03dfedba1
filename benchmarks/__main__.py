"""`python -m benchmarks`: measure, and write benchmarks/README.md.

Every figure is a ratio of two things run in turn, in the same run, on the same rehearsal cloud: the machine's own
speed falls out. The median of several turns is taken.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from rehearsal import Cloud
from yard import engine

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "benchmarks" / "README.md"
SWITCH = ROOT / "benchmarks" / "switch.md"
"""What `python -m benchmarks.switching` measured, likewise put down by hand: at 100 services it takes minutes."""
LOAD = ROOT / "benchmarks" / "load.md"
"""What `make bench-load` measured: it needs a Docker engine and a cluster, and its figures are put down by hand."""
REHEARSED = ROOT / "benchmarks" / "rehearsed.md"
"""What `make bench-rehearsal` measured, likewise by hand."""
FAULTS = ROOT / "benchmarks" / "faults.md"
"""What `make bench-faults` measured, likewise by hand."""
BY_HAND = (SWITCH, LOAD, REHEARSED, FAULTS)
TURNS = {1: 15, 100: 3, 500: 1}
"""Services -> how often each program runs."""
SETTLED = {"PYTHONDONTWRITEBYTECODE": ""}
"""Compiled once, as on a user's machine; else every run would compile all of pulumi-aws."""
HEAVY = ("pulumi_aws", "pulumi_eks", "pulumi_kubernetes", "docker", "boto3")


@dataclass(frozen=True)
class Figures:
    """What one kind of program took: medians."""

    seconds: float
    mib: float
    resources: Counter[str]


def measure(cloud: Cloud, which: str, count: int) -> Figures:
    """One preview in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="switchyard-bench-") as place:
        engine.borrow(ROOT, Path(place))
        answer = subprocess.run(
            [sys.executable, "-m", "benchmarks.preview", which, str(count), place],
            cwd=ROOT,
            env={**os.environ, **cloud.env, **SETTLED, "PULUMI_HOME": f"{place}/home"},
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    figures = json.loads(answer.stdout.splitlines()[-1])
    return Figures(figures["seconds"], figures["mib"], Counter(figures["resources"]))


def compare(cloud: Cloud, count: int, turns: int) -> tuple[Figures, Figures]:
    """Switchyard and the flat program, in turn."""
    runs: dict[str, list[Figures]] = {"switchyard": [], "flat": []}
    for which in runs:
        measure(cloud, which, 1)  # not counted: the first run compiles
    for turn in range(turns):
        for which in runs:
            print(f"preview of {count} services, {which}, turn {turn + 1} of {turns}", file=sys.stderr, flush=True)
            runs[which].append(measure(cloud, which, count))
    ours, flat = (
        Figures(
            statistics.median(each.seconds for each in found),
            statistics.median(each.mib for each in found),
            found[0].resources,
        )
        for found in runs.values()
    )
    if ours.resources != flat.resources:
        raise SystemExit(f"not the same resources: {ours.resources - flat.resources} {flat.resources - ours.resources}")
    return ours, flat


def imported(backend: str) -> list[str]:
    """Which of the heavy packages a process holds that has loaded `backend`."""
    kind, _, name = backend.partition("/")
    code = (
        f"import sys, json; from components import {kind}; {kind}.load({name!r});"
        f" print(json.dumps([each for each in {HEAVY!r} if each in sys.modules]))"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    found: list[str] = json.loads(answer.stdout)
    return found


def backends() -> list[str]:
    """Every registry and orchestrator of our own."""
    from components.orchestrator import ORCHESTRATORS
    from components.registry import REGISTRIES

    return [f"registry/{name}" for name in sorted(REGISTRIES)] + [
        f"orchestrator/{name}" for name in sorted(ORCHESTRATORS)
    ]


def report(found: dict[int, tuple[Figures, Figures]]) -> str:
    """The page."""
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    rows = [
        f"| {count} | {sum(ours.resources.values())} | {ours.seconds:.2f} s | {flat.seconds:.2f} s"
        f" | **{ours.seconds / flat.seconds:.2f}x** | {ours.mib:.0f} MiB | {flat.mib:.0f} MiB"
        f" | **{ours.mib / flat.mib:.2f}x** | {1000 * ours.seconds / count:.0f} ms |"
        for count, (ours, flat) in found.items()
    ]
    packages = [f"| {each} | {', '.join(imported(each)) or 'none of them'} |" for each in backends()]
    return "\n".join(
        [
            "# Benchmarks",
            "",
            f"Written by `make bench` on {date.today()} ({machine}). Only the ratios carry over to other machines.",
            "",
            "## A preview, against the same resources written by hand",
            "",
            "`pulumi preview` of stack `dev` (ECR, ECS on Fargate, preset trial) on the rehearsal cloud, beside",
            "`flat.py`, which registers the same resources with pulumi-aws alone. Median of "
            f"{', '.join(f'{turns} at {count}' for count, turns in TURNS.items())} services, in turn, each in a new",
            "process. Memory is the most that the program's process held. Aim: 1.15x in time, 1.2x in memory,",
            "and a cost per service that does not grow.",
            "",
            "| services | resources | Switchyard | by hand | time | Switchyard | by hand | memory | per service |",
            "|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
            *rows,
            "",
            "## What a backend imports",
            "",
            f"Of {', '.join(HEAVY)}: what is in a process that has loaded the backend and nothing else.",
            "",
            "| backend | imports |",
            "|---|---|",
            *packages,
            "",
        ]
    )


def main() -> None:
    """Measure everything and write the page."""
    with Cloud() as cloud:
        found = {count: compare(cloud, count, turns) for count, turns in TURNS.items()}
    README.write_text(
        "".join([report(found), *(each.read_text(encoding="utf-8") for each in BY_HAND)]),
        encoding="utf-8",
    )
    print(README.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
