"""AWS Copilot's manifests (its manifest reference, by type: lb-web-service, backend-service and so on)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.shell import command
from config.stack_file import Steps, dotted
from yard.importing import words
from yard.importing.draft import Draft, Given, Rule, Rules, apply, drop, names_of, routes
from yard.importing.source import NoImport, Report, Source, leaves_of

PUBLIC = ("Load Balanced Web Service", "Request-Driven Web Service")
PRIVATE = ("Backend Service", "Worker Service")
NONE: Mapping[str, str] = {
    "Scheduled Job": "it is `jobs` of the service whose image it runs: its command, and `on.schedule` as five fields",
    "Static Site": "files alone are no service here: leave them in a bucket behind a CDN, or serve them from an image",
    "Environment": "the network, the load balancer and the cluster are the stack's own, made by its keys",
    "Pipeline": "a pipeline is not a service: call `yard deploy` in it",
}
"""Types that are no services of ours, and why."""
VARIABLE = re.compile(r"\$\{(\w+)\}")
UNITS_A_CPU = 1024
UNKNOWN = "no field of ours has this meaning"
EXCLUSIVE = {"build": "location", "location": "build"}
"""A field of `image` -> the one that an environment takes away with it."""


def is_one(document: Mapping[str, Any]) -> bool:
    """Whether it is a manifest, or a map of manifests by their folders."""
    return _is_manifest(document) or any(isinstance(each, dict) and _is_manifest(each) for each in document.values())


def _is_manifest(document: Mapping[str, Any]) -> bool:
    return document.get("type") in (*PUBLIC, *PRIVATE, *NONE)


def workspace(path: Path) -> Path:
    """The folder that paths in manifests begin in: the one with the folder `copilot`."""
    folder = path if path.is_dir() else path.parent.parent
    return folder.parent if path.is_dir() or folder.name == "copilot" else path.parent


def read(given: Given) -> tuple[list[Draft], Report]:
    """The services of one manifest, or of all in a folder, and what became of all that is in them."""
    report, document = Report(), given.document
    alone = _is_manifest(document)
    known = sorted({name for each in ([document] if alone else document.values()) for name in _environments(each)})
    if given.environment and given.environment not in known:
        raise NoImport(f"no manifest has an environment {given.environment!r}: there are {', '.join(known) or 'none'}")
    if alone:
        whole = _for_environment(document, (), given.environment, report)
        root = Source(report, (), words.texts(whole, (), report, _known))
        found = [root]
    else:
        merged = {name: _for_environment(each, (name,), given.environment, report) for name, each in document.items()}
        root = Source(report, (), words.texts(merged, (), report, _known))
        found = [*root.inner()]
    services = [each for each in found if _is_service(each)]
    names = names_of(
        [str(each.at("name").value or "-".join(map(str, each.steps)) or "service") for each in services], report
    )
    drafts = [Draft(name, report, given) for name in names]
    for each, draft in zip(services, drafts, strict=True):
        apply(RULES, each, draft, UNKNOWN)
        if draft.values.get("public", True) and "health" not in draft.values:
            draft.set(("health",), "/")
            report.notes.append(
                f"{draft.name} is asked for / (`health`), as Copilot does where a manifest says nothing"
            )
    routes(drafts, report)
    return drafts, report


def _known(text: str) -> tuple[str, str, str]:
    names = VARIABLE.findall(text)
    return text, f"{', '.join(names)} is known to Copilot alone: write the value itself" if names else "", ""


def _is_service(source: Source) -> bool:
    """Whether it is one of ours to be; if not, the reason is told."""
    kind = source.at("type").value
    if kind in (*PUBLIC, *PRIVATE):
        return True
    source.rest_dropped(NONE.get(str(kind)) or f"its type is none of {', '.join((*PUBLIC, *PRIVATE))}")
    return False


def _environments(manifest: Any) -> Mapping[str, Any]:
    found = manifest.get("environments") if isinstance(manifest, dict) else None
    return found if isinstance(found, dict) else {}


def _for_environment(manifest: Any, steps: Steps, environment: str | None, report: Report) -> Any:
    """A manifest with the values of an environment of its in place of those of all."""
    if environment is None or environment not in _environments(manifest):
        return manifest
    others = {name: each for name, each in manifest["environments"].items() if name != environment}
    base = {key: each for key, each in manifest.items() if key != "environments"}
    if others:
        base["environments"] = others
    place = (*steps, "environments", environment)
    report.gone.add(place)
    over = manifest["environments"][environment]
    if isinstance(over, dict) and "environments" in over:
        report.tell_gone((*place, "environments"), "an environment has none of its own")
        over = {key: each for key, each in over.items() if key != "environments"}
        if not over:
            return base
    return _merged(base, over, (steps, place), report)


def _merged(base: Mapping[str, Any], over: Any, places: tuple[Steps, Steps], report: Report) -> dict[str, Any]:
    """A map with the values of another one over its own. `places`: where each of them is in the file."""
    found = dict(base)
    if not over or not isinstance(over, dict):
        report.tell_gone(places[1], "there is nothing in it")
        return found
    for key, value in over.items():
        below = (*places[0], key), (*places[1], key)
        both = isinstance(value, dict) and isinstance(found.get(key), dict) and found[key]
        for other in (key, EXCLUSIVE.get(key) if places[0][-1:] == ("image",) else None):
            if other in found and not (other == key and both):
                report.tell_gone((*places[0], other), f"{dotted(below[1])} stands in its place")
                del found[other]
        if key in found:
            found[key] = _merged(found[key], value, below, report)
        else:
            found[key] = value
            report.origins.update({leaf: (*below[1], *leaf[len(below[0]) :]) for leaf in leaves_of(value, below[0])})
    return found


def _name(source: Source, draft: Draft) -> None:
    source.taken("services", "" if source.value == draft.name else f"as {draft.name}")


def _type(source: Source, draft: Draft) -> None:
    if source.value in PUBLIC:
        source.taken("public", "it has a route at the URL")
    else:
        draft.set(("public",), False)
        source.taken("public", "`public: false`: nothing may connect to it")


def _build(source: Source, draft: Draft) -> None:
    """A Dockerfile, or a map; all paths are from the workspace."""
    if not isinstance(source.value, str | dict):
        return
    context, dockerfile = source.at("context"), source.at("dockerfile")
    file = source if isinstance(source.value, str) else dockerfile
    folder = str(context.value) if context else posixpath.dirname(str(file.value)) if file else "."
    ours = posixpath.normpath(posixpath.join(draft.given.base, folder))
    known = not (context or file).open
    if known and context:
        known = draft.put(context, "build.context", ours, "" if ours == folder else "from the folder of Pulumi.yaml")
    elif known:
        draft.set(("build", "context"), ours)
    if not known:
        source.rest_dropped((context or file).open or "there is no folder with a Dockerfile")
        return
    named = posixpath.relpath(str(file.value) or ".", folder or ".") if file else ""
    if file is source:
        draft.set(("build", "dockerfile"), named)
        source.taken("build", "its folder, and the file in it")
    elif file:
        draft.put(file, "build.dockerfile", named, "" if named == file.value else "from `context`")
    _in_build(source, draft)


def _in_build(source: Source, draft: Draft) -> None:
    target, args = source.at("target"), source.at("args")
    if target:
        draft.put(target, "build.target", target.value)
    words.build_args(args, draft)


def _port(source: Source, draft: Draft) -> None:
    port = words.number(source.value)
    draft.put(source, "port", port, "" if port is source.value else "as a number")


def _path(source: Source, draft: Draft) -> None:
    if draft.values.get("public") is False:
        source.dropped(NO_ROUTE)
        return
    path = f"/{str(source.value).removesuffix('*').strip('/')}"
    draft.put(source, "path", path, "" if path == source.value else "as a path from the root")


def _alias(source: Source, draft: Draft) -> None:
    """One name, or several, each alone or in a map with its zone."""
    if draft.values.get("public") is False:
        source.dropped(NO_ROUTE)
        return
    for each in source.inner() if isinstance(source.value, list) else [source]:
        named = each.at("name") if isinstance(each.value, dict) else each
        each.at("hosted_zone").dropped(ZONE)
        if "host" in draft.values:
            named.dropped(f"a service has one `host`, and that is {draft.values['host']}")
        elif named:
            draft.put(named, "host", named.value)


def _health(source: Source, draft: Draft) -> None:
    path = source.at("path") if isinstance(source.value, dict) else source
    if path:
        draft.put(path, "health", path.value)
    source.rest_dropped(words.TIMES)


def _http(source: Source, draft: Draft) -> None:
    if source.value is False:
        draft.set(("public",), False)
        source.taken("public", "`public: false`: nothing may connect to it")
    else:
        source.rest_dropped(EDGE)


def _private(source: Source, draft: Draft) -> None:
    if source.value:
        draft.set(("public",), False)
    source.taken("public", "the opposite")


def _probe(source: Source, draft: Draft) -> None:
    if "health" in draft.values:
        source.dropped("`health` is set already: a replica is asked one thing")
    else:
        words.probed(source, draft, source.value)


def _cpu(source: Source, draft: Draft) -> None:
    units = words.number(source.value)
    share = units / UNITS_A_CPU if isinstance(units, int | float) else units
    draft.put(source, "cpu", words.number(share), f"{UNITS_A_CPU} units are a vCPU")


def _memory(source: Source, draft: Draft) -> None:
    draft.put(source, "memory", source.value)


def _platform(source: Source, draft: Draft) -> None:
    named = source.at("architecture") if isinstance(source.value, dict) else source
    if named:
        words.architecture(named, draft, named.value)


def _count(source: Source, draft: Draft) -> None:
    if isinstance(source.value, dict):
        source.rest_dropped("replicas follow the CPU between `min` and `max`, and nothing else")
    else:
        draft.put(source, "replicas", source.value)


def _range(source: Source, draft: Draft) -> None:
    """`1-10`, or {min, max, spot_from}."""
    if isinstance(source.value, dict):
        for key in ("min", "max"):
            if (each := source.at(key)) and (key == "min" or "replicas" in draft.values):
                draft.put(each, f"replicas.{key}", each.value)
    elif match := re.fullmatch(r"(\d+)-(\d+)", str(source.value), re.A):
        draft.put(source, "replicas", {"min": int(match[1]), "max": int(match[2])}, "as `min` and `max`")


def _spot(source: Source, draft: Draft) -> None:
    if "replicas" in draft.values:
        source.dropped("`replicas` is set already")
    else:
        draft.put(source, "replicas", source.value, "not on Spot: the key `ecs-fargate.spot` is for that")


def _target(source: Source, draft: Draft) -> None:
    percent = source.at("value") if isinstance(source.value, dict) else source
    if percent and isinstance(draft.values.get("replicas"), dict):
        draft.put(percent, "replicas.cpu", percent.value)


def _variables(source: Source, draft: Draft) -> None:
    for each, name, value in words.pairs(source):
        draft.variable(each, name, value)


def _secrets(source: Source, draft: Draft) -> None:
    for each, name, value in words.pairs(source):
        asked = _asked(value)
        how = "a command below takes it from where it is" if asked else "a command below sets it"
        draft.secret(each, name, how, asked)


def _asked(value: Any) -> str:
    """The command that prints a secret from where it is; empty where that is not known."""
    manager = value.get("secretsmanager") if isinstance(value, dict) else None
    name = manager or value
    if not isinstance(name, str) or not PLAIN.fullmatch(name):
        return ""
    kept = ("secretsmanager", "get-secret-value", "--secret-id", name, "--query", "SecretString")
    parameter = ("ssm", "get-parameter", "--with-decryption", "--name", name, "--query", "Parameter.Value")
    return command("aws", *(kept if manager else parameter), "--output", "text")


def _volumes(source: Source, draft: Draft) -> None:
    for each in source.inner():
        path, may_write = each.at("path"), each.at("read_only").value is False
        if path and may_write and not each.at("efs").value:
            words.writable(path, draft, str(path.value))
            each.at("read_only").taken("writable", "scratch space")
            each.at("efs").taken("writable", "scratch space")
    source.rest_dropped(words.FILES)


NO_ROUTE = "no route leads to it (`public: false`)"
PLAIN = re.compile(r"[\w/+=.@-]+", re.A)
"""A name that is not put together of others, and has no key of a JSON document after it."""
EDGE = "the stack has one load balancer, and this is the same for all its services"
QUEUES = "Switchyard makes no topics or queues: make them yourself, and put their addresses into `env`"
ZONE = "the stack has one zone: key `domain`"

RULES: Rules = {
    "name": Rule("services", "the name of the service", _name),
    "type": Rule("public", "`false` for a Backend Service and a Worker Service", _type),
    "image.build": Rule("build", "a Dockerfile or a map; paths then start at the folder of Pulumi.yaml", _build),
    "image.location": Rule("image", words.BY_DIGEST, words.image),
    "image.port": Rule("port", "as it stands", _port),
    "image.credentials": drop("the stack has one login at the registry, see docs/registries.md"),
    "image.labels": drop(words.HOSTS),
    "image.depends_on": drop("a service has one container"),
    "http.private": Rule("public", "the opposite", _private),
    "http.path": Rule("path", "with a slash at its start and none at its end", _path),
    "http.alias": Rule("host", "the first name", _alias),
    "http.healthcheck.port": drop("the load balancer asks `port`"),
    "http.healthcheck.success_codes": drop("only the answer 200 means healthy"),
    "http.healthcheck": Rule("health", "its path", _health),
    "image.healthcheck.command": Rule(
        "health", "if `http` has none: the path of the URL that the command calls", _probe
    ),
    "image.healthcheck": drop(words.TIMES),
    "http.hosted_zone": drop(ZONE),
    "http.allowed_source_ips": drop("the URL is open to all callers; with `public: false` nobody can call the service"),
    "http.additional_rules": drop("a service has one route"),
    "http.target_container": drop("a service has one container"),
    "http": Rule("public", "`false`: not public; the rest of it is dropped", _http),
    "nlb": drop("a service speaks HTTP, behind the one load balancer of the stack"),
    "platform.osfamily": drop("replicas run on Linux"),
    "cpu": Rule("cpu", "1024 units are one vCPU", _cpu),
    "memory": Rule("memory", "as it stands, in MiB", _memory),
    "platform": Rule("architecture", "linux/x86_64 or linux/arm64; of a map, its `architecture`", _platform),
    "count.range": Rule("replicas", "its `min` and `max`", _range),
    "count.spot": Rule("replicas", "the number; the key `ecs-fargate.spot` is for Spot", _spot),
    "count.cpu_percentage": Rule("replicas.cpu", "if there is a range", _target),
    "count.range.spot_from": drop("the key `ecs-fargate.spot` is for Spot"),
    "count": Rule("replicas", "a number; of a map, only the fields above", _count),
    "variables": Rule("env, secrets", "what looks like a secret is set by a command", _variables),
    "secrets": Rule("secrets", "a command for each copies it from Parameter Store or Secrets Manager", _secrets),
    "env_file": drop(words.ENV_FILE),
    "command": Rule("command", words.COMMAND, words.command),
    "entrypoint": drop(words.ENTRYPOINT),
    "storage.readonly_fs": Rule("writable", words.READ_ONLY, words.read_only),
    "storage.volumes": Rule(
        "writable", "volumes that a replica may write to, except EFS; all others are dropped", _volumes
    ),
    "storage.ephemeral": drop("the orchestrator decides this: ECS on Fargate gives 20 GiB"),
    "sidecars": drop("a service has one container: make this one a service, or put its program into the image"),
    "network": drop("the stack has one network: keys `network` and `vpc`"),
    "exec": drop("`yard run` and `yard exec` need no key"),
    "publish": drop(QUEUES),
    "subscribe": drop(QUEUES),
    "deployment": drop("the orchestrator decides how it replaces replicas"),
    "logging": drop("the orchestrator keeps the logs; on AWS the key `log-days` says for how long"),
    "observability": drop("traces need a second container, and a service has one"),
    "taskdef_overrides": drop("`transforms.py` can change every resource"),
    "tags": drop("tags are for the whole stack: key `aws:defaultTags`"),
    "environments": drop("each becomes a stack: import it with --environment NAME --stack STACK"),
}
"""By the field of a manifest."""
