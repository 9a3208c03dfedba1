"""Docker's Compose files (the Compose Specification: 05-services.md, build.md, deploy.md, 12-interpolation.md)."""

from __future__ import annotations

import posixpath
import re
from typing import Any

from components.build import PLATFORMS
from yard.importing import words
from yard.importing.draft import Draft, Given, Rule, Rules, apply, drop, names_of, routes
from yard.importing.source import Report, Source

UNKNOWN = "no field of ours has this meaning"
NO_FILE = "a folder with a Dockerfile is built here: check the source out, and name its folder"
UNITS = {"": 1, "b": 1, "B": 1} | {
    f"{letter}{end}": 1024**power
    for power, unit in enumerate("kmgt", 1)
    for letter in (unit, unit.upper())
    for end in ("", "b", "B", "iB")
}
VARIABLE = re.compile(
    r"\$(?:(\$)|(?P<plain>[A-Za-z_]\w*)|\{(?P<name>[A-Za-z_]\w*)(?P<sign>:?[-?+])?(?P<word>[^{}]*)\})"
)
"""The innermost first: what is in braces has none."""
PORT = re.compile(r"(?:(?P<published>.*):)?(?P<target>\d+)(?:/(?P<protocol>\w+))?", re.A)
LOCAL = ("127.", "localhost", "[::1]", "::1")
"""Published there, a port is for the same machine alone."""


def read(given: Given) -> tuple[list[Draft], Report]:
    """The services of a Compose file, and what became of all that is in it."""
    report = Report()
    root = Source(report, (), words.texts(given.document, (), report, _filled))
    theirs = [each for each in root.at("services").inner() if _is_service(each)]
    names = names_of([each.name for each in theirs], report)
    drafts = [Draft(name, report, given) for name in names]
    for each, draft in zip(theirs, drafts, strict=True):
        apply(RULES, each, draft, UNKNOWN)
        if not draft.values.pop("public", False):
            draft.set(("public",), False)
    routes(drafts, report)
    _addresses(drafts, [each.name for each in root.at("services").inner()], report)
    for each in root.inner():
        if each.name.startswith("x-"):
            each.dropped("what has its anchor says it already; the rest is for other programs")
    apply(TOP, root, Draft("", report, given), "no part of a Compose file that has a meaning here")
    return drafts, report


def _is_service(source: Source) -> bool:
    """Whether it is one of ours to be; if not, the reason is told."""
    if not isinstance(source.value, dict):
        source.dropped("a service is a map")
        return False
    if why := words.kept_elsewhere(source.at("image").value):
        source.dropped(why)
    return not why


def _addresses(drafts: list[Draft], theirs: list[str], report: Report) -> None:
    """Compose gives each service its name as an address, and here there is none of that name."""
    named = re.compile(rf"(?:^|//|@)({'|'.join(map(re.escape, theirs))})(?:$|[:/])")
    for draft in drafts:
        for name, value in draft.values.get("env", {}).items():
            if match := named.search(value):
                report.notes.append(
                    f"{name} of {draft.name} has an address that Compose makes, {match[1]!a}: write the address here"
                )


def _filled(text: str) -> tuple[str, str, str]:
    new, missing, defaults = _interpolated(text)
    unknown = f"{', '.join(missing)} has no default in the file: write the value itself" if missing else ""
    return new, unknown, f"the default of {', '.join(defaults)}" if defaults else ""


def _interpolated(text: str) -> tuple[str, list[str], list[str]]:
    """A text with defaults for its variables; the variables without one, and those whose default it has."""
    missing: list[str] = []
    defaults: list[str] = []

    def put(found: re.Match[str]) -> str:
        name, sign = found["plain"] or found["name"], found["sign"] or ""
        if found[1]:
            return "\0"  # a dollar that is meant as such
        if sign.endswith("-"):
            defaults.append(name)
            return found["word"]
        if not sign.endswith("+"):  # where it is not set, that is nothing
            missing.append(name)
        return ""

    while (new := VARIABLE.sub(put, text)) != text:
        text = new
    return text.replace("\0", "$"), missing, defaults


def _build(source: Source, draft: Draft) -> None:
    if isinstance(source.value, str):
        _context(source, draft)
    elif isinstance(source.value, dict) and not source.at("context"):
        draft.set(("build", "context"), draft.given.base)


def _context(source: Source, draft: Draft) -> None:
    value = str(source.value)
    if "://" in value or value.startswith(("git@", "github.com/")):
        source.dropped(NO_FILE)
        return
    ours = posixpath.normpath(posixpath.join(draft.given.base, value))
    draft.put(source, "build.context", ours, "" if ours == value else "from the folder of Pulumi.yaml")


