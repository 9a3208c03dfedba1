"""The pull table, and what must be on the graph because of a cell of it: for tests of cells to inherit."""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from components import orchestrator, registry
from components.orchestrator import ORCHESTRATORS
from components.registry import REGISTRIES
from components.testing.engine import Graph, Node
from tests.program import DIGEST, EXISTING, config_for, run_program
from tools.support import pull_cases

TOKEN = "registry-token-of-the-robot"
ON_AWS = ("ecs-ec2", "ecs-fargate", "eks")


def row(on_aws: str, swarm: str, kubernetes: str) -> dict[str, str]:
    """Swarm on EC2 gets what others on AWS get, but Swarm itself keeps no role: a role's login is renewed."""
    renewed = "refresher" if on_aws in ("native role", "cache") else on_aws
    return {**dict.fromkeys(ON_AWS, on_aws), "swarm-ec2": renewed, "swarm": swarm, "kubernetes": kubernetes}


TABLE: Mapping[str, Mapping[str, str]] = {
    "`artifact-registry`": row("refused", "refused", "native role"),
    "`artifact-registry` with `service-account-key`": row("secret", "secret", "secret"),
    "`dockerhub`": row("cache", "secret", "secret"),
    "`dockerhub` with `login: direct`": row("secret", "secret", "secret"),
    "`dockerhub` with `public: true`": row("anonymous", "anonymous", "anonymous"),
    "`ecr`": row("native role", "refused", "refused"),
    "`ecr-public`": row("anonymous", "anonymous", "anonymous"),
    "`ghcr`": row("cache", "secret", "secret"),
    "`ghcr` with `login: direct`": row("secret", "secret", "secret"),
    "`ghcr` with `public: true`": row("anonymous", "anonymous", "anonymous"),
    "`oci`": row("anonymous", "anonymous", "anonymous"),
    "`oci` with `username`": row("secret", "secret", "secret"),
}
"""What each cell must be: case -> orchestrator -> how. By hand, so that a change of it is seen."""
BLOCKS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    case: (name, block) for name in REGISTRIES for case, block in pull_cases(name, registry.load(name).Options).items()
}
CELLS = [(case, key) for case in BLOCKS for key in ORCHESTRATORS]
_FIRST = {(BLOCKS[case][0], key): (case, key) for case, key in reversed(CELLS) if TABLE[case][key] != "refused"}
PAIRS = [each for each in CELLS if each in _FIRST.values()]
"""Of each pair of a registry and an orchestrator the first cell that runs."""
OTHERS = [each for each in CELLS if each not in PAIRS]
"""The cells of the other blocks that a registry may have."""
ECR = "arn:aws:ecr:us-east-1:123456789012:repository/"
PULL = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
HOLDS = {
    "ecs-fargate": "SecretVersion",
    "ecs-ec2": "SecretVersion",
    "eks": "Secret",
    "kubernetes": "Secret",
    "swarm": "Service",
    "swarm-ec2": "SecretVersion",
}
"""Orchestrator -> the type of resource in which it keeps a login."""


def cells(*hows: str, among: Iterable[tuple[str, str]] = CELLS) -> list[tuple[str, str]]:
    """The cells where images are pulled in one of these ways."""
    return [(case, key) for case, key in among if TABLE[case][key] in hows]


@cache
def graph(case: str, key: str) -> Graph:
    """A service that nobody calls, in a network that is there: what is left is the registry and the orchestrator."""
    name, block = BLOCKS[case]
    secrets = {field: TOKEN for field in ("password", "service-account-key") if field in block}
    config = config_for(name, key, api={"digest": DIGEST, "public": False})
    config |= {name: {**block, **secrets}} if block else {}
    config |= EXISTING if orchestrator.load(key).Options.platform == "aws" else {}
    return run_program(config, (name,))


def holders(found: Graph) -> list[Node]:
    """What has the login, in whatever form."""
    return [each for each in found if each.custom and TOKEN in json.dumps(each.inputs)]


