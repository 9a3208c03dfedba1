"""Known weaknesses in what this project is made of, and the list of what that is.

    python -m tools.audit

Writes the list as CycloneDX to `.tools/sbom.json`, then asks pip-audit about every package of requirements.txt, and
of the policy pack's, and govulncheck about the Go of the example service. Where their data cannot be reached that is
said, and is no failure. Exit 1 when a weakness is known.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tools import build

CHECKOUT = Path(__file__).resolve().parents[2]
REQUIREMENTS = CHECKOUT / "requirements.txt"
PACK = CHECKOUT / "policy" / "requirements.txt"
PACKAGES = Path(__file__).with_name("requirements.txt")
"""The two Python programs, in an environment of their own: they are not needed to run anything here."""
ENVIRONMENT = CHECKOUT / ".tools" / "audit"
SBOM = CHECKOUT / ".tools" / "sbom.json"
GOVULNCHECK = CHECKOUT / "tools" / "govulncheck"
GO_PACKAGE = "golang.org/x/vuln/cmd/govulncheck"
FOUND = 3
"""How govulncheck ends when it has found something; any other number is a failure of its own."""

say = partial(build.say, "audit")


def main() -> int:
    """List, ask both, and say what they know."""
    build.environment("audit", ENVIRONMENT, PACKAGES)
    components = write_sbom()
    say(f"{len(components)} packages are listed in {SBOM.relative_to(CHECKOUT)}")
    known = [*python_packages(), *go_packages()]
    for each in known:
        say(each)
    return 1 if known else 0


def write_sbom() -> list[Mapping[str, Any]]:
    """The packages of requirements.txt as a list that other tools read; returns them."""
    lister = [str(ENVIRONMENT / "bin" / "cyclonedx-py"), "requirements", str(REQUIREMENTS)]
    options = ["--pyproject", "pyproject.toml", "--output-reproducible", "--output-file", str(SBOM)]
    subprocess.run([*lister, *options], cwd=CHECKOUT, check=True)
    listed: list[Mapping[str, Any]] = json.loads(SBOM.read_text(encoding="utf-8"))["components"]
    return listed


def python_packages() -> list[str]:
    """A line for each weakness that pip-audit knows of."""
    files = ["--requirement", str(REQUIREMENTS), "--requirement", str(PACK)]
    program = [str(ENVIRONMENT / "bin" / "pip-audit"), *files, "--require-hashes"]
    options = ["--disable-pip", "--progress-spinner", "off", "--format", "json"]
    asked = subprocess.run([*program, *options], capture_output=True, text=True)
    try:
        packages = json.loads(asked.stdout)["dependencies"]
    except ValueError:
        say(f"skipped: pip-audit gives no answer: {last_line(asked.stderr)}")
        return []
    known, unknown = read_pip_audit(packages)
    if unknown:
        say(f"skipped: pip-audit knows nothing of {len(unknown)} of {len(packages)} packages: {unknown[0]}")
    return known


def read_pip_audit(packages: list[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """The weaknesses, and why there is no answer for a package."""
    known = [
        f"{package['name']} {package['version']}: {each['id']}, fixed in {' or '.join(each['fix_versions']) or 'none'}"
        for package in packages
        for each in package.get("vulns", ())
    ]
    return known, [package["skip_reason"] for package in packages if "skip_reason" in package]


def go_packages() -> list[str]:
    """What govulncheck says of the example service, where it finds something."""
    kept = build.cache() / f"govulncheck-{build.key(GOVULNCHECK)}"
    program = build.program("audit", "govulncheck", kept, GOVULNCHECK, GO_PACKAGE, takes="about 20 seconds")
    if program is None:
        say("skipped: without govulncheck nobody is asked about Go's packages")
        return []
    asked = subprocess.run([str(program), "./..."], cwd=CHECKOUT / "app", capture_output=True, text=True)
    if asked.returncode not in (0, FOUND):
        say(f"skipped: govulncheck gives no answer: {last_line(asked.stderr)}")
    return [f"the example service:\n{asked.stdout}"] if asked.returncode == FOUND else []


def last_line(text: str) -> str:
    """Where a program says what went wrong."""
    return next(iter(text.strip().splitlines()[-1:]), "it says nothing")


if __name__ == "__main__":
    sys.exit(main())
