"""Settings: what is right is taken, and what is wrong is told at once, without a secret in it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from pydantic import Field, StringConstraints, ValidationError

from components import orchestrator, registry
from components.edge.alb import AlbOptions
from components.model import Model, Text
from components.naming import label
from components.orchestrator.ecs_fargate import EcsFargateOptions
from components.orchestrator.eks import EksOptions
from components.registry.ecr import EcrOptions
from components.testing.cloud import Cloud
from components.testing.engine import deploy, start
from config import place as places
from config.load import load as load_settings
from config.presets import PRESETS
from config.problems import BadConfig, translate
from config.reader import Keys
from config.settings import Settings
from tests.program import DIGEST, as_pulumi, config_for

BASE = config_for("ecr", "ecs-fargate")


def load(config: Mapping[str, Any], secrets: tuple[str, ...] = (), stack: str = "dev") -> Settings:
    """The settings of a configuration; a key whose value is None is left out.

    They are loaded in a program's event loop: outside one the SDK makes a loop to read the record of
    what runs, and leaves it open."""
    given = {key: value for key, value in config.items() if value is not None}
    start(Cloud(), as_pulumi(given), tuple(f"switchyard:{key}" for key in secrets), stack=stack)
    found: list[Settings] = []
    deploy(lambda: found.append(load_settings()))
    return found[0]


def complaint(config: Mapping[str, Any], secrets: tuple[str, ...] = ()) -> str:
    """What is said about a configuration that is wrong."""
    with pytest.raises(BadConfig) as error:
        load(config, secrets)
    return str(error.value)


def api(**fields: Any) -> dict[str, Any]:
    return {"services": {"api": fields}}


class TestWhatIsRight:
    def test_defaults_of_a_service(self) -> None:
        service = load(BASE).services["api"]
        assert (service.port, service.cpu, service.memory, service.health) == (8080, 0.25, 512, "/healthz")
        assert (service.replicas.min, service.replicas.max, service.digest) == (1, 1, DIGEST)
        assert service.public
        assert not service.replicas.scales

    @pytest.mark.parametrize("preset", PRESETS)
    def test_a_preset_fills_what_is_not_set(self, preset: str) -> None:
        keys = load(config_for("ecr", "ecs-fargate", preset)).config
        assert {name: getattr(keys, name) for name in vars(PRESETS[preset])} == vars(PRESETS[preset])

    def test_a_key_wins_over_its_preset(self) -> None:
        keys = load({**BASE, "preset": "production", "zones": 2, "protect": False, "log-days": 7}).config
        assert (keys.zones, keys.protect, keys.log_days, keys.network) == (2, False, 7, "nat-per-az")

    @pytest.mark.parametrize(
        ("replicas", "want"),
        [(3, (3, 3, 70)), ({"min": 2}, (2, 2, 70)), ({"min": 1, "max": 4, "cpu": 50}, (1, 4, 50))],
    )
    def test_replicas_are_a_number_or_a_range(self, replicas: object, want: tuple[int, int, int]) -> None:
        found = load({**BASE, **api(replicas=replicas)}).services["api"].replicas
        assert (found.min, found.max, found.cpu) == want

    def test_numbers_in_env_become_text(self) -> None:
        assert load({**BASE, **api(env={"WORKERS": 4, "RATE": 0.5})}).services["api"].env == {
            "WORKERS": "4",
            "RATE": "0.5",
        }

    def test_outside_a_move_the_orchestrator_has_all_traffic(self) -> None:
        assert load(BASE).weights == {"ecs-fargate": 100}

    def test_a_move_has_both_orchestrators_up(self) -> None:
        settings = load({**BASE, "traffic": {"ecs-fargate": 90, "eks": 10}})
        assert settings.orchestrators == {"ecs-fargate": EcsFargateOptions(), "eks": EksOptions()}
        assert settings.weights == {"ecs-fargate": 90, "eks": 10}

    def test_backend_blocks_are_typed(self) -> None:
        settings = load({**BASE, "orchestrator": "eks", "eks": {"version": "1.34"}, "ecr": {"keep": 5}})
        assert settings.backends == {
            "eks": EksOptions.model_validate({"version": "1.34"}),
            "ecr": EcrOptions.model_validate({"keep": 5}),
            "alb": AlbOptions(),
        }

    def test_off_aws_no_region_is_needed(self) -> None:
        settings = load({**config_for("oci", "swarm"), "aws:region": None})
        assert not settings.on_aws
        assert not settings.region

    def test_services_are_sorted(self) -> None:
        services = {"web": {}, "api": {"path": "/api"}, "jobs": {"public": False}}
        assert list(load({**BASE, "services": services}).services) == ["api", "jobs", "web"]

    def test_encrypted_secrets_are_taken_and_not_printed(self) -> None:
        settings = load({**BASE, **api(secrets={"PASSWORD": "hunter2"})}, secrets=("services",))
        assert settings.services["api"].secrets["PASSWORD"].get_secret_value() == "hunter2"
        assert "hunter2" not in repr(settings)

    def test_two_private_services_share_no_route(self) -> None:
        services = {"jobs": {"public": False}, "mails": {"public": False}}
        assert set(load({**BASE, "services": services}).services) == {"jobs", "mails"}

    def test_one_path_on_two_hosts_is_two_routes(self) -> None:
        services = {"one": {"host": "one.example.com"}, "two": {"host": "two.example.com"}}
        assert set(load({**BASE, "services": services}).services) == {"one", "two"}


ONE = "switchyard:services.api"
REGISTRIES = f"one of {', '.join(registry.names())}"
MODELS: Mapping[str, type[Model]] = {
    "the stack's own": Keys,
    **{name: registry.load(name).Options for name in registry.REGISTRIES},
    **{key: orchestrator.load(key).Options for key in orchestrator.ORCHESTRATORS},
}


def test_a_pair_that_cannot_work_is_refused_with_the_reason() -> None:
    said = complaint({**BASE, "orchestrator": "swarm"})
    _, reason = said.split("  switchyard:registry is 'ecr'; want one whose images swarm can pull: ")
    assert len(reason.splitlines()[0].split()) > 5


def test_a_misspelt_key_of_a_service_names_the_nearest() -> None:
    said = complaint({**BASE, **api(prot=8080)})
    assert "switchyard:services.api.prot is unknown; want a key that exists; did you mean port?" in said
    assert said.endswith("\n      rename switchyard:services.api.prot to port in config/Pulumi.<stack>.yaml")


def test_traffic_to_an_orchestrator_outside_the_edge_is_refused_by_name() -> None:
    said = complaint({**config_for("oci", "ecs-fargate"), "traffic": {"ecs-fargate": 90, "swarm": 10}})
    assert (
        "switchyard:traffic.swarm is 10; want orchestrators behind the load balancer;"
        " swarm publishes its ports itself, so no weight reaches it" in said
    )


@pytest.mark.parametrize("feature", [{"path": "/v1"}, {"host": "api.example.com"}])
def test_swarm_refuses_routes_by_name(feature: dict[str, str]) -> None:
    said = complaint({**config_for("oci", "swarm"), **api(**feature)})
    (name,) = feature
    assert f"{ONE}.{name} is '{feature[name]}'; want what swarm can do: there is no edge before Swarm" in said


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_pattern_of_a_field_has_its_words(model: type[Model]) -> None:
    assert not list(_wordless(model.__pydantic_core_schema__))


def _wordless(schema: object) -> Iterator[object]:
    """The patterns in a schema of pydantic's whose message would be the pattern."""
    match schema:
        case {"type": "custom-error", "custom_error_type": "wanted", "custom_error_context": {"words": str(words)}}:
            assert words
        case {"type": "str", "pattern": pattern}:
            yield pattern
        case dict():
            for each in schema.values():
                yield from _wordless(each)
        case list() | tuple():
            for each in schema:
                yield from _wordless(each)


