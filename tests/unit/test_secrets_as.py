"""`secrets-as`: where a process finds its secrets, on each orchestrator."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from components.orchestrator import ORCHESTRATORS
from components.testing.engine import Graph
from components.testing.promises.checks import service_of
from config.problems import BadConfig
from tests.program import BLOCKS, DIGEST, EXISTING, config_for, run_program
from tests.unit.test_ecs_fargate import PASSWORD

SECRETS = {"TOKEN": PASSWORD, "DB_PASSWORD": PASSWORD}
OFF_AWS = ("kubernetes", "swarm")
PATHS = {"DB_PASSWORD_FILE": "/run/secrets/DB_PASSWORD", "TOKEN_FILE": "/run/secrets/TOKEN"}


def run(runtime: str, **said: Any) -> Graph:
    there: Any = {} if runtime in OFF_AWS else EXISTING
    blocks = {runtime: BLOCKS[runtime]} if runtime in BLOCKS else {}
    api = {"digest": DIGEST, "secrets": SECRETS, "user": 1000, "memory": 256, **said}
    registry = "oci" if runtime in OFF_AWS else "ecr"
    return run_program({**config_for(registry, runtime, api=api), **there, **blocks}, ("services",))


def pod(runtime: str, **said: Any) -> Any:
    return run(runtime, **said).one("apps/v1:Deployment", "api").inputs["spec"]["template"]["spec"]


@pytest.mark.parametrize("runtime", ["kubernetes", "eks"])
def test_kubernetes_mounts_files_for_the_user_alone(runtime: str) -> None:
    found = pod(runtime, **{"secrets-as": "file"})
    (container,) = found["containers"]
    env = {each["name"]: each.get("value") for each in container["env"]}
    assert PATHS.items() <= env.items()
    assert not env.keys() & SECRETS.keys()
    mounts = [each for each in container["volumeMounts"] if each["name"] == "secrets"]
    assert {each["mountPath"]: each["subPath"] for each in mounts} == {
        "/run/secrets/DB_PASSWORD": "DB_PASSWORD",
        "/run/secrets/TOKEN": "TOKEN",
    }
    assert all(each["readOnly"] for each in mounts)
    (volume,) = [each for each in found["volumes"] if each["name"] == "secrets"]
    assert volume["secret"]["defaultMode"] == 0o400
    assert found["securityContext"]["fsGroup"] == 1000


@pytest.mark.parametrize("runtime", [name for name in ORCHESTRATORS if not name.startswith("swarm")])
def test_by_itself_it_is_the_environment_and_to_say_so_changes_nothing(runtime: str) -> None:
    said, unsaid = run(runtime, **{"secrets-as": "env"}), run(runtime)
    assert {urn: each.inputs for urn, each in said.nodes.items()} == {
        urn: each.inputs for urn, each in unsaid.nodes.items()
    }
    assert "DB_PASSWORD_FILE" not in json.dumps([each.inputs for each in said])


@pytest.mark.parametrize("runtime", ["swarm", "swarm-ec2"])
def test_on_swarm_it_is_files_and_who_has_not_said_so_is_warned(runtime: str) -> None:
    said, unsaid = run(runtime, **{"secrets-as": "file"}), run(runtime)
    assert {urn: each.inputs for urn, each in said.nodes.items()} == {
        urn: each.inputs for urn, each in unsaid.nodes.items()
    }
    warning = (
        "api finds no DB_PASSWORD, TOKEN in its environment: Swarm hands secrets over as files,"
        " DB_PASSWORD_FILE=/run/secrets/DB_PASSWORD, TOKEN_FILE=/run/secrets/TOKEN. Where the process reads these, say"
        " so with services.api.secrets-as: file"
    )
    assert warning in unsaid.export("next")
    assert warning not in said.exports().get("next", [])


@pytest.mark.parametrize(
    ("runtime", "said", "words"),
    [
        ("swarm", "env", "Swarm has secrets in files alone, and a variable is shown to all who may inspect"),
        ("swarm-ec2", "env", "say `secrets-as: file`, or take another orchestrator"),
        ("ecs-fargate", "file", "ECS hands secrets to the environment alone: let the process read NAME"),
        ("ecs-ec2", "file", "ECS hands secrets to the environment alone"),
        ("kubernetes", "files", "env or file"),
    ],
)
def test_what_it_cannot_do_is_refused_at_the_key(runtime: str, said: str, words: str) -> None:
    with pytest.raises(BadConfig, match=rf"services\.api\.secrets-as .*; want .*{words}"):
        run(runtime, **{"secrets-as": said})


def test_a_variable_that_says_where_a_file_is_belongs_to_the_secret() -> None:
    with pytest.raises(ValidationError, match="TOKEN_FILE says where the file of a secret is: take it out of env"):
        service_of({"secrets": SECRETS, "secrets-as": "file", "env": {"TOKEN_FILE": "/elsewhere"}})
