"""A proxy on an instance of the rehearsal: its files, and what it answers by them. Traefik is asked nothing."""

import io
import json
import re
import tarfile
from http.client import responses
from typing import Any
from urllib.parse import urlsplit

from components.edge.traefik import WATCHED
from components.orchestrator.swarm_parts.ssm import Question
from rehearsal.apis.ssm import CommandResult
from rehearsal.aws import types
from rehearsal.state import CloudResource, CloudState, Swarm, published

PORTS = {"http": 80, "https": 443}
HEADER = re.compile(r"Header\(`([^`]+)`, `([^`]+)`\)")
PATH = re.compile(r"Path\(`([^`]+)`\)")


def unpack(files: dict[str, bytes], archive: bytes) -> None:
    """Put what is in an archive among the files of a volume, as an engine does."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as found:
        for entry in found:
            file = found.extractfile(entry)  # of a link, that to which it leads
            if file is not None:
                files[entry.name] = file.read()


def pack(name: str, data: bytes) -> bytes:
    """An archive of one file."""
    buffer, entry = io.BytesIO(), tarfile.TarInfo(name)
    entry.size = len(data)
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def answer(state: CloudState, instance: CloudResource, question: Question, swarm: Swarm) -> CommandResult:
    """What an instance prints that asks itself."""
    split = urlsplit(question.url)
    proxy = swarm.services.get(swarm.publisher(PORTS[split.scheme]))
    if proxy is None:
        return CommandResult(7, "", f"curl: (7) Failed to connect to 127.0.0.1 port {PORTS[split.scheme]}")
    (volume,) = proxy["Spec"]["TaskTemplate"]["ContainerSpec"]["Mounts"]
    said = json.loads(swarm.volumes.get(volume["Source"], {}).get(WATCHED, b"{}"))
    if question.verified and not _certified(state, instance, said, split.hostname or ""):
        return CommandResult(60, "", "curl: (60) SSL certificate problem: self-signed certificate")
    status, headers = _answered(state, swarm, said.get("http", {}), split.scheme, split.path, question)
    lines = [f"HTTP/1.1 {status} {responses[status]}", *(f"{name}: {value}" for name, value in headers.items())]
    return CommandResult(0, "\r\n".join([*lines, "", ""]))


def _certified(state: CloudState, instance: CloudResource, said: Any, name: str) -> bool:
    """Whether a CA gives a certificate for a name: by ACME it calls the address that its record has."""
    stores = said.get("tls", {}).get("stores", {})
    wanted = stores.get("default", {}).get("defaultGeneratedCert", {}).get("domain", {})
    interface = instance.get("primaryNetworkInterface.networkInterfaceId")
    addresses = {each.get("publicIp") for each in state.where(types.EIP, "networkInterface", interface)}
    records = [each for each in state.where(types.RECORD, "name", name) if each.ready]
    found = {address for each in records for address in each.all("records")}
    return name in (wanted.get("main"), *wanted.get("sans", ())) and bool(addresses & found)


def _answered(
    state: CloudState, swarm: Swarm, http: Any, scheme: str, path: str, question: Question
) -> tuple[int, dict[str, str]]:
    """Status and headers, by the router with the highest priority of those that the request is for."""
    asked = {tuple(each.split(": ", 1)) for each in question.headers}
    fit = [
        each
        for each in http.get("routers", {}).values()
        if scheme in each["entryPoints"]
        and set(HEADER.findall(each["rule"])) == asked
        and all(path == wanted for wanted in PATH.findall(each["rule"]))
    ]
    if not fit:
        return 404, {}
    router = max(fit, key=lambda each: each["priority"])
    headers: dict[str, str] = {}
    for each in router.get("middlewares", ()):
        headers |= http["middlewares"][each].get("headers", {}).get("customResponseHeaders", {})
    if router["service"] == "ping@internal":
        return 200, headers
    return (200 if _serves(state, swarm, http, router["service"]) else 502), headers


def _serves(state: CloudState, swarm: Swarm, http: Any, group: str) -> bool:
    """Whether replicas answer behind a group: those of the service that its address names, on the port of it."""
    dials = [urlsplit(each["url"]) for each in http["services"][group]["loadBalancer"]["servers"]]
    named = {f"tasks.{each['Spec']['Name']}" for each in swarm.services.values() if published(each["Spec"])}
    return group.replace("/", "-") not in state.unhealthy_groups and all(each.hostname in named for each in dials)
