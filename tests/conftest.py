"""What every test starts from: no configuration but its own, and outputs that never pass for text."""

import gc
import os
import signal
from functools import cache
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling, WorkStealingScheduling  # type: ignore[import-untyped]

pytest.register_assert_rewrite("tests.pulling")
os.environ["PULUMI_ERROR_OUTPUT_STRING"] = "1"  # an output inside an f-string is an error
gc.set_threshold(20_000, 50, 100)  # every run of a program leaves much behind
os.environ.setdefault("GOGC", "400")  # the CLI runs for seconds: no need to tidy up while it does


ENDING: dict[signal.Signals, Any] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGHUP: signal.SIG_DFL,
}
"""Signal -> what Python does with it by itself."""


def pytest_configure(config: pytest.Config) -> None:
    os.environ.pop("COLUMNS", None)  # pytest's workers are told of a width, as if they were terminals
    # A script's background job and nohup ignore some of these, and so would all that the tests start.
    for number, usual in ENDING.items():
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)
    # These packages warn of deprecated classes of their own whenever they are imported.
    config.addinivalue_line(
        "filterwarnings", r"ignore:(aws|s3)\.\S+ has been deprecated in favor of:DeprecationWarning"
    )
    config.addinivalue_line("filterwarnings", "ignore:NodeGroup uses AWS EC2 LaunchConfiguration:DeprecationWarning")


@cache
def load_profile() -> None:
    """How the property tests run."""
    from hypothesis import settings

    settings.register_profile("switchyard", deadline=None, derandomize="CI" in os.environ)
    settings.load_profile("switchyard")


def pytest_collectstart() -> None:
    """Only where tests are run: who gives them out to workers would make these wait for what it never uses."""
    load_profile()


def pytest_collection_finish() -> None:
    gc.freeze()  # The SDKs keep half a million objects that never die: no need to look through them again and again.


def pytest_sessionfinish() -> None:
    # After the tests pytest and Python look through all that is left four times more, and find what once would find.
    gc.collect()
    gc.freeze()


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """On several workers, in the order of collection: first the live tests, one after another on the Docker engine, and
    beside that on the cluster and in the browser; then all others file by file, for neighbours share the graph that the
    first of them made (the table of costs those of the invariants), but each test of the engine by itself, wherever
    there is room."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file.startswith("tests/engine/"):
            return nodeid
        if file.endswith(("test_costs.py", "test_invariants.py")):
            return "graphs"
        if not file.startswith("tests/live/"):
            return file
        if "test_cluster" in file:
            return "cluster"
        return file if file.endswith("test_page.py") else "docker"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where no live test takes part, neighbours stay together: they share the graph that the first of them made."""
    live = any(each.startswith("tests/live") or "tests/live".startswith(each) for each in config.args)
    return (Scheduling if live else WorkStealingScheduling)(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """The live tests have the machine first: they measure how long nobody answers, and come before all others."""
    if "PYTEST_XDIST_WORKER" in os.environ and not item.get_closest_marker("live") and os.nice(0) == 0:
        os.nice(10)


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's configuration does not reach the next, and the caller's environment reaches none."""
    for variable in ("PULUMI_CONFIG", "PULUMI_CONFIG_SECRET_KEYS", "DOCKER_HOST", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    import pulumi  # here for the same reason

    pulumi.runtime.set_all_config({}, [])  # without a list the keys that were secret would stay so
