"""Programs that the tools need: built from Go modules, kept per user so that the next checkout need not build them
again, or Python's, in environments of their own."""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path


def cache() -> Path:
    """The user's cache directory for this project."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "switchyard"


def key(module: Path) -> str:
    """What a built program depends on: the module's requirements with their sums, and the machine's kind."""
    digest = hashlib.sha256((module / "go.mod").read_bytes() + (module / "go.sum").read_bytes())
    return f"{platform.system()}-{platform.machine()}-{digest.hexdigest()[:12]}".lower()


def say(name: str, text: str) -> None:
    """Tell the person what the tool `name` does, or why it does not."""
    print(f"{name}: {text}", file=sys.stderr, flush=True)


def build(
    name: str,
    go: str,
    module: Path,
    packages: Sequence[str],
    output: Path,
    stamp: str,
    env: Mapping[str, str] | None = None,
) -> bool:
    """Compile and link `packages` of `module`, every module checked against go.sum. When it fails: why, and False.

    `stamp` are flags for the linker, such as those that set a version.
    """
    # -s -w: no debug tables, which are a third of a program.
    options = ["-v", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", f"-s -w {stamp}"]
    command = [go, "build", *options, "-o", str(output), *packages]
    with subprocess.Popen(
        command, cwd=module, stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})}
    ) as process:
        assert process.stderr is not None
        tail = show_progress(name, process.stderr)
    if process.returncode != 0:
        say(name, "the build failed; its last lines:\n" + "".join(f"  {line}" for line in tail))
    return process.returncode == 0


def program(
    name: str,
    title: str,
    kept: Path,
    module: Path,
    package: str,
    *,
    takes: str,
    stamp: str = "",
    works: Callable[[Path], bool] = Path.exists,
    env: Mapping[str, str] | None = None,
) -> Path | None:
    """One program, built once and then at `kept`. None where it cannot be built; why has been said.

    `takes` says how long a build is, `works` whether a file is this program, at this version.
    """
    if works(kept):
        return kept
    go = shutil.which("go")
    if go is None:
        say(name, f"Go is not installed, so {title} cannot be built from source: https://go.dev/dl/")
        return None
    kept.parent.mkdir(parents=True, exist_ok=True)
    say(name, f"building {title} from source with {go}: {takes}, once")
    with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
        made = Path(scratch) / kept.name
        if not build(name, go, module, [package], made, stamp, env) or not works(made):
            return None
        made.replace(kept)
    say(name, f"kept as {kept}")
    return kept


def environment(name: str, place: Path, packages: Path, *options: str) -> None:
    """A virtual environment at `place` with what a file pins by hashes; nothing where it is there already. `options`
    are pip's."""
    pinned, ready = packages.read_text(encoding="utf-8"), place / "ready"
    if ready.is_file() and ready.read_text(encoding="utf-8") == pinned:
        return
    say(name, f"installing {packages.parent.name}/{packages.name}")
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
    pip = [str(place / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", *options, "--requirement", str(packages)], check=True)
    ready.write_text(pinned, encoding="utf-8")


def show_progress(name: str, lines: Iterable[str]) -> deque[str]:
    """Count what `go build -v` reports, a package or a download a line, and return the last lines of it."""
    # On a terminal one line that counts up each second, elsewhere (a CI log) a line each half minute.
    interval, before, after = (1, "\r", "") if sys.stderr.isatty() else (30, "", "\n")
    start = shown = time.monotonic()
    tail: deque[str] = deque(maxlen=15)
    for count, line in enumerate(lines, 1):
        tail.append(line)
        now = time.monotonic()
        if now - shown >= interval:
            shown = now
            text = f"{name}: {count} packages fetched or compiled, {now - start:.0f} s"
            print(f"{before}{text}", end=after, file=sys.stderr, flush=True)
    if before and shown != start:
        print(file=sys.stderr)
    return tail
