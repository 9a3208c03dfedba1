"""Configurations that nobody has thought of: right ones, odd ones, and right ones that something has happened to."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

from tests.conformance.every_key import SECRETS, every
from tests.conformance.pairs import LOGINS, ON_AWS, PAIRS
from tests.program import BLOCKS, DIGEST, DOMAIN, config_for

Steps = tuple[str | int, ...]
HOSTILE = (
    *(
        "",
        " ",
        "\0",
        "a\nb",
        "\x1b[31mred",
        "'; touch /tmp/p #",
        "$(id)",
        "`id`",
        "%s{0}{x}",
        "{{.ID}}",
        "${x}",
        "<value>",
    ),
    *("../..", "~", "-", "--", "*", "null", "true", "no", "12:30:45", "1e999", "0x10", "=", "!!binary x", "secure"),
    *("\u202eabc", "é" * 300, "x" * 1_000, "a.b[0].c", '"', "\\", "preset", "{}", "[]"),
)
NUMBERS = (-1, 0, 1, 2, 65_536, 2**31, 2**63, 10**30, -0.0, 0.1, 1e-9, 1e300)
SCALARS = (
    st.sampled_from(HOSTILE)
    | st.sampled_from(NUMBERS)
    | st.booleans()
    | st.none()
    | st.text(max_size=12)
    | st.integers()
)
KEYS = st.sampled_from(HOSTILE) | st.text(max_size=9)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(HOSTILE[:20]) | st.text(max_size=6), inner, max_size=3)
        | inner.map(lambda each: {"secure": each})
    ),
    max_leaves=6,
)
DEEP: Any = "x"
for _ in range(80):
    DEEP = [DEEP]


def login(registry: str) -> dict[str, Any]:
    """Its block, with a secret that may never be shown."""
    secret = {key: "robot" if key == "username" else SECRETS[1] for key in LOGINS.get(registry, {})}
    return {registry: {**BLOCKS.get(registry, {}), **secret}} if secret else {}


def right() -> st.SearchStrategy[dict[str, Any]]:
    """A configuration that is right: of any pair and preset, or one that has all that it can say."""
    return of_a_pair() | st.deferred(lambda: st.sampled_from(every()))


@st.composite
def of_a_pair(draw: st.DrawFn) -> dict[str, Any]:
    """One of any pair and preset."""
    registry, orchestrator = draw(st.sampled_from(PAIRS))
    preset = draw(st.sampled_from(["trial", "standard", "production"]))
    api = {"digest": DIGEST, "secrets": {"KEY": SECRETS[0]}, "env": {"LEVEL": "debug"}, "command": ["serve"]}
    services = {"api": api, "jobs": {"digest": DIGEST, "public": False, "replicas": 2, "writable": ["/tmp"]}}
    config = config_for(registry, orchestrator, preset, **services)
    config |= login(registry)
    if orchestrator in ON_AWS and draw(st.booleans()):
        config |= {"domain": DOMAIN, "gate": {"polls": 2}, "usage": {"preset": "medium"}}
    return config


def ways(value: Any, above: Steps = ()) -> Iterator[Steps]:
    """The way to each value in a configuration."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield (*above, key)
        yield from ways(each, (*above, key))


def at(value: Any, steps: Steps) -> Any:
    """What stands there."""
    for step in steps:
        value = value[step]
    return value


def put(value: Any, steps: Steps, new: Any) -> Any:
    """The same with something else there; nothing, where `new` is `...`."""
    if not steps:
        return new
    head, *rest = steps
    items = dict(value.items() if isinstance(value, dict) else enumerate(value))
    items[head] = put(
        items.get(head, {}) if not isinstance(items.get(head), str | int | float) else {}, tuple(rest), new
    )
    kept = {key: each for key, each in items.items() if each is not ...}
    return kept if isinstance(value, dict) else [*kept.values()]


@st.composite
def harmed(draw: st.DrawFn) -> dict[str, Any]:
    """A right one to which something has happened, up to four times."""
    config = draw(right())
    for _ in range(draw(st.integers(1, 4))):
        steps = draw(st.sampled_from([*ways(config)]))
        config = draw(st.sampled_from([*HARM]))(draw, config, steps)
    return {key: value for key, value in config.items() if isinstance(key, str) and key}


def _other(draw: st.DrawFn, config: Any, steps: Steps) -> Any:
    return put(config, steps, draw(ANYTHING))