def _of_build(field: str) -> Rule:
    def read(source: Source, draft: Draft) -> None:
        if "build" in draft.values:
            draft.put(source, f"build.{field}", source.value)
        else:
            source.dropped(NO_FILE)

    return Rule(f"build.{field}", "as it stands", read)


def _args(source: Source, draft: Draft) -> None:
    if "build" in draft.values:
        words.build_args(source, draft)
    else:
        source.dropped(NO_FILE)


def _environment(source: Source, draft: Draft) -> None:
    for each, name, value in words.pairs(source):
        draft.variable(each, name, value)


def _ports(source: Source, draft: Draft) -> None:
    for each in source.inner():
        if isinstance(each.value, dict):
            _long_port(each, draft)
        elif match := PORT.fullmatch(str(each.value)):
            local = (match["published"] or "").startswith(LOCAL)
            why = "the port of the container; the URL has its own"
            _port(each, draft, match["target"], match["protocol"], local, why)
        else:
            each.dropped(each.open or "want one port, such as 8080:8080")


def _long_port(source: Source, draft: Draft) -> None:
    target, protocol, address = source.at("target"), source.at("protocol"), source.at("host_ip")
    if not target:
        return
    local = str(address.value).startswith(LOCAL)
    _port(target, draft, target.value, protocol.value, local, "")
    if draft.values.get("public"):
        source.at("published").taken("public", "the URL has its own port")
    protocol.dropped("requests are HTTP over TCP")


def _port(source: Source, draft: Draft, target: Any, protocol: Any, local: bool, why: str) -> None:
    if str(protocol or "tcp").lower() != "tcp":
        source.dropped("a service speaks HTTP over TCP alone")
        return
    if not local:
        draft.set(("public",), True)
    if "port" in draft.values:
        source.dropped(f"a service has one port, and that is {draft.values['port']}")
    else:
        draft.put(source, "port", words.number(target), why, known=True)


def _expose(source: Source, draft: Draft) -> None:
    for each in source.inner():
        target, _, protocol = str(each.value).partition("/")
        if words.number(target) == draft.values.get("port"):
            each.taken("port", "as `ports` says already")
        elif "port" in draft.values or protocol not in ("", "tcp"):
            each.dropped("a service has one port, for HTTP over TCP")
        else:
            draft.put(each, "port", words.number(target), "" if isinstance(each.value, int) else "as a number")


def _test(source: Source, draft: Draft) -> None:
    words.probed(source, draft, source.value)


def _replicas(source: Source, draft: Draft) -> None:
    if "replicas" in draft.values:
        source.dropped("`replicas` is set already")
    else:
        number = words.number(source.value)
        draft.put(source, "replicas", number, "" if number is source.value else "as a number")


def _tmpfs(source: Source, draft: Draft) -> None:
    for each in source.inner() if isinstance(source.value, list) else [source]:
        path, _, options = str(each.value).partition(":")
        words.writable(each, draft, path, "without its options" if options else "scratch space")


def _volumes(source: Source, draft: Draft) -> None:
    for each in source.inner():
        if each.at("type").value == "tmpfs" and each.at("target"):
            words.writable(each.at("target"), draft, str(each.at("target").value))
            each.at("type").taken("writable", "scratch space")
    source.rest_dropped(
        "a replica keeps no files: put code into the image, data into a database or a bucket, and what may be lost into"
        " `writable`"
    )


def _secrets(source: Source, draft: Draft) -> None:
    for each in source.inner():
        named = each.at("source") if isinstance(each.value, dict) else each
        name = re.sub(r"\W", "_", str(named.value)).upper()
        if named and not named.open:
            draft.secret(named, name, f"the variable {name} instead of a file (on Swarm its file is in {name}_FILE)")


def _platform(source: Source, draft: Draft) -> None:
    words.architecture(source, draft, source.value)


def _platforms(source: Source, draft: Draft) -> None:
    if "build" not in draft.values:
        source.dropped(NO_FILE)
        return
    known = [each for each in source.inner() if each.value in PLATFORMS.values() and not each.open]
    ours = [each.value for each in known]
    if ours and "architecture" not in draft.values and PLATFORMS["x86_64"] not in ours:
        draft.set(("architecture",), "arm64")  # the one that is left
    own = PLATFORMS[draft.values.get("architecture", "x86_64")]
    if own in ours:
        draft.set(("build", "platforms"), ours)
        for each in known:
            each.taken("build.platforms")
    source.rest_dropped(f"an image is built for linux/amd64, linux/arm64 or both, with {own} among them")


IN_IMAGE = "set it in the Dockerfile"
NETWORKS = "the network comes with the stack; services call each other at the URL"
GUARDED = "replicas run without privileges, on every orchestrator"
NAMED = "a service can have several replicas, and each gets a name of its own"
HOME = "it is about one machine, and a replica can run on any"
DEVELOPMENT = "it helps while you write the code, and the service runs without it"
FLATTEN = "run `docker compose config`, which puts all into one file, and import what it prints"

