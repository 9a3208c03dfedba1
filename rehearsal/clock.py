"""Rehearsal time: seconds as the cloud would take them, passed as fast as wished.

Time stands still while the engine works and jumps to the next thing due when all is quiet. So what is reported is the
cloud's own time, without the engine's; and operations end in the order in which they would on the cloud.
"""

import heapq
import threading
import time
from collections.abc import Callable

QUIET = 0.04
"""Seconds without a call after which the engine has nothing more to do before something ends."""


class Clock:
    """A clock that runs at `scale` real seconds a second. At scale 0 nothing waits and no time passes."""

    def __init__(self, scale: float) -> None:
        self.now = 0.0
        self._scale = scale
        self._due: list[float] = []
        self._turn = threading.Condition()
        self._busy = self._advanced = time.monotonic()
        self._closed = False
        self._pump = threading.Thread(target=self._run, name="rehearsal-clock", daemon=True)
        self._pump.start()

    def close(self) -> None:
        """Stop; whoever still waits goes on at once."""
        with self._turn:
            self._closed = True
            self._turn.notify_all()
        self._pump.join()

    def touch(self) -> None:
        """Say that the engine is at work."""
        self._busy = time.monotonic()

    def remind(self, seconds: float) -> None:
        """Let time pass up to `seconds` from now even if nobody sleeps till then."""
        if self._scale:
            with self._turn:
                self._push(seconds)

    def sleep(self, seconds: float, stopped: Callable[[], bool]) -> None:
        """Return when `seconds` have passed, or as soon as `stopped` says so (see `wake`)."""
        if not self._scale or seconds <= 0:
            return
        with self._turn:
            end = self._push(seconds)
            self._turn.wait_for(lambda: self.now >= end or self._closed or stopped())

    def wake(self) -> None:
        """Let every sleeper look whether it is stopped."""
        with self._turn:
            self._turn.notify_all()

    def _push(self, seconds: float) -> float:
        end = self.now + seconds
        heapq.heappush(self._due, end)
        self._turn.notify_all()
        return end

    def _run(self) -> None:
        with self._turn:
            while not self._closed:
                if not self._due:
                    self._turn.wait()
                elif (rest := self._until_next()) > 0:
                    self._turn.wait(rest)
                else:
                    self._advance()

    def _until_next(self) -> float:
        paced = self._advanced + (self._due[0] - self.now) * self._scale
        return max(paced, self._busy + QUIET) - time.monotonic()

    def _advance(self) -> None:
        self.now = max(self.now, self._due[0])
        while self._due and self._due[0] <= self.now:
            heapq.heappop(self._due)
        self._advanced = self._busy = time.monotonic()
        self._turn.notify_all()
