"""Resource hooks that wait: each call of one gets a thread of its own.

The engine calls all hooks of a program in the program's one event loop. One that waits there keeps all others waiting,
and the resources that come next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from threading import Event, Thread

import pulumi

INTERRUPTED = Event()
"""Set by who runs the program when the run is to end: the engine, which is told so too, waits for its hooks."""


def waiting(name: str, work: Callable[[pulumi.ResourceHookArgs], None]) -> pulumi.ResourceHook:
    """A hook that does `work` beside all others; what it raises, the engine is told."""

    async def aside(args: pulumi.ResourceHookArgs) -> None:
        done: Future[None] = Future()

        def run() -> None:
            try:
                work(args)
            except Exception as error:
                done.set_exception(error)
            else:
                done.set_result(None)

        # A daemon: where the engine was killed, nobody waits for what its hooks would say.
        Thread(target=copy_context().run, args=(run,), name=name, daemon=True).start()
        await asyncio.wrap_future(done)

    return pulumi.ResourceHook(name, aside)
