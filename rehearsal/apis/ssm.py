"""Systems Manager's own API, as far as Swarm on EC2 asks it: commands on instances, by the JSON protocol."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from rehearsal.apis.endpoint import BadRequest, Endpoint, JsonHandler

LONGEST = 24_000
"""Characters of a command's output that GetCommandInvocation gives (SSM API)."""


@dataclass(frozen=True)
class CommandResult:
    """How a command ended."""

    code: int
    out: str
    err: str = ""


Run = Callable[[str, str], CommandResult]
"""(instance, shell script) -> how it ended."""
Online = Callable[[str, str], Iterable[str]]
"""(tag, its value) -> the instances that Systems Manager reaches."""


def serve(online: Online, run: Run, asking: Callable[[str], None] = lambda _: None) -> Endpoint:
    """Answer until closed; `asking` is told of each action, and may refuse it."""
    return Endpoint(
        _Handler,
        commands={},
        numbers=itertools.count(),
        instances=staticmethod(online),
        execute=staticmethod(run),
        asking=staticmethod(asking),
    )


class _Handler(JsonHandler):
    commands: dict[str, CommandResult]
    numbers: Iterator[int]
    """Of the commands. Several may come at once, so none can be told by how many have ended."""
    instances: Online
    execute: Run

    def on_DescribeInstanceInformation(self, asked: Any) -> Any:  # noqa: N802
        tags = [each for each in asked.get("Filters", []) if each["Key"].startswith("tag:")]
        if len(tags) != 1 or len(asked["Filters"]) != 1:
            raise BadRequest("InvalidInstanceInformationFilterValue", "a filter by tag takes no other beside it")
        (tag,) = tags
        found = self.instances(tag["Key"].removeprefix("tag:"), tag["Values"][0])
        return {"InstanceInformationList": [{"InstanceId": each, "PingStatus": "Online"} for each in found]}

    def on_SendCommand(self, asked: Any) -> Any:  # noqa: N802
        (instance,) = asked["InstanceIds"]
        if asked["DocumentName"] != "AWS-RunShellScript":
            raise BadRequest("InvalidDocument", f"the rehearsal has no document {asked['DocumentName']}")
        command = f"00000000-0000-4000-8000-{next(self.numbers):012x}"
        self.commands[command] = self.execute(instance, "\n".join(asked["Parameters"]["commands"]))
        return {"Command": {"CommandId": command, "Status": "Pending", "InstanceIds": [instance]}}

    def on_GetCommandInvocation(self, asked: Any) -> Any:  # noqa: N802
        ran = self.commands.get(asked["CommandId"])
        if ran is None:
            raise BadRequest("InvocationDoesNotExist", "")
        return {
            "CommandId": asked["CommandId"],
            "InstanceId": asked["InstanceId"],
            "Status": "Success" if ran.code == 0 else "Failed",
            "StatusDetails": "Success" if ran.code == 0 else "Failed",
            "ResponseCode": ran.code,
            "StandardOutputContent": ran.out[:LONGEST],
            "StandardErrorContent": ran.err[:LONGEST],
        }