memory = words.memory(UNITS)

RULES: Rules = {
    "build": Rule("build", "a folder; its path then starts at the folder of Pulumi.yaml", _build),
    "build.context": Rule(
        "build.context",
        "its path then starts at the folder of Pulumi.yaml; the address of a repository is dropped",
        _context,
    ),
    "build.dockerfile": _of_build("dockerfile"),
    "build.target": _of_build("target"),
    "build.args": Rule("build.args", "a map or a list; what looks like a secret is dropped", _args),
    "build.dockerfile_inline": drop("write the Dockerfile as a file, beside the code"),
    "image": Rule("image", words.BY_DIGEST, words.image),
    "ports": Rule(
        "port, public", "the container's port of the first TCP entry; public, unless all are at localhost", _ports
    ),
    "expose": Rule("port", "if `ports` has none", _expose),
    "environment": Rule("env, secrets", "a map or a list; what looks like a secret is set by a command", _environment),
    "secrets": Rule("secrets", "a variable with the secret's name; a command sets its value", _secrets),
    "env_file": drop(words.ENV_FILE),
    "command": Rule("command", words.COMMAND, words.command),
    "entrypoint": drop(words.ENTRYPOINT),
    "deploy.replicas": Rule("replicas", "as it stands", _replicas),
    "scale": Rule("replicas", "if `deploy.replicas` is not set", _replicas),
    "deploy.resources.limits.cpus": Rule("cpu", "as a number", words.cpu),
    "cpus": Rule("cpu", "if `deploy` has no limit", words.cpu),
    "deploy.resources.reservations.cpus": Rule("cpu", words.NO_LIMIT, words.cpu),
    "deploy.resources.limits.memory": Rule("memory", "in MiB, rounded up", memory),
    "mem_limit": Rule("memory", "if `deploy` has no limit", memory),
    "deploy.resources.reservations.memory": Rule("memory", words.NO_LIMIT, memory),
    "mem_reservation": Rule("memory", words.NO_LIMIT, memory),
    "deploy.resources": drop("only CPU and memory are limited"),
    "deploy.update_config": drop("the orchestrator decides how it replaces replicas"),
    "deploy.rollback_config": drop("if an update does not become healthy, the old image goes on"),
    "deploy.restart_policy": drop("a replica that ends is always started again"),
    "deploy": drop(words.HOSTS),
    "user": Rule("user", "a number, without the group; a name is dropped", words.user),
    "platform": Rule("architecture", "linux/amd64 or linux/arm64", _platform),
    "build.platforms": Rule(
        "build.platforms", "linux/amd64, linux/arm64 or both; the one of `architecture` must be there", _platforms
    ),
    "healthcheck.test": Rule("health", "the path of the URL that the test calls", _test),
    "healthcheck": drop(words.TIMES),
    "read_only": Rule("writable", words.READ_ONLY, words.read_only),
    "tmpfs": Rule("writable", "the paths, without options", _tmpfs),
    "volumes": Rule("writable", "those of type tmpfs; all others are dropped", _volumes),
    "depends_on": drop("replicas start in any order: let a service try again until it gets an answer"),
    "restart": drop("a replica that ends is always started again"),
    "extends": drop(FLATTEN),
    "profiles": drop("every service of a stack runs: delete those that this stack does not need"),
    "container_name": drop(NAMED),
    "hostname": drop(NAMED),
    **{key: drop(NETWORKS) for key in ("networks", "network_mode", "links", "external_links", "dns", "extra_hosts")},
    **{key: drop(GUARDED) for key in ("privileged", "cap_add", "security_opt", "sysctls", "devices", "ulimits")},
    "cap_drop": drop("replicas never have capabilities"),
    **{key: drop(DEVELOPMENT) for key in ("develop", "stdin_open", "tty", "attach")},
    **{key: drop(words.HOSTS) for key in ("labels", "logging", "init", "stop_grace_period", "stop_signal", "shm_size")},
    **{key: drop(HOME) for key in ("pid", "ipc", "volumes_from", "pull_policy")},
    "working_dir": drop(IN_IMAGE),
    "configs": drop(words.FILE),
}
"""By the field of a service."""

TOP: Rules = {
    "version": drop("Compose itself does not use it any more"),
    "name": drop("the project's name is in Pulumi.yaml"),
    "include": drop(FLATTEN),
    "networks": drop(NETWORKS),
    "volumes": drop(words.FILES),
    "secrets": drop("the field `secrets` of each service says which it needs"),
    "configs": drop(words.FILE),
    "services": drop("only a map of services can be imported"),
}
"""By the field of the file; those that begin with x- are said where they are used."""
