"""A Docker engine that speaks in words: docker-py, the calls that Swarm needs, errors that say what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from docker import APIClient
from docker.auth import encode_header
from docker.errors import APIError, DockerException, create_api_error_from_http_exception
from docker.utils import version_lt
from requests.exceptions import HTTPError

from components.shell import command

REQUEST_TIMEOUT = 60
"""Seconds an engine may take to answer one request."""
NO_NEW_PRIVILEGES_SINCE = "1.44"
"""Engine API (Docker 25) that knows the setting for services; older ones drop it."""


class SwarmError(Exception):
    """What went wrong on the engine, and what to do about it."""


class Engine(APIClient):
    """An engine that manages a swarm."""

    def service(self, identity: str) -> dict[str, Any]:
        """A service by id or name; raises `docker.errors.NotFound`."""
        found: dict[str, Any] = self._call("GET", f"/services/{identity}")
        return found

    def tasks_of(self, service: str) -> list[dict[str, Any]]:
        """All replicas that the engine remembers of a service."""
        found: list[dict[str, Any]] = self._call(
            "GET", "/tasks", params={"filters": json.dumps({"service": [service]})}
        )
        return found

    def new_service(self, spec: dict[str, Any], login: dict[str, str] | None) -> str:
        """Make a service; returns its id. docker-py's own call takes logins from the user's files alone."""
        answer = self._call("POST", "/services/create", json=spec, headers=registry_auth(login))
        return str(answer["ID"])

    def change_service(self, identity: str, version: int, spec: dict[str, Any], login: dict[str, str] | None) -> None:
        """Give a service another spec; refused when it is no longer at `version`."""
        path, params = f"/services/{identity}/update", {"version": version}
        self._call("POST", path, json=spec, headers=registry_auth(login), params=params)

    def registry_login(self, login: dict[str, str]) -> None:
        """Ask the registry, so that a wrong password is an error now and not a replica that never starts."""
        self._call("POST", "/auth", json=login)

    def check_image(self, image: str, architecture: str, login: dict[str, str] | None) -> None:
        """Ask the registry for `image`, so that a wrong one is an error before anything is stopped for it."""
        try:
            found = self._call("GET", f"/distribution/{image}/json", headers=registry_auth(login))
        except APIError as error:
            message = str(error.explanation)
            if error.status_code in (401, 403, 404) or re.search(LOGIN_REFUSED, message):
                raise SwarmError(f"image {image}: {explain(message)}") from error
            return  # no registry answers, but the nodes may have the image; the rollout tells
        built_for = [each.get("architecture") for each in found.get("Platforms") or []]
        if built_for and architecture not in built_for:
            raise SwarmError(
                f"image {image} is for {', '.join(map(str, built_for))}, and the service's architecture is "
                f"{architecture}: change the one or the other"
            )

    def log_tail(self, service: str, task: str, lines: int = 5) -> list[str]:
        """The last lines that one replica wrote."""
        chunks: Iterable[bytes] = self.service_logs(
            service, details=True, stdout=True, stderr=True, tail=str(lines), is_tty=False
        )
        text = b"".join(chunks).decode(errors="replace")
        entries = (line.split(" ", 1) for line in text.splitlines())
        marker = f"com.docker.swarm.task.id={task}"
        return [entry[1] for entry in entries if len(entry) == 2 and marker in entry[0].split(",")]

    def older_than(self, api: str) -> bool:
        """Whether the engine's API is older than `api`."""
        return bool(version_lt(self.api_version, api))

    def _call(self, method: str, path: str, **request: Any) -> Any:
        url = f"{self.base_url}/v{self.api_version}{path}"
        response = self.request(method, url, timeout=REQUEST_TIMEOUT, **request)
        try:
            response.raise_for_status()
        except HTTPError as error:
            create_api_error_from_http_exception(error)  # raises docker-py's own kinds
        return response.json() if response.content else None


def registry_auth(login: dict[str, str] | None) -> dict[str, str]:
    """The header by which an engine gets a login: it never stands in a service's spec."""
    return {"X-Registry-Auth": encode_header(login).decode()} if login else {}