def _gone(_draw: st.DrawFn, config: Any, steps: Steps) -> Any:
    return put(config, steps, ...)


def _more(draw: st.DrawFn, config: Any, steps: Steps) -> Any:
    return put(config, (*steps[:-1], draw(KEYS)), draw(ANYTHING))


def _moved(draw: st.DrawFn, config: Any, steps: Steps) -> Any:
    return put(config, draw(st.sampled_from([*ways(config)])), at(config, steps))


def _cut(draw: st.DrawFn, config: Any, steps: Steps) -> Any:
    text = json.dumps(config[steps[0]])
    return config | {steps[0]: text[: draw(st.integers(0, len(text)))]}


def _deep(_draw: st.DrawFn, config: Any, steps: Steps) -> Any:
    return put(config, steps, DEEP)


def _misspelt(_draw: st.DrawFn, config: Any, steps: Steps) -> Any:
    return put(put(config, steps, ...), (*steps[:-1], f"{steps[-1]}x"), at(config, steps))


Harm = Callable[[st.DrawFn, Any, Steps], Any]
HARM: tuple[Harm, ...] = (_other, _other, _gone, _more, _moved, _cut, _deep, _misspelt)

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
NAME = st.from_regex(r"[a-z](-?[a-z0-9]){0,18}", fullmatch=True).filter(lambda name: len(name) <= 20)
VARIABLE = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,30}", fullmatch=True).filter(
    lambda name: not name.startswith(("AWS", "PORT", "SWITCH"))
)


@st.composite
def odd_service(draw: st.DrawFn, path: str) -> dict[str, Any]:
    """A service as nobody writes one, and as everybody may."""
    variables = draw(st.lists(VARIABLE, max_size=4, unique_by=lambda name: name.removesuffix("_FILE").lower()))
    found: dict[str, Any] = {
        "digest": DIGEST,
        "path": path,
        "memory": draw(st.sampled_from([64, 128, 333, 512])),
        "cpu": draw(st.sampled_from([0.05, 0.1, 0.3, 0.25])),
        "env": {name: draw(TEXT | st.integers() | st.sampled_from(HOSTILE[4:16])) for name in variables[:2]},
        "secrets": dict.fromkeys(variables[2:], SECRETS[0]),
        "command": draw(st.lists(TEXT | st.sampled_from(HOSTILE[3:12]), max_size=3)),
        "user": draw(st.integers(1, 65535)),
        "port": draw(st.integers(1024, 65535)),
        "public": draw(st.booleans()),
        "writable": draw(st.sampled_from([[], ["/tmp"], ["/a/b-c_d.e", "/var/x"]])),
        "health": draw(st.sampled_from(["/", "/healthz", "/a/b/c"])),
    }
    return found


@st.composite
def odd(draw: st.DrawFn) -> dict[str, Any]:
    """A configuration that is right and that nobody would write."""
    registry, orchestrator = draw(st.sampled_from(PAIRS))
    names = draw(st.lists(NAME, min_size=1, max_size=4, unique=True))
    services = {name: draw(odd_service(f"/p{index}")) for index, name in enumerate(names)}
    if orchestrator not in ON_AWS:
        services = {name: {key: each for key, each in one.items() if key != "path"} for name, one in services.items()}
    ports = {name: 21_000 + index for index, name in enumerate(names)}
    config = config_for(registry, orchestrator, draw(st.sampled_from(["trial", "standard", "production"])), **services)
    config |= login(registry)
    if orchestrator in ("swarm", "swarm-ec2"):
        config[orchestrator] = {**config.get(orchestrator, {}), "ports": ports}
    return config


def written(value: Any) -> Any:
    """As the stack's file has it: what has a secret in it is encrypted."""
    if isinstance(value, dict):
        return {key: written(each) for key, each in value.items()}
    if isinstance(value, list):
        return [written(each) for each in value]
    encrypted = isinstance(value, str) and any(secret in value for secret in SECRETS)
    return {"secure": "v1:bm9uY2U:dGV4dA"} if encrypted else value


def secret_keys(config: Mapping[str, Any], project: str) -> tuple[str, ...]:
    """The full keys in whose value a secret is, however it came there: Pulumi tells no more."""
    return tuple(
        key if ":" in key else f"{project}:{key}"
        for key, value in config.items()
        if any(secret in json.dumps(value) for secret in SECRETS)
    )
