"""What Traefik is told once and for all, when its container is made: ports, limits, logs, and its client of ACME."""

from __future__ import annotations

from collections.abc import Iterator

from components.dynamic import Props
from components.edge.proxy_routes import RESOLVER

INSIDE, SECURE, METRICS = 8080, 8443, 9100
"""The ports that Traefik listens on in its container: HTTP, HTTPS, figures for Prometheus."""
PROGRAM = "/usr/local/bin/traefik"
"""Where the official image has it."""
HOME = "/switchyard"
ROUTES, NEXT, WATCHED = "routes.json", "next.json", "traefik.yml"
"""Ours; the configuration of all of them; and the name under which Traefik reads it, for which JSON is YAML."""
ISSUED, CA = "acme.json", "acme-ca.pem"
"""What was got by ACME, with the keys; and whom Traefik takes for the CA."""
STOP = 60
"""Seconds that requests under way have when the container stops."""
STATIC = (
    f"--providers.file.filename={HOME}/{WATCHED}",
    "--providers.file.watch=true",
    "--providers.providersthrottleduration=0s",
    "--ping=true",
    "--ping.manualrouting=true",
    "--log.level=WARN",
    "--log.nocolor=true",
    "--global.checknewversion=false",
    "--global.sendanonymoususage=false",
)
ACCESS_LOG = ("--accesslog=true", "--accesslog.format=json", "--accesslog.bufferingsize=10000")
"""Without a buffer each answer waits until the engine has read its line."""
SYSCTLS = {"net.ipv4.ip_local_port_range": "1024 65535", "net.ipv4.tcp_tw_reuse": "1"}
"""Each request has a connection of its own to a replica, and the port of one that is closed stays taken for 60 s. By
Linux's defaults there are 28,232, of which the kernel tries every second one first: from 235 requests a second to an
address on it looks at thousands each time, and at 470 there is none. With these, one may be used again after a second
(Linux's ip-sysctl)."""


def arguments(props: Props) -> Iterator[str]:
    """What Traefik is told once and for all: where it listens, what it writes, and who certifies its names."""
    yield from STATIC
    yield from entry_point("http", INSIDE)
    if props["access_log"]:
        yield from ACCESS_LOG
    if props.get("https"):
        yield from entry_point("https", SECURE)
    if props.get("metrics"):
        yield f"--entrypoints.metrics.address=:{METRICS}"
        yield "--metrics.prometheus.entrypoint=metrics"
        yield "--metrics.prometheus.addrouterslabels=true"
    if acme := props.get("acme"):
        told = f"--certificatesresolvers.{RESOLVER}.acme"
        yield f"{told}.email={acme['email']}"
        yield f"{told}.caserver={acme['server']}"
        yield f"{told}.storage={HOME}/{ISSUED}"
        yield f"{told}.keytype=EC256"
        yield f"{told}.tlschallenge=true" if acme["challenge"] == "tls" else f"{told}.httpchallenge.entrypoint=http"
        if acme.get("root"):
            yield f"{told}.cacertificates={HOME}/{CA}"


def entry_point(name: str, port: int) -> Iterator[str]:
    """A port for callers, and their limits. An end for those that send a request slowly: it is for the whole of it, so
    uploads set the measure. An idle connection and the headers have what a load balancer of AWS has (ELB user guide,
    "Quotas")."""
    point = f"--entrypoints.{name}"
    yield f"{point}.address=:{port}"
    yield f"{point}.transport.respondingtimeouts.readtimeout=300s"
    yield f"{point}.transport.respondingtimeouts.idletimeout=60s"
    yield f"{point}.http.maxheaderbytes={64 * 1024}"
    yield f"{point}.transport.lifecycle.gracetimeout={STOP - 10}s"
