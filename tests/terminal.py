"""A command in a terminal of its own, as a person has it who presses Ctrl-C."""

import os
import pty
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE = 120.0
"""Seconds that anything awaited here may take."""
ENDING = 5.0
"""Seconds that what a command started may outlive it."""


class Terminal:
    """Runs `command` in a session of its own. Its standard output goes to the file `out` where one is named."""

    def __init__(
        self, command: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None, out: Path | None = None
    ) -> None:
        self._ours, theirs = pty.openpty()
        sink = out.open("wb") if out else None
        self._process = subprocess.Popen(
            # Ctrl-C reaches who has the terminal: the first of a session to open one.
            ["sh", "-c", 'exec "$@" <"$0"', os.ttyname(theirs), *command],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=sink or theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        if sink:
            sink.close()
        self._screen = b""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        os.close(self._ours)

    @property
    def screen(self) -> str:
        """All that it showed so far."""
        return self._screen.decode()

    def wait_for(self, text: str) -> None:
        """Return once it has shown `text`."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.screen:
            assert time.monotonic() < deadline, f"{text!r} is not shown:\n{self.screen}"
            assert self._reader.is_alive(), f"it ended without {text!r}:\n{self.screen}"
            time.sleep(0.01)

    def type(self, keys: bytes) -> None:
        """Press these keys."""
        os.write(self._ours, keys)

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.type(b"\x03")

    def signal(self, number: int) -> None:
        """Send the command a signal, and it alone."""
        self._process.send_signal(number)

    def end(self) -> int:
        """Wait for its end, and that of all that it started; its exit code."""
        code = self._process.wait(PATIENCE)
        deadline = time.monotonic() + ENDING
        while (left := self._left()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not left, f"it left {left}"
        self._reader.join()
        return code

    def _left(self) -> list[str]:
        """The command lines of its session's processes."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                session = (process / "stat").read_text().rpartition(")")[2].split()[3]
                line = (process / "cmdline").read_text().replace("\0", " ")
            except OSError:  # it has ended meanwhile
                continue
            if int(session) == self._process.pid and line:
                found.append(line)
        return found

    def _read(self) -> None:
        try:
            while shown := os.read(self._ours, 65536):
                self._screen += shown
        except OSError:  # how Linux says that nobody has the other end any more
            return
