"""The Pulumi CLI as Pulumi publishes it, taken only if it is what the release's own list says.

The archive and the list come from two places (get.pulumi.com and the release on GitHub), so that one of them alone
cannot pass something else off. Nothing that was fetched is run before it was compared.
"""

import hashlib
import platform
import shutil
import tarfile
import tempfile
import urllib.request
from pathlib import Path

ARCHIVES = "https://get.pulumi.com/releases/sdk"
CHECKSUMS = "https://github.com/pulumi/pulumi/releases/download"

TIMEOUT = 20.0
"""Seconds without an answer: a machine without a network must fall through quickly."""
ARCHITECTURES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
"""What a machine calls itself -> what Pulumi's archives call it."""


class ReleaseError(Exception):
    """There is no release for this machine, or what was fetched is not it."""


def install(version: str, root: Path) -> None:
    """Put the programs of a release into `<root>/bin`; raises `ReleaseError`, or `OSError` without a network."""
    name = archive_name(version)
    wanted = checksum(read(f"{CHECKSUMS}/v{version}/pulumi-{version}-checksums.txt").decode(), name)
    content = read(f"{ARCHIVES}/{name}")
    if (found := hashlib.sha256(content).hexdigest()) != wanted:
        raise ReleaseError(f"{ARCHIVES}/{name} has the SHA-256 {found}, and the release's own list says {wanted}")
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent) as place:
        unpack(content, Path(place))
        programs = next(Path(place).rglob("pulumi-language-python"), None)
        if programs is None:
            raise ReleaseError(f"{name} has no program pulumi-language-python")
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        programs.parent.rename(root / "bin")


def archive_name(version: str) -> str:
    """The archive for this machine."""
    system, machine = platform.system().lower(), platform.machine().lower()
    if system not in ("linux", "darwin") or machine not in ARCHITECTURES:
        raise ReleaseError(f"Pulumi publishes no archive for {system} on {machine}")
    return f"pulumi-v{version}-{system}-{ARCHITECTURES[machine]}.tar.gz"


def checksum(listing: str, name: str) -> str:
    """The SHA-256 of an archive in a list as `sha256sum` writes it."""
    for line in listing.splitlines():
        if line.split()[1:] == [name]:
            return line.split()[0]
    raise ReleaseError(f"the release's list of checksums does not name {name}")


def read(url: str) -> bytes:
    """All of what is there."""
    with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
        content: bytes = answer.read()
    return content


def unpack(content: bytes, place: Path) -> None:
    """The files of an archive; none leaves the place."""
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        with tarfile.open(fileobj=file, mode="r:gz") as archive:
            archive.extractall(place, filter="data")
