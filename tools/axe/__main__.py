"""Set up axe-core, which finds what keeps people from using a page: `tests/live/test_page.py` runs it in a browser.

    python -m tools.axe

It comes inside a Python package that keeps up with axe-core's releases, here without Playwright, which that needs.
"""

from tools import axe, build

if __name__ == "__main__":
    build.environment("axe", axe.ENVIRONMENT, axe.PACKAGES, "--no-deps")
