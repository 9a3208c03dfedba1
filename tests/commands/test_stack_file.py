"""What `yard` reads of a stack before it runs: its file, its configuration, its secrets, its state."""

import json
from pathlib import Path

import pytest

from config.stack_file import PLACEHOLDER, BadStack, NoStack, StackFile
from tests.commands.doctoring import NOTHING, SECURE, stack_file
from tests.program import ROOT, config_for
from yard.checks import Finding, project
from yard.checks.project import UNREADABLE, Owned
from yard.rehearsable import StackConfig


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
            (b"a: [", "is not valid YAML"),
            (b"a: 2026-02-30", "is not valid YAML"),
            (b"- a", "is not a map"),
            (b"config: 5", "is not a map"),
            (b"config: {a: caf\xe9}", "is not text in UTF-8, so save it as such"),
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
        config = StackConfig(tmp_path, "dev")
        assert (config.orchestrator, config.protected) == ("eks", True)
        placeholders, digest = config.prepare()
        assert "the 1 secrets" in placeholders
        assert digest.startswith("api has no image yet")
        assert config.values.keys() == {f"switchyard:{key}" for key in ("orchestrator", "protect", "services")}

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
        monkeypatch.setattr("yard.state.HOME", tmp_path)
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