def test_a_pattern_without_words_is_found() -> None:
    class Bare(Model):
        name: Annotated[str, Field(pattern="^a$")] = "a"
        worded: Annotated[str, Text("^b$", "the letter b")] = "b"
        parts: dict[str, tuple[Annotated[str, StringConstraints(pattern="^c$")], ...]] = {}

    assert sorted(map(str, _wordless(Bare.__pydantic_core_schema__))) == ["^a$", "^c$"]


def test_a_field_says_its_own_words() -> None:
    class Worded(Model):
        name: Annotated[str, Text("^b+$", "the letter b, {or} more of it", max_length=3)] | None = None

    def told(name: object) -> str:
        with pytest.raises(ValidationError) as error:
            Worded.model_validate({"name": name})
        (found,) = translate(error.value, "acme", Worded)
        return found.says

    assert Worded.model_validate({"name": "bbb"}).name == "bbb"
    assert told("a") == "acme.name is 'a'; want the letter b, {or} more of it"
    assert told("bbbb") == "acme.name is 'bbbb'; want text no longer than 3"
    assert told(1) == "acme.name is 1; want text (put quotes around it)"


SECRET = "hunter2"
SECRETS_GONE_WRONG = [
    api(secrets=SECRET),
    api(secrets=[SECRET]),
    api(secrets={"A": [SECRET]}),
    api(secrets={"1A": SECRET}),
    api(secrets={"A": SECRET}, env={"A": "x"}),
    api(secrets={"PORT": SECRET}),
    api(secrets={"A": {"value": SECRET}}),
    api(secrets={"A": f"{SECRET}\ud800"}),
    {"registry": "oci", "oci": {"host": "a.example", "username": "u", "password": [SECRET]}},
    {"registry": "oci", "oci": {"host": "a.example", "password": SECRET}},
    {"registry": "oci", "oci": {"password": f"{SECRET}\ud800"}},
]


@pytest.mark.parametrize("change", SECRETS_GONE_WRONG)
def test_a_message_never_shows_a_secret(change: Mapping[str, Any]) -> None:
    assert SECRET not in complaint({**BASE, **change}, secrets=("services", "oci"))


