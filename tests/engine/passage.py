"""The project's own program on the real engine, over a rehearsal cloud: one stack, changed step by step."""

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation as auto

from rehearsal import Call, Cloud, health
from rehearsal import aws as types
from tests.program import ROOT, as_pulumi, config_for
from yard import engine

GATE = {"interval": 0.01, "timeout": 20, "settle": 0}
"""As fast as it goes: what the gate decides is tested, not how long it waits."""


class Passage:
    """A stack on a cloud."""

    def __init__(self, place: Path, cloud: Cloud, config: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        self.cloud = cloud
        self._file = place / "config" / "Pulumi.dev.yaml"
        self._config = {"gate": GATE, **config}
        (place / "config").mkdir(parents=True)
        (place / "Pulumi.yaml").write_bytes((ROOT / "Pulumi.yaml").read_bytes())
        (place / ".tools").symlink_to(ROOT / ".tools")
        self.state = place / "state"
        self._write()
        self.stack = engine.stack(
            "dev",
            place,
            state=self.state,
            env=cloud.env | {"PULUMI_HOME": str(place / "home"), "PULUMI_CONFIG_PASSPHRASE": "rehearsal"},
            program=engine.main_program(ROOT),
        )
        for path, value in secrets.items():
            self.stack.set_config(path, auto.ConfigValue(value, secret=True), path=True)

    def _write(self) -> None:
        kept = yaml.safe_load(self._file.read_text(encoding="utf-8")) if self._file.exists() else {}
        values = {key: yaml.safe_load(value) for key, value in as_pulumi(self._config).items()}
        self._file.write_text(yaml.safe_dump({**kept, "config": values}), encoding="utf-8")

    def set(self, **values: Any) -> None:
        """Change keys of the stack's file; None takes one out. Keys are written with _ for -."""
        for name, value in values.items():
            self._config[name.replace("_", "-")] = value
        self._config = {key: value for key, value in self._config.items() if value is not None}
        self._write()

    def service(self, name: str) -> dict[str, Any]:
        """What the stack's file says of a service."""
        return dict(self._config["services"][name])

    def up(self) -> dict[str, int]:
        """`pulumi up`; what changed, without what stayed the same."""
        return _changed(engine.Watch().run(self.stack.up).summary.resource_changes)

    def preview(self) -> dict[str, int]:
        """`pulumi preview`, likewise."""
        return _changed(engine.Watch().run(self.stack.preview).change_summary)

    def destroy(self) -> None:
        """`pulumi destroy`."""
        engine.Watch().run(self.stack.destroy)

    @property
    def outputs(self) -> dict[str, Any]:
        """The stack's outputs."""
        return {key: each.value for key, each in self.stack.outputs().items()}

    def saved(self) -> str:
        """The state as it lies on the disk."""
        return (self.state / ".pulumi/stacks/switchyard/dev.json").read_text(encoding="utf-8")

    def edge(self) -> dict[str, dict[str, Any]]:
        """URN -> inputs of everything at the edge, without what AWS made up (ids, ARNs, random names)."""
        resources = json.loads(self.saved())["checkpoint"]["latest"]["resources"]
        return {
            each["urn"]: {key: value for key, value in each["inputs"].items() if not _made_up(value)}
            for each in resources
            if "switchyard:edge:Edge$" in each["urn"]
        }

    def serving(self) -> list[str]:
        """The orchestrators that have traffic, by the load balancer's own rules; none of their groups is without
        a healthy target."""
        with self.cloud.world.lock:
            assert not health.unserved(self.cloud.world, math.inf)  # on a cloud where no time passes
            (rule,) = [each for each in self.cloud.world.every(types.LISTENER_RULE) if each.name == "api"]
            groups = [group for forward in rule.all("actions.forward") for group in forward["targetGroups"]]
            found = [self.cloud.world.find(types.TARGET_GROUP, group["arn"]) for group in groups if group["weight"] > 0]
            return [each.name.removeprefix("api-") for each in found if each]

    def since(self, mark: int) -> list[Call]:
        """Calls since there were `mark` of them, without reads."""
        return [call for call in self.cloud.calls[mark:] if call.op != "read"]


def _made_up(value: Any) -> bool:
    return "arn:aws" in json.dumps(value) or (isinstance(value, str) and value.startswith(("vpc-", "sg-", "subnet-")))


def _changed(counts: Mapping[auto.OpType, int] | None) -> dict[str, int]:
    return {str(op): count for op, count in (counts or {}).items() if op != "same"}


@contextmanager
def passage(
    place: Path,
    registry: str = "ecr",
    orchestrator: str = "ecs-fargate",
    preset: str = "trial",
    *,
    services: Mapping[str, Mapping[str, Any]] | None = None,
    secrets: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
    **cloud: Any,
) -> Iterator[Passage]:
    """A stack that is not up yet. `cloud` goes to the rehearsal cloud."""
    config = {**config_for(registry, orchestrator, preset, **(services or {})), **(more or {})}
    before = dict(os.environ)
    with Cloud(**cloud) as sky:
        os.environ.update(sky.env)  # the program, and so the gate, runs in this process
        try:
            yield Passage(place / "stack", sky, config, secrets or {})
        finally:
            os.environ.clear()
            os.environ.update(before)
