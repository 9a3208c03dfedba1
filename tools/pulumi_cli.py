"""Put a Pulumi CLI at `.tools/bin/pulumi`, the one that every part of this project uses.

Three ways, of which the first that works is taken and said: an installed `pulumi`, the official release,
a build from source. Usage: `python -m tools.pulumi_cli`. Exit 1, with what to do, when none of them works.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
from functools import partial
from pathlib import Path

from tools import build, release

VERSION = (3, 259, 0)
# The traffic gate is a resource hook. The engine has hooks from 3.182 on, and runs those of an inline program
# on destroy from 3.184 on; the releases up to 3.200 are left for the fixes that followed.
MINIMUM = (3, 200, 0)

CHECKOUT = Path(__file__).resolve().parent.parent
TOOLS = CHECKOUT / ".tools"
BIN = TOOLS / "bin"
MODULE = CHECKOUT / "tools" / "pulumi"
PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
# Without a version the Automation API refuses the CLI.
STAMP = f"-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{'.'.join(map(str, VERSION))}"
DYNAMIC_PROVIDER = "pulumi-resource-pulumi-python"
PLUGINS = {
    DYNAMIC_PROVIDER: 'exec "$(dirname "$0")/../../.venv/bin/python" -u -m pulumi.dynamic "$@"',
    # In the pack's folder, with the engine's address, the pack, and the options of its PulumiPolicy.yaml: ours has the
    # environment where it says, and a language host would read that.
    "pulumi-analyzer-policy-python": 'exec "${3#-virtualenv=}/bin/python" -u -m pulumi.policy "$1" "$2"',
}
"""What an official release has beside the CLI, and one that is built from source has not: the language host's part."""

Version = tuple[int, ...]

say = partial(build.say, "pulumi")


def main() -> int:
    """Make `.tools/bin/pulumi`, the cheapest way that works."""
    BIN.mkdir(parents=True, exist_ok=True)
    if cli := installed() or official():
        link(cli)
    elif cli := built():
        embed(cli)
    else:
        say(
            "there is no Pulumi CLI here, and no way to get one (see the lines above). Do one of these, "
            "then run `make env` again:\n"
            "  - install Pulumi: https://www.pulumi.com/docs/install/\n"
            "  - install Go, to build it from source: https://go.dev/dl/"
        )
        return 1
    return 0


def installed() -> Path | None:
    """The `pulumi` on PATH, when it is new enough and can run dynamic providers."""
    found = shutil.which("pulumi", path=path_without(BIN))
    if found is None:
        return None
    cli = Path(found).absolute()
    version = version_of(cli)
    if version is None:
        say(f"{cli} does not answer `pulumi version`: not used")
    elif version < MINIMUM:
        say(f"{cli} is version {dotted(version)}, and {dotted(MINIMUM)} or newer is needed: not used")
    elif not (cli.resolve().with_name(DYNAMIC_PROVIDER).exists() or shutil.which(DYNAMIC_PROVIDER)):
        say(f"{cli} came without {DYNAMIC_PROVIDER}, which dynamic providers need: not used")
    else:
        say(f"using {cli}, version {dotted(version)}")
        return cli
    return None


def official() -> Path | None:
    """The official release, installed into this checkout."""
    root = TOOLS / "pulumi"
    cli = root / "bin" / "pulumi"
    take_over(root)
    if version_of(cli) == VERSION:
        say(f"using {cli}")
        return cli
    say(f"fetching the official release {dotted(VERSION)} from {release.ARCHIVES}")
    try:
        release.install(dotted(VERSION), root)
    except (OSError, tarfile.TarError, release.ReleaseError) as error:
        say(f"the official release is not used: {error}")
        return None
    if version_of(cli) != VERSION:
        say(f"the official release has no working {cli}")
        return None
    say(f"using {cli}")
    return cli


def take_over(root: Path) -> None:
    """The release that another checkout has (LIKE, as for tools/env), by hard links where the file system has them."""
    other = Path(os.environ.get("LIKE") or CHECKOUT) / ".tools" / "pulumi"
    if other.is_dir() and not root.exists():
        try:
            shutil.copytree(other, root, copy_function=os.link)
        except (OSError, shutil.Error):  # another file system
            shutil.copytree(other, root, dirs_exist_ok=True)


def built() -> Path | None:
    """A CLI built from source, kept per user so that the next checkout need not build it again."""
    cli = build.cache() / f"pulumi-{dotted(VERSION)}-{build.key(MODULE)}"
    if version_of(cli) == VERSION:
        say(f"using {cli}, built earlier from the same sources")
        return cli
    return build.program(
        "pulumi",
        f"the Pulumi CLI {dotted(VERSION)}",
        cli,
        MODULE,
        PACKAGE,
        takes="about 4 minutes on 2 cores",
        stamp=STAMP,
        works=lambda each: version_of(each) == VERSION,
    )


def link(cli: Path) -> None:
    """Point `.tools/bin/pulumi` at an official CLI, which finds its own plugins beside the real file."""
    for name in PLUGINS:
        (BIN / name).unlink(missing_ok=True)
    target = BIN / "pulumi"
    target.unlink(missing_ok=True)
    target.symlink_to(cli)


def embed(cli: Path) -> None:
    """Put a CLI built from source into `.tools/bin` with the plugins that it lacks.

    It must be a file there, not a symbolic link: the engine takes a bundled plugin from beside the real file
    that runs. One on PATH would do too, but draws a warning on every run.
    """
    target = BIN / "pulumi"
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(cli)
    except OSError:  # another file system
        shutil.copy2(cli, target)
    for name, script in PLUGINS.items():
        plugin = BIN / name
        plugin.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        plugin.chmod(0o755)


def version_of(cli: Path) -> Version | None:
    """What `pulumi version` answers; None when the file is missing, does not run or says something else."""
    environment = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        answer = subprocess.run([cli, "version"], capture_output=True, text=True, timeout=30, env=environment)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", answer.stdout)
    return tuple(int(part) for part in match.groups()) if match else None


def path_without(directory: Path) -> str:
    """PATH less our own directory, so that an earlier result is not taken for an installed CLI."""
    entries = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(entry for entry in entries if Path(entry).resolve() != directory)


def dotted(version: Version) -> str:
    """A version as people write it: `3.259.0`."""
    return ".".join(str(part) for part in version)


if __name__ == "__main__":
    sys.exit(main())