def connect(host: str, timeout: int = REQUEST_TIMEOUT) -> Engine:
    """A client of the engine at `host`, with the newest API that both know; `timeout` in seconds, for each request."""
    if host.startswith("unix://") and not Path(host.removeprefix("unix://")).exists():
        raise SwarmError(unreachable(host, ""))
    try:
        return Engine(host, version="auto", timeout=timeout, use_ssh_client=host.startswith("ssh://"))
    except (DockerException, OSError, ValueError) as error:  # the last of an address that is none
        raise SwarmError(unreachable(host, str(error))) from error


def unreachable(host: str, error: str) -> str:
    """Why no engine answers."""
    if "Permission denied" in error or "Errno 13" in error:
        return (
            f"no permission to use the Docker engine at {host}: run this as a user of the group docker "
            "(sudo usermod -aG docker $USER, then log in again)"
        )
    return (
        f"no Docker engine answers at {host}: start it (sudo systemctl start docker, or Docker Desktop), "
        "or name another with `pulumi config set --path swarm.host unix:///path/docker.sock`"
    )


def check_manager(engine: Engine, host: str) -> None:
    """Services are a manager's to make."""
    swarm = engine.info().get("Swarm", {})
    state = swarm.get("LocalNodeState", "inactive")
    if state == "locked":
        raise SwarmError(
            f"the swarm of the Docker engine at {host} is locked: {command('docker', '-H', host, 'swarm', 'unlock')}"
        )
    if state != "active":
        raise SwarmError(
            f"the Docker engine at {host} is in no swarm (it is {state}): run "
            f"{command('docker', '-H', host, 'swarm', 'init', '--advertise-addr', '127.0.0.1')}"
        )
    if not swarm.get("ControlAvailable"):
        raise SwarmError(
            f"the Docker engine at {host} is a worker of its swarm: name a manager in swarm.host, "
            "or promote it there with docker node promote"
        )


LOGIN_REFUSED = r"unauthorized|authentication required|no basic auth credentials|incorrect username or password"
KNOWN = (
    (
        r"address already in use|port is already allocated",
        "another program of that node has the port: stop it, or take another with swarm.ports, or proxy.ports",
    ),
    (
        r"port '\d+' is already in use by service",
        "remove that service, or publish another port with swarm.ports",
    ),
    (
        r"host-mode port already in use",
        "publish mode host puts at most one replica on a node: lower replicas, add a node, "
        "or set swarm.publish to ingress where the kernel has IPVS",
    ),
    (
        r"insufficient resources",
        "no node has that much memory left: lower the service's memory or replicas, or add a node",
    ),
    (r"unsupported platform", "no node has that CPU: set the service's architecture to what the nodes are"),
    (
        LOGIN_REFUSED,
        "the registry refuses the login: check the username and password of the registry's config block",
    ),
    (
        r"No such image|manifest unknown|manifest for .* not found|repository does not exist",
        "no node has the image and the registry does not give it: push it, and check the service's digest",
    ),
    (
        r"exec format error",
        "the image is for another CPU: set the service's architecture, or build it for this one",
    ),
    (r"non-zero exit \(137\)", "the replica was killed, most likely for its memory: raise the service's memory"),
    (
        r"does not have a leader",
        "too few of its managers are running to decide anything: start the others again, or make the one that is left "
        "the only one with docker swarm init --force-new-cluster on it",
    ),
    (
        r"unhealthy container",
        "the image's HEALTHCHECK failed: call it in the container, or give the service more time in the image",
    ),
)
"""What engines say (moby and swarmkit), and what to do about it."""


def explain(error: str) -> str:
    """An engine's error, with what to do where that is known."""
    text = re.sub(r"^rpc error: code = \w+ desc = ", "", error.strip())
    fixes = [fix for pattern, fix in KNOWN if re.search(pattern, text, re.IGNORECASE)]
    return f"{text}: {fixes[0]}" if fixes else text
