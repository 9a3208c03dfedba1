"""A stack's config file, made fit for a rehearsal."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from components import orchestrator
from config.presets import PRESETS
from config.reader import default_of
from config.stack_file import PLACEHOLDER, StackFile, Steps, dotted

GATE = {"interval": 0.05, "timeout": 60, "settle": 0}
"""The gate asks the pretend load balancer in real seconds; its own waiting is not part of the rehearsed times."""


class StackConfig(StackFile):
    """A stack's config file, made fit for a rehearsal."""

    secrets: Mapping[str, str] = {}
    """Path -> what stands for it, to be encrypted for the rehearsal."""

    @property
    def orchestrator(self) -> str:
        """The orchestrator that the stack is on."""
        return str(self.get("orchestrator", default_of(self.project, "orchestrator")))

    @property
    def protected(self) -> bool:
        """Whether the stack guards itself against deletion."""
        preset = PRESETS.get(str(self.get("preset", default_of(self.project, "preset"))))
        return bool(self.get("protect", preset and preset.protect))

    @property
    def beyond(self) -> str:
        """Why the rehearsal has no cloud for the stack; empty where it has one, or there is no such orchestrator."""
        key = self.orchestrator
        if key not in orchestrator.names() or orchestrator.load(key).Options.platform == "aws":
            return ""
        return f"the rehearsal has AWS and Kubernetes on it, and {key} runs elsewhere"

    @property
    def existing(self) -> list[str]:
        """Ids and ARNs in the config: what someone else made."""
        return re.findall(r"\b(?:vpc|subnet|sg)-[0-9a-z]+|arn:aws[\w-]*:[^\s,'\"\]}]+", yaml.safe_dump(self.values))

    @property
    def digests(self) -> set[str]:
        """The images that the services run. Once `prepare` has been called, every service has one."""
        services = self.get("services")
        each = services.values() if isinstance(services, dict) else []
        return {str(one["digest"]) for one in each if isinstance(one, dict) and "digest" in one}

    def prepare(self) -> Iterator[str]:
        """Put placeholders in; tell what they stand for."""
        self.values.pop("aws:profile", None)  # nobody is asked, so nobody needs to have it
        written = self.values
        self.values, found = self.without_secrets()
        self.secrets = {dotted(steps): f"{PLACEHOLDER} {_mark(_at(written, steps))}" for steps in found}
        if self.secrets:
            yield f"placeholders stand for the {len(self.secrets)} secrets of the stack"
        services = self.get("services")
        waiting = (
            [key for key, each in services.items() if isinstance(each, dict) and not {"digest", "image"} & {*each}]
            if isinstance(services, dict)
            else []
        )
        for key in waiting:
            services[key]["digest"] = f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"
        if waiting:
            yield f"{', '.join(waiting)} has no image yet: a placeholder digest stands for it"

    def hurry(self) -> None:
        """Let the gate, where there is one, ask the pretend load balancer without pauses."""
        gate, key = self.get("gate", {}), self.orchestrator
        if key in orchestrator.names() and orchestrator.load(key).Options.target and isinstance(gate, dict):
            self.values[f"{self.prefix}gate"] = gate | GATE

    def write(self, directory: Path) -> None:
        """Write the file where the rehearsal's own project looks for it; what a stack that is there has written about
        its encryption stays."""
        file = directory / "config" / f"Pulumi.{self.stack}.yaml"
        kept = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}
        file.write_text(yaml.safe_dump({**kept, "config": self.values}), encoding="utf-8")


def _at(value: Any, steps: Steps) -> Any:
    for step in steps:
        value = value[step]
    return value


def _mark(encrypted: Any) -> str:
    """The same for the same encrypted text: one that changes makes a change, as it will on the real stack."""
    return hashlib.sha256(str(encrypted).encode()).hexdigest()[:12]
