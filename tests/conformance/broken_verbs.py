"""Orchestrators that each break a promise about the verbs, and one that keeps them."""

from collections.abc import Generator, Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar

from components.operations import Line, Operations, Running
from components.orchestrator import HONOURED, VERBS, refused, translated
from tests.conformance.broken import GoodRun, GoodRunOptions


class Doing(Operations[GoodRunOptions]):
    """Whoever does the verbs."""

    def status(self, service: str) -> Running:
        return Running(0, [])

    def logs(self, service: str, since: datetime, follow: bool) -> Iterator[Line]:
        return iter(())

    def run(self, service: str, command: Sequence[str]) -> Generator[str | int, None, None]:
        yield 0

    def exec(self, service: str, command: Sequence[str]) -> int:
        return 0


class Half(Operations[Any]):
    """It does no verb at all."""


class DutifulOptions(GoodRunOptions):
    verbs = dict.fromkeys(VERBS, HONOURED)
    operated_by: ClassVar[str | None] = f"{__name__}:Doing"


class Dutiful(GoodRun):
    Options = DutifulOptions


class GruffOptions(DutifulOptions):
    verbs = {"exec": refused("no")}


class Gruff(GoodRun):
    Options = GruffOptions


class CrypticOptions(DutifulOptions):
    verbs = {"exec": translated("")}


class Cryptic(GoodRun):
    Options = CrypticOptions


class SlurredOptions(DutifulOptions):
    verbs = {"stauts": HONOURED}


class Slurred(GoodRun):
    Options = SlurredOptions


class IdleOptions(DutifulOptions):
    operated_by = None


class Idle(GoodRun):
    Options = IdleOptions


class PostponedOptions(DutifulOptions):
    operated_by = f"{__name__}:Half"


class Postponed(GoodRun):
    Options = PostponedOptions


class MistakenOptions(DutifulOptions):
    operated_by = f"{__name__}:Dutiful"


class Mistaken(GoodRun):
    Options = MistakenOptions