def test_every_mistake_of_shape_is_told_at_once() -> None:
    wrong = {
        "regsitry": "ecr",
        "preset": "prod",
        "zones": 4,
        "orchestrator": "nomad",
        "services": {"api": {"port": "x", "cpu": 0, "prot": 1}, "web": {"digest": "latest"}},
        "ecr": {"keep": 1},
    }
    said = complaint({**BASE, **wrong})
    assert said.startswith("9 things need a change")
    for key in (
        "regsitry",
        "preset",
        "zones",
        "orchestrator",
        "services.api.port",
        "services.api.cpu",
        "services.api.prot",
        "services.web.digest",
        "ecr.keep",
    ):
        assert f"\n  switchyard:{key} " in said


def test_a_mistake_of_shape_hides_no_contradiction() -> None:
    wrong = {"regsitry": "ecr", "aws:region": None, **api(port=80, secrets={"A": "hunter2"})}
    said = complaint({**BASE, **wrong, "orchestrator": "swarm"})
    for key in ("regsitry", "services.api.port", "services.api.secrets.A", "registry"):
        assert f"\n  switchyard:{key} " in said


@pytest.mark.parametrize(
    "vpc", [{"public-subnets": []}, {"public-subnets": ["subnet-1"]}, {"private-subnets": ["subnet-1"]}]
)
def test_a_load_balancer_needs_two_subnets(vpc: dict[str, Any]) -> None:
    assert "\n  switchyard:vpc.public-subnets " in complaint({**BASE, "vpc": {"id": "vpc-1", **vpc}})


@pytest.mark.parametrize("access", [["nonsense"], ["203.0.113.7/24"], ["300.0.0.0/8"], []])
def test_access_is_a_list_of_address_ranges(access: list[str]) -> None:
    assert "\n  switchyard:eks.access" in complaint({**config_for("ecr", "eks"), "eks": {"access": access}})


@pytest.mark.parametrize(("written", "found"), [({"secure": "v1:..."}, False), ("hunter2", True), ("another", False)])
def test_a_secret_in_plain_text_beside_an_encrypted_one_is_found_in_the_stacks_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: Any, found: bool
) -> None:
    secrets = {"A": {"secure": "v1:..."}, "B": written}
    (tmp_path / "config").mkdir()
    (tmp_path / "Pulumi.yaml").write_text("name: switchyard", encoding="utf-8")
    text = yaml.safe_dump({"config": {"switchyard:services": {"api": {"secrets": secrets}}}})
    (tmp_path / "config" / "Pulumi.dev.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(places, "project", lambda: tmp_path)
    running = {**BASE, **api(secrets={"A": "correct-horse", "B": "hunter2"})}
    if not found:
        assert load(running, ("services",))
        return
    said = complaint(running, ("services",))
    assert "switchyard:services.api.secrets.B is in plain text" in said
    assert "secrets.A" not in said


def test_where_there_is_no_file_a_key_without_any_encrypted_value_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    running = {**BASE, **api(secrets={"A": "hunter2"})}
    assert "secrets.A is in plain text" in complaint(running)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(places, "project", lambda: Path("/nowhere"))
        assert load(running, ("services",))


@pytest.mark.parametrize(
    "block",
    [
        *("10.0.0.0/8", "192.168.7.0/24", "100.64.0.0/10", "224.0.0.0/4", "240.0.0.0/8"),
        *("0.0.0.0/1", "8.0.0.0/5", "203.0.0.0/16"),  # public in part
    ],
)
def test_only_from_public_addresses_is_access_given(block: str) -> None:
    said = complaint({**config_for("ecr", "eks"), "eks": {"access": ["203.0.113.0/24", block]}})
    assert f"switchyard:eks.access[1] is '{block}'; want public addresses: EKS takes no reserved ones" in said
    assert "203.0.113.0" not in said


def test_every_contradiction_is_told_at_once() -> None:
    wrong = {
        "aws:region": None,
        "traffic": {"eks": 0},
        "network": "endpoints",
        "services": {"api": {"secrets": {"A": "x"}}, "web": {}},
        "domain": {"name": "a.example.org", "zone": "example.com"},
    }
    said = complaint({**config_for("oci", "ecs-fargate"), **wrong})
    for key in (
        "aws:region",
        "switchyard:traffic",
        "switchyard:network",
        "switchyard:services.api.secrets.A",
        "switchyard:services.web.path",
        "switchyard:domain.name",
    ):
        assert f"\n  {key} " in said


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("switchyard-dev", "switchyard-dev"),
        ("Switchyard-dev", "switchyard-dev-"),
        ("switchyard-feature_x.1", "switchyard-feature-x-1-"),
        ("s" * 50, "s" * 32 + "-"),
    ],
)
def test_a_stack_name_becomes_a_label(name: str, want: str) -> None:
    found = label(name)
    assert found.startswith(want)
    assert len(found) <= 40
    assert found == name or len(found) == len(want) + 7


def test_names_that_look_alike_stay_apart() -> None:
    assert len({label(name) for name in ("a.b", "a_b", "a-b", "A-b", "a--b")}) == 5
