"""Pieces of text that files of other tools share: amounts, images, commands, and variables in a text."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from components import shell
from components.service import Service
from config.stack_file import Steps, dotted
from yard.importing.draft import Draft, has_secret, is_secret, text_of
from yard.importing.source import Report, Source

MANAGED: Mapping[str, str] = {
    **dict.fromkeys(
        ("postgres", "postgresql", "postgis", "timescaledb", "pgvector", "mysql", "mariadb", "percona"), "Amazon RDS"
    ),
    **dict.fromkeys(("mssql", "mcr.microsoft.com/mssql/server", "oracle-free", "cockroach"), "Amazon RDS"),
    **dict.fromkeys(("redis", "redis-stack", "valkey", "keydb", "dragonfly", "memcached"), "Amazon ElastiCache"),
    **dict.fromkeys(("mongo", "mongodb", "mongodb-community-server"), "Amazon DocumentDB"),
    **dict.fromkeys(("rabbitmq", "activemq", "nats", "eclipse-mosquitto"), "Amazon MQ"),
    **dict.fromkeys(("kafka", "cp-kafka", "zookeeper", "cp-zookeeper", "redpanda"), "Amazon MSK"),
    **dict.fromkeys(("elasticsearch", "opensearch"), "Amazon OpenSearch Service"),
    **dict.fromkeys(("cassandra", "scylla"), "Amazon Keyspaces"),
    **dict.fromkeys(("neo4j", "influxdb", "clickhouse", "clickhouse-server", "etcd", "couchdb"), "its maker's cloud"),
    **dict.fromkeys(("minio",), "Amazon S3"),
}
"""The last part of an image's name, where it keeps data -> who runs one."""
REFERENCE = re.compile(r"(?P<name>[^@\s]+?)(?::(?P<tag>[\w.-]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?")
LOCAL_URL = re.compile(r"https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::\d+)?(/[^\s\"'|;)]*)?")
AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")
BY_DIGEST = "if it has a digest; otherwise it is dropped, and the report says how to get the digest"
COMMAND = "a text is split into words; a command with a secret in it is dropped"
ENTRYPOINT = "the image's own entry point runs: change it in the Dockerfile"
ENV_FILE = "write its variables into `env`, and set its secrets with `pulumi config set --secret --path`"
FILE = "put the file into the image, or its values into `env`"
FILES = "a replica keeps no files: put them into a bucket or a database"
HEALTH = "asked by the load balancer: a GET of this path must answer 200"
HOSTS = "the orchestrator decides this"
NO_LIMIT = "if there is no limit"
READ_ONLY = "the file system is always read-only, so `false` is dropped"
TIMES = "the orchestrator decides how often it asks and how long it waits, see docs/how-a-switch-works.md"


def kept_elsewhere(image: Any) -> str:
    """Why an image is no service here, where it keeps data; empty for any other."""
    match = REFERENCE.fullmatch(str(image))
    name = match["name"] if match else ""
    runs = MANAGED.get(name.rpartition("/")[2])
    if not runs:
        return ""
    return (
        f"{name.rpartition('/')[2]} keeps data and speaks no HTTP, so it is not a service here: let {runs} run it, or"
        " keep it where it is, and give its address to the others in `env` or `secrets`"
    )


def image(source: Source, draft: Draft) -> None:
    """An image that is not built here: by its digest it is taken, by a tag it cannot be."""
    match = REFERENCE.fullmatch(str(source.value))
    if source.open:
        source.dropped(source.open)
    elif "build" in draft.values:
        source.dropped("the image that is built has the service's name, and the commit as its tag")
    elif match and match["digest"]:
        _pinned(source, draft, match)
    else:
        asked = shell.command("docker", "buildx", "imagetools", "inspect", str(source.value))
        name = _with_registry(match["name"]) if match else "registry/repository"
        source.dropped(f"a tag may be moved, so set `image` to {name}@ and the digest that `{asked}` prints")


def _pinned(source: Source, draft: Draft, image: re.Match[str]) -> None:
    reference = f"{_with_registry(image['name'])}@{image['digest']}"
    draft.put(source, "image", reference, "without the tag" if image["tag"] else "")


def _with_registry(name: str) -> str:
    """The name with its registry: one without is Docker Hub's, and there one without a slash is in `library`."""
    first, slash, _ = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{name}"


def pairs(source: Source) -> Iterator[tuple[Source, str, Any]]:
    """Names and values of a map, or of a list of `NAME=value`; without a value it is None."""
    for each in source.inner():
        if isinstance(source.value, dict):
            yield each, each.name, each.value
        elif isinstance(each.value, str):
            name, given, value = each.value.partition("=")
            yield each, name, value if given else None


def build_args(source: Source, draft: Draft) -> None:
    """Arguments for a build, none of which may be a secret."""
    for each, name, value in pairs(source):
        if is_secret(name, value):
            each.dropped("it looks like a secret, and build arguments are kept in the image: mount it while building")
        elif value is None or isinstance(value, dict | list):
            each.dropped("no value is given: write it out")
        elif each.open:
            each.dropped(each.open)
        else:
            draft.set(("build", "args", name), text_of(value))
            each.taken(dotted(("build", "args", name)), "" if isinstance(value, str) else "as text")


