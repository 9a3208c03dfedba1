"""The managers of a swarm and the swarm itself, as dynamic providers: who has joined, who leaves in order.

State holds them pickled by reference, so the names of this module and of the providers must stay.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from docker.errors import APIError, NotFound
from pulumi.dynamic import CreateResult, ReadResult, UpdateResult

from components.docker_engine import Engine, SwarmError
from components.dynamic import Props
from components.orchestrator.swarm_engine import Provider, props_if, removed
from components.orchestrator.swarm_parts.connection import connection
from components.orchestrator.swarm_parts.ssm import NoAccessError, NoManagerError

JOINING = 900.0
"""Seconds until a new instance must be a manager: it boots, installs the engine and joins."""
LEAVING = 60.0
POLL = 2.0


class ManagerProvider(Provider):
    """One instance's place among the managers. It leaves before its instance goes, so that the quorum stays."""

    watched = ("host", "address", "instance")
    fixed = frozenset(watched)

    def create(self, props: Props) -> CreateResult:
        """Wait until it has joined and the others reach it."""
        deadline = time.monotonic() + JOINING
        problem = ""
        while time.monotonic() < deadline:
            try:
                with connection(props["host"]) as engine:
                    if node := joined(engine, props["address"]):
                        return CreateResult(node, props)
                problem = f"the swarm has no manager at {props['address']}"
            except NoAccessError:
                raise
            except SwarmError as error:  # the first one: nobody answers before it has booted
                problem = str(error)
            time.sleep(POLL)
        raise SwarmError(
            f"{props['instance']} is not a manager of the swarm after {JOINING / 60:.0f} minutes: {problem}"
        )

    def read(self, id_: str, props: Props) -> ReadResult:
        """Is it still a node?"""
        with connection(props["host"]) as engine:
            return props_if(lambda: engine.inspect_node(id_), id_, props)

    def delete(self, _id: str, props: Props) -> None:
        """Demote it and take it out. The last one just goes, and the swarm with it."""
        try:
            with connection(props["host"], avoid=props["instance"]) as engine:
                leave(engine, _id)
        except NoManagerError:
            if has_others(props["host"]):
                raise


class ClusterProvider(Provider):
    """The swarm's identity. While one manager stays it stays; services of a lost swarm have to be made again."""

    watched = ("host", "managers")
    fixed = frozenset({"host"})

    def create(self, props: Props) -> CreateResult:
        """Ask for it."""
        swarm = identity(props["host"])
        return CreateResult(swarm, {**props, "swarm": swarm})

    def read(self, id_: str, props: Props) -> ReadResult:
        """It may be another by now."""
        return ReadResult(id_, {**props, "swarm": identity(props["host"])})

    def update(self, _id: str, _olds: Props, news: Props) -> UpdateResult:
        """Other managers: of the same swarm, unless the only one was replaced."""
        return UpdateResult({**news, "swarm": identity(news["host"])})


def identity(host: str) -> str:
    """The id of the swarm at `host`."""
    with connection(host) as engine:
        return str(engine.info()["Swarm"]["Cluster"]["ID"])


def joined(engine: Engine, address: str) -> str | None:
    """The id of the ready manager with that address."""
    for node in engine.nodes(filters={"role": "manager"}):
        manager = node.get("ManagerStatus", {})
        at = str(manager.get("Addr", "")).rpartition(":")[0]
        if at == address and manager.get("Reachability") == "reachable" and node["Status"]["State"] == "ready":
            return str(node["ID"])
    return None


def has_others(host: str) -> bool:
    """Whether the swarm has more managers than the one that answers; a swarm that does not answer has none."""
    try:
        with connection(host) as engine:
            return len(engine.nodes(filters={"role": "manager"})) > 1
    except NoManagerError:
        return False


def leave(engine: Engine, node: str) -> None:
    """Make the node a worker, then no node. Refused where the managers that are left could decide nothing."""
    try:
        found = engine.inspect_node(node)
    except NotFound:
        return
    check_quorum(engine, node)
    spec: Any = {**found["Spec"], "Role": "worker"}
    engine.update_node(node, found["Version"]["Index"], spec)
    deadline = time.monotonic() + LEAVING
    while time.monotonic() < deadline:
        with suppress(APIError):  # a manager that steps down may still be asked for a moment
            if removed(lambda each: engine.remove_node(each, force=True), node):
                return
        time.sleep(POLL)
    raise SwarmError(f"node {node} did not leave the swarm within {LEAVING:.0f} s")


def check_quorum(engine: Engine, leaving: str) -> None:
    """More than half of the managers that stay must be reachable."""
    others = [each for each in engine.nodes(filters={"role": "manager"}) if each["ID"] != leaving]
    reachable = sum(each.get("ManagerStatus", {}).get("Reachability") == "reachable" for each in others)
    if reachable <= len(others) // 2:
        raise SwarmError(
            f"only {reachable} of the {len(others)} managers that would be left are reachable, and without a majority"
            " nothing can be changed any more: start the others again first (docker node ls)"
        )
