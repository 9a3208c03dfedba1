"""The real engine over the rehearsal cloud, one stack at a time."""

import gc
import json
import logging
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader, Loader
from pulumi import automation as auto
from pulumi.automation import _server

from components.edge.alb import Alb, AlbOptions
from rehearsal import Call, Cloud
from rehearsal.apis import kms
from tests.engine.account import REGION, Fleet, Kube, Town
from yard import engine

ROOT = Path(__file__).resolve().parent.parent.parent

Program = Callable[[], None]


class ReadOnce(JSONFileLoader):
    """A gate opens a session of its own for each run, of which a process of users has few. Each would read the same
    again: megabytes of AWS's endpoints."""

    load_file = staticmethod(cache(JSONFileLoader().load_file))


Loader.FILE_LOADER_CLASS = ReadOnce


@pytest.fixture(autouse=True)
def nobody_knows_what_callers_get(monkeypatch: pytest.MonkeyPatch) -> None:
    """No request passes through a rehearsal, so its CloudWatch could only make answers up."""
    monkeypatch.setattr(AlbOptions, "watch", lambda *_: None)
    monkeypatch.setattr(Alb, "watch", lambda *_: None)


def nothing() -> None:
    """A program without resources."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """When an engine stops at an error, the SDK leaves the program's event loop open, and says so some time later."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture(autouse=True)
def abandoned_programs_are_over(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What such a program leaves is swept up here, where it is expected, not in a later test."""
    caplog.set_level(logging.CRITICAL, "grpc._server")  # its traces would keep everything alive
    yield
    deadline = time.monotonic() + 10
    while _programs() and time.monotonic() < deadline:
        time.sleep(0.02)
    gc.collect()
    gc.freeze()  # what is left is the SDKs, mostly: a second each time to look through them again


def _programs() -> list[int]:
    """Threads in which the SDK runs a program."""
    return [
        thread
        for thread, frame in sys._current_frames().items()
        if any(each.f_code.co_filename == _server.__file__ for each, _ in traceback.walk_stack(frame))
    ]


class Lab:
    """One stack with its state in a directory of its own, over one cloud."""

    def __init__(self, cloud: Cloud, place: Path) -> None:
        self.cloud = cloud
        self.state = place / "state"
        self._program: Program = nothing
        (place / "Pulumi.yaml").write_text("name: rehearsal\nruntime: python\n", encoding="utf-8")
        (place / ".tools").symlink_to(ROOT / ".tools")
        self.stack = engine.stack(
            "lab",
            place,
            state=self.state,
            env=cloud.env | {"PULUMI_HOME": str(place / "home")},
            program=lambda: self._program(),
            secrets_provider=kms.SECRETS_PROVIDER,
        )
        # Written here, not by the CLI: a second saved each time.
        (place / "Pulumi.lab.yaml").write_text(
            (place / "Pulumi.lab.yaml").read_text(encoding="utf-8") + f"config: {{aws:region: {REGION}}}\n",
            encoding="utf-8",
        )

    def up(self, program: Program, **how: Any) -> dict[str, int]:
        """Run `program`; return what changed, without what stayed the same."""
        self._program = program
        return _changes(self.stack.up(**how).summary.resource_changes)

    def refused(self, program: Program, **how: Any) -> str:
        """Run `program`, which must fail; return what the engine says."""
        self._program = program
        with pytest.raises(auto.CommandError) as failure:
            self.stack.up(**how)
        return str(failure.value)

    def preview(self, program: Program) -> dict[str, int]:
        """What `program` would change."""
        self._program = program
        return _changes(self.stack.preview().change_summary)

    def destroy(self) -> None:
        """Remove everything."""
        self.stack.destroy()

    def saved(self) -> str:
        """The state as it lies on the disk."""
        return (self.state / ".pulumi/stacks/rehearsal/lab.json").read_text(encoding="utf-8")

    def resource(self, name: str) -> dict[str, Any]:
        """A resource in the state on the disk."""
        resources = json.loads(self.saved())["checkpoint"]["latest"]["resources"]
        found: dict[str, Any] = next(each for each in resources if each["urn"].endswith(f"::{name}"))
        return found

    def calls(self, op: str, name: str | None = None) -> list[Call]:
        """Operations so far of one kind, and of one resource."""
        return [each for each in self.cloud.calls if each.op == op and name in (None, each.name)]


def _changes(counts: Any) -> dict[str, int]:
    return {str(op): count for op, count in (counts or {}).items() if op != "same"}


MakeLab = Callable[..., Lab]


@pytest.fixture
def make_lab(tmp_path: Path) -> Iterator[MakeLab]:
    """`make_lab(scale=..., faults=...)`: a cloud and a stack on it."""
    with _labs(tmp_path) as make:
        yield make


@contextmanager
def _labs(place: Path) -> Iterator[MakeLab]:
    clouds: list[Cloud] = []

    def make(**options: Any) -> Lab:
        clouds.append(Cloud(**options))
        return Lab(clouds[-1].__enter__(), place)

    try:
        yield make
    finally:
        for cloud in clouds:
            cloud.__exit__(None, None, None)


@pytest.fixture
def town() -> Town:
    return Town()


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


@pytest.fixture
def kube(town: Town) -> Kube:
    return Kube(town)
