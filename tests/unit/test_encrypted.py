"""An encrypted value stays one: where no secret belongs it is refused, and no message shows it."""

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import pulumi
import pytest
import yaml
from pydantic import AfterValidator, Field, Secret, SecretStr

from components import backends, registry
from components.model import Model
from components.pull import Anonymous, Pull
from components.registry import Registry, RegistryOptions, Repository
from components.testing.cloud import Cloud
from components.testing.engine import start
from config import place as places
from config.encrypted import Encrypted
from config.fields import at, collects_secrets, holds_secrets, is_secret, keys_at
from config.load import load as load_settings
from config.problems import BadConfig, Problem
from config.stack_file import StackFile
from tests.program import BLOCKS, DIGEST, as_pulumi, config_for
from tests.unit.test_settings import complaint, load
from yard.checks import project

VALUE = "hunter2"
BASE = config_for("ecr", "ecs-fargate")
SERVICE = {"digest": DIGEST}


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes the file of the stack that runs."""

    def _write(config: Mapping[str, Any]) -> None:
        (tmp_path / "config").mkdir()
        (tmp_path / "Pulumi.yaml").write_text("name: switchyard", encoding="utf-8")
        text = yaml.safe_dump({"config": {key: _secure(value) for key, value in config.items()}})
        (tmp_path / "config" / "Pulumi.dev.yaml").write_text(text, encoding="utf-8")
        monkeypatch.setattr(places, "project", lambda: tmp_path)

    return _write


def _secure(value: Any) -> Any:
    """As Pulumi writes it into the file: VALUE encrypted."""
    if isinstance(value, dict):
        return {key: _secure(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_secure(each) for each in value]
    return {"secure": "v1:..."} if value == VALUE else value


def services(**fields: Any) -> dict[str, Any]:
    return {"services": {"api": {**SERVICE, **fields}}}


API = "switchyard:services.api"
PLAINLY = "for what is encrypted here would stand in the state as it is"
SET = "pulumi config set --plaintext"
TEXT = f"plain text, {PLAINLY}"
NOTHING = f"plain text with nothing in it encrypted, {PLAINLY}"
EDIT = "edit {} in config/Pulumi.<stack>.yaml"
MISPLACED = {
    "env": (
        services(env={"TOKEN": VALUE}),
        f"{API}.env.TOKEN",
        f"it under `secrets`, {PLAINLY} and can be read wherever the service runs",
        f"pulumi config set --secret --path {API}.secrets.TOKEN <value> && pulumi config rm --path {API}.env.TOKEN",
    ),
    "a list": (
        services(command=["serve", VALUE]),
        f"{API}.command[1]",
        TEXT,
        f"{SET} --path '{API}.command[1]' <value>",
    ),
    "a number": (services(port=VALUE), f"{API}.port", TEXT, f"{SET} --path {API}.port <value>"),
    "the whole of a field": (services(replicas=VALUE), f"{API}.replicas", NOTHING, EDIT.format(f"{API}.replicas")),
    "a whole list": (
        {"vpc": {"id": "vpc-1", "public-subnets": VALUE}},
        "switchyard:vpc.public-subnets",
        NOTHING,
        EDIT.format("switchyard:vpc.public-subnets"),
    ),
    "one of the preset's": ({"preset": VALUE}, "switchyard:preset", TEXT, f"{SET} switchyard:preset <value>"),
    "the registry": ({"registry": VALUE}, "switchyard:registry", TEXT, f"{SET} switchyard:registry <value>"),
    "zones": ({"zones": VALUE}, "switchyard:zones", TEXT, f"{SET} switchyard:zones <value>"),
    "a weight": (
        {"traffic": {"ecs-fargate": VALUE}},
        "switchyard:traffic.ecs-fargate",
        TEXT,
        f"{SET} --path switchyard:traffic.ecs-fargate <value>",
    ),
    "all of the services": (
        {"services": VALUE},
        "switchyard:services",
        f"plain text with only its secrets encrypted, {PLAINLY}",
        EDIT.format("switchyard:services"),
    ),
    "a backend's block": (
        {"ecs-fargate": {"cluster": VALUE}},
        "switchyard:ecs-fargate.cluster",
        TEXT,
        f"{SET} --path switchyard:ecs-fargate.cluster <value>",
    ),
    "a key with dots in it": (
        {**config_for("oci", "kubernetes"), "kubernetes": {**BLOCKS["kubernetes"], "annotations": {"a.b/c d": VALUE}}},
        'switchyard:kubernetes.annotations["a.b/c d"]',
        TEXT,
        f"""{SET} --path 'switchyard:kubernetes.annotations["a.b/c d"]' <value>""",
    ),
}


@pytest.mark.parametrize(("change", "key", "want", "fix"), MISPLACED.values(), ids=MISPLACED)
def test_where_no_secret_belongs_it_is_refused(
    write: Any, change: Mapping[str, Any], key: str, want: str, fix: str
) -> None:
    config = {**BASE, **change}
    write(config)
    assert complaint(config, tuple(key for key, value in change.items() if VALUE in json.dumps(value))) == (
        "one thing needs a change in the stack's configuration; nothing was made.\n"
        f"  {key} is encrypted; want {want}\n"
        f"      {fix}"
    )


def test_each_is_told_beside_what_else_is_wrong(write: Any) -> None:
    config = {**BASE, **services(env={"A": VALUE}, command=[VALUE], cpu=-1), "zones": VALUE, "regsitry": VALUE}
    write(config)
    said = complaint(config, ("services", "zones", "regsitry"))
    for told in (f"{API}.env.A is encrypted", f"{API}.command[0] is encrypted", "switchyard:zones is encrypted"):
        assert f"\n  {told}; " in said
    assert f"\n  {API}.cpu is -1; " in said
    assert "\n  switchyard:regsitry is unknown; " in said
    assert said.startswith("5 things")
    assert VALUE not in said


@pytest.mark.parametrize("key", ["registry", "orchestrator", "preset", "network"])
def test_a_map_in_place_of_a_text_does_not_show_what_is_encrypted_in_it(write: Any, key: str) -> None:
    config = {**BASE, key: {"host": "registry.example.com", "password": VALUE}}
    write(config)
    said = complaint(config, (key,))
    assert f"switchyard:{key} is hidden, for it may be secret; want " in said
    assert VALUE not in said


def test_where_secrets_belong_they_are_taken(write: Any) -> None:
    login = {"host": "a.example", "username": "u", "password": VALUE}
    config = {**config_for("oci", "ecs-fargate"), **services(secrets={"A": VALUE}, env={"B": "plain"}), "oci": login}
    write(config)
    settings = load(config, ("services", "oci"))
    assert settings.services["api"].secrets["A"].get_secret_value() == VALUE
    assert VALUE not in repr(settings)


class TestWhereNoFileSaysWhatIsEncrypted:
    """The stack's file is not in its place: all that is known is that something in a key is."""

    @pytest.fixture(autouse=True)
    def _nowhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(places, "project", lambda: Path("/nowhere"))

    @pytest.mark.parametrize(
        "change",
        [{"zones": 2}, {"preset": "trial"}, {"traffic": {"ecs-fargate": 1}}, {"ecs-fargate": {}}, {"ecr": {"keep": 3}}],
    )
    def test_a_key_without_a_field_for_secrets_is_refused(self, change: Mapping[str, Any]) -> None:
        (key,) = change
        assert f"\n  switchyard:{key} is encrypted; want plain text" in complaint({**BASE, **change}, (key,))

    @pytest.mark.parametrize("key", ["aws:region", "aws:profile"])
    def test_so_are_the_keys_of_the_provider(self, key: str) -> None:
        start(Cloud(), as_pulumi({**BASE, "aws:profile": "acme"}), (key,))
        with pytest.raises(BadConfig) as error:
            load_settings()
        assert f"\n  {key} is encrypted; want {TEXT}\n      {SET} {key} <value>" in str(error.value)

    def test_no_text_of_theirs_is_shown_where_another_key_is_told(self) -> None:
        waf = "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/shop/a1b2c3d4-5678-90ab-cdef-1234567890ab"
        start(Cloud(), as_pulumi({**BASE, "waf": waf, "aws:region": VALUE}), ("aws:region",))
        with pytest.raises(BadConfig) as error:
            load_settings()
        assert VALUE not in str(error.value)

    @pytest.mark.parametrize(
        ("change", "key"),
        [
            (services(env={"TOKEN": VALUE}), "services"),
            ({**config_for("oci", "ecs-fargate"), "oci": {"host": "a.example"}}, "oci"),
        ],
    )
    def test_a_key_without_any_secret_set_is_refused(self, change: Mapping[str, Any], key: str) -> None:
        assert f"\n  switchyard:{key} is encrypted; want a map with only its secrets encrypted" in complaint(
            {**BASE, **change}, (key,)
        )

    @pytest.mark.parametrize(
        "wrong",
        [
            {"port": VALUE},
            {"health": VALUE},
            {"digest": VALUE},
            {"env": {"A": "x"}, "replicas": {"min": VALUE}},
            {"host": f"{VALUE}.example.com"},
        ],
    )
    def test_no_text_of_a_key_is_shown(self, wrong: Mapping[str, Any]) -> None:
        config = {**BASE, **services(secrets={"A": "x"}, **wrong), "domain": {"name": "e.org", "zone": "e.org"}}
        said = complaint(config, ("services",))
        assert VALUE not in said
        assert "is hidden, for it may be secret; want " in said

    def test_no_text_of_a_key_is_shown_in_what_is_wanted(self) -> None:
        config = {**BASE, **services(secrets={"A": "x"}, env={"A": VALUE, "B": f"{VALUE} "})}
        start(Cloud(), as_pulumi(config), ("switchyard:services",))
        wanted = f"another than '{VALUE}', '{VALUE} ' or {VALUE}s"
        told = Encrypted(pulumi.Config()).hide(Problem(f"{API}.env.A", None, wanted))
        assert told == Problem(f"{API}.env.A", None, f"another than 'hidden', 'hidden' or {VALUE}s")


