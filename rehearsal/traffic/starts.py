"""How a replica is started here: as a process, or as a container on the Docker engine."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rehearsal.traffic.wanted import Workload

HOST = "127.0.0.1"
KEPT = ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG")
"""What a command finds of this process's environment. Nothing else: credentials of the caller's are no replica's."""


@dataclass(frozen=True)
class Start:
    """A command that is a replica for as long as it runs, and stops it when it gets SIGTERM."""

    words: Sequence[str]
    env: Mapping[str, str]
    remove: Sequence[str] = ()
    """The command that ends what SIGKILL of the first would leave."""


Starts = Callable[[Workload, int], Start]
"""How a replica of a workload is started that answers on a port of the loopback interface."""


def process(words: Sequence[str], workload: Workload, port: int) -> Start:
    """A program that listens on $PORT."""
    return Start(words, {**_kept(), **dict(workload.container.env), "PORT": str(port)})


def container(image: str, workload: Workload, port: int) -> Start:
    """A container, by the command line of Docker: it passes SIGTERM on, and ends as the container does (Docker
    documentation, `docker run --sig-proxy`, "Exit status")."""
    of = workload.container
    name = f"switchyard-rehearsal-{os.getpid()}-{port}"
    # By their names alone: values on a command line are everybody's to read.
    variables = [word for variable, _ in of.env for word in ("--env", variable)]
    publish = ("--publish", f"{HOST}:{port}:{of.port}")
    words = ("docker", "run", "--rm", "--pull", "never", "--name", name, *publish, *variables, image, *of.command)
    return Start(words, {**dict(of.env), **_kept()}, ("docker", "rm", "--force", name))


def _kept() -> dict[str, str]:
    return {name: os.environ[name] for name in KEPT if name in os.environ}
