"""`yard doctor`: each check finds what is right and what is wrong, and says how to fix it, without any network."""

import base64
import json
import re
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from components.needs import KubernetesCluster, Need, Program, RegistryApi
from components.orchestrator import ORCHESTRATORS
from components.orchestrator.eks import EksOptions
from components.orchestrator.kubernetes import KubernetesOptions
from components.orchestrator.kubernetes_service import KUBECTL
from tests.commands.doctoring import program, settings_of, stack_file
from tests.imports import imported
from tests.program import config_for
from tools import pulumi_cli
from yard.checks import Finding, docker, kubernetes, machine, project
from yard.checks.project import Owned
from yard.doctor import doctor


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
        assert machine.program(replace(need, for_up=False)).status == "warn"
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
        (need,) = [each for each in options.needs("shop", {}, False) if isinstance(each, KubernetesCluster)]
        return list(kubernetes.cluster(need))

    def test_an_encrypted_kubeconfig_is_not_read(self) -> None:
        options = KubernetesOptions.model_validate({"context": "here", "kubeconfig": "clusters: []"})
        assert [type(each) for each in options.needs("shop", {}, False)] == [Program]

    def test_without_kubectl_it_only_warns(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        for options in (KubernetesOptions(context="here"), EksOptions()):
            (need,) = [each for each in options.needs("shop", {}, False) if each == KUBECTL]
            assert isinstance(need, Program)
            assert machine.program(need).status == "warn"

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
        monkeypatch.setattr("yard.doctor.examine", lambda file, offline: iter([Finding("x", "warn", "y", fix)]))
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
