"""`image` of a service: an image of someone else's, that anyone may pull. It is in no registry of the stack's."""

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from components import orchestrator
from components.cost import secrets
from components.pull import AwsRole, Login
from components.registry import REGISTRIES
from components.service import Service
from components.testing.engine import Graph
from components.testing.promises.checks import month
from config.digests import resolved
from tests.program import BLOCKS, DIGEST, EXISTING, SERVICE, config_for, run_program
from tests.unit.test_mistakes import IMAGE as WANTED
from tests.unit.test_mistakes import contradiction, only
from tests.unit.test_settings import BASE, ONE, api, complaint

PUBLIC = f"quay.io/acme/api@{DIGEST}"
MISTAKES = {
    "an image without its registry": (
        api(image=f"nginx@{DIGEST}"),
        only(f"{ONE}.image", f"is 'nginx@{DIGEST}'", WANTED),
    ),
    "an image of two sources": (
        api(image=PUBLIC, digest=DIGEST),
        contradiction(
            ONE,
            "image and digest say two things: keep `image` for one that someone else built, or"
            " `digest` for one in the stack's registry",
        ),
    ),
    "an image that not anyone may pull": (
        api(image=f"123456789012.dkr.ecr.us-east-1.amazonaws.com/api@{DIGEST}"),
        only(
            f"{ONE}.image",
            f"is '123456789012.dkr.ecr.us-east-1.amazonaws.com/api@{DIGEST}"[:80] + "...",
            "an image that anyone may pull: one in a private registry of AWS is for registry `ecr`, with its repository"
            " under `ecr.repositories`, and for `digest`",
        ),
    ),
    "an image out of reach": (
        {"network": "endpoints", **api(image=PUBLIC)},
        only(
            f"{ONE}.image",
            f"is '{PUBLIC}"[:80] + "...",
            "a network with a way out to quay.io: nat-single, nat-per-az or public; or `digest`, with the image in ecr",
        ),
    ),
}
IMAGE = f"docker.io/library/nginx@{DIGEST}"
WEB = {"image": IMAGE, "path": "/web"}


@cache
def graph(registry: str, runtime: str) -> Graph:
    """A stack with one service of each kind where there is an edge, elsewhere with someone else's alone."""
    there = EXISTING if orchestrator.load(runtime).Options.platform == "aws" else {}
    web = WEB if there else {"image": IMAGE}
    blocks = {registry: BLOCKS[registry]} if registry in BLOCKS else {}
    return run_program({**config_for(registry, runtime, web=web), **there, **blocks})


@pytest.mark.parametrize("runtime", orchestrator.ORCHESTRATORS)
def test_every_orchestrator_runs_it_as_it_stands(runtime: str) -> None:
    found = graph("oci", runtime)
    assert IMAGE in json.dumps([each.inputs for each in found])
    assert "web" in found.export("logs")


@pytest.mark.parametrize("registry", REGISTRIES)
def test_no_registry_has_a_repository_for_it(registry: str) -> None:
    found = graph(registry, "ecs-fargate")
    assert not found.export("push")
    assert not found.export("repositories")
    assert not [each for each in found if each.type.endswith(":Repository")]
    assert "next" not in found.exports() or not any("waits" in each for each in found.export("next"))


def test_it_stands_in_no_record_beside_one_that_does() -> None:
    found = run_program({**config_for("ecr", "ecs-fargate", api=SERVICE, web=WEB), **EXISTING})
    assert found.export("digests") == {"api": SERVICE["digest"]}
    assert list(found.export("push")) == ["api"]
    roles = [each.inputs["policy"] for each in found if each.type.endswith("rolePolicy:RolePolicy")]
    assert sum("BatchGetImage" in json.dumps(each) for each in roles) == 1


def test_a_record_of_an_earlier_image_of_its_own_is_not_run() -> None:
    services = resolved({"web": Service(image=IMAGE)}, {}, {"web": DIGEST})
    assert services["web"].digest is None


def test_it_costs_no_room_in_the_registry_and_no_login() -> None:
    demand = month(Login, on_aws=True)
    web = Service(image=IMAGE)
    beside = replace(demand, services={**demand.services, "nginx": web}, pulls={**demand.pulls, "nginx": Decimal(1)})
    assert beside.of_registry.stored(10) == demand.stored(10)
    assert [*secrets(beside)] == [*secrets(demand)]


def test_its_pulls_leave_the_network_where_those_of_the_registry_do_not() -> None:
    demand = month(AwsRole, on_aws=True)
    services = {name: Service(image=IMAGE) for name in demand.services}
    assert replace(demand, services=services).crosses_network == demand.crosses_network + demand.pulled


@pytest.mark.parametrize(("change", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told(change: Mapping[str, Any], message: str) -> None:
    assert complaint({**BASE, **change}) == message
