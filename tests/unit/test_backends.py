"""The tables of backends, and the escape hatch."""

from collections.abc import Mapping
from typing import Any

import pulumi
import pytest

from components import backends, orchestrator, registry, transform
from components.orchestrator.swarm import Swarm, SwarmOptions
from components.registry.ecr import Ecr
from components.service import Service
from config.problems import BadConfig
from tests.imports import imported
from tests.program import SERVICE, config_for, run_program


@pytest.fixture
def third_party(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pretend that packages add these rows."""

    def add(rows: Mapping[str, str]) -> None:
        monkeypatch.setattr(backends, "third_party", lambda _group: rows)

    return add


def test_an_unknown_name_lists_the_known_ones() -> None:
    known = ", ".join(sorted(registry.REGISTRIES))
    with pytest.raises(backends.UnknownBackend, match=f"^unknown registry 'ghrc': use one of {known}$"):
        registry.load("ghrc")
    known = ", ".join(sorted(orchestrator.ORCHESTRATORS))
    with pytest.raises(pulumi.RunError, match=f"^unknown orchestrator 'ecs': use one of {known}$"):
        orchestrator.load("ecs")


def test_a_third_party_adds_a_row(third_party: Any) -> None:
    third_party({"acme": "components.registry.ecr:Ecr"})
    assert registry.load("acme") is Ecr
    assert registry.names() == sorted(["acme", *registry.REGISTRIES])


def test_a_third_party_cannot_replace_one_of_ours(third_party: Any) -> None:
    third_party({"ecr": "os:abort"})
    assert registry.load("ecr") is Ecr
    assert registry.names() == sorted(registry.REGISTRIES)


@pytest.mark.parametrize(("module", "table"), [(registry, "REGISTRIES"), (orchestrator, "ORCHESTRATORS")])
def test_no_two_backends_share_a_token(module: Any, table: str) -> None:
    tokens = [module.load(name).token for name in getattr(module, table)]
    assert len(set(tokens)) == len(tokens)


def test_a_backends_packages_are_imported_only_when_it_is_chosen() -> None:
    code = "from tests.program import config_for, run_program; run_program(config_for('oci', 'swarm'))"
    assert not imported(code, "pulumi_aws", "pulumi_eks", "pulumi_kubernetes", "boto3")


SAID = {
    "checks": "from tests.unit.test_settings import load; load(config_for('ecr', 'eks', 'production'))",
    "prices": "from yard.comparison import Comparison; assert Comparison.of(ROOT, 'prod').known",
    "documents": "from tools.docs import documents; assert dict(documents())",
}


@pytest.mark.parametrize("what", SAID)
def test_what_is_only_said_loads_no_sdk_of_a_cloud(what: str) -> None:
    code = f"from tests.program import ROOT, config_for; {SAID[what]}"
    assert not imported(code, "pulumi_aws", "pulumi_eks", "pulumi_gcp", "pulumi_kubernetes", "boto3", "docker")


class OlderOptions(SwarmOptions):
    key = "older"
    capabilities = {name: each for name, each in SwarmOptions.capabilities.items() if name != "path"}


class Older(Swarm):
    """Made before a service could have a path."""

    Options = OlderOptions


def test_a_backend_that_is_older_than_a_field_refuses_it_by_name(third_party: Any) -> None:
    third_party({"older": f"{__name__}:Older"})
    config = config_for("oci", "older", api={**SERVICE, "path": "/v1"})
    with pytest.raises(BadConfig) as error:
        run_program(config)
    assert (
        "switchyard:services.api.path is '/v1'; want what older can do: the backend is older than this field, so it"
        " would ignore it; take a newer release of the backend" in str(error.value)
    )
    assert not OlderOptions.refusals(Service())


def test_an_orchestrator_cannot_do_without_saying_where_its_logs_are() -> None:
    assert "logs" in orchestrator.OrchestratorOptions.__abstractmethods__
    for key in orchestrator.ORCHESTRATORS:
        assert "logs" not in orchestrator.load(key).Options.__abstractmethods__


def _resource(type_: str, props: dict[str, Any]) -> pulumi.ResourceTransformArgs:
    return pulumi.ResourceTransformArgs(
        custom=True, type_=type_, name="api", props=props, opts=pulumi.ResourceOptions()
    )


class TestTransform:
    def test_what_it_returns_is_registered(self) -> None:
        def bigger(
            type_: str, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions
        ) -> tuple[dict[str, Any], pulumi.ResourceOptions]:
            return {**props, "seen": f"{type_} {name}"}, pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(protect=True)
            )

        result = transform._adapt(bigger)(_resource("aws:ecr/repository:Repository", {"name": "x"}))
        assert isinstance(result, pulumi.ResourceTransformResult)
        assert result.props == {"name": "x", "seen": "aws:ecr/repository:Repository api"}
        assert result.opts.protect is True

    def test_none_leaves_the_resource_as_it_is(self) -> None:
        assert transform._adapt(lambda *_: None)(_resource("any", {})) is None

    def test_it_cannot_change_a_resource_behind_our_back(self) -> None:
        props = {"name": "x"}

        def careless(_type: str, _name: str, props: dict[str, Any], _opts: pulumi.ResourceOptions) -> None:
            props["name"] = "y"

        transform._adapt(careless)(_resource("any", props))
        assert props == {"name": "x"}
