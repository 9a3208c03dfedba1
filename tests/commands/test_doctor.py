"""`yard doctor`: each check finds what is right and what is wrong, and says how to mend it, without any network."""

import base64
import datetime
import json
import re
import ssl
import threading
from collections.abc import Iterator, Mapping
from functools import cache
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.exceptions import EndpointConnectionError, NoCredentialsError
from botocore.stub import Stubber
from click.testing import CliRunner, Result

from components.needs import KubernetesCluster, Need, Program, RegistryApi
from components.orchestrator import ORCHESTRATORS
from components.orchestrator.kubernetes import KubernetesOptions
from config.settings import Settings
from config.stack_file import PLACEHOLDER, BadStack, NoStack, StackFile
from tests.imports import imported
from tests.program import ROOT, config_for
from tools import pulumi_cli
from yard.checks import Finding, aws, docker, kubernetes, machine, project
from yard.checks.project import UNREADABLE, Owned
from yard.doctor import doctor
from yard.rehearsing import _StackConfig

SECURE = {"secure": "v1:abc:def"}
NOTHING = Owned(frozenset())


def stack_file(root: Path, config: Mapping[str, Any], **besides: str) -> StackFile:
    """A project with one stack, dev."""
    (root / "config").mkdir(exist_ok=True)
    (root / "Pulumi.yaml").write_bytes((ROOT / "Pulumi.yaml").read_bytes())
    values = {key if ":" in key else f"switchyard:{key}": value for key, value in config.items()}
    text = yaml.safe_dump({**besides, "config": values})
    (root / "config/Pulumi.dev.yaml").write_text(text, encoding="utf-8")
    return StackFile(root, "dev")


def settings_of(root: Path, **config: Any) -> Settings:
    """The settings of a stack on ecr and ecs-fargate, unless `config` says otherwise."""
    base = config_for("ecr", config.pop("orchestrator", "ecs-fargate"))
    settings, found = project.settings(stack_file(root, {**base, **config}))
    assert settings, found
    return settings


class TestStackFile:
    def test_a_stack_that_does_not_exist_names_those_that_do(self) -> None:
        with pytest.raises(NoStack, match=r"there is no stack 'nope': config/ has dev, local, prod"):
            StackFile(ROOT, "nope")

    def test_a_name_as_pulumi_writes_it_out_in_full_is_told_what_to_leave_out(self) -> None:
        with pytest.raises(NoStack, match=r"config/ has dev, local, prod; leave organisation and project out"):
            StackFile(ROOT, "acme/switchyard/dev")

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            (b"a: [", "is no YAML"),
            (b"a: 2026-02-30", "is no YAML"),
            (b"- a", "is no map"),
            (b"config: 5", "is no map"),
            (b"config: {a: caf\xe9}", "is no text in UTF-8, so save it as such"),
            (b"config: {5: x}", "has the key 5 under `config`, and a key is text: take it out"),
            (b"config: {zones: 2, 'switchyard:zones': 3}", "has both zones and switchyard:zones, which are one key"),
        ],
    )
    @pytest.mark.parametrize("name", ["config/Pulumi.dev.yaml", "Pulumi.yaml"])
    def test_a_file_that_is_none_says_so(self, tmp_path: Path, name: str, text: bytes, why: str) -> None:
        stack_file(tmp_path, {})
        (tmp_path / name).write_bytes(text.replace(b"config", b"name: switchyard\nconfig"))
        with pytest.raises(BadStack, match=rf"Pulumi\..*yaml {why}"):
            StackFile(tmp_path, "dev")

    def test_a_directory_is_no_file(self, tmp_path: Path) -> None:
        path = stack_file(tmp_path, {}).path
        path.unlink()
        path.mkdir()
        with pytest.raises(BadStack, match=r"Pulumi\.dev\.yaml cannot be read: Is a directory"):
            StackFile(tmp_path, "dev")

    def test_a_project_has_a_name(self, tmp_path: Path) -> None:
        stack_file(tmp_path, {})
        (tmp_path / "Pulumi.yaml").write_text("runtime: python\n", encoding="utf-8")
        with pytest.raises(BadStack, match=r"Pulumi\.yaml has no `name`"):
            StackFile(tmp_path, "dev")

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_what_pulumi_reads_is_read(self, tmp_path: Path, encoding: str) -> None:
        path = stack_file(tmp_path, {}).path
        path.write_text("config: {zones: 3} # caf\xe9", encoding=encoding)
        assert StackFile(tmp_path, "dev").values == {"switchyard:zones": 3}

    def test_a_key_without_a_namespace_is_the_projects(self, tmp_path: Path) -> None:
        path = stack_file(tmp_path, {}).path
        path.write_text("config: {orchestrator: eks, oci: {password: {secure: x}}}", encoding="utf-8")
        file = StackFile(tmp_path, "dev")
        assert file.get("orchestrator") == file.at(("orchestrator",)) == "eks"
        values, secrets = file.handed()
        assert values["switchyard:orchestrator"] == "eks"
        assert secrets == ["switchyard:oci"]
        assert not {"orchestrator", "oci"} & values.keys()

    def test_so_it_is_in_a_rehearsal(self, tmp_path: Path) -> None:
        text = "config: {orchestrator: eks, protect: true, services: {api: {secrets: {A: {secure: x}}}}}"
        stack_file(tmp_path, {}).path.write_text(text, encoding="utf-8")
        config = _StackConfig(tmp_path, "dev")
        assert (config.orchestrator, config.protected) == ("eks", True)
        placeholders, digest = config.prepare()
        assert "the 1 secrets" in placeholders
        assert digest.startswith("api has no image yet")
        assert config.values.keys() == {f"switchyard:{key}" for key in ("orchestrator", "protect", "services", "gate")}

    def test_a_default_may_stand_alone(self, tmp_path: Path) -> None:
        stack_file(tmp_path, {})
        (tmp_path / "Pulumi.yaml").write_text("name: switchyard\nconfig: {zones: 3}\n", encoding="utf-8")
        assert StackFile(tmp_path, "dev").handed() == ({"switchyard:zones": "3"}, [])

    def test_placeholders_stand_for_secrets_wherever_they_are(self, tmp_path: Path) -> None:
        file = stack_file(tmp_path, {"services": {"api": {"secrets": {"A": SECURE}}}, "list": [1, SECURE]})
        values, found = file.without_secrets()
        assert values == {
            "switchyard:services": {"api": {"secrets": {"A": PLACEHOLDER}}},
            "switchyard:list": [1, PLACEHOLDER],
        }
        assert set(found) == {("switchyard:services", "api", "secrets", "A"), ("switchyard:list", 1)}

    def test_it_hands_over_what_pulumi_does(self, tmp_path: Path) -> None:
        file = stack_file(
            tmp_path, {"aws:region": "eu-west-1", "zones": 3, "protect": True, "oci": {"password": SECURE}}
        )
        values, secrets = file.handed()
        assert values["aws:region"] == "eu-west-1"
        assert (values["switchyard:zones"], values["switchyard:protect"]) == ("3", "true")
        assert json.loads(values["switchyard:oci"]) == {"password": PLACEHOLDER}
        assert values["switchyard:registry"] == "ecr"  # Pulumi.yaml's default
        assert json.loads(values["aws:defaultTags"]) == {"tags": {"managed-by": "switchyard"}}
        assert secrets == ["switchyard:oci"]


