"""The certificate of a proxy, as a dynamic provider: what the Pulumi engine calls.

State holds it pickled by reference, so the names of this module and of the provider must stay.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterable, Iterator, Sequence

from docker import APIClient
from pulumi.dynamic import CreateResult, UpdateResult

from components.docker_engine import SwarmError
from components.docker_host import address
from components.dynamic import Props
from components.edge import certificates
from components.edge.proxy_engine import Reached, RouteProvider, file_of, published
from components.edge.proxy_routes import RESOLVER
from components.edge.traefik import ISSUED, SECURE
from components.shell import command

PATIENCE = 120.0
"""Seconds until the certificate is shown: a CA of ACME asks back, and may do so several times."""

WAITS = "unable to find certificate for domains"
"""What it says for as long as the CA has given none."""


class CertificateProvider(RouteProvider):
    """A certificate, made only when the proxy shows it for every name. Before that no caller is sent to it."""

    watched = ("host", "server", "id", "route", "names")

    def create(self, props: Props) -> CreateResult:
        """Put it in; one that is not shown is taken out again, so that the next time the proxy asks for it anew."""
        self.put(props)
        try:
            self.wait_for(props)
        except SwarmError:
            self.delete(props["id"], props)
            raise
        return CreateResult(props["id"], props)

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        """Put the new one in its place; where it is not shown, the old one again."""
        self.put(news)
        try:
            self.wait_for(news)
        except SwarmError:
            self.put(olds)
            raise
        return UpdateResult(news)

    def wait_for(self, props: Props) -> None:
        """Return once the proxy shows the certificate for every name."""
        deadline = time.monotonic() + PATIENCE
        with self.reach(props) as proxy:
            while problem := self.missing(proxy, props):
                if time.monotonic() >= deadline:
                    look = command("docker", "logs", proxy.container)
                    why = "".join(f"\n    | {line}" for line in refusals(proxy.engine, proxy.container))
                    raise SwarmError(f"the proxy shows no certificate for {problem}; `{look}` says more{why}")
                time.sleep(0.5)

    def missing(self, proxy: Reached, props: Props) -> str:
        """The first name for which it is not shown, and why; empty: it is shown for each."""
        names, host = props["names"], address(props["host"])
        given = props["route"]["tls"]["stores"]["default"].get("defaultCertificate")
        chain = given["certFile"] if given else issued(proxy.engine, proxy.container, names)
        if not chain:
            return f"{', '.join(names)}: the CA has not given it within {PATIENCE:g} s"
        port = published(proxy.engine, proxy.container, SECURE)
        return first((name, certificates.shown(host, port, name, chain)) for name in names)


def first(problems: Iterable[tuple[str, str]]) -> str:
    """The first name that has a problem, with it; empty: none has."""
    return next((f"{name}: {why}" for name, why in problems if why), "")


def issued(engine: APIClient, container: str, names: Sequence[str]) -> str:
    """The certificate that a CA has given for exactly these names, in PEM; empty: none yet."""
    stored = json.loads(file_of(engine, container, ISSUED) or b"{}")
    for each in stored.get(RESOLVER, {}).get("Certificates") or []:
        if {each["domain"]["main"], *each["domain"].get("sans", ())} == set(names):
            return base64.b64decode(each["certificate"]).decode()
    return ""


def refusals(engine: APIClient, container: str) -> Iterator[str]:
    """What the proxy has said last of a CA that gives nothing, or of a key that does not fit."""
    lines = engine.logs(container, tail=200).decode(errors="replace").splitlines()
    told = [line for line in lines if " ERR " in line and "ertificate" in line]
    yield from [line for line in told if WAITS not in line][-1:]
