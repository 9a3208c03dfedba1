"""A service's release command: which one it is, and whether it still has to run."""

import hashlib
import json
from collections.abc import Sequence
from typing import Literal

Standing = Literal["due", "done", "elsewhere"]
"""Of a release command on the stack's own orchestrator: due, it has to run; done, it ran here; elsewhere, it ran on the
orchestrator that the stack has left, and does not run again. On another orchestrator it has none."""

PATIENCE = 1800
"""Seconds that a release command may take."""


def fingerprint(command: Sequence[str], digest: str) -> str:
    """Names one run: of this command in this image. Another name is another run."""
    return hashlib.sha256(json.dumps([digest, *command]).encode()).hexdigest()[:12]
