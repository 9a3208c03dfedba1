"""The project's own program on the real engine: one stack, changed step by step."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation as auto

from tests.program import ROOT
from yard import engine


class Stack:
    """A stack in a directory of its own, with its state. `secrets`: path in the configuration -> value."""

    def __init__(
        self,
        place: Path,
        env: Mapping[str, str],
        config: Mapping[str, Any],
        secrets: Mapping[str, str],
        secrets_provider: str | None = None,
    ) -> None:
        self._file = place / "config" / "Pulumi.dev.yaml"
        self._config = dict(config)
        self._secrets = secrets
        engine.borrow(ROOT, place)
        self.state = place / "state"
        self._file.write_text("{}", encoding="utf-8")
        self.stack = engine.stack(
            "dev",
            place,
            state=self.state,
            env={**engine.disposable(place), **env},
            program=engine.main_program(ROOT),
            secrets_provider=secrets_provider,
        )
        self._write()

    def _write(self) -> None:
        kept = yaml.safe_load(self._file.read_text(encoding="utf-8"))
        known = {key if ":" in key else f"switchyard:{key}": value for key, value in self._config.items()}
        values = {key: yaml.safe_load(each) if isinstance(each, str) else each for key, each in known.items()}
        self._file.write_text(yaml.safe_dump({**kept, "config": values}), encoding="utf-8")
        for path, value in self._secrets.items():
            self.stack.set_config(path, auto.ConfigValue(value, secret=True), path=True)

    def keep_secret(self, path: str, value: str) -> None:
        """Have a secret from the next change on."""
        self._secrets = {**self._secrets, path: value}

    def forget_secret(self, path: str) -> None:
        """Leave a secret out from the next change on."""
        self._secrets = {key: value for key, value in self._secrets.items() if key != path}

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


def _changed(counts: Mapping[auto.OpType, int] | None) -> dict[str, int]:
    return {str(op): count for op, count in (counts or {}).items() if op != "same"}