class TestConfig:
    @pytest.mark.parametrize("stack", ["dev", "local", "prod"])
    def test_our_own_stacks_are_valid(self, stack: str) -> None:
        settings, (found,) = project.settings(StackFile(ROOT, stack))
        assert settings
        assert found == Finding("config", "ok", f"Pulumi.{stack}.yaml is valid")

    def test_every_problem_is_a_finding_of_its_own(self, tmp_path: Path) -> None:
        settings, found = project.settings(stack_file(tmp_path, {"regsitry": "ecr", "services": {"api": {"port": 80}}}))
        assert settings is None
        assert {(each.status, each.says.partition(" ")[0], each.fix) for each in found} == {
            (
                "fail",
                "switchyard:regsitry",
                "rename switchyard:regsitry to registry in config/Pulumi.<stack>.yaml",
            ),
            ("fail", "switchyard:services.api.port", "pulumi config set --path switchyard:services.api.port <value>"),
            ("fail", "aws:region", "pulumi config set aws:region <value>"),
        }

    def test_a_secret_counts_as_set(self, tmp_path: Path) -> None:
        login = {"host": "harbor.example.com", "username": "robot", "password": SECURE}
        settings, _ = project.settings(stack_file(tmp_path, {**config_for("oci", "swarm"), "oci": login}))
        assert settings

    def test_what_is_wrong_with_a_placeholder_is_no_failure(self, tmp_path: Path) -> None:
        cluster = {"context": "prod", "kubeconfig": SECURE}
        _, (found,) = project.settings(stack_file(tmp_path, {**config_for("oci", "kubernetes"), "kubernetes": cluster}))
        assert found.status == "warn"
        assert "depends on what is encrypted (switchyard:kubernetes.kubeconfig)" in found.says

    def test_what_is_encrypted_where_no_secret_belongs_is_one(self, tmp_path: Path) -> None:
        _, (found,) = project.settings(stack_file(tmp_path, {**config_for("ecr", "ecs-fargate"), "zones": SECURE}))
        assert found.status == "fail"
        assert found.says.startswith("switchyard:zones is encrypted; want plain text")
        assert found.fix == "pulumi config set --plaintext switchyard:zones <value>"


