"""What `make audit` makes of the answers of the programs that it asks."""

import json
import subprocess
from typing import Any

import pytest

from tools.audit import __main__ as program

WEAK = {"name": "requests", "version": "2.0.0", "vulns": [{"id": "CVE-2026-1", "fix_versions": ["2.0.1"]}]}
SOUND = {"name": "click", "version": "8.0.0", "vulns": []}
UNKNOWN = {"name": "ours", "skip_reason": "Dependency not found"}


def asked(monkeypatch: pytest.MonkeyPatch, stdout: str, stderr: str = "", code: int = 0) -> None:
    """Whatever is run answers this."""
    answer = subprocess.CompletedProcess([], code, stdout, stderr)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)


@pytest.mark.parametrize(
    ("packages", "known", "said"),
    [
        ([SOUND], [], ""),
        ([SOUND, WEAK], ["requests 2.0.0: CVE-2026-1, fixed in 2.0.1"], ""),
        ([WEAK, UNKNOWN], ["requests 2.0.0: CVE-2026-1, fixed in 2.0.1"], "knows nothing of 1 of 2 packages"),
    ],
)
def test_every_weakness_of_a_python_package_is_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], packages: Any, known: list[str], said: str
) -> None:
    asked(monkeypatch, json.dumps({"dependencies": packages}))
    assert program.python_packages() == known
    err = capsys.readouterr().err
    assert said in err if said else not err


def test_no_way_to_the_data_is_said_and_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked(monkeypatch, "", "Traceback\nConnectionError: no such host\n", 1)
    assert program.python_packages() == []
    assert "skipped: pip-audit gives no answer: ConnectionError: no such host" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "count", "said"), [(0, 0, ""), (3, 1, ""), (1, 0, "skipped: govulncheck gives no answer: no such host")]
)
def test_govulncheck_says_it_by_how_it_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int, count: int, said: str
) -> None:
    monkeypatch.setattr("tools.build.program", lambda *_, **__: "govulncheck")
    asked(monkeypatch, "GO-2026-1", "no such host", code)
    assert len(program.go_packages()) == count
    assert said in capsys.readouterr().err


def test_a_known_weakness_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("tools.build.environment", lambda *_: None)
    for name, answer in (("write_sbom", []), ("python_packages", ["weak"]), ("go_packages", [])):
        monkeypatch.setattr(program, name, lambda answer=answer: answer)
    assert program.main() == 1
    assert "audit: weak" in capsys.readouterr().err
    monkeypatch.setattr(program, "python_packages", list)
    assert program.main() == 0
