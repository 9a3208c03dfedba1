"""A stack's state, from one of Pulumi's backends to another: by `pulumi stack migrate`, and looked at before and after.

`migrate` copies the state, encrypts its secrets and those of the stack's file anew, and puts everything back where it
fails. It does not look whether the copy is the same, and it drops what a killed run had under way.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.shell import command
from config.place import HOME
from yard import engine, interrupts, state
from yard.machine import MachineError, Misconfigured


@dataclass(frozen=True)
class Kept:
    """What a backend has of a stack, and the stack's file with it: secrets in the clear."""

    resources: list[Any]
    config: Mapping[str, Any]
    pending: list[str]


@dataclass(frozen=True)
class Move:
    """A stack on its way to another backend."""

    root: Path
    stack: str
    source: str
    target: str
    provider: str
    """What is to encrypt its secrets, as Pulumi's `--secrets-provider` has it."""

    def check(self) -> Kept:
        """What is to be moved; raises `MachineError` where it cannot be now."""
        if self.source == self.target:
            raise Misconfigured(f"the state of stack {self.stack} is at {self.source} already: name another with --to")
        found = self._at(self.source)
        if found.pending:
            doctor = command("yard", "doctor", "--stack", self.stack)
            raise MachineError(
                f"a run of stack {self.stack} was ended while it was {', '.join(found.pending)}, which a move would"
                f" forget: `{doctor}` says how to go on"
            )
        return found

    def run(self, before: Kept) -> None:
        """Move, and see that nothing was lost; raises `MachineError` where something was. The source stays as it is."""
        with interrupts.held():  # half a move is none, and this takes seconds
            words = ("migrate", self.source, self.stack, "--yes", "--secrets-provider", self.provider)
            self._cli(self.target, "stack", *words)
            after = self._at(self.target)
        if lost := [name for name in ("resources", "config") if getattr(before, name) != getattr(after, name)]:
            raise MachineError(
                f"{self.target} does not have the same {' and '.join(lost)} of stack {self.stack} as {self.source}."
                " That is untouched: go on there, with the stack's file as it was before, the newest"
                f" config/Pulumi.{self.stack}.yaml.bak.*"
            )

    @property
    def stopped(self) -> str:
        """After an interrupt: where the state is."""
        look = command("env", f"PULUMI_BACKEND_URL={self.target}", "pulumi", "stack", "ls", "--all")
        return f"The state is at {self.source} as it was; `{look}` says whether it is there as well."

    @property
    def remove_source(self) -> str:
        """The command that takes the state away that was left."""
        removal = ("pulumi", "stack", "rm", self.stack, "--force", "--preserve-config")
        return command("env", f"PULUMI_BACKEND_URL={self.source}", *removal)

    def _at(self, backend: str) -> Kept:
        name = ("--stack", self.stack)
        exported = json.loads(self._cli(backend, "stack", "export", "--show-secrets", *name))["deployment"]
        config = json.loads(self._cli(backend, "config", "--json", "--show-secrets", *name))
        return Kept(exported.get("resources") or [], config, engine.pending(exported))

    def _cli(self, backend: str, *words: str) -> str:
        environment = {**os.environ, **engine.environment(None), "PULUMI_BACKEND_URL": backend}
        done = subprocess.run(
            [str(HOME / ".tools/bin/pulumi"), *words, "--non-interactive"],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            process_group=0 if interrupts.can_be_held() else None,
        )
        if done.returncode:
            raise engine.EngineError(f"{backend}: {engine.plain(done.stderr)}")
        return done.stdout


def secrets_in(value: Any) -> int:
    """How many secrets an exported state has."""
    if isinstance(value, dict):
        return 1 if state.SECRET in value else sum(map(secrets_in, value.values()))
    return sum(map(secrets_in, value)) if isinstance(value, list) else 0
