"""The load balancer's place is taken by Traefik, which is given the rules, weights and healthy targets as a file.

As Elastic Load Balancing it does not fail over from a group to another, keeps connections to targets for as long as
idle ones are kept, and tries no other target. Where they differ is said in docs/rehearsal.md.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from components.edge.proxy_routes import LAST, behind, header, revised
from rehearsal.traffic.replica import free_port
from rehearsal.traffic.starts import HOST
from rehearsal.traffic.wanted import Rule

WATCHED, ACCESS = "routes.yml", "access.log"
TAKEN = 60.0
"""Seconds that it may take to start, or to go over to other routes."""
MARKS = ("X-Vegeta-Attack", "X-Vegeta-Seq")
"""The headers by which a request in the access log is known again."""
DIAL = "10s"
"""As long as a load balancer tries to connect (ELB user guide, "Troubleshoot": HTTP 504)."""


class ProxyFailed(Exception):
    """The proxy does not do what it should; the message says what it wrote."""


Servers = Mapping[str, Sequence[str]]
"""Group (its ARN) -> the addresses that get its requests."""


class Balancer:
    """A Traefik process."""

    def __init__(self, program: Path, place: Path) -> None:
        self.port = free_port()
        self._program = program
        self._place = place
        self._revision = ""

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def access_log(self) -> Path:
        return self._place / ACCESS

    def start(self) -> None:
        self._write({}, "")
        options = (
            f"--entrypoints.http.address={HOST}:{self.port}",
            f"--providers.file.filename={self._place / WATCHED}",
            "--providers.file.watch=true",
            "--providers.providersthrottleduration=0s",
            "--ping=true",
            "--ping.manualrouting=true",
            "--log.level=ERROR",
            "--global.checknewversion=false",
            "--global.sendanonymoususage=false",
            "--accesslog=true",
            "--accesslog.format=json",
            f"--accesslog.filepath={self.access_log}",
            "--accesslog.fields.headers.defaultmode=drop",
            *(f"--accesslog.fields.headers.names.{each}=keep" for each in MARKS),
        )
        with (self._place / "proxy.log").open("wb") as log:
            self._process = subprocess.Popen(
                [self._program, *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.take({}, {}, (), 0.0)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def take(self, names: Mapping[str, str], servers: Servers, rules: Sequence[Rule], idle: float) -> None:
        """Go over to these; return when callers feel it. `names` are the groups' own."""
        http = routes(names, servers, rules, idle)
        revision = hashlib.sha256(json.dumps(http, sort_keys=True).encode()).hexdigest()[:12]
        if revision == self._revision:
            return
        self._write(http, revision)
        deadline = time.monotonic() + TAKEN
        while behind(self.url, revision):
            if time.monotonic() > deadline or self._process.poll() is not None:
                wrote = (self._place / "proxy.log").read_text(encoding="utf-8", errors="replace")
                raise ProxyFailed(f"the proxy did not go over to other routes: {wrote[-1000:] or 'it wrote nothing'}")
            time.sleep(0.02)
        self._revision = revision

    def _write(self, http: Mapping[str, Any], revision: str) -> None:
        asked = revised(revision)
        routers = {**asked["routers"], **http.get("routers", {})}
        document = {"http": {**http, "routers": routers, "middlewares": asked["middlewares"]}}
        # In one step: a file that is being written would be read as it is.
        following = self._place / f"next-{WATCHED}"
        following.write_text(json.dumps(document), encoding="utf-8")
        following.replace(self._place / WATCHED)


def routes(names: Mapping[str, str], servers: Servers, rules: Sequence[Rule], idle: float) -> dict[str, Any]:
    """Rules and groups in Traefik's words."""
    if not rules:
        return {}
    keeps = {"idleConnTimeout": f"{idle:g}s", "responseHeaderTimeout": f"{idle:g}s", "dialTimeout": DIAL}
    groups = {
        names[arn]: {
            "loadBalancer": {
                "servers": [{"url": f"http://{each}"} for each in addresses],
                "serversTransport": "targets",
            }
        }
        for arn, addresses in servers.items()
    }
    shared = {
        f"to/{rule.name}": {"weighted": {"services": [{"name": names[arn], "weight": n} for arn, n in rule.weights]}}
        for rule in rules
    }
    routers = {
        rule.name: {
            "rule": matcher(rule),
            "priority": LAST - rule.order,
            "service": f"to/{rule.name}",
            "entryPoints": ["http"],
        }
        for rule in rules
    }
    transport = {"disableHTTP2": True, "maxIdleConnsPerHost": 1000, "forwardingTimeouts": keeps}
    return {"routers": routers, "services": groups | shared, "serversTransports": {"targets": transport}}


def matcher(rule: Rule) -> str:
    """What a request must have: one value of each condition (ELB user guide, "Condition types for listener rules")."""
    conditions = [
        [f"PathRegexp(`{pattern(each)}`)" for each in rule.paths],
        [f"HostRegexp(`{pattern(each)}`)" for each in rule.hosts],
        *([header(name, each) for each in values] for name, values in rule.headers),
    ]
    return " && ".join(f"({' || '.join(values)})" for values in conditions if values) or "PathPrefix(`/`)"


def pattern(value: str) -> str:
    """A pattern of ELB's, in which * is any characters and ? is one, as a regular expression of Go's."""
    return "^" + "".join({"*": ".*", "?": "."}.get(each, re.escape(each)) for each in value) + "$"