class TestSecrets:
    SERVICES = {"services": {"api": {"secrets": {"A": SECURE, "B": SECURE}}}}

    @pytest.fixture(autouse=True)
    def no_passphrase(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("PULUMI_BACKEND_URL", "file:///somewhere")

    def one(self, file: StackFile) -> Finding:
        (found,) = project.secrets(file)
        return found

    def test_a_stack_without_any(self, tmp_path: Path) -> None:
        assert self.one(stack_file(tmp_path, {"zones": 2})) == Finding("secrets", "ok", "the stack has none")

    def test_plain_text_is_found_value_by_value(self, tmp_path: Path) -> None:
        services = {"services": {"api": {"secrets": {"A": SECURE, "B": "hunter2"}}}}
        first, second = project.secrets(stack_file(tmp_path, services, encryptionsalt="v1:x"))
        assert first.status == "fail"
        assert first.says == "switchyard:services.api.secrets.B stands in the file in plain text"
        assert first.fix.startswith("pulumi config set --secret --path switchyard:services.api.secrets.B")
        assert "hunter2" not in first.says + first.fix
        assert second.says.startswith("1 in the file, encrypted")

    def test_a_passphrase_must_be_at_hand(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = stack_file(tmp_path, self.SERVICES, encryptionsalt="v1:x")
        found = self.one(file)
        assert (found.status, found.fix) == (
            "warn",
            "export PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE",
        )
        monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "x")
        assert self.one(file) == Finding("secrets", "ok", "2 in the file, encrypted with a passphrase")

    def test_a_provider_is_named_without_its_parameters(self, tmp_path: Path) -> None:
        file = stack_file(tmp_path, self.SERVICES, secretsprovider="awskms://alias/pulumi?region=us-east-1")
        assert self.one(file) == Finding("secrets", "ok", "2 in the file, encrypted by awskms://alias/pulumi")

    def test_without_salt_or_provider_only_pulumi_cloud_decrypts(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = stack_file(tmp_path, self.SERVICES)
        assert self.one(file).status == "fail"
        monkeypatch.setenv("PULUMI_BACKEND_URL", "https://api.pulumi.com")
        assert self.one(file).status == "ok"


class TestState:
    @pytest.fixture(autouse=True)
    def home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("PULUMI_BACKEND_URL", "PULUMI_ACCESS_TOKEN", "PULUMI_CREDENTIALS_PATH"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("PULUMI_HOME", str(tmp_path))

    def test_nobody_is_logged_in(self, tmp_path: Path) -> None:
        found = project.state(stack_file(tmp_path, {}))
        assert (found.status, found.fix.partition(";")[0]) == ("fail", "pulumi login")

    def test_a_login_is_found(self, tmp_path: Path) -> None:
        (tmp_path / "credentials.json").write_text('{"current": "s3://states", "accessTokens": {}}', encoding="utf-8")
        assert project.state(stack_file(tmp_path, {})).says == "kept at s3://states"

    def test_a_token_is_a_login_to_pulumi_cloud(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "pul-x")
        assert project.state(stack_file(tmp_path, {})).says == "kept at https://api.pulumi.com"

    def test_the_environment_wins(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PULUMI_BACKEND_URL", "gs://states")
        assert project.backend(stack_file(tmp_path, {})) == "gs://states"

    def test_an_empty_directory_has_no_resources_and_stays_empty(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        state = tmp_path / "state"
        state.mkdir()
        monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{state}")
        assert project.owned(stack_file(tmp_path, {}), tmp_path) == NOTHING
        assert not list(state.iterdir())

    @pytest.mark.parametrize(
        ("code", "out", "err", "found"),
        [
            (
                0,
                {"deployment": {"resources": [{"type": "t", "id": "1"}, {"type": "component"}]}},
                "",
                Owned(frozenset({("t", "1")})),
            ),
            (
                0,
                {"deployment": {"pending_operations": [{"type": "creating", "resource": {"urn": "urn:it"}}]}},
                "",
                Owned(frozenset(), pending=(("creating", "urn:it"),)),
            ),
            (0, {"deployment": {}}, "", NOTHING),
            (6, {}, "error: no stack named 'dev' found", NOTHING),
            (255, {}, "error: getting stack: connection refused", UNREADABLE),
        ],
    )
    def test_the_state_is_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, out: object, err: str, found: Owned
    ) -> None:
        cli = tmp_path / ".tools/bin/pulumi"
        cli.parent.mkdir(parents=True)
        cli.write_text(f"#!/bin/sh\necho '{json.dumps(out)}'\necho \"{err}\" >&2\nexit {code}\n", encoding="utf-8")
        cli.chmod(0o755)
        monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://states")
        assert project.owned(stack_file(tmp_path, {}), tmp_path) == found

    def test_what_a_killed_run_was_doing_is_told_with_the_way_on(self) -> None:
        created, deleted = project.interrupted(Owned(frozenset(), pending=(("creating", "a"), ("deleting", "b"))))
        assert created.says == "a run was killed while creating a"
        assert "pulumi refresh --clear-pending-creates" in created.fix
        assert (deleted.says, deleted.fix) == ("a run was killed while deleting b", "pulumi refresh")

    def test_without_a_cli_it_cannot_be_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert project.owned(stack_file(tmp_path, {}), tmp_path) == UNREADABLE
        monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://states")
        assert project.owned(stack_file(tmp_path, {}), tmp_path) == UNREADABLE


def program(path: Path, answer: str) -> Path:
    """An executable that answers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{answer}'\n", encoding="utf-8")
    path.chmod(0o755)
    return path


class TestMachine:
    def test_the_least_version_is_the_one_that_make_env_takes(self) -> None:
        assert machine.MINIMUM == pulumi_cli.MINIMUM

    def test_pulumi(self, tmp_path: Path) -> None:
        assert machine.pulumi(tmp_path).fix == "make env"
        cli = program(tmp_path / ".tools/bin/pulumi", "v3.100.0")
        assert machine.pulumi(tmp_path).says == f"{cli} is 3.100.0, and 3.200.0 or newer is needed"
        program(cli, "v3.259.0")
        assert machine.pulumi(tmp_path) == Finding("pulumi", "ok", f"3.259.0 at {cli}")

    def test_a_pulumi_that_the_automation_api_refuses(self, tmp_path: Path) -> None:
        program(tmp_path / ".tools/bin/pulumi", "v2.0.0")
        found = machine.pulumi(tmp_path)
        assert found.status == "fail"
        assert "minimum CLI version requirement" in found.says

    def test_the_language_host(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        assert machine.language_host().says == "no pulumi on PATH, so `pulumi up` cannot be typed"
        program(tmp_path / "pulumi", "")
        assert "came without pulumi-language-python" in machine.language_host().says
        program(tmp_path / "pulumi-language-python", "")
        assert machine.language_host().status == "ok"

    def test_our_own_cli_is_not_the_one_on_path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(program(tmp_path / ".tools/bin/pulumi", "").parent))
        assert machine.language_host().status == "warn"

    def test_python_packages_are_those_of_the_lock(self, tmp_path: Path) -> None:
        lock = tmp_path / "requirements.txt"
        lock.write_text(
            "Some.Package==1.0 \\\n    --hash=x\nother==2.0 ; sys_platform == 'win32' \\\n", encoding="utf-8"
        )
        assert machine.python(tmp_path).says.startswith("there is no .venv in")
        site = tmp_path / ".venv/lib/python3.11/site-packages"
        site.mkdir(parents=True)
        assert "some.package 1.0 is missing" in machine.python(tmp_path).says.lower()
        metadata = site / "some_package-1.0.dist-info/METADATA"
        metadata.parent.mkdir()
        metadata.write_text("Metadata-Version: 2.1\nName: some_package\nVersion: 0.9\n", encoding="utf-8")
        found = machine.python(tmp_path)
        assert (found.status, found.fix) == ("fail", "make env")
        assert "Some.Package is 0.9, wanted 1.0" in found.says
        metadata.write_text("Metadata-Version: 2.1\nName: some_package\nVersion: 1.0\n", encoding="utf-8")
        assert machine.python(tmp_path).status == "ok"

    def test_plugins_are_those_of_the_chosen_backends(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
        settings, _ = project.settings(stack_file(tmp_path, config_for("oci", "swarm")))
        assert settings
        assert machine.plugins(settings) == Finding("plugins", "ok", "none needed")
        settings = settings_of(tmp_path, orchestrator="eks")
        wanted = {key: version(f"pulumi_{key}") for key in ("aws", "eks", "kubernetes")}
        assert machine.plugins(settings).fix == " && ".join(
            f"pulumi plugin install resource {key} {each}" for key, each in wanted.items()
        )
        for key, each in wanted.items():
            (tmp_path / f"plugins/resource-{key}-v{each}").mkdir(parents=True)
        assert machine.plugins(settings).status == "ok"

    @pytest.mark.parametrize(("orchestrator", "status"), [("eks", "fail"), ("ecs-fargate", "warn")])
    def test_the_aws_cli(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, orchestrator: str, status: str) -> None:
        settings = settings_of(tmp_path, orchestrator=orchestrator)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert machine.aws_cli(settings.needs).status == status
        program(tmp_path / "aws", "aws-cli/2.1 Python/3")
        assert machine.aws_cli(settings.needs) == Finding("aws-cli", "ok", "aws-cli/2.1")

    def test_a_program_that_a_backend_needs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        need = Program("acme", "it opens the tunnel")
        assert machine.program(need) == Finding("acme", "fail", "no acme on PATH: it opens the tunnel", "install acme")
        program(tmp_path / "acme", "")
        assert machine.program(need).status == "ok"


HERE = "unix:///here.sock"


class FakeEngine:
    """A Docker engine that answers."""

    def __init__(self, **swarm: Any) -> None:
        self.swarm = swarm

    def info(self) -> dict[str, Any]:
        return {"ServerVersion": "28.0", "Swarm": self.swarm}

    def close(self) -> None: ...


class TestDocker:
    @pytest.mark.parametrize(
        ("swarm", "local", "status", "words"),
        [
            ({"LocalNodeState": "active", "ControlAvailable": True}, False, "ok", "a manager of its swarm"),
            ({"LocalNodeState": "inactive"}, True, "ok", "in no swarm yet"),
            ({"LocalNodeState": "inactive"}, False, "fail", "is in no swarm"),
            ({"LocalNodeState": "locked"}, True, "fail", "is locked"),
            ({"LocalNodeState": "active", "ControlAvailable": False}, False, "fail", "is a worker of its swarm"),
        ],
    )
    def test_the_swarm(
        self, monkeypatch: pytest.MonkeyPatch, swarm: dict[str, Any], local: bool, status: str, words: str
    ) -> None:
        monkeypatch.setattr(docker, "connect", lambda host, timeout: FakeEngine(**swarm))
        found = docker.swarm(HERE, local)
        assert found.status == status
        assert words in found.says
        assert bool(found.fix) == (status == "fail")

    def test_no_engine(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        host = f"unix://{tmp_path}/none.sock"
        found = docker.swarm(host, local=True)
        assert (found.status, found.says) == ("fail", f"no Docker engine answers at {host}")
        assert found.fix.startswith("start it (sudo systemctl start docker")
        monkeypatch.setenv("PATH", str(program(tmp_path / "docker", "").parent))
        assert docker.builds(host).status == "warn"

    def test_images_are_built_with_docker(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(docker, "connect", lambda host, timeout: FakeEngine())
        monkeypatch.setenv("PATH", str(tmp_path))
        assert docker.builds(HERE).says.startswith("no docker on PATH")
        program(tmp_path / "docker", "")
        assert docker.builds(HERE) == Finding("docker", "ok", f"Docker 28.0 at {HERE}, to build and push images")


class Answer(BaseHTTPRequestHandler):
    """Answers as a registry that wants a login, and as the API server of a Kubernetes."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/version" else 401)
        self.end_headers()
        if self.path == "/version":
            self.wfile.write(b'{"gitVersion": "v1.34.1"}')

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def server() -> Iterator[str]:
    """Host and port of one."""
    with HTTPServer(("127.0.0.1", 0), Answer) as listening:
        threading.Thread(target=listening.serve_forever, args=[0.01], daemon=True).start()
        yield f"127.0.0.1:{listening.server_port}"
        listening.shutdown()


NOBODY = "127.0.0.1:1"


class TestRegistry:
    def needed(self, root: Path, host: str) -> list[Need]:
        config = {**config_for("oci", "swarm"), "oci": {"host": host}}
        found, _ = project.settings(stack_file(root, config))
        assert found
        return [each for each in found.needs if isinstance(each, RegistryApi)]

    def test_one_outside_aws_must_answer(self, tmp_path: Path) -> None:
        assert self.needed(tmp_path, NOBODY) == [RegistryApi(NOBODY)]

    def test_the_account_is_asked_for_those_on_aws(self, tmp_path: Path) -> None:
        assert not any(isinstance(each, RegistryApi) for each in settings_of(tmp_path).needs)

    def test_it_answers(self, server: str) -> None:
        assert docker.registry(server, "dev") == Finding("registry", "ok", f"{server} answers")

    def test_it_does_not(self) -> None:
        found = docker.registry(NOBODY, "dev")
        assert (found.status, found.fix) == ("warn", f"check the name and the way to it: curl -i http://{NOBODY}/v2/")
        assert docker.registry(NOBODY, "local").status == "ok"


class TestKubernetes:
    def findings(self, root: Path, server: str, user: Mapping[str, Any], **cluster: Any) -> list[Finding]:
        kubeconfig = {
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
            "users": [{"name": "u", "user": user}],
        }
        (root / "kubeconfig").write_text(yaml.safe_dump(kubeconfig), encoding="utf-8")
        options = KubernetesOptions.model_validate({"context": "here", "kubeconfig-file": str(root / "kubeconfig")})
        (need,) = options.needs("shop", {}, False)
        assert isinstance(need, KubernetesCluster)
        return list(kubernetes.cluster(need))

    def test_an_encrypted_kubeconfig_is_not_read(self) -> None:
        options = KubernetesOptions.model_validate({"context": "here", "kubeconfig": "clusters: []"})
        assert list(options.needs("shop", {}, False)) == []

    def test_a_cluster_that_answers(self, tmp_path: Path, server: str) -> None:
        assert self.findings(tmp_path, f"http://{server}", {}) == [
            Finding("kubeconfig", "ok", "has context here"),
            Finding("cluster", "ok", f"http://{server} answers: Kubernetes v1.34.1"),
        ]

    def test_any_answer_shows_the_way(self, tmp_path: Path, server: str) -> None:
        _, found = self.findings(tmp_path, f"http://{server}/proxied", {})
        assert found == Finding("cluster", "ok", f"http://{server}/proxied answers")

    def test_a_cluster_that_does_not_answer(self, tmp_path: Path) -> None:
        _, found = self.findings(tmp_path, f"http://{NOBODY}", {})
        assert (found.status, found.says.partition(" (")[0]) == ("fail", f"no Kubernetes answers at http://{NOBODY}")

    def test_a_login_program_that_is_missing(self, tmp_path: Path, server: str) -> None:
        helper = {"exec": {"command": "no-such-helper", "installHint": "get it from the cloud\n"}}
        found, _ = self.findings(tmp_path, f"http://{server}", helper)
        assert (found.status, found.fix) == ("fail", "get it from the cloud")
        assert "no-such-helper, which is not on PATH" in found.says

    def test_a_context_without_its_cluster(self, tmp_path: Path) -> None:
        _, found = self.findings(tmp_path, "", {})
        assert found.says == "context here names cluster 'c', which the kubeconfig does not have"

    def test_whom_it_trusts(self, tmp_path: Path) -> None:
        skipping = kubernetes.trust({"insecure-skip-tls-verify": True})
        assert skipping
        assert skipping.verify_mode == ssl.CERT_NONE
        system = kubernetes.trust({})
        assert system
        assert system.verify_mode == ssl.CERT_REQUIRED
        with pytest.raises(ssl.SSLError):  # it is taken, and no certificate
            kubernetes.trust({"certificate-authority-data": base64.b64encode(b"nonsense").decode()})
        with pytest.raises(FileNotFoundError):
            kubernetes.trust({"certificate-authority": "ca.pem", "directory": tmp_path})


@cache
def real_client(service: str) -> Any:
    """boto3's own client, so that what is asked and answered is checked against AWS's models."""
    return boto3.client(  # type: ignore[call-overload]
        service, region_name="us-east-1", aws_access_key_id="id", aws_secret_access_key="key"
    )


class Aws:
    """An account whose answers are written down beforehand, in the order in which they are asked for."""

    def __init__(self) -> None:
        self._stubs: dict[str, Stubber] = {}

    def _stub(self, service: str) -> Stubber:
        if service not in self._stubs:
            self._stubs[service] = Stubber(real_client(service))
            self._stubs[service].activate()
        return self._stubs[service]

    def answers(self, service: str, operation: str, answer: dict[str, Any], asked: Any = None) -> "Aws":
        self._stub(service).add_response(operation, answer, asked)
        return self

    def refuses(self, service: str, operation: str, code: str) -> "Aws":
        self._stub(service).add_client_error(operation, code, f"{code} it is")
        return self

    def quota(self, code: str, value: float) -> "Aws":
        return self.answers("service-quotas", "get_service_quota", {"Quota": {"QuotaCode": code, "Value": value}})

    def account(self, settings: Settings, owned: Owned = NOTHING) -> aws.Account:
        def client(service: str, region: str | None = None) -> Any:
            self._stub(service)
            return real_client(service)

        return aws.Account(settings, client, ("us-east-1", "eu-central-2"), "us-east-1", owned)

    def close(self) -> None:
        for stub in self._stubs.values():
            stub.deactivate()


@pytest.fixture
def cloud() -> Iterator[Aws]:
    """Nothing is answered that a test does not write down."""
    cloud = Aws()
    yield cloud
    cloud.close()


VPC = {"id": "vpc-1", "public-subnets": ["subnet-1", "subnet-2"]}
LISTENER = "arn:aws:elasticloadbalancing:us-east-1:1:listener/app/x/1/2"
BALANCER = {"listener": LISTENER, "security-group": "sg-1", "url": "https://example.com"}


def look_for(check: str, account: aws.Account) -> Finding | None:
    """What one check of the stack's finds; None: it has no such check, or this does not concern it."""
    found = dict(aws.checks(account)).get(check)
    return found(account) if found else None


class TestCredentialsAndRegion:
    def test_who_it_is(self, tmp_path: Path, cloud: Aws) -> None:
        cloud.answers("sts", "get_caller_identity", {"Account": "123", "Arn": "arn:aws:iam::123:user/me"})
        found = aws.credentials(cloud.account(settings_of(tmp_path)))
        assert found == Finding("aws-credentials", "ok", "account 123, as arn:aws:iam::123:user/me")

    def test_refused(self, tmp_path: Path, cloud: Aws) -> None:
        cloud.refuses("sts", "get_caller_identity", "ExpiredToken")
        found = aws.credentials(cloud.account(settings_of(tmp_path)))
        assert (found.status, found.says) == ("fail", "AWS refuses them: ExpiredToken it is")

    @pytest.mark.parametrize(
        ("error", "words"),
        [
            (NoCredentialsError(), "there are none that work: Unable to locate credentials"),
            (EndpointConnectionError(endpoint_url="https://sts.x"), "no answer from https://sts.x"),
        ],
    )
    def test_none_or_no_network(self, tmp_path: Path, error: Exception, words: str) -> None:
        def client(service: str, region: str | None = None) -> Any:
            raise error

        account = aws.Account(settings_of(tmp_path), client, (), "us-east-1")
        first, second = aws.ask(account)
        assert (first.status, first.says) == ("fail", words)
        assert (second.name, second.status) == ("aws", "warn")

    def test_a_profile_that_does_not_exist(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.setenv(name, str(tmp_path / "none"))
        settings = settings_of(tmp_path, **{"aws:profile": "nobody"})
        (found,) = aws.look(settings, NOTHING)
        assert (found.status, found.says) == ("fail", "The config profile (nobody) could not be found")

    @pytest.mark.parametrize(
        ("region", "home", "known"),
        [("eu-central-1", "us-east-1", True), ("cn-north-1", "cn-north-1", True), ("us-esat-1", "us-east-1", False)],
    )
    def test_the_account_is_asked_at_home(self, tmp_path: Path, region: str, home: str, known: bool) -> None:
        account = aws.account(settings_of(tmp_path, **{"aws:region": region}))
        assert account.home == home
        assert (region in account.regions) == known

    def test_a_region_that_does_not_exist(self, tmp_path: Path, cloud: Aws) -> None:
        found = aws.region(cloud.account(settings_of(tmp_path, **{"aws:region": "us-esat-1"})))
        assert (found.status, found.says) == ("fail", "us-esat-1 is no AWS region")
        assert found.fix == "pulumi config set aws:region us-east-1"

    @pytest.mark.parametrize(
        ("opted", "status"), [("opted-in", "ok"), ("opt-in-not-required", "ok"), ("not-opted-in", "fail")]
    )
    def test_a_region_must_be_enabled(self, tmp_path: Path, cloud: Aws, opted: str, status: str) -> None:
        answer = {"Regions": [{"RegionName": "eu-central-2", "OptInStatus": opted}]}
        cloud.answers("ec2", "describe_regions", answer, {"RegionNames": ["eu-central-2"], "AllRegions": True})
        found = aws.region(cloud.account(settings_of(tmp_path, **{"aws:region": "eu-central-2"})))
        assert found.status == status

    def test_a_whole_account_is_looked_at(self, tmp_path: Path, cloud: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        cloud.answers("sts", "get_caller_identity", {"Account": "123", "Arn": "arn:aws:iam::123:user/me"})
        cloud.answers("ec2", "describe_regions", {"Regions": [{"OptInStatus": "opted-in"}]})
        cloud.quota("L-3032A538", 100)
        cloud.refuses("ecr", "describe_repositories", "RepositoryNotFoundException")
        seen = []

        def check(account: aws.Account) -> None:
            seen.append(account.owned)

        monkeypatch.setattr(aws, "ALWAYS", {"x": check})
        owned = Owned(frozenset({("t", "1")}))
        found = list(aws.ask(cloud.account(settings_of(tmp_path), owned)))
        assert [each.name for each in found] == [
            *("aws-credentials", "aws-region", "name-repositories", "quota-fargate-vcpu"),
        ]
        assert seen == [owned]


class TestWhatAwsDoesNotSay:
    def run(self, cloud: Aws, root: Path) -> Finding:
        settings = settings_of(root, domain={"name": "a.example.com", "zone": "example.com"})
        found = aws.answer("zone", aws.zone, cloud.account(settings))
        assert found
        return found

    def test_no_permission_is_said(self, tmp_path: Path, cloud: Aws) -> None:
        found = self.run(cloud.refuses("route53", "list_hosted_zones_by_name", "AccessDenied"), tmp_path)
        assert found == Finding(
            "zone",
            "warn",
            "not looked at: these credentials may not call ListHostedZonesByName",
            "allow ListHostedZonesByName to see more",
        )

    def test_any_other_answer_is_said(self, tmp_path: Path, cloud: Aws) -> None:
        found = self.run(cloud.refuses("route53", "list_hosted_zones_by_name", "Throttling"), tmp_path)
        assert (found.status, found.fix) == ("warn", "try again")
        assert "ListHostedZonesByName answers Throttling: Throttling it is" in found.says

    def test_no_answer_is_said(self, tmp_path: Path) -> None:
        def check(account: aws.Account) -> Finding:
            raise EndpointConnectionError(endpoint_url="https://logs.x")

        found = aws.answer("log", check, Aws().account(settings_of(tmp_path)))
        assert found
        assert (found.status, found.says) == ("warn", "not looked at: no answer from https://logs.x")


class TestQuotas:
    @pytest.mark.parametrize(("limit", "status"), [(3, "ok"), (2, "fail")])
    def test_vpcs(self, tmp_path: Path, cloud: Aws, limit: float, status: str) -> None:
        cloud.answers("ec2", "describe_vpcs", {"Vpcs": [{"VpcId": "vpc-1"}, {"VpcId": "vpc-2"}]})
        found = aws.vpcs(cloud.quota("L-F678F1CE", limit).account(settings_of(tmp_path)))
        assert found
        assert (found.status, found.says) == (status, f"1 of {limit:g} VPCs in the region needed, 2 in use")
        assert ("--service-code vpc --quota-code L-F678F1CE --desired-value 3 --region us-east-1" in found.fix) == (
            status == "fail"
        )

    def test_a_vpc_that_is_there_needs_no_room(self, tmp_path: Path, cloud: Aws) -> None:
        assert aws.vpcs(cloud.account(settings_of(tmp_path, vpc=VPC))) is None
        made = Owned(frozenset({("aws:ec2/vpc:Vpc", "vpc-1")}))
        assert aws.vpcs(cloud.account(settings_of(tmp_path), made)) is None

    def test_the_quota_that_all_start_with(self, tmp_path: Path, cloud: Aws) -> None:
        cloud.answers("ec2", "describe_vpcs", {"Vpcs": []})
        cloud.refuses("service-quotas", "get_service_quota", "NoSuchResourceException")
        cloud.answers("service-quotas", "get_aws_default_service_quota", {"Quota": {"Value": 5.0}})
        found = aws.vpcs(cloud.account(settings_of(tmp_path)))
        assert found == Finding("quota-vpcs", "ok", "1 of 5 VPCs in the region needed")

    @pytest.mark.parametrize(
        ("network", "made", "needed"),
        [("public", 0, 0), ("nat-single", 0, 1), ("nat-per-az", 0, 3), ("nat-per-az", 1, 2), ("nat-single", 1, 0)],
    )
    def test_elastic_ips(self, tmp_path: Path, cloud: Aws, network: str, made: int, needed: int) -> None:
        owned = Owned(frozenset(("aws:ec2/eip:Eip", str(each)) for each in range(made)))
        account = cloud.account(settings_of(tmp_path, network=network, zones=3), owned)
        if needed:
            cloud.answers("ec2", "describe_addresses", {"Addresses": []}).quota("L-0263D0A3", needed - 1)
        found = aws.addresses(account)
        assert (found is None) == (needed == 0)
        if found:
            assert found.status == "fail"
            assert found.says.startswith(f"{needed} of {needed - 1} Elastic IP addresses needed")

    @pytest.mark.parametrize(
        ("spot", "kind", "limit", "status"),
        [(False, "On-Demand", 6, "ok"), (False, "On-Demand", 5, "warn"), (True, "Spot", 1, "fail")],
    )
    def test_fargate_runs_every_copy_twice_while_it_rolls(
        self, tmp_path: Path, cloud: Aws, spot: bool, kind: str, limit: float, status: str
    ) -> None:
        api = {"cpu": 0.3, "replicas": {"min": 1, "max": 4}}  # Fargate sells 0.5 vCPU
        services = {"api": api, "web": {"cpu": 1, "memory": 2048, "path": "/w"}}
        settings = settings_of(tmp_path, services=services, **{"ecs-fargate": {"spot": spot}})
        found = look_for("quota-fargate-vcpu", cloud.quota("L", limit).account(settings))
        assert found
        assert found.status == status
        assert found.says == f"1.5 of {limit:g} Fargate {kind} vCPU needed, 6 at the most"
        assert ("--desired-value 6" in found.fix) == (status != "ok")

    @pytest.mark.parametrize(
        ("types", "needed", "status"),
        [(["t3.small"], 2, "ok"), (["t3.small", "t3.xlarge"], 4, "ok"), (["t3.small", "t4g.xlarge"], 6, "warn")],
    )
    def test_instances_are_of_the_largest_type(
        self, tmp_path: Path, cloud: Aws, types: list[str], needed: int, status: str
    ) -> None:
        block = {"isolated": True, "instance-types": types, "max": 4}
        settings = settings_of(tmp_path, orchestrator="ecs-ec2", **{"ecs-ec2": block})
        found = look_for("quota-instance-vcpu", cloud.quota("L", 16).account(settings))
        assert found
        assert found.status == status
        assert found.says == f"{needed} of 16 vCPU of On-Demand instances needed, {4 * needed} at the most"

    def test_nodes_of_a_swarm_are_all_there_from_the_start(self, tmp_path: Path, cloud: Aws) -> None:
        settings = settings_of(tmp_path, orchestrator="swarm-ec2", **{"swarm-ec2": {"managers": 3, "workers": 2}})
        found = look_for("quota-instance-vcpu", cloud.quota("L-1216C47A", 10).account(settings))
        assert found == Finding("quota-instance-vcpu", "ok", "10 of 10 vCPU of On-Demand instances needed")

    def test_an_instance_type_that_nobody_knows_is_not_counted(self, tmp_path: Path, cloud: Aws) -> None:
        block = {"isolated": True, "instance-types": ["x9.huge"]}
        settings = settings_of(tmp_path, orchestrator="ecs-ec2", **{"ecs-ec2": block})
        assert look_for("quota-instance-vcpu", cloud.account(settings)) is None

    def test_rules_on_a_load_balancer_that_exists(self, tmp_path: Path, cloud: Aws) -> None:
        rules = [{"RuleArn": name, "IsDefault": name == "default"} for name in ("default", "ours", "a", "b")]
        cloud.answers("elbv2", "describe_rules", {"Rules": rules}, {"ListenerArn": LISTENER})
        limits = {"Limits": [{"Name": "rules-per-application-load-balancer", "Max": "4"}]}
        cloud.answers("elbv2", "describe_account_limits", limits)
        settings = settings_of(tmp_path, vpc=VPC, **{"load-balancer": BALANCER})
        found = aws.rules(cloud.account(settings, Owned(frozenset({("aws:lb/listenerRule:ListenerRule", "ours")}))))
        assert found
        assert (found.status, found.says) == ("fail", "3 of 4 rules on the load balancer needed, 2 in use by others")

    @pytest.mark.parametrize(("domain", "needed"), [(None, 3), ({"name": "a.example.com", "zone": "example.com"}, 5)])
    def test_rules_on_our_own(self, tmp_path: Path, cloud: Aws, domain: Any, needed: int) -> None:
        limits = {"Limits": [{"Name": "rules-per-application-load-balancer", "Max": "100"}]}
        settings = settings_of(tmp_path, **({"domain": domain} if domain else {}))
        found = aws.rules(cloud.answers("elbv2", "describe_account_limits", limits).account(settings))
        assert found == Finding("quota-listener-rules", "ok", f"{needed} of 100 rules on the load balancer needed")


def hosted(name: str, private: bool = False) -> dict[str, Any]:
    return {"Id": "Z", "Name": name, "CallerReference": "r", "Config": {"PrivateZone": private}}


def subnets(*of: tuple[str, str]) -> dict[str, Any]:
    return {
        "Subnets": [
            {"SubnetId": f"subnet-{index}", "VpcId": vpc, "AvailabilityZone": zone}
            for index, (vpc, zone) in enumerate(of, 1)
        ]
    }


class TestWhatExists:
    @pytest.mark.parametrize(
        ("zones", "status"),
        [
            ([hosted("example.com.")], "ok"),
            ([hosted("example.com.", private=True), hosted("example.com.")], "ok"),
            ([hosted("example.com."), hosted("example.com.")], "fail"),
            ([hosted("example.org.")], "fail"),
            ([hosted("example.com.", private=True)], "fail"),
        ],
    )
    def test_the_zone(self, tmp_path: Path, cloud: Aws, zones: list[dict[str, Any]], status: str) -> None:
        answer = {"HostedZones": zones, "IsTruncated": False, "MaxItems": "100"}
        cloud.answers("route53", "list_hosted_zones_by_name", answer, {"DNSName": "example.com"})
        settings = settings_of(tmp_path, domain={"name": "api.example.com", "zone": "example.com"})
        found = aws.zone(cloud.account(settings))
        assert found
        assert found.status == status

    def test_what_the_configuration_does_not_name_is_not_looked_for(self, tmp_path: Path, cloud: Aws) -> None:
        account = cloud.account(settings_of(tmp_path))
        for check in (aws.zone, aws.vpc, aws.load_balancer):
            assert check(account) is None
        assert look_for("ecs-cluster", account) is look_for("repositories", account) is None

    @pytest.mark.parametrize(
        ("answer", "status", "words"),
        [
            (subnets(("vpc-1", "a"), ("vpc-1", "b")), "ok", "vpc-1 exists, with its 2 subnets"),
            (subnets(("vpc-1", "a"), ("vpc-2", "b")), "fail", "not in vpc-1: subnet-2"),
            (subnets(("vpc-1", "a"), ("vpc-1", "a")), "fail", "the public subnets are all in a"),
        ],
    )
    def test_the_vpc(self, tmp_path: Path, cloud: Aws, answer: dict[str, Any], status: str, words: str) -> None:
        cloud.answers("ec2", "describe_vpcs", {"Vpcs": [{"VpcId": "vpc-1"}]}, {"VpcIds": ["vpc-1"]})
        cloud.answers("ec2", "describe_subnets", answer, {"SubnetIds": ["subnet-1", "subnet-2"]})
        found = aws.vpc(cloud.account(settings_of(tmp_path, vpc=VPC)))
        assert found
        assert (found.status, found.says) == (status, words)

    def test_a_vpc_that_does_not_exist(self, tmp_path: Path, cloud: Aws) -> None:
        account = cloud.refuses("ec2", "describe_vpcs", "InvalidVpcID.NotFound").account(settings_of(tmp_path, vpc=VPC))
        found = aws.vpc(account)
        assert found == Finding("vpc", "fail", "InvalidVpcID.NotFound it is", "mend vpc, or aws:region (us-east-1)")

    def test_the_load_balancer(self, tmp_path: Path, cloud: Aws) -> None:
        account = cloud.account(settings_of(tmp_path, vpc=VPC, **{"load-balancer": BALANCER}))
        cloud.answers("elbv2", "describe_listeners", {"Listeners": []}, {"ListenerArns": [LISTENER]})
        cloud.answers("ec2", "describe_security_groups", {"SecurityGroups": []}, {"GroupIds": ["sg-1"]})
        found = aws.load_balancer(account)
        assert found
        assert found.status == "ok"
        cloud.refuses("elbv2", "describe_listeners", "ListenerNotFound")
        found = aws.load_balancer(account)
        assert found
        assert found.status == "fail"

    @pytest.mark.parametrize(("state", "status"), [("ACTIVE", "ok"), ("INACTIVE", "fail"), (None, "fail")])
    def test_the_ecs_cluster(self, tmp_path: Path, cloud: Aws, state: str | None, status: str) -> None:
        cloud.answers("ecs", "describe_clusters", {"clusters": [{"status": state}] if state else []})
        settings = settings_of(tmp_path, **{"ecs-fargate": {"cluster": "arn:aws:ecs:us-east-1:1:cluster/x"}})
        found = look_for("ecs-cluster", cloud.account(settings))
        assert found
        assert found.status == status

    def test_repositories(self, tmp_path: Path, cloud: Aws) -> None:
        account = cloud.account(settings_of(tmp_path, ecr={"repositories": {"api": "team/api"}}))
        cloud.answers("ecr", "describe_repositories", {"repositories": []}, {"repositoryNames": ["team/api"]})
        assert look_for("repositories", account) == Finding("repositories", "ok", "AWS has team/api")
        cloud.refuses("ecr", "describe_repositories", "RepositoryNotFoundException")
        found = look_for("repositories", account)
        assert found
        assert (found.status, found.fix) == ("fail", "fix ecr.repositories")
        assert look_for("name-repositories", account) is None


GROUP = "aws:cloudwatch/logGroup:LogGroup"
NAME = "/switchyard-dev"


class TestFixedNames:
    def groups(self, cloud: Aws, *names: str) -> Aws:
        return cloud.answers(
            "logs",
            "describe_log_groups",
            {"logGroups": [{"logGroupName": name} for name in names]},
            {"logGroupNamePrefix": NAME},
        )

    def test_a_free_name(self, tmp_path: Path, cloud: Aws) -> None:
        found = aws.log_group(self.groups(cloud, f"{NAME}-2").account(settings_of(tmp_path)))
        assert found == Finding("name-log-group", "ok", f"{NAME}: free")

    def test_a_name_that_is_this_stacks_own(self, tmp_path: Path, cloud: Aws) -> None:
        account = self.groups(cloud, NAME).account(settings_of(tmp_path), Owned(frozenset({(GROUP, NAME)})))
        assert aws.log_group(account) == Finding("name-log-group", "ok", f"{NAME}: this stack has it")

    @pytest.mark.parametrize(("owned", "status"), [(NOTHING, "fail"), (UNREADABLE, "warn")])
    def test_a_name_that_a_ghost_has(self, tmp_path: Path, cloud: Aws, owned: Owned, status: str) -> None:
        found = aws.log_group(self.groups(cloud, NAME).account(settings_of(tmp_path), owned))
        assert found.status == status
        assert found.says.startswith(f"{NAME} exists already")
        assert f"aws logs delete-log-group --log-group-name {NAME} --region us-east-1" in found.fix

    def test_repositories(self, tmp_path: Path, cloud: Aws) -> None:
        settings = settings_of(tmp_path, services={"api": {}, "web": {"path": "/web"}})
        cloud.refuses("ecr", "describe_repositories", "RepositoryNotFoundException")
        cloud.answers("ecr", "describe_repositories", {"repositories": []})
        found = look_for("name-repositories", cloud.account(settings))
        assert found
        assert found.status == "fail"
        assert found.says.partition(" ")[0] in ("switchyard-dev/api", "switchyard-dev/web")

    def test_public_repositories(self, tmp_path: Path, cloud: Aws) -> None:
        cloud.answers("ecr-public", "describe_repositories", {}, {"repositoryNames": ["switchyard-dev/api"]})
        found = look_for("name-repositories", cloud.account(settings_of(tmp_path, registry="ecr-public")))
        assert found
        assert found.status == "fail"

    def test_the_cluster(self, tmp_path: Path, cloud: Aws) -> None:
        account = cloud.account(settings_of(tmp_path, orchestrator="eks"))
        cloud.refuses("eks", "describe_cluster", "ResourceNotFoundException")
        assert look_for("name-cluster", account) == Finding("name-cluster", "ok", "switchyard-dev: free")
        cloud.answers("eks", "describe_cluster", {"cluster": {"createdAt": datetime.datetime.now(datetime.UTC)}})
        found = look_for("name-cluster", account)
        assert found
        assert found.status == "fail"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(doctor, arguments)


class TestCommand:
    @pytest.fixture(autouse=True)
    def alone(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """No account, no engine, no network, and a CLI that may not be built here."""
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.setenv(name, str(tmp_path / "none"))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
        monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
        monkeypatch.setattr(machine, "pulumi", lambda root: Finding("pulumi", "ok", "3.259.0"))
        monkeypatch.setattr(machine, "python", lambda root: Finding("python", "ok", "3.11"))
        monkeypatch.setattr(docker, "is_registry", lambda host: True)

    def test_dev_without_credentials(self) -> None:
        result = run()
        assert result.exit_code == 1
        assert "fail aws-credentials: there are none that work: Unable to locate credentials" in result.output
        assert "     aws configure, aws sso login, or AWS_PROFILE" in result.output
        assert result.output.splitlines()[-1].startswith("Found 1 missing for stack dev; ")
        assert "Traceback" not in result.output
        assert "\x1b" not in result.output  # no colours but on a terminal

    def test_local_without_docker(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        result = run("--stack", "local")
        assert result.exit_code == 1
        assert f"fail docker: no Docker engine answers at unix://{tmp_path}/none.sock" in result.output
        assert "aws" not in result.output
        swarm = {"LocalNodeState": "inactive"}
        monkeypatch.setattr(docker, "connect", lambda host, timeout: FakeEngine(**swarm))
        result = run("--stack", "local")
        assert result.exit_code == 0
        assert result.output.splitlines()[-1] == "Found nothing missing for stack local. Nothing was changed."

    def test_json(self) -> None:
        result = run("--json")
        assert result.exit_code == 1
        document = json.loads(result.output)
        assert document.keys() == {"ok", "checks"}
        assert document["ok"] is False
        assert all(each.keys() == {"name", "status", "says", "fix"} for each in document["checks"])
        statuses = {each["name"]: each["status"] for each in document["checks"]}
        assert {"config", "secrets", "state", "pulumi", "python", "plugins", "docker", "aws-cli"} < statuses.keys()
        assert statuses["aws-credentials"] == "fail"

    def test_what_a_killed_run_was_doing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        killed = Owned(frozenset(), pending=(("creating", "urn:it"),))
        monkeypatch.setattr(project, "owned", lambda _file, _root: killed)
        assert "warn interrupted: a run was killed while creating urn:it" in run().output

    def test_a_configuration_that_is_wrong_stops_neither_the_machines_checks_nor_the_command(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stack_file(tmp_path, {"orchestrator": "esk"})
        monkeypatch.setattr("yard.doctor.ROOT", tmp_path)
        result = run()
        assert result.exit_code == 1
        assert "did you mean eks?" in result.output
        assert "ok   python" in result.output
        assert "warn backends: plugins, Docker, the registry and the account were not looked at" in result.output

    def test_what_was_looked_at_is_not_said_to_be_left_out(self) -> None:
        assert "backends" not in run().output

    def test_commands_name_the_stack(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without it they would be about the selected one, which may be another."""
        secret = {"services": {"api": {"secrets": {"A": "hunter2"}}}}
        stack_file(tmp_path, {**config_for("ecr", "ecs-fargate"), "regsitry": "ecr", "zones": 9, "vpc": 5, **secret})
        monkeypatch.setattr("yard.doctor.ROOT", tmp_path)
        fixes = [each["fix"] for each in json.loads(run("--json").stdout)["checks"]]
        assert {
            "pulumi config rm switchyard:regsitry --stack dev",
            "pulumi config set switchyard:zones <value> --stack dev",
            "edit switchyard:vpc in config/Pulumi.dev.yaml",
            "pulumi config set --secret --path switchyard:services.api.secrets.A <value> --stack dev;"
            " and if the file was ever committed, replace the secret",
        } <= set(fixes)

    @pytest.mark.parametrize(
        ("fix", "shown"),
        [
            ("pulumi preview", "pulumi preview --stack prod"),
            ("is it there; if not: pulumi refresh --clear", "is it there; if not: pulumi refresh --clear --stack prod"),
            ("take another, or `pulumi import` it", "take another, or `pulumi import --stack prod` it"),
            ("`pulumi config set a b --stack other`", "`pulumi config set a b --stack other`"),
            ("pulumi login; or elsewhere", "pulumi login; or elsewhere"),
            ("pulumi plugin install resource aws 7", "pulumi plugin install resource aws 7"),
        ],
    )
    def test_only_commands_about_a_stack_name_it(self, monkeypatch: pytest.MonkeyPatch, fix: str, shown: str) -> None:
        monkeypatch.setattr("yard.doctor.examine", lambda file: iter([Finding("x", "warn", "y", fix)]))
        assert f"     {shown}\n" in run("--stack", "prod").output

    @pytest.mark.parametrize("text", [b"a: [", b"config: {a: caf\xe9}", b"config: {5: x}"])
    def test_a_file_that_cannot_be_read_is_what_is_found(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes
    ) -> None:
        stack_file(tmp_path, {}).path.write_bytes(text)
        monkeypatch.setattr("yard.doctor.ROOT", tmp_path)
        result = run("--json")
        assert result.exit_code == 1
        (found,) = json.loads(result.stdout)["checks"]
        assert (found["name"], found["status"]) == ("config", "fail")
        assert re.match(r"\S+Pulumi\.dev\.yaml (is no|has the key)", found["says"])
        assert "\n" not in found["says"]
        assert run().exit_code == 1

    def test_a_stack_on_kubernetes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str) -> None:
        kubeconfig = {
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": f"http://{server}"}}],
        }
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig), encoding="utf-8")
        block = {"context": "here", "kubeconfig-file": str(tmp_path / "kubeconfig")}
        stack_file(tmp_path, {**config_for("oci", "kubernetes"), "kubernetes": block})
        monkeypatch.setitem(ORCHESTRATORS, "kubernetes", "components.orchestrator.kubernetes:Kubernetes")
        monkeypatch.setattr("yard.doctor.ROOT", tmp_path)
        result = run()
        assert f"ok   cluster: http://{server} answers: Kubernetes v1.34.1" in result.output
        assert "aws" not in result.output
        assert result.exit_code == 0

    def test_a_stack_that_does_not_exist_is_a_usage_error(self) -> None:
        result = run("--stack", "nope")
        assert result.exit_code == 2
        assert "there is no stack 'nope'" in result.output

    def test_a_stack_off_aws_does_not_load_its_packages(self) -> None:
        code = (
            "from click.testing import CliRunner\n"
            "from yard.doctor import doctor\n"
            "CliRunner().invoke(doctor, ['--stack', 'local'])"
        )
        assert not imported(code, "boto3", "pulumi_aws", "pulumi_kubernetes")