class Inner(Model):
    """A part of a block."""

    token: SecretStr | None = None
    names: tuple[str, ...] = ()
    again: "Inner | None" = None


class Block(Model):
    """A third party's block."""

    inner_part: Annotated[Inner, Field(description="...")] = Inner()
    by_name: dict[str, Inner] = {}
    tokens: list[SecretStr] = []
    key: Secret[int] | None = None
    port: int = 1


@pytest.mark.parametrize(
    ("steps", "secret"),
    [
        (("inner-part", "token"), True),
        (("inner-part", "names", 3), False),
        (("inner-part", "again", "again", "token"), True),
        (("by-name", "x", "token"), True),
        (("by-name", "x"), False),
        (("tokens", 0), True),
        (("tokens",), False),
        (("key",), True),
        (("port",), False),
    ],
)
def test_the_annotation_says_what_is_a_secret(steps: tuple[str | int, ...], secret: bool) -> None:
    assert [is_secret(each) for each in at(Block, steps) if each is not type(None)] == [secret]


def test_no_type_stands_where_no_key_is() -> None:
    assert not at(Block, ["inner_part"])
    assert not at(Block, ["port", "x"])
    assert keys_at(Block, ["by-name", "x"]) == ["token", "names", "again"]


@pytest.mark.parametrize(
    ("annotation", "collects", "holds"),
    [
        (list[SecretStr], True, True),
        (dict[str, SecretStr] | None, True, True),
        (Annotated[SecretStr, Field()], True, True),
        (Block, False, True),
        (dict[str, Inner], False, True),
        (dict[str, int], False, False),
        (str, False, False),
    ],
)
def test_what_a_secret_may_be_in(annotation: Any, collects: bool, holds: bool) -> None:
    assert (collects_secrets(annotation), holds_secrets(annotation)) == (collects, holds)


