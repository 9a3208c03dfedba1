"""The proxy as a service of a swarm on EC2, and its routes, as dynamic providers: what the Pulumi engine calls.

State holds them pickled by reference, so the names of this module and of the providers must stay.

Its engine is reached as that of every service there. Whether it answers, its instance is asked: nothing here needs a
way to it but Systems Manager. Commands are kept, so nothing secret may be in its routes, nor be read out of its volume.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from docker import APIClient
from docker.errors import NotFound

from components.docker_engine import Engine, SwarmError
from components.dynamic import Props
from components.edge import proxy_engine, proxy_tls
from components.edge.proxy_engine import Reached
from components.edge.proxy_routes import REVISION_HEADER, taken
from components.orchestrator import swarm_engine
from components.orchestrator.swarm_engine import left_behind, removed
from components.orchestrator.swarm_parts.connection import connection
from components.orchestrator.swarm_parts.ssm import Question, RemoteEngine

OWN = "http://127.0.0.1/"
"""The proxy, as its instance calls it."""


class ServerProvider(swarm_engine.ServiceProvider):
    """The proxy, with a volume for its routes and what it gets by ACME."""

    def delete(self, _id: str, props: Props) -> None:
        """With all that it kept. On another swarm than it was on, its successor has the volume of that name."""
        super().delete(_id, props)
        with connection(props["host"]) as engine:
            if left_behind(engine, props) is None:
                removed(engine.remove_volume, props["volume"])


class OnInstance(swarm_engine.Provider):
    """What a route of it has in common with the others."""

    @contextmanager
    def reach(self, props: Props) -> Iterator[Reached]:
        """The way to its container; raises `NotFound` where it runs in none."""
        with connection(props["host"]) as engine:
            if container := running(engine, props["server"]):
                yield Reached(engine, container, partial(behind, engine))
                return
        raise NotFound(f"the proxy does not run: no task of {props['server']}")


class RouteProvider(OnInstance, proxy_engine.RouteProvider):
    """One route."""


class CertificateProvider(OnInstance, proxy_tls.CertificateProvider):
    """A certificate, made only when the proxy shows callers one that they take, for every name."""

    def missing(self, proxy: Reached, props: Props) -> str:
        """The first name for which it is not shown, and why; empty: it is shown for each."""
        asked = ((name, ask(proxy.engine, Question(f"https://{name}/", verified=True))) for name in props["names"])
        return proxy_tls.first((name, "" if headers else why) for name, (why, headers) in asked)


def running(engine: Engine, service: str) -> str:
    """The container of the one task of a service; empty where it does not run."""
    try:
        tasks = [each["Status"] for each in engine.tasks_of(service)]
    except NotFound:
        return ""
    return next((str(each["ContainerStatus"]["ContainerID"]) for each in tasks if each["State"] == "running"), "")


def ask(engine: APIClient, question: Question) -> tuple[str, dict[str, str]]:
    """The status and headers that the engine's instance is answered; or why there is no answer, and no headers."""
    assert isinstance(engine, RemoteEngine)  # no other is on an instance
    return engine.ask(question)


def behind(engine: Engine, revision: str) -> str:
    """Why the proxy has not gone over to a revision; empty: it has."""
    why, headers = ask(engine, Question(OWN, (f"{REVISION_HEADER}: {revision}",)))
    return "" if headers.get(REVISION_HEADER) == taken(revision) else f"it answers {why}"


def status(host: str, profile: str | None, url: str, headers: Mapping[str, str]) -> str:
    """What the instance of a swarm's manager is answered: a status, or why there is none. `profile` is AWS's."""
    if profile:
        os.environ["AWS_PROFILE"] = profile
    question = Question(url, tuple(f"{name}: {value}" for name, value in headers.items()))
    try:
        with connection(host) as engine:
            return ask(engine, question)[0]
    except SwarmError as error:
        return str(error)
