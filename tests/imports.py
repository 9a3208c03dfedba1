"""What a process of its own imports: this one has imported everything."""

import json
import subprocess
import sys

from tests.program import ROOT


def imported(code: str, *modules: str) -> list[str]:
    """Which of `modules` are there once a new Python has run `code`."""
    asked = f"{code}\nimport json, sys\nprint(json.dumps([each for each in {modules!r} if each in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found
