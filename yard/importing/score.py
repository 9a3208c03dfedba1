"""Score's workloads (score.dev/v1b1; score-v1b1.json of the specification)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any

from yard.importing import words
from yard.importing.draft import Draft, Given, Rule, Rules, apply, drop, names_of, routes
from yard.importing.source import Report, Source

UNKNOWN = "no field of ours has this meaning"
PLACEHOLDER = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>[^}]*)\})")
DECIMAL = {unit: 1000**power for power, unit in enumerate("KMGT", 1)}
UNITS = {"": 1, **DECIMAL, **{f"{unit}i": 1024**power for power, unit in enumerate("KMGT", 1)}}
HERE = "."
"""The image of a workload that is built where its file is."""


def is_one(document: Mapping[str, Any]) -> bool:
    """Whether it is a workload."""
    return str(document.get("apiVersion")).startswith("score.dev/")


def read(given: Given) -> tuple[list[Draft], Report]:
    """The service of a workload, and what became of all that is in it."""
    report = Report()
    named = given.document.get("metadata")
    name = str((named.get("name") if isinstance(named, dict) else None) or "service")
    root = Source(report, (), words.texts(given.document, (), report, lambda text: _filled(text, name)))
    container = next((each for each in root.at("containers").inner() if isinstance(each.value, dict)), None)
    if container is None:
        root.rest_dropped("there is not a map of a container in `containers`")
        return [], report
    if why := words.kept_elsewhere(container.at("image").value):
        root.rest_dropped(why)
        return [], report
    (ours,) = names_of([name], report)
    draft = Draft(ours, report, given)
    draft.set(("public",), False)
    apply(CONTAINER, container, draft, UNKNOWN)
    apply(TOP, root, draft, UNKNOWN)
    if draft.values["public"]:
        del draft.values["public"]
    routes([draft], report)
    return [draft], report


def _filled(text: str, name: str) -> tuple[str, str, str]:
    """A text with what its placeholders stand for; why that is not known; what was changed."""
    unknown = [each["name"] for each in PLACEHOLDER.finditer(text) if each["name"] not in (None, "metadata.name")]
    why = f"{', '.join(unknown)} is known to what makes the resource alone: write the value itself" if unknown else ""
    new = PLACEHOLDER.sub(lambda found: found["dollar"] or name, text) if not unknown else text
    return new, why, "its placeholders are filled in" if new != text else ""


def _name(source: Source, draft: Draft) -> None:
    source.taken("services", "" if source.value == draft.name else f"as {draft.name}")


def _image(source: Source, draft: Draft) -> None:
    if source.value == HERE:
        draft.put(source, "build.context", posixpath.normpath(draft.given.base), "built in the folder of the file")
    else:
        words.image(source, draft)


def _variables(source: Source, draft: Draft) -> None:
    for each, name, value in words.pairs(source):
        draft.variable(each, name, value)


def _probe(source: Source, draft: Draft) -> None:
    if "health" in draft.values:
        source.dropped("`health` is set already: a replica is asked one thing")
    else:
        draft.put(source, "health", source.value)


def _ports(source: Source, draft: Draft) -> None:
    for each in source.inner():
        target = each.at("targetPort") or each.at("port")
        if str(each.at("protocol").value or "TCP") != "TCP":
            each.dropped("a service speaks HTTP over TCP alone")
        elif "port" in draft.values:
            each.dropped(f"a service has one port, and that is {draft.values['port']}")
        elif target:
            draft.put(target, "port", target.value)
            each.at("protocol").dropped("requests are HTTP over TCP")
            each.rest_dropped("callers use the URL, which has its own port")


def _resources(source: Source, draft: Draft) -> None:
    for each in source.inner():
        kind = str(each.at("type").value)
        if kind == "route" and draft.values["public"]:
            each.dropped("a service has one route, to its one port")
        elif kind == "route":
            _route(each, draft)
        elif kind == "dns":
            each.dropped("a name at the URL is `host`, in the stack's `domain`")
        else:
            keeper = words.MANAGED.get(kind)
            way = f"let {keeper} run it" if keeper else "make it beside the service"
            each.dropped(f"{way}, and give its address in `env` or `secrets`")


def _route(source: Source, draft: Draft) -> None:
    """What callers outside may reach."""
    draft.set(("public",), True)
    source.at("type").taken("public", "it has a route at the URL")
    path, host = source.at("params", "path"), source.at("params", "host")
    if path and "path" not in draft.values:
        ours = f"/{str(path.value).strip('/')}"
        draft.put(path, "path", ours, "" if ours == path.value else "without the slash at its end")
    if host and "host" not in draft.values:
        draft.put(host, "host", host.value)
    source.rest_dropped("a service has one route, to its one port")


HTTP = "the load balancer asks over HTTP, on `port`"
memory = words.memory(UNITS)

CONTAINER: Rules = {
    "image": Rule("build", "`.` is built; any other is read like `image` of Compose", _image),
    "args": Rule("command", "as they stand; dropped if there is a secret in them", words.command),
    "command": drop(words.ENTRYPOINT),
    "variables": Rule("env, secrets", "what looks like a secret is set by a command", _variables),
    "resources.limits.cpu": Rule("cpu", "a number; 250m becomes 0.25", words.cpu),
    "resources.limits.memory": Rule("memory", "in MiB, rounded up", memory),
    "resources.requests.cpu": Rule("cpu", words.NO_LIMIT, words.cpu),
    "resources.requests.memory": Rule("memory", words.NO_LIMIT, memory),
    "readinessProbe.httpGet.path": Rule("health", "as it stands", _probe),
    "livenessProbe.httpGet.path": Rule("health", "if `readinessProbe` has none", _probe),
    "readinessProbe": drop(HTTP),
    "livenessProbe": drop(HTTP),
    "files": drop(words.FILE),
    "volumes": drop(words.FILES),
}
"""By the field of the first container."""

TOP: Rules = {
    "apiVersion": drop("it only says how to read the file"),
    "metadata.name": Rule("services", "the name of the service", _name),
    "metadata": drop("annotations are for other programs"),
    "service.ports": Rule("port", "the first one over TCP: `targetPort`, else `port`", _ports),
    "resources": Rule("public, path, host", "those of type `route`; without one the service is not public", _resources),
    "containers": drop("a service has one container, the first"),
}
"""By the field of the file."""
