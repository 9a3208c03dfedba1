"""Kubernetes' own programs, built from its Go modules and kept per user."""

import os
import shutil
import tempfile
from functools import partial
from pathlib import Path

from tools import build

VERSION = "1.34.2"
MODULE = Path(__file__).resolve().parent
HOME = MODULE.parent.parent / ".tools" / "kube"
BIN = HOME / "bin"

KUBERNETES = ("kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl", "kubelet")
PACKAGES = [*(f"k8s.io/kubernetes/cmd/{name}" for name in KUBERNETES), "./pause"]
PROGRAMS = (*KUBERNETES, "pause")
# Clients and servers compare versions, and one without a number takes itself for a very old one.
STAMP = " ".join(
    f"-X k8s.io/component-base/version.{key}={value}"
    for key, value in {"gitVersion": f"v{VERSION}", "gitMajor": "1", "gitMinor": VERSION.split(".")[1]}.items()
)

say = partial(build.say, "kube")


class KubeError(Exception):
    """What is missing or went wrong, and what to do about it."""


def build_all() -> None:
    """Have the programs in `.tools/kube/bin`; raises `KubeError` when they cannot be built."""
    kept = build.cache() / f"kube-{VERSION}-{build.key(MODULE)}"
    if complete(kept):
        say(f"using {kept}, built earlier from the same sources")
    else:
        _build(kept)
        say(f"kept as {kept}")
    HOME.mkdir(parents=True, exist_ok=True)
    BIN.unlink(missing_ok=True)
    BIN.symlink_to(kept)


def complete(directory: Path) -> bool:
    """Whether every program is there."""
    return all(os.access(directory / name, os.X_OK) for name in PROGRAMS)


def _build(kept: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise KubeError("Go is not installed, so Kubernetes cannot be built from source: https://go.dev/dl/")
    kept.parent.mkdir(parents=True, exist_ok=True)
    say(f"building Kubernetes {VERSION} from source with {go}: about 10 minutes on 2 cores, once")
    with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
        made = Path(scratch) / "bin"
        made.mkdir()
        # Without C, so that they run wherever the kernel does, pause in an image without anything else.
        if not build.build("kube", go, MODULE, PACKAGES, made, STAMP, {"CGO_ENABLED": "0"}) or not complete(made):
            raise KubeError("Kubernetes was not built; see above")
        shutil.rmtree(kept, ignore_errors=True)
        made.rename(kept)