def _starts_right(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith("acme"):
        raise ValueError(f"{value.get_secret_value()} does not start with acme")
    return value


class Login(Model):
    """A part of a third party's block."""

    token: SecretStr | None = None


class AcmeOptions(RegistryOptions):
    """A third party's block."""

    key = "acme"
    token: SecretStr = Field(default=SecretStr("acme-no-secret"), min_length=12, description="...")
    checked: Annotated[SecretStr, AfterValidator(_starts_right)] | None = None
    either: Login | Inner | None = None
    mirrors: dict[str, Login] = {}
    tokens: tuple[SecretStr, ...] = ()
    code: Secret[int] | None = None
    shown: SecretStr | None = None

    def pulled_by(self, on_aws: bool) -> type[Pull]:
        return Anonymous

    def check(self, services: Any, protect: bool) -> Iterator[tuple[str, object, str]]:
        if self.shown:
            yield "shown", self.shown.get_secret_value(), "another"


class Acme(Registry[AcmeOptions]):
    """A third party's registry."""

    token = "acme:registry:Acme"

    def build(self, child: pulumi.ResourceOptions) -> Mapping[str, Repository]:
        return {}


def acme(**block: Any) -> dict[str, Any]:
    return {**config_for("acme", "ecs-fargate"), "acme": block}


class TestAThirdPartysSecret:
    """The annotation of its field is all that says that it is one."""

    @pytest.fixture(autouse=True)
    def _acme(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rows = {registry.GROUP: {"acme": f"{__name__}:Acme"}}
        monkeypatch.setattr(backends, "third_party", lambda group: rows.get(group, {}))

    @pytest.mark.parametrize(
        ("block", "field"),
        [
            ({"token": VALUE}, "token"),
            ({"checked": VALUE}, "checked"),
            ({"tokens": [[VALUE]]}, "tokens[0]"),
            ({"shown": VALUE}, "shown"),
            ({"mirrors": {"a": {"token": [VALUE]}}}, "mirrors.a.token"),
            ({"code": VALUE}, "code"),
        ],
    )
    def test_is_not_shown_and_is_to_be_encrypted(self, block: Mapping[str, Any], field: str) -> None:
        said = complaint(acme(**block), ("acme",))
        path = shlex.quote(f"switchyard:acme.{field}")
        assert VALUE not in said
        assert f"\n  switchyard:acme.{field} is hidden, for it may be secret; want " in said
        assert f"\n      pulumi config set --secret --path {path} <value>" in said

    def test_has_its_limit_told(self) -> None:
        assert "switchyard:acme.token is hidden, for it may be secret; want at least 12 characters\n" in complaint(
            acme(token=VALUE), ("acme",)
        )

    def test_is_not_shown_where_a_field_has_one_of_several_types(self) -> None:
        said = complaint(acme(either={"token": [VALUE]}), ("acme",))
        assert "switchyard:acme.either." in said
        assert VALUE not in said

    @pytest.mark.parametrize(
        ("block", "field"),
        [
            ({"token": "acme-in-clear"}, "token"),
            ({"mirrors": {"a.b": {"token": VALUE}}}, 'mirrors["a.b"].token'),
            ({"tokens": ["acme", VALUE]}, "tokens[1]"),
            ({"code": 7}, "code"),
            ({"either": {"token": VALUE}}, "either.token"),
        ],
    )
    def test_is_seen_in_plain_text_wherever_it_stands(self, block: Mapping[str, Any], field: str) -> None:
        path = shlex.quote(f"switchyard:acme.{field}")
        assert (
            f"\n  switchyard:acme.{field} is in plain text; want an encrypted value\n"
            f"      pulumi config set --secret --path {path} <value>"
        ) in complaint(acme(**block))

    def test_is_seen_in_plain_text_beside_an_encrypted_one(self, write: Any) -> None:
        config = acme(tokens=[VALUE, "acme"], mirrors={"a": {"token": "acme"}, "b": {"token": VALUE}})
        write(config)
        said = complaint(config, ("acme",))
        assert said.startswith("2 things")
        assert "\n  switchyard:acme.tokens[1] is in plain text; " in said
        assert "\n  switchyard:acme.mirrors.a.token is in plain text; " in said

    def test_is_seen_by_the_doctor(self, write: Any, tmp_path: Path) -> None:
        write(acme(token=VALUE, tokens=["acme"], mirrors={"a": {"token": "acme"}}, shown=VALUE))
        found = [each for each in project.secrets(StackFile(tmp_path, "dev")) if each.status == "fail"]
        assert {each.says.partition(" ")[0]: each.fix.partition(" <value>")[0] for each in found} == {
            "switchyard:acme.tokens[0]": "pulumi config set --secret --path 'switchyard:acme.tokens[0]'",
            "switchyard:acme.mirrors.a.token": "pulumi config set --secret --path switchyard:acme.mirrors.a.token",
        }


def test_a_number_for_a_secret_is_to_be_encrypted() -> None:
    config = {**BASE, **services(secrets={"A": 12345})}
    said = complaint(config, ("services",))
    assert f"{API}.secrets.A is hidden, for it may be secret; want text" in said
    assert said.endswith(f"      pulumi config set --secret --path {API}.secrets.A <value>")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("12:30:45", "12:30:45"),
        ("no", "no"),
        ("2024-01-01", "2024-01-01"),
        ("!!binary aHVudGVyMg==", VALUE),
        ("=", "="),
        (f"[{VALUE}]", VALUE),
    ],
)
def test_plain_text_is_seen_however_yaml_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, value: str
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "Pulumi.yaml").write_text("name: switchyard", encoding="utf-8")
    secrets = f"{{A: {{secure: v1}}, B: {written}}}"
    text = f"config: {{'switchyard:services': {{api: {{secrets: {secrets}}}}}}}"
    (tmp_path / "config" / "Pulumi.dev.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(places, "project", lambda: tmp_path)
    config = {**BASE, **services(secrets={"A": "correct-horse", "B": value})}
    assert f"\n  {API}.secrets.B is in plain text; want an encrypted value" in complaint(config, ("services",))
