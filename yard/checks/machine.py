"""The tools on this machine: Pulumi and its plugins, Python and its packages, the AWS CLI."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator
from importlib.metadata import Distribution, distributions, version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from pulumi.automation import InvalidVersionError, PulumiCommand

from components.needs import Need, Program
from config.settings import Settings
from yard.checks import TIMEOUT, Finding, fail, ok, warn

MINIMUM = (3, 200, 0)
"""Of the Pulumi CLI, as in tools/pulumi_cli.py."""
SDK = "pulumi_"
"""What a package's name begins with; the rest names the plugin that does its work."""
LANGUAGE_HOST = "pulumi-language-python"
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)\s*(;)?", re.MULTILINE)


def pulumi(root: Path) -> Finding:
    """The CLI that `yard` uses."""
    cli = root / ".tools/bin/pulumi"
    try:
        found = PulumiCommand(str(root / ".tools")).version
    except (OSError, subprocess.CalledProcessError):
        return fail("pulumi", f"there is no Pulumi CLI that runs at {cli}", "make env")
    except InvalidVersionError as error:
        return fail("pulumi", f"{cli}: {error}", "install a newer one, rm .tools/.pulumi, make env")
    if found and (found.major, found.minor, found.patch) < MINIMUM:
        least = ".".join(map(str, MINIMUM))
        return fail(
            "pulumi", f"{cli} is {found}, and {least} or newer is needed", "install it, rm .tools/.pulumi, make env"
        )
    return ok("pulumi", f"{found} at {cli}")


def language_host() -> Finding:
    """What `pulumi up`, typed by hand, runs the program with: only the official CLI brings it."""
    name = "pulumi-on-path"
    path = os.pathsep.join(
        each for each in os.environ.get("PATH", os.defpath).split(os.pathsep) if ".tools" not in each
    )
    cli = shutil.which("pulumi", path=path)
    fix = "https://www.pulumi.com/docs/install/ (`yard switch` and `yard rehearse` do without)"
    if cli is None:
        return warn(name, "no pulumi on PATH, so `pulumi up` cannot be typed", fix)
    host = Path(cli).resolve().with_name(LANGUAGE_HOST)
    if not host.exists() and not shutil.which(LANGUAGE_HOST, path=path):
        return warn(name, f"{cli} came without {LANGUAGE_HOST}, so it cannot run this program", fix)
    return ok(name, f"{cli}, with {LANGUAGE_HOST}")


def python(root: Path) -> Finding:
    """That .venv has what the lock file says."""
    name, found_here = "python", ".".join(map(str, sys.version_info[:3]))
    site = [str(each) for each in (root / ".venv").glob("lib/python*/site-packages")]
    if not site:
        return fail(name, f"there is no .venv in {root}, which `pulumi up` runs the program with", "make env")
    installed = {_plain(each): each.version for each in distributions(path=site) if _named(each)}
    lock = (root / "requirements.txt").read_text(encoding="utf-8")
    if odd := list(_differences(lock, installed)):
        rest = f" and {len(odd) - 3} more" if len(odd) > 3 else ""
        return fail(name, f".venv is not what requirements.txt says: {'; '.join(odd[:3])}{rest}", "make env")
    return ok(name, f"{found_here}; .venv has what requirements.txt says")


def _named(distribution: Distribution) -> bool:
    return bool(distribution.metadata["Name"])  # a half-removed one has none


def _plain(distribution: Distribution) -> str:
    return re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()


def _differences(lock: str, installed: dict[str, str]) -> Iterator[str]:
    for package, wanted, conditional in PIN.findall(lock):
        found = installed.get(re.sub(r"[-_.]+", "-", package).lower())
        if found is None and not conditional:  # what has a condition may be for other machines
            yield f"{package} {wanted} is missing"
        elif found is not None and found != wanted:
            yield f"{package} is {found}, wanted {wanted}"


def plugins(settings: Settings) -> Finding:
    """What the chosen backends' packages run their work through. Pulumi fetches what is missing."""
    needed = sorted(_packages(settings))
    if not needed:
        return ok("plugins", "none needed")
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"
    wanted = {package.removeprefix(SDK): version(package) for package in needed}
    missing = {key: each for key, each in wanted.items() if not (home / f"resource-{key}-v{each}").is_dir()}
    if missing:
        found_here = ", ".join(f"{key} {each}" for key, each in missing.items())
        return warn(
            "plugins",
            f"not here yet: {found_here}; the first `pulumi up` downloads them, some hundred MB",
            " && ".join(f"pulumi plugin install resource {key} {each}" for key, each in missing.items()),
        )
    return ok("plugins", ", ".join(f"{key} {each}" for key, each in wanted.items()))


def _packages(settings: Settings) -> set[str]:
    """Pulumi packages that the chosen backends' modules import."""
    modules = [sys.modules[each.__module__] for options in settings.backends.values() for each in type(options).__mro__]
    values = [value for module in modules for value in vars(module).values() if isinstance(value, ModuleType)]
    found = {each.__name__ for each in values if each.__name__.startswith(SDK) and find_spec(each.__name__)}
    return found | {"pulumi_aws"} if settings.on_aws else found


def aws_cli(needs: Collection[Need]) -> Finding:
    """The AWS CLI, which a backend may need; else only the commands that we print call it."""
    name, fix = "aws-cli", "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"
    if answer := _answer("aws", "--version"):
        return ok(name, answer.partition(" ")[0])
    if needed := [each.why for each in needs if isinstance(each, Program) and each.name == "aws"]:
        return fail(name, f"no aws on PATH that runs: {needed[0]}", fix)
    return warn(name, "no aws on PATH that runs: the commands that push images and show logs call it", fix)


def program(need: Program) -> Finding:
    """Another program that a backend needs."""
    if shutil.which(need.name):
        return ok(need.name, "is on PATH")
    lacks = fail if need.for_up else warn
    return lacks(need.name, f"no {need.name} on PATH: {need.why}", f"install {need.name}")


def _answer(*words: str) -> str | None:
    """What a program prints; None: it does not run."""
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=2 * TIMEOUT, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
