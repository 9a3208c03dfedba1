"""Ctrl-C: what is under way ends in order, and one sentence says what is there and how to go on."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import click

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What asks a process to end: Ctrl-C, whoever supervises it, a terminal that is closed."""


class Interrupted(KeyboardInterrupt):
    """One of `ENDING` came, and what was under way has ended."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def can_be_held() -> bool:
    """Whether signals can be held here: Python hands them to the main thread alone."""
    return threading.current_thread() is threading.main_thread()


@contextmanager
def _handling(handle: Callable[[int, FrameType | None], None], *signals: signal.Signals) -> Iterator[None]:
    """Handle signals so in the block; those that the process was started to ignore stay ignored."""
    heard = [each for each in signals if can_be_held() and signal.getsignal(each) is not signal.SIG_IGN]
    before = {each: signal.signal(each, handle) for each in heard}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def held(tell: Callable[[int], None] = lambda _: None) -> Iterator[list[int]]:
    """Let the block finish although a signal asks this process to end, and raise `Interrupted` after it.

    `tell` is called at each signal, with how many there were; the block gets the list of them.
    """
    received: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        tell(len(received))

    try:
        with _handling(handle, *ENDING):
            yield received
    finally:
        if received:
            raise Interrupted(received[0])


@contextmanager
def raised() -> Iterator[None]:
    """Whatever asks this process to end raises `Interrupted` in the block at once, as Ctrl-C raises KeyboardInterrupt;
    what comes after that is not heard, so that what the block puts in order as it ends is done."""

    def handle(number: int, _frame: FrameType | None) -> None:
        for each in ENDING:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(number)

    with _handling(handle, *ENDING):
        yield


@contextmanager
def heard() -> Iterator[None]:
    """SIGTERM and SIGHUP raise `Interrupted` in the block, as Ctrl-C raises KeyboardInterrupt: by default they end the
    process without a word."""

    def handle(number: int, _frame: FrameType | None) -> None:
        raise Interrupted(number)

    with _handling(handle, signal.SIGTERM, signal.SIGHUP):
        yield


@contextmanager
def explained(how_to_go_on: Callable[[], str]) -> Iterator[None]:
    """End the command when it is interrupted: with one sentence, and the exit code that shells know it by."""
    try:
        yield
    except KeyboardInterrupt as stop:
        with _unheard(), suppress(OSError):  # the terminal may be closed
            click.echo(f"Stopped. {how_to_go_on()}".rstrip(), err=True)
        raise SystemExit(128 + (stop.number if isinstance(stop, Interrupted) else signal.SIGINT)) from None


@contextmanager
def _unheard() -> Iterator[None]:
    """The process is ending already: asking again changes nothing."""
    try:
        with held():
            yield
    except Interrupted:
        pass
