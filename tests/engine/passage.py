"""The project's own program on the real engine, over a rehearsal cloud: one stack, changed step by step."""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rehearsal import Call, Cloud
from rehearsal.apis import kms
from rehearsal.aws import health, types
from rehearsal.state import CloudResource, CloudState
from tests.program import config_for
from tests.stack import Stack
from yard.rehearsing import environment

GATE = {"interval": 0.01, "timeout": 20, "settle": 0}
"""As fast as it goes: what the gate decides is tested, not how long it waits."""


class Passage(Stack):
    """A stack on a cloud."""

    def __init__(self, place: Path, cloud: Cloud, config: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        self.cloud = cloud
        super().__init__(place, cloud.env, {"gate": GATE, **config}, secrets, kms.SECRETS_PROVIDER)

    def up(self) -> dict[str, int]:
        """As `Stack`'s. The repositories that the first one makes have the images of the configuration from their
        beginning; what comes later has to be pushed."""
        changed = super().up()
        self.cloud.state.images.clear()
        return changed

    def push(self, digest: str) -> None:
        """Push an image to each repository of the stack."""
        for repository in self.outputs["repositories"].values():
            self.cloud.push(repository, digest)

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
        with self.cloud.state.lock:
            assert not health.unserved(self.cloud.state, math.inf)  # on a cloud where no time passes
            (rule,) = [each for each in self.cloud.state.every(types.LISTENER_RULE) if each.name == "api"]
            groups = [group for forward in rule.all("actions.forward") for group in forward["targetGroups"]]
            found = [self.cloud.state.find(types.TARGET_GROUP, group["arn"]) for group in groups if group["weight"] > 0]
            return [each.name.removeprefix("api-") for each in found if each]

    def since(self, mark: int) -> list[Call]:
        """Calls since there were `mark` of them, without reads."""
        return [call for call in self.cloud.calls[mark:] if call.op != "read"]


class Watch:
    """Looks after each call whether callers of the service `api` would get an answer, once it is told on which stack:
    `on_call` of its cloud."""

    def __init__(self) -> None:
        self.stack: Passage | None = None
        self.unserved: list[str] = []
        """The calls after which they would not."""

    def __call__(self, call: Call) -> None:
        if self.stack and call.done is not None:
            state, now = self.stack.cloud.state, self.stack.cloud.clock.now
            with state.lock:
                # Where no time passes, whatever takes time is over.
                if health.unserved(state, now or math.inf) or not answered(state, 80):
                    self.unserved.append(f"{call.op} {call.name}")


def answered(state: CloudState, port: int, host: str = "") -> bool:
    """Whether the load balancer hands a request at a port to a group, or sends the caller to where it does. Without a
    host: whichever name was called."""
    listeners = [each for each in state.every(types.LISTENER) if each.ready and each.get("port") == port]
    if not listeners or not _open(state, port):
        return False
    rules = [each for each in state.where(types.LISTENER_RULE, "listenerArn", listeners[0].id) if each.ready]
    actions = [
        rule.get("actions") for rule in sorted(rules, key=lambda each: int(each.get("priority"))) if _for(rule, host)
    ]
    action = [*actions, listeners[0].get("defaultActions")][0]
    to = action.get("redirect")
    if to:
        return answered(state, int(to["port"]), to.get("host", host))
    return bool(action["type"] == "forward")


def _for(rule: CloudResource, host: str) -> bool:
    hosts = rule.all("conditions.hostHeader.values")
    return not rule.get("conditions.httpHeader") and (not hosts or host in hosts)


def _open(state: CloudState, port: int) -> bool:
    groups = [group for each in state.every(types.LOAD_BALANCER) for group in each.all("securityGroups")]
    theirs = state.existing.intersection(groups)  # what they let through is their owner's
    return bool(theirs) or any(each.ready and each.get("fromPort") == port for each in state.every(types.INGRESS_RULE))


def _made_up(value: Any) -> bool:
    return "arn:aws" in json.dumps(value) or (isinstance(value, str) and value.startswith(("vpc-", "sg-", "subnet-")))


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
    images = {each["digest"] for each in config["services"].values() if "digest" in each}
    with Cloud(images=images, **cloud) as sky, environment(sky):
        yield Passage(place / "stack", sky, config, secrets or {})
