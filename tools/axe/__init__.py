"""Where axe-core is, once `python -m tools.axe` has set it up."""

from pathlib import Path

PACKAGES = Path(__file__).with_name("requirements.txt")
ENVIRONMENT = Path(__file__).resolve().parents[2] / ".tools" / "axe"


def script() -> str | None:
    """The checker, as a script for a page; None: it is not set up."""
    found = list(ENVIRONMENT.glob("lib/python3*/site-packages/axe_playwright_python/axe.min.js"))
    return found[0].read_text(encoding="utf-8") if found else None
