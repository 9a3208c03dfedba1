"""What every test starts from: no configuration but its own, and outputs that never pass for text."""

import gc
import os

import pulumi
import pytest
from hypothesis import settings

os.environ["PULUMI_ERROR_OUTPUT_STRING"] = "1"  # an output inside an f-string is an error
settings.register_profile("switchyard", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("switchyard")
# The SDKs keep a million objects that never die; looking through them all the time takes half of a test's time.
gc.set_threshold(200_000, 20, 100)


def pytest_configure(config: pytest.Config) -> None:
    # These packages warn of deprecated classes of their own whenever they are imported.
    config.addinivalue_line(
        "filterwarnings", r"ignore:(aws|s3)\.\S+ has been deprecated in favor of:DeprecationWarning"
    )
    config.addinivalue_line("filterwarnings", "ignore:NodeGroup uses AWS EC2 LaunchConfiguration:DeprecationWarning")


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's configuration does not reach the next, and the caller's environment reaches none."""
    for variable in ("PULUMI_CONFIG", "PULUMI_CONFIG_SECRET_KEYS", "DOCKER_HOST", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    pulumi.runtime.set_all_config({})
