"""Which image each service runs: the digest of the configuration, else one given for this run, else the last `up`'s.

A digest that a runner sets in its own copy of the configuration is gone with the runner, and the next `up` from
elsewhere would take it back. So the stack's output `digests` is the record: it is where the state is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi
from pydantic import TypeAdapter, ValidationError

from components.service import Service
from config.problems import Problem, remove_command
from config.releases import Change, ChangeOrDigest

GIVEN = "SWITCHYARD_DIGESTS"
"""Environment variable with the digests for one run, as JSON: service -> digest, or {digest, commit}."""
FIX = f"set {GIVEN} anew, or unset it"
_CHANGES: TypeAdapter[dict[str, Change]] = TypeAdapter(dict[str, ChangeOrDigest])


class Given:
    """The digests for this run alone."""

    def __init__(self, text: str) -> None:
        self.problem: Problem | None = None
        self.changes: dict[str, Change] = {}
        try:
            self.changes = _CHANGES.validate_json(text)
        except ValidationError:
            want = 'service -> digest as JSON, such as {"api": "sha256:..."} with 64 hexadecimal digits'
            self.problem = Problem(GIVEN, text, want, FIX)

    @property
    def digests(self) -> dict[str, str]:
        """Service -> digest."""
        return {name: each.digest for name, each in self.changes.items()}

    @classmethod
    def of_environment(cls) -> Given:
        """Those of this process's environment."""
        return cls(os.environ.get(GIVEN) or "{}")

    def problems(self, services: Mapping[str, Service]) -> Iterator[Problem]:
        """What is wrong with them for these services."""
        if self.problem:
            yield self.problem
        for name, digest in self.digests.items():
            if name not in services:
                yield Problem(f"{GIVEN}.{name}", digest, f"the name of a service: {', '.join(services)}", FIX)
            elif services[name].image:
                want = f"no entry: {name} runs `image`, which someone else built"
                yield Problem(f"{GIVEN}.{name}", digest, want, FIX)
            elif services[name].digest not in (None, digest):
                key = pulumi.Config().full_key(f"services.{name}.digest")
                want = f"no digest, or {digest}, which this run is given: a digest in the configuration is a pin"
                yield Problem(key, services[name].digest, want, remove_command(key))


def recorded() -> Mapping[str, Any]:
    """The outputs of the last `up` of the stack that runs; none before the first.

    Of a state in files the engine may just be writing the attributes anew, and finds them empty: then it is asked again
    (gocloud.dev/blob/fileblob, attrs.go, setAttrs).
    """
    for _ in range(TRIES - 1):
        try:
            return _outputs()
        except Exception as error:  # the SDK has no class of its own for what an invoke fails with
            if not str(error).endswith(BEING_WRITTEN):
                raise
            time.sleep(PAUSE)
    return _outputs()


TRIES, PAUSE = 20, 0.1
BEING_WRITTEN = "failed to load checkpoint: EOF"


def _outputs() -> Mapping[str, Any]:
    stack = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    answer: Any = pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", {"name": stack}).value
    return dict(answer.get("outputs") or {})


def resolved(
    services: Mapping[str, Service], given: Mapping[str, str], record: Mapping[str, str]
) -> dict[str, Service]:
    """The services, each with the digest that it runs; none where it has had no image yet."""

    def chosen(name: str, service: Service) -> Service:
        if service.image:
            return service
        digest = service.digest or given.get(name) or record.get(name)
        return service if digest == service.digest else service.model_copy(update={"digest": digest})

    return {name: chosen(name, each) for name, each in services.items()}
