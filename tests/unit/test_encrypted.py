"""An encrypted value stays one: where no secret belongs it is refused, and no message shows it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from pulumi import Config
from pydantic import Field, Secret, SecretStr

from components.model import Model
from components.testing.cloud import Cloud
from components.testing.engine import start
from config import stack_file
from config.encrypted import Encrypted
from config.fields import at, collects_secrets, holds_secrets, is_secret, keys_at
from config.problems import BadConfig, Problem
from config.settings import Settings
from tests.program import BLOCKS, DIGEST, as_pulumi, config_for
from tests.unit.test_settings import complaint, load

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
        monkeypatch.setattr(stack_file, "ROOT", tmp_path)

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
        {"vpc": {"id": "v", "public-subnets": VALUE}},
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
        monkeypatch.setattr(stack_file, "ROOT", Path("/nowhere"))

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
            Settings.load()
        assert f"\n  {key} is encrypted; want {TEXT}\n      {SET} {key} <value>" in str(error.value)

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
        assert "is hidden; want " in said

    def test_no_text_of_a_key_is_shown_in_what_is_wanted(self) -> None:
        config = {**BASE, **services(secrets={"A": "x"}, env={"A": VALUE, "B": f"{VALUE} "})}
        start(Cloud(), as_pulumi(config), ("switchyard:services",))
        wanted = f"another than '{VALUE}', '{VALUE} ' or {VALUE}s"
        told = Encrypted(Config()).hide(Problem(f"{API}.env.A", None, wanted))
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
