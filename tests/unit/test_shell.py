"""Commands: whatever is written in a configuration, each program gets the words that are meant for it, and no other."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from components import prices
from components.docker_engine import SwarmError, check_manager
from components.orchestrator.ecs_fargate import EcsFargateOptions
from components.orchestrator.eks import EksOptions
from components.orchestrator.kubernetes import KubernetesOptions
from components.orchestrator.swarm import SwarmOptions
from components.orchestrator.swarm_ec2 import SwarmEc2Options
from components.shell import Shell, command, quoted
from components.testing.cloud import Cloud
from components.testing.engine import start
from config.load import load
from config.problems import VALUE, BadConfig, remove_command
from tests.program import as_pulumi, config_for
from tests.unit.test_registries import LOGIN, push
from yard.checks import fail
from yard.doctor import about

PROGRAMS = ("aws", "docker", "gcloud", "git", "kubectl", "pulumi", "yard")
STUB = """#!/bin/sh
printf '%s\\0' "$#" "${0##*/}" "$@" >> "$CALLS"
case "${0##*/}" in git) echo abc1234 ;; esac
"""
HOSTILE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40)


class Shells:
    """A POSIX shell with programs that only note what they are given."""

    def __init__(self, place: Path) -> None:
        self.place = place / "place"
        self.place.mkdir()
        self.calls = place / "calls"
        self.path = place / "bin"
        self.path.mkdir()
        for name in PROGRAMS:
            (self.path / name).write_text(STUB)
            (self.path / name).chmod(0o755)

    def run(self, script: str) -> list[tuple[str, ...]]:
        """What each program was called with, sorted: those of a pipe start together."""
        self.calls.write_bytes(b"")
        env = {"PATH": str(self.path), "CALLS": str(self.calls)}
        done = subprocess.run(
            ["/bin/sh", "-e"], input=os.fsencode(script), cwd=self.place, env=env, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, b""), script
        assert not list(self.place.iterdir())
        return sorted(_calls(self.calls.read_bytes().decode().split("\0")[:-1]))


def _calls(words: list[str]) -> Iterator[tuple[str, ...]]:
    while words:
        size = int(words[0]) + 2
        yield tuple(words[1:size])
        words = words[size:]


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shells:
    return Shells(tmp_path_factory.mktemp("shell"))


def remedy(config: Mapping[str, Any], key: str) -> str:
    """The command that is proposed for a key, with a value in it; none for one that a terminal would obey."""
    start(Cloud(), as_pulumi({**config_for("ecr", "ecs-fargate"), **config}))
    with pytest.raises(BadConfig) as error:
        load()
    *_, found = (each.remedy for each in error.value.problems if each.key == key)  # of the value, after its name's own
    if not key.replace("\n", "").isprintable():
        assert found.startswith("edit switchyard:")
        assert found.isprintable()
        return ""
    return f"{found.removesuffix(VALUE)}1" if found.endswith(VALUE) else found


def step(word: str) -> str:
    """A key of a map, as Pulumi's paths have any of them."""
    return '["{}"]'.format(word.replace('"', '\\"'))


Calls = list[tuple[str, ...]]
GIT = ("git", "rev-parse", "--short", "HEAD")
FAR = "~" * 60
"""Before a name, so that no known one is near."""
SET, REMOVE = ("pulumi", "config", "set"), ("pulumi", "config", "rm")


def tag_and_push(image: str) -> Calls:
    return [GIT, ("docker", "tag", "api", image), GIT, ("docker", "push", image)]


def push_to_oci(text: str) -> tuple[str, Calls]:
    login = ("docker", "login", "--username", text, "harbor.example.com")
    block = {"host": "harbor.example.com", "username": text, "password": "x"}
    return push("oci", block), [login, *tag_and_push("harbor.example.com/shop/api:abc1234")]


def logs_of_kubernetes(text: str) -> tuple[str, Calls]:
    options = KubernetesOptions.model_validate({"context": text, "namespace": "shop"})
    said = options.logs("s", "api")
    chosen = "app.kubernetes.io/name=api,app.kubernetes.io/part-of=s"
    call = ("kubectl", "logs", "--context", text, "--namespace", "shop", "--selector", chosen, "--follow")
    return said, [call]


def logs_of_ecs(text: str) -> tuple[str, Calls]:
    streams = ("--log-stream-name-prefix", "api/ecs-fargate")
    return EcsFargateOptions().logs(text, "api"), [("aws", "logs", "tail", f"/{text}", *streams, "--follow")]


def logs_of_eks(text: str) -> tuple[str, Calls]:
    streams = ("--log-stream-name-prefix", "api.eks.")
    return EksOptions().logs(text, "api"), [("aws", "logs", "tail", f"/{text}", *streams, "--follow")]


def logs_of_swarm_on_ec2(text: str) -> tuple[str, Calls]:
    streams = ("--log-stream-name-prefix", "api/swarm-ec2")
    return SwarmEc2Options().logs(text, "api"), [("aws", "logs", "tail", f"/{text}", *streams, "--follow")]


