"""The way to a cluster's API: the program kubectl, which takes the login, the proxy and the trust of any kubeconfig.

Requests name the path of the API itself (`--raw`): kubectl sends them as they are, and asks nothing before.
"""

from __future__ import annotations

import atexit
import json
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any
from urllib.parse import urlencode, urlsplit

from components.operations import OperationError

Object = dict[str, Any]
Access = Callable[[], AbstractContextManager[Sequence[str]]]
"""Gives the options by which kubectl finds the cluster and logs in. They hold while the block runs."""
TIMEOUT = "--request-timeout=30s"
INSTALL = "there is no kubectl on PATH: install it, https://kubernetes.io/docs/tasks/tools/"
REFUSED = re.compile(r"^Error from server(?: \((\w+)\))?: (.*)", re.DOTALL | re.MULTILINE)


class Refused(OperationError):
    """What the API server refuses, and its word for why, such as NotFound."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"the cluster refuses: {message}")
        self.reason = reason


class Kubectl:
    """Requests to one cluster."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._streams: set[subprocess.Popen[str]] = set()
        self._closed = False

    def close(self) -> None:
        """End what still streams, in whatever thread."""
        self._closed = True
        for each in list(self._streams):
            each.kill()

    def get(self, path: str, **query: str) -> Any:
        """What is at `path`; raises `Refused` and `OperationError`."""
        return json.loads(self._run("get", TIMEOUT, "--raw", self._url(path, query)))

    def create(self, path: str, body: Object) -> None:
        """Make an object in the collection at `path`."""
        self._run("create", TIMEOUT, "--raw", self._url(path, {}), "--filename", "-", given=json.dumps(body))

    def delete(self, path: str, **query: str) -> None:
        """Delete what is at `path`."""
        self._run("delete", TIMEOUT, "--raw", self._url(path, query))

    def lines(self, path: str, **query: str) -> Iterator[str]:
        """What comes from `path`, line by line, until the server ends it."""
        with self._access() as options, self._started("get", *options, "--raw", self._url(path, query)) as process:
            self._streams.add(process)
            atexit.register(process.kill)  # a thread that nobody waits for never comes to its `finally`
            try:
                assert process.stdout
                assert process.stderr
                for line in process.stdout:
                    yield line.rstrip("\n")
                if process.wait():
                    raise _error(process.stderr.read())
            finally:
                process.kill()
                atexit.unregister(process.kill)
                self._streams.discard(process)

    def on_terminal(self, words: Sequence[str], hear: Callable[[str], None]) -> int:
        """Run a command of kubectl's on this terminal; its exit code. `hear` gets the lines of its standard error."""
        verb, *rest = words
        with self._access() as options:
            try:
                process = subprocess.Popen(["kubectl", verb, *options, *rest], stderr=subprocess.PIPE, text=True)
            except FileNotFoundError as error:
                raise OperationError(INSTALL) from error
            with process:
                assert process.stderr
                for line in process.stderr:
                    hear(line)
                return process.wait()

    @cached_property
    def _prefix(self) -> str:
        """The path of the cluster's address, which `--raw` leaves out: that of a cluster behind Rancher has one."""
        view = json.loads(self._run("config", "view", "--minify", "--output", "json"))
        servers = [each["cluster"].get("server", "") for each in view.get("clusters") or []]
        return urlsplit(servers[0]).path.rstrip("/") if servers else ""

    def _url(self, path: str, query: dict[str, str]) -> str:
        return f"{self._prefix}{path}{'?' + urlencode(query) if query else ''}"

    def _run(self, *words: str, given: str = "") -> str:
        verb, *rest = words
        with self._access() as options, self._started(verb, *options, *rest, stdin=subprocess.PIPE) as process:
            try:
                out, err = process.communicate(given)
            except BaseException:
                process.kill()
                raise
            if process.returncode:
                raise _error(err)
            return out

    def _started(self, *words: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        if self._closed:
            raise OperationError("it was closed")
        pipe = subprocess.PIPE
        try:
            # Out of the way of a Ctrl-C on the terminal, which reaches this process alone: it ends what it has begun.
            return subprocess.Popen(
                ["kubectl", *words],
                stdin=stdin,
                stdout=pipe,
                stderr=pipe,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise OperationError(INSTALL) from error


def _error(text: str) -> OperationError:
    """kubectl's last words."""
    said = text.strip()
    if found := REFUSED.search(said):
        return Refused(found[1] or "", found[2])
    last = said.splitlines()[-1] if said else "it ended without a word"
    return OperationError(f"kubectl: {last.removeprefix('error: ')}")
