"""A Kubernetes cluster that exists: its kubeconfig, its login's helper, and whether its API answers."""

import base64
import json
import shutil
import ssl
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPSHandler, OpenerDirector, ProxyHandler, build_opener

import yaml

from components.needs import KubernetesCluster
from components.shell import command
from yard.checks import TIMEOUT, Finding, fail, ok

Named = Mapping[str, Any]


def cluster(need: KubernetesCluster) -> Iterator[Finding]:
    """What the kubeconfig leads to; that it has the context, the program's own checks have seen."""
    merged = _merged(need.kubeconfigs)
    context = merged["contexts"][need.context]
    user = merged["users"].get(str(context.get("user")), {})
    yield _login(need.context, user)
    where = merged["clusters"].get(str(context.get("cluster")), {})
    if not where.get("server"):
        yield fail(
            "cluster",
            f"context {need.context} names cluster {context.get('cluster')!r}, which the kubeconfig does not have",
            "kubectl config view, and fix it",
        )
        return
    yield _answers(need.context, where)


def _merged(paths: Iterable[Path]) -> dict[str, dict[str, dict[str, Any]]]:
    """What kubectl sees: of two entries of one name the first counts. A path in a file starts at that file."""
    merged: dict[str, dict[str, dict[str, Any]]] = {"contexts": {}, "clusters": {}, "users": {}}
    for path in paths:
        if not path.is_file():
            continue
        read = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        for kind, known in merged.items():
            for each in read.get(kind) or []:
                known.setdefault(str(each["name"]), {**(each.get(kind[:-1]) or {}), "directory": path.parent})
    return merged


def _login(context: str, user: Named) -> Finding:
    """Managed clusters' kubeconfigs call a program for a token."""
    helper = user.get("exec") or {}
    command = helper.get("command")
    if command and shutil.which(command) is None:
        hint = str(helper.get("installHint") or f"install {command}, or make the kubeconfig anew").strip()
        return fail("kubeconfig", f"context {context} logs in with the program {command}, which is not on PATH", hint)
    return ok("kubeconfig", f"has context {context}" + (f", which logs in with {command}" if command else ""))


def _answers(context: str, cluster: Named) -> Finding:
    """`/version` without a login: an answer of any kind shows the way to the cluster."""
    server = str(cluster["server"])
    url = f"{server.rstrip('/')}/version"
    try:
        with _opener(url, cluster).open(url, timeout=TIMEOUT) as response:
            version = json.load(response).get("gitVersion", "an unknown version")
        return ok("cluster", f"{server} answers: Kubernetes {version}")
    except HTTPError:
        return ok("cluster", f"{server} answers")
    except (OSError, ValueError) as error:
        return fail(
            "cluster",
            f"no Kubernetes answers at {server} ({getattr(error, 'reason', error)})",
            f"start it, or the VPN to it; then: {command('kubectl', '--context', context, 'version')}",
        )


def _opener(url: str, cluster: Named) -> OpenerDirector:
    """As kubectl connects: by the proxy of the environment, but not to this machine itself."""
    local = urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
    return build_opener(HTTPSHandler(context=trust(cluster)), ProxyHandler({} if local else None))


def trust(cluster: Named) -> ssl.SSLContext:
    """The certificates that the kubeconfig says to trust, or this machine's."""
    if cluster.get("insecure-skip-tls-verify"):
        anyone = ssl.create_default_context()
        anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
        return anyone
    if data := cluster.get("certificate-authority-data"):
        return ssl.create_default_context(cadata=base64.b64decode(data).decode())
    authority = cluster.get("certificate-authority")
    return ssl.create_default_context(cafile=str(cluster["directory"] / authority) if authority else None)
