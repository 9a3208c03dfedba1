"""The programs for `yard rehearse --load`: the proxy, the callers, and the example as a replica of a service.

    python -m tools.load        build what is missing, and print where they are, as JSON

The callers are Vegeta, built from its Go module. Exit 1, with what to do, when something cannot be built.
"""

import json
import shutil
import sys
from functools import partial
from pathlib import Path

from tools import build
from tools.proxy.__main__ import traefik

VERSION = "12.13.0"
MODULE = Path(__file__).resolve().parent / "vegeta"
PACKAGE = "github.com/tsenart/vegeta/v12"
APP = MODULE.parents[1] / "app"

say = partial(build.say, "load")


def main() -> int:
    """Build them."""
    found = {"proxy": traefik(), "callers": vegeta(), "example": example()}
    if not all(found.values()):
        return 1
    print(json.dumps({name: str(path) for name, path in found.items()}))
    return 0


def vegeta() -> Path | None:
    """The callers, kept per user; None, and why is said, where they cannot be built."""
    kept = build.cache() / f"vegeta-{VERSION}-{build.key(MODULE)}"
    return build.program("load", f"Vegeta {VERSION}", kept, MODULE, PACKAGE, takes="about 30 seconds")


def example() -> Path | None:
    """The example service, as it is now: Go itself knows what has changed since the last time."""
    go = shutil.which("go")
    if go is None:
        say("Go is not installed, so the example service cannot be built from source: https://go.dev/dl/")
        return None
    made = MODULE.parents[1] / ".tools" / "load" / "api"
    made.parent.mkdir(parents=True, exist_ok=True)
    return made if build.build("load", go, APP, ["./cmd/api"], made, "", {"CGO_ENABLED": "0"}) else None


if __name__ == "__main__":
    sys.exit(main())