def command(source: Source, draft: Draft) -> None:
    """Words for the image's entry point: a list, or a text that is split as a shell does."""
    value = source.value
    try:
        words = shlex.split(value) if isinstance(value, str) else value
    except ValueError as error:
        source.dropped(f"its quotes are not in order ({error}): write it as a list")
        return
    if not words or not isinstance(words, list):
        source.dropped("no words: the image's own command runs")
    elif has_secret(" ".join(map(str, words))):
        source.dropped("there seems to be a secret in it, and a command is shown to many: read it from a variable")
    else:
        draft.put(source, "command", [str(each) for each in words], "split into words" if words is not value else "")


def probed(source: Source, draft: Draft, words: Any) -> None:
    """The path that a command for a health check asks for."""
    text = " ".join(map(str, words)) if isinstance(words, list) else str(words)
    match = LOCAL_URL.search(text)
    if match:
        draft.put(source, "health", (match[1] or "/").partition("?")[0], HEALTH)
    else:
        source.dropped(f"it asks no URL of the service, and here the load balancer asks `health`, {_default('health')}")


def texts(value: Any, steps: Steps, report: Report, read: Callable[[str], tuple[str, str, str]]) -> Any:
    """A value with each text in it read: what it is then; why it is not known here, if so; and what was changed, if
    anything was. The report gets to know the latter."""
    if isinstance(value, dict):
        return {key: texts(each, (*steps, key), report, read) for key, each in value.items()}
    if isinstance(value, list):
        return [texts(each, (*steps, place), report, read) for place, each in enumerate(value)]
    if not isinstance(value, str) or "$" not in value:
        return value
    text, unknown, changed = read(value)
    report.open.update({steps: unknown} if unknown else {})
    report.filled.update({steps: changed} if changed else {})
    return text


def read_only(source: Source, draft: Draft) -> None:
    """Whether the root file system may be written to: it may not."""
    if source.value is True:
        source.taken("writable", "always so here, but for the paths in `writable`")
    else:
        source.dropped("the file system is always read-only: name the paths that need scratch space in `writable`")


def writable(source: Source, draft: Draft, path: str, why: str = "scratch space") -> None:
    """One more path with scratch space."""
    before = draft.values.get("writable", [])
    if draft.put(source, "writable", [path], why):
        draft.set(("writable",), before if path in before else [*before, path])


def cpu(source: Source, draft: Draft) -> None:
    """vCPU as a number, or as 250m; both what is reserved and the limit, so that a limit is read first."""
    text = str(source.value)
    share = number(text.removesuffix("m"))
    if "cpu" in draft.values:
        source.dropped("`cpu` is set already, by the limit: it is both what is reserved and the limit")
    elif text.endswith("m") and isinstance(share, int | float):
        draft.put(source, "cpu", number(share / 1000), "of thousandths")
    else:
        draft.put(source, "cpu", share, "" if isinstance(source.value, int | float) else "as a number")


def memory(units: Mapping[str, int]) -> Callable[[Source, Draft], None]:
    """What reads an amount of memory in these units, likewise."""

    def read(source: Source, draft: Draft) -> None:
        amount = mebibytes(source.value, units)
        if "memory" in draft.values:
            source.dropped("`memory` is set already, by the limit: it is both what is reserved and the limit")
        elif amount is None:
            source.dropped(source.open or "no amount of memory that is known here")
        else:
            draft.put(source, "memory", amount, "in MiB")

    return read


def mebibytes(value: Any, units: Mapping[str, int]) -> int | None:
    """An amount of memory in MiB, rounded up; None where it is none. `units`: of the first letters of a unit."""
    match = AMOUNT.fullmatch(str(value).strip())
    factor = units.get(match[2]) if match else None
    return math.ceil(float(match[1]) * factor / 2**20) if match and factor else None


def number(value: Any) -> Any:
    """A number that may be written as text; whole where it is."""
    if isinstance(value, int):
        return value
    try:
        found = float(value)
    except (TypeError, ValueError):
        return value
    return int(found) if found.is_integer() else found


def architecture(source: Source, draft: Draft, value: Any) -> None:
    """What an image is built for, from `linux/arm64` and the like."""
    named = str(value).lower().removeprefix("linux/").partition("/")[0]
    ours = {"amd64": "x86_64", "x86-64": "x86_64", "aarch64": "arm64"}.get(named, named)
    draft.put(source, "architecture", ours, "" if ours == value else "under its other name")


def user(source: Source, draft: Draft) -> None:
    """Who the process runs as: a number, with or without a group."""
    first, _, group = str(source.value).partition(":")
    if not first.isascii() or not first.isdigit():
        source.dropped("a user by name is known only in the image: write the number that `id -u` prints there")
    else:
        draft.put(source, "user", int(first), "without the group" if group else "as a number")


def _default(name: str) -> str:
    return f"{Service.model_fields[name].default} where nothing is set"
