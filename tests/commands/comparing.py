"""`yard compare` for a project of the test's own."""

import json
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from tests.program import ROOT
from yard.compare import compare

STACKS = sorted(file.stem.partition(".")[2] for file in (ROOT / "config").glob("Pulumi.*.yaml"))
REGIONS = ("ap-northeast-1", "us-east-1")
TODAY = date(2026, 11, 24)
SECRET = {"secure": "v1:abc:def"}


def run(*arguments: str, exit_code: int = 0, **env: str) -> Result:
    """The command, which must end with this code and without a stack trace."""
    result = CliRunner(env=env).invoke(compare, arguments)
    assert result.exit_code == exit_code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def document(*arguments: str) -> dict[str, Any]:
    """What `--json` prints, on standard output alone."""
    found: dict[str, Any] = json.loads(run("--json", *arguments).stdout)
    return found


def pair(found: Mapping[str, Any], registry: str, orchestrator: str) -> dict[str, Any]:
    """One pair out of a document."""
    (one,) = [each for each in found["pairs"] if (each["registry"], each["orchestrator"]) == (registry, orchestrator)]
    return dict(one)


Project = Callable[..., Path]
