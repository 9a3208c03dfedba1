"""A copy of the project with ports of its own, run as a user would."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation as auto

from components.build import Build
from rehearsal.traffic.replica import free_port
from yard import engine
from yard.image import Source
from yard.local import STACK, Local

ROOT = Path(__file__).resolve().parents[2]
REQUIRED = os.environ.get("SWITCHYARD_LIVE") == "1"
"""Set where everything is installed: a lack is a failure then, and not a skip."""
PULUMI_UP = """
from pathlib import Path
from yard import engine
from yard.local import Local
try:
    engine.Watch().run(Local(Path.cwd()).open(print).up, refresh=True)
except engine.EngineError as error:
    raise SystemExit(str(error))
"""


@dataclass(frozen=True)
class Result:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its outcome; a failed command is the test's failure, with its words."""
        assert self.code == 0, self.err
        return json.loads(self.out)


@dataclass(frozen=True)
class Project:
    """A checkout in a directory of its own."""

    root: Path

    @property
    def local(self) -> Local:
        """What `yard` knows of it."""
        return Local(self.root)

    def yard(self, *arguments: str, **env: str) -> Result:
        """Run `yard`."""
        return self._python("-m", "yard", *arguments, env=env)

    def pulumi_up(self) -> Result:
        """Only the engine's part of `yard up`, on the configuration as it stands."""
        return self._python("-c", PULUMI_UP, env={})

    def set_secret(self, key: str, value: str) -> None:
        """As `pulumi config set --secret --path` does."""
        stack = engine.stack(STACK, self.root, state=self.local.state)
        stack.set_config(f"switchyard:{key}", auto.ConfigValue(value, secret=True), path=True)

    def configure(self, block: str, **keys: Any) -> None:
        """Change keys of one block of the stack's configuration; None takes a key away."""
        file = yaml.safe_load(self.local.file.read_text(encoding="utf-8"))
        config = file["config"].setdefault(f"switchyard:{block}", {})
        where = config["api"] if block == "services" else config
        where.update(keys)
        for key in [key for key, value in keys.items() if value is None]:
            del where[key]
        self.local.file.write_text(yaml.safe_dump(file), encoding="utf-8")

    def set(self, key: str, value: Any) -> None:
        """Set a whole key of the stack's configuration."""
        file = yaml.safe_load(self.local.file.read_text(encoding="utf-8"))
        file["config"][f"switchyard:{key}"] = value
        self.local.file.write_text(yaml.safe_dump(file), encoding="utf-8")

    def leave_out(self, *keys: str) -> None:
        """Take whole keys out of the stack's configuration."""
        file = yaml.safe_load(self.local.file.read_text(encoding="utf-8"))
        for key in keys:
            del file["config"][f"switchyard:{key}"]
        self.local.file.write_text(yaml.safe_dump(file), encoding="utf-8")

    def _python(self, *arguments: str, env: dict[str, str]) -> Result:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, "PYTHONPATH": str(self.root), **env},
        )
        return Result(done.returncode, done.stdout, done.stderr)


def copy_of_project(target: Path, docker_host: str, *, proxied: bool = False) -> Project:
    """The working tree as git sees it, new files included; what set-up made is shared with the original. Each service
    has a port of its own unless it is `proxied`."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    for shared in (".venv", ".tools"):
        (target / shared).symlink_to(ROOT / shared)
    project = Project(target)
    project.configure("oci", host=f"localhost:{free_port()}")
    project.configure("swarm", host=docker_host, timeout=120)
    if not proxied:
        project.configure("swarm", ports={"api": free_port()})
        project.leave_out("edge", "proxy", "plain-http", "gate")
    project.configure("services", env={"SWITCHYARD_DRAIN": "0s"})  # nothing to drain to: it would only take time
    return project


def example(root: Path) -> Source:
    """The example service of the project in `root`, compiled here: its build pulls nothing."""
    build = Build(context="app", target="prebuilt", run="scripts/build.sh")
    return Source("api", build, root, "x86_64")