def statements(found: Graph, service: str) -> Iterator[tuple[list[str], list[str]]]:
    """What a role may do at `service`: actions, resources. In a policy of a secret's own, all is that secret."""
    policies = [*found.of("iam/rolePolicy:RolePolicy"), *found.of("secretsmanager/secretPolicy:SecretPolicy")]
    for policy in policies:
        secret = policy.inputs.get("secretArn")
        for each in json.loads(policy.inputs["policy"])["Statement"]:
            if any(action.startswith(f"{service}:") for action in each["Action"]):
                yield each["Action"], [secret] if secret else each["Resource"]


def image(found: Graph, key: str) -> str:
    """The address that a replica is started from."""
    text = json.dumps([each.inputs for each in found.under(orchestrator.load(key).token)]).replace("\\", "")
    (address,) = {word for word in text.split('"') if word.endswith(f"@{DIGEST}")}
    return address.removesuffix(f"@{DIGEST}")


class WhatIsGiven:
    """To whom, and to nobody else. For cells where the runtime pulls by itself."""

    def test_a_role_on_ecs_may_pull_from_its_repository_and_no_more(self, case: str, key: str) -> None:
        name, how = BLOCKS[case][0], TABLE[case][key]
        given = list(statements(graph(case, key), "ecr"))
        token = ["ecr:GetAuthorizationToken"], ["*"]
        if not key.startswith("ecs") or how in ("anonymous", "secret"):
            assert not given  # eks: the nodes have AWS's managed pull-only policy
        elif how == "native role":
            assert given == [token, (PULL, [f"{ECR}switchyard-dev/api"])]
        else:
            path = {"ghcr": "acme/switchyard-dev/api", "dockerhub": "acme/switchyard-dev-api"}[name]
            cached = f"{ECR}switchyard-dev/{name}/{path}"
            assert given == [token, ([*PULL, "ecr:BatchImportUpstreamImage"], [cached])]

    def test_nobody_has_the_login_but_who_uses_it(self, case: str, key: str) -> None:
        found = graph(case, key)
        how = TABLE[case][key]
        kept = holders(found)
        assert TOKEN not in json.dumps([each.clear for each in found])
        assert TOKEN not in json.dumps(found.exports())
        if how == "secret":
            assert [each.type.rpartition(":")[2] for each in kept] == [HOLDS[key]]
        elif how == "cache":
            (version,) = kept
            assert version in found.under(registry.load(BLOCKS[case][0]).token)
        else:
            assert not kept

    def test_the_replicas_are_told_where_the_login_is_and_only_then(self, case: str, key: str) -> None:
        found = graph(case, key)
        text = json.dumps([each.inputs for each in found.under(orchestrator.load(key).token)])
        for word in ("repositoryCredentials", "dockerconfigjson"):
            wanted = TABLE[case][key] == "secret" and (word == "repositoryCredentials") == key.startswith("ecs")
            assert (word in text) == (wanted and not key.startswith("swarm"))

    def test_they_pull_from_the_registry_or_its_cache(self, case: str, key: str) -> None:
        found = graph(case, key)
        url = found.export("repositories")["api"]
        cached = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/switchyard-dev/{BLOCKS[case][0]}/"
        path = url.partition("/")[2]
        assert image(found, key) == (f"{cached}{path}" if TABLE[case][key] == "cache" else url)


class WhoReadsTheLogin:
    """For cells where the runtime has it."""

    def test_a_role_on_ecs_may_read_the_login_and_no_other_secret(self, case: str, key: str) -> None:
        found = graph(case, key)
        given = [resources for _, resources in statements(found, "secretsmanager")]
        if key not in ("ecs-fargate", "ecs-ec2", "swarm-ec2"):
            assert not given
            return
        ((arn,),) = given
        assert key == "swarm-ec2" or (
            f'"credentialsParameter": "{arn}"'
            in found.one("ecs/taskDefinition:TaskDefinition").inputs["containerDefinitions"]
        )
