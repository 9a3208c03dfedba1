"""What `yard ci init` writes, for every registry and orchestrator, and our own, as the linters of workflows see it.

    python -m tools.workflows        generate, and lint each different file once
    python -m tools.workflows DIR    the same, and keep the files in DIR

The linters are actionlint, built from its Go module, and zizmor in its strictest way, offline. Exit 1 when one of them
finds something.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, get_args
from unittest.mock import patch

import yaml
from pydantic import SecretStr

from components import orchestrator, registry
from components.options import Options
from tools import build
from yard import git
from yard.ci import written
from yard.ci.subject import Subject
from yard.exits import Misused

VERSION = "1.7.12"
MODULE = Path(__file__).resolve().parent / "actionlint"
OWN = MODULE.parents[1] / ".github" / "workflows"
PACKAGE = "github.com/rhysd/actionlint/cmd/actionlint"
REGION = "us-east-1"
SERVICE: Mapping[str, Any] = {"build": "api", "health": "/healthz"}
ARM: Mapping[str, Any] = {"build": {"context": "web", "platforms": ["linux/amd64", "linux/arm64"]}, "path": "/web"}

GITHUB: Mapping[str, Any] = {
    "repository": "acme/shop",
    "repository-id": 7,
    "owner-id": 3,
    "branch": "trunk",
    "environment": "production",
    "orchestrators": ["ecs-fargate", "eks"],
}

say = partial(build.say, "workflows")


def main(arguments: Sequence[str]) -> int:
    """Generate and lint."""
    if len(arguments) > 1:
        say("usage: python -m tools.workflows [DIR]")
        return 2
    linter = actionlint()
    if linter is None:
        return 1
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(arguments[0] if arguments else scratch) / ".github/workflows"
        folder.mkdir(parents=True, exist_ok=True)
        count = write(folder)
        say(f"{count} pairs and cases, {len([*folder.iterdir()])} different files")
        return lint(linter, folder) or lint(linter, OWN)


def lint(linter: Path, folder: Path) -> int:
    """Run both linters on what is in `.github/workflows` of a repository; 0 where neither finds anything."""
    files = [str(each) for each in sorted(folder.glob("*.yml")) if "dependabot" not in each.name]
    one = subprocess.run([str(linter), *files], check=False)
    zizmor = [str(Path(sys.executable).with_name("zizmor")), "--offline", "--pedantic", "--no-progress", "--quiet"]
    # Dependabot's file is known by its name alone.
    for place, each in enumerate(sorted(folder.glob("dependabot*.yml"))):
        (folder.parent / str(place)).mkdir(exist_ok=True)
        each.replace(folder.parent / str(place) / "dependabot.yml")
    other = subprocess.run([*zizmor, str(folder.parent)], check=False)
    return one.returncode or other.returncode


def actionlint() -> Path | None:
    """The linter, built once and kept per user; None where it cannot be built."""
    kept = build.cache() / f"actionlint-{VERSION}-{build.key(MODULE)}"
    return build.program("workflows", f"actionlint {VERSION}", kept, MODULE, PACKAGE, takes="about 10 seconds")


def write(folder: Path) -> int:
    """Every file that differs from the others into `folder`; returns of how many cases."""
    count = 0
    for files in every():
        count += 1
        for name, text in files.items():
            mark = hashlib.sha256(text.encode()).hexdigest()[:12]
            (folder / f"{Path(name).stem}-{mark}.yml").write_text(text, encoding="utf-8")
    return count


def every() -> Iterator[Mapping[str, str]]:
    """The files of every pair that a stack can have, and of projects that are laid out in other ways."""
    with tempfile.TemporaryDirectory() as scratch:
        project = Project(Path(scratch))
        for pair in product(registry.names(), orchestrator.names()):
            if files := project.files(*pair):
                yield files
        yield from project.cases()


def block(options: type[Options]) -> dict[str, Any]:
    """The smallest block of a backend, with its secrets encrypted."""
    secret = {
        each.alias or name for name, each in options.model_fields.items() if SecretStr in get_args(each.annotation)
    }
    return {key: {"secure": "v1:a:b"} if key in secret else value for key, value in options.example(REGION).items()}


class Project:
    """A project of two services in a repository of its own, with one stack."""

    def __init__(self, top: Path) -> None:
        self.top = top
        git.run(top, "init", "--quiet")
        # A cluster's name, against which a configuration is checked.
        self.kubeconfig = top / "kubeconfig"
        self.kubeconfig.write_text('{"contexts": [{"name": "existing"}]}', encoding="utf-8")

    def cases(self) -> Iterator[Mapping[str, str]]:
        """The default pair, with what changes the files besides."""
        pair = (registry.DEFAULT, orchestrator.DEFAULT)
        for each in (
            self.files(*pair, services={"api": SERVICE, "web": ARM}),
            self.files(*pair, github=GITHUB),
            self.files(*pair, file={"encryptionsalt": "v1:salt"}),
            self.files(*pair, project={"backend": {"url": "https://api.pulumi.com"}}),
            self.files(*pair, folder="deploy"),
            self.files("oci", "swarm", swarm={"host": "ssh://deployer@swarm.example.com"}),
        ):
            assert each
            yield each

    def files(
        self,
        kept_in: str,
        run_on: str,
        *,
        folder: str = ".",
        file: Mapping[str, Any] = {},
        project: Mapping[str, Any] = {},
        **config: Any,
    ) -> Mapping[str, str]:
        """What is written for a pair; nothing where no stack can have it."""
        root = self.top / folder
        (root / "config").mkdir(parents=True, exist_ok=True)
        values = {
            "aws:region": REGION,
            "registry": kept_in,
            "orchestrator": run_on,
            kept_in: block(registry.load(kept_in).Options),
            run_on: block(orchestrator.load(run_on).Options),
            "network": "nat-single" if orchestrator.load(run_on).Options.platform == "aws" else None,
            "services": {"api": SERVICE},
            **config,
        }
        document = {"name": "shop", "main": "switchyard", "stackConfigDir": "config", "runtime": "python", **project}
        (root / "Pulumi.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
        stack = {"config": {key: value for key, value in values.items() if value}, **file}
        (root / "config/Pulumi.dev.yaml").write_text(yaml.safe_dump(stack), encoding="utf-8")
        try:
            with patch.dict(os.environ, {"KUBECONFIG": str(self.kubeconfig)}):
                subject = Subject.of(root, "dev")
        except Misused:
            return {}
        return {str(each.path): each.after for each in written.all_of(subject)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
