"""The daily verbs on Docker Swarm on EC2: engines are reached by Systems Manager, and logs are in CloudWatch."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import datetime

from components.docker_engine import Engine
from components.operations import Deployed, Line, OperationError
from components.operations.log_group import POLL, LogGroup
from components.operations.swarm import Log, OnAnySwarm, Task
from components.orchestrator.swarm_ec2 import SwarmEc2Options

SHORT = 12
"""Characters of a container's id that stand for it (Docker, "Customize log driver output", {{.ID}})."""


class OnSwarmEc2(OnAnySwarm[SwarmEc2Options]):
    """The verbs where no network leads to the engines."""

    logs_together = True
    settles = POLL

    def __init__(self, options: SwarmEc2Options, deployed: Deployed) -> None:
        super().__init__(options, deployed)
        self._group = LogGroup(deployed)
        if deployed.profile:
            os.environ["AWS_PROFILE"] = deployed.profile  # as the provider does, for the connection to a manager

    def logs(self, service: str, since: datetime, follow: bool) -> Iterator[Line]:
        return self._group.lines(service, since, follow)

    def log_of(self, engine: Engine, service: str, job: str, task: Task) -> Log:
        container = task["Status"].get("ContainerStatus", {}).get("ContainerID", "")
        return self._group.stream(f"{service}/{self.options.key}/{container[:SHORT]}")

    def exec(self, service: str, command: Sequence[str]) -> int:
        raise OperationError(self.options.does("exec").why)