def logs_of_swarm(text: str) -> tuple[str, Calls]:
    return SwarmOptions().logs(text, "api"), [("docker", "service", "logs", "--follow", f"{text}-api")]


def unknown_key(text: str) -> tuple[str, Calls]:
    key = f"switchyard:{FAR}{text}"
    said = remedy({key: "x"}, key)
    return said, [(*REMOVE, key)] if said else []


def unknown_field(text: str) -> tuple[str, Calls]:
    field = f"switchyard:services.api{step(f'{FAR}.{text}')}"
    said = remedy({"services": {"api": {f"{FAR}.{text}": "x"}}}, field)
    return said, [(*REMOVE, "--path", field)] if said else []


def bad_annotation(text: str) -> tuple[str, Calls]:
    field = f"switchyard:kubernetes.annotations{step(f'.{text}')}"
    config = config_for("oci", "kubernetes")
    said = remedy({**config, "kubernetes": {**config["kubernetes"], "annotations": {f".{text}": 1}}}, field)
    return said, [(*SET, "--type", "string", "--path", field, "1")] if said else []


def locked_swarm(text: str) -> tuple[str, Calls]:
    engine: Any = SimpleNamespace(info=lambda: {"Swarm": {"LocalNodeState": "locked"}})
    with pytest.raises(SwarmError) as error:
        check_manager(engine, text)
    said = str(error.value).removeprefix(f"the swarm of the Docker engine at {text} is locked: ")
    return said, [("docker", "-H", text, "swarm", "unlock")]


def unpriced_region(text: str) -> tuple[str, Calls]:
    with pytest.raises(prices.NoPrices) as error:
        prices.require("aws", f"{text}/")
    said = str(error.value).rpartition("` fetches")[0].split(". `", text.count(". `") + 1)[-1]
    return said, [("yard", "prices", "refresh", f"{text}/")]


def doctors_fix(text: str) -> tuple[str, Calls]:
    field = f"switchyard:services{step(text)}"
    finding = about(text, fail("config", "x", remove_command(field)))
    return finding.fix, [(*REMOVE, "--path", field, "--stack", text)]


COMMANDS = (
    *(
        push_to_oci,
        logs_of_kubernetes,
        logs_of_ecs,
        logs_of_eks,
        logs_of_swarm,
        logs_of_swarm_on_ec2,
        unknown_key,
        unknown_field,
    ),
    *(bad_annotation, locked_swarm, unpriced_region, doctors_fix),
)


@given(text=HOSTILE)
@example(text="x; touch mine #")
@example(text="robot$ci")
@example(text="$(touch mine)`touch mine`")
@example(text="'; touch mine; '\"; touch mine; \"")
@example(text="a\ntouch mine\n")
@example(text="<value> >mine <stack> pulumi refresh")
@example(text="--help")
@example(text="\\")
def test_hostile_text_stays_one_word(shell: Shells, text: str) -> None:
    scripts, calls = zip(*(build(text) for build in COMMANDS), strict=True)
    assert shell.run("\n".join(scripts)) == sorted(call for each in calls for call in each)


ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


def login_to_ecr(service: str, host: str) -> Calls:
    password = ("aws", service, "get-login-password", "--region", "us-east-1")
    return [password, ("docker", "login", "--username", "AWS", "--password-stdin", host)]


PUSHES: Mapping[str, tuple[Mapping[str, Any], str, Calls]] = {
    "ecr": ({}, f"{ECR}/shop/api:deployed-abc1234", login_to_ecr("ecr", ECR)),
    "ecr-public": ({}, "public.ecr.aws/a1b2c3d4/shop/api:abc1234", login_to_ecr("ecr-public", "public.ecr.aws")),
    "ghcr": (
        {"owner": "acme", **LOGIN},
        "ghcr.io/acme/shop/api:deployed-abc1234",
        [
            ("docker", "login", "ghcr.io"),
            *login_to_ecr("ecr", ECR),
            GIT,
            ("docker", "pull", f"{ECR}/shop/ghcr/acme/shop/api:deployed-abc1234"),
        ],
    ),
    "dockerhub": (
        {"namespace": "acme", "public": True},
        "docker.io/acme/shop-api:deployed-abc1234",
        [("docker", "login")],
    ),
    "artifact-registry": (
        {"project": "acme", "location": "us", "repository": "i"},
        "us-docker.pkg.dev/acme/i/api:deployed-abc1234",
        [("gcloud", "auth", "configure-docker", "us-docker.pkg.dev")],
    ),
}


@pytest.mark.parametrize(("name", "push_of"), PUSHES.items(), ids=PUSHES)
def test_a_shell_runs_the_push(shell: Shells, name: str, push_of: tuple[Mapping[str, Any], str, Calls]) -> None:
    block, image, first = push_of
    assert shell.run(push(name, block)) == sorted([*first, *tag_and_push(image)])


def test_the_shell_reads_what_is_for_it() -> None:
    assert quoted("$(date)") == "'$(date)'"
    assert quoted(Shell("$(date)")) == "$(date)"
    assert command("a b", Shell("<value>"), "") == "'a b' <value> ''"
