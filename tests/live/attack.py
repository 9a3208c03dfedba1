"""Callers who do not wait for one another: so many requests a second, whatever becomes of them."""

import base64
import csv
import json
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from rehearsal.traffic.callers import Callers, Request
from tools.load import vegeta


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request."""

    at: float
    """When it was sent, in seconds since the epoch."""
    seconds: float
    code: int
    """0: nobody answered."""
    who: str
    """The orchestrator whose replica answered; empty: none did."""
    error: str

    @property
    def good(self) -> bool:
        """Whether it is a service's own answer, and a good one."""
        return self.code == 200 and bool(self.who)


class Attack(Callers):
    """Calls a URL while a `with` block runs. Whose an answer is, the answer itself says."""

    def __init__(self, url: str, place: Path, rate: int) -> None:
        program = vegeta()
        assert program, "Vegeta was not built, and why is above"
        self._results_in, self._vegeta, self.rate = place / f"{time.time():.0f}", program, rate
        self._results_in.mkdir()
        super().__init__(program, self._results_in, url, [Request("")], rate)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def sent(self) -> float:
        """How many requests there have been by now."""
        return (time.monotonic() - self._began) * self.rate

    @cached_property
    def all(self) -> Sequence[Answer]:
        """All answers, once it is over."""
        return [each for file in self._results_in.glob("*.bin") for each in self._read(file)]

    @property
    def lost(self) -> list[Answer]:
        """Requests that got no good answer."""
        return [each for each in self.all if not each.good]

    def latency(self) -> str:
        """In milliseconds, for a table: half of them, 99 of 100, the longest."""
        seconds = [each.seconds for each in self.all]
        cuts = statistics.quantiles(seconds, n=100)
        return f"{1000 * cuts[49]:.1f} | {1000 * cuts[98]:.1f} | {1000 * max(seconds):.0f}"

    def _read(self, file: Path) -> Iterator[Answer]:
        """What a file of results has; a million of them are read as CSV (columns: `vegeta encode -help`)."""
        encode = [str(self._vegeta), "encode", "-to=csv", str(file)]
        with subprocess.Popen(encode, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            for at, code, latency, _, _, error, body, *_, headers in csv.reader(process.stdout):
                yield Answer(int(at) / 1e9, int(latency) / 1e9, int(code), who(body, headers), error)


def who(body: str, headers: str) -> str:
    """The orchestrator whose replica answered: the example says it in the body, others in a header."""
    for line in base64.b64decode(headers).decode().splitlines():
        name, _, value = line.partition(": ")
        if name.lower() == "x-orchestrator":
            return value
    try:
        told: Any = json.loads(base64.b64decode(body))
    except ValueError:
        return ""
    return str(told.get("orchestrator", "")) if isinstance(told, dict) else ""
