"""A project of another name, with a Pulumi.yaml that declares no key: its keys are its own everywhere."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from config.load import of_file
from config.problems import BadConfig
from config.reader import default_of
from config.stack_file import StackFile
from tests.program import SERVICE, config_for, run_program
from yard.checks import project
from yard.compare import compare
from yard.local import Local
from yard.rehearsable import StackConfig

THIN = "name: shop\nruntime: python\nmain: switchyard\nstackConfigDir: config\n"


def shop(root: Path, config: Mapping[str, Any], stack: str = "dev") -> StackFile:
    """A project with one stack, whose keys have no namespace, as people write them."""
    (root / "config").mkdir(exist_ok=True)
    (root / "Pulumi.yaml").write_text(THIN, encoding="utf-8")
    (root / f"config/Pulumi.{stack}.yaml").write_text(yaml.safe_dump({"config": config}), encoding="utf-8")
    return StackFile(root, stack)


class TestDefaults:
    def test_a_stack_needs_to_say_no_more_than_its_services(self, tmp_path: Path) -> None:
        settings = of_file(shop(tmp_path, {"aws:region": "eu-west-1", "services": {"api": SERVICE}}))
        assert settings.stack == "shop-dev"
        keys = settings.config
        assert (keys.registry, keys.orchestrator, keys.preset, keys.zones) == ("ecr", "ecs-fargate", "trial", 2)

    def test_pulumi_yaml_may_say_it_for_all_stacks(self) -> None:
        assert default_of({"name": "shop", "config": {"orchestrator": {"value": "eks"}}}, "orchestrator") == "eks"
        assert default_of({"name": "shop", "config": {"shop:orchestrator": "eks"}}, "orchestrator") == "eks"
        assert default_of({"name": "shop"}, "orchestrator") == "ecs-fargate"

    def test_the_program_runs_without_any_key_of_its_own_but_services(self) -> None:
        graph = run_program({"aws:region": "us-east-1", "services": {"api": SERVICE}}, project="shop")
        service = graph.one("aws:ecs/service:Service")
        assert service.parent


class TestMessages:
    def complaint(self, root: Path, **config: Any) -> str:
        with pytest.raises(BadConfig) as error:
            of_file(shop(root, {**config_for("ecr", "ecs-fargate"), **config}))
        return str(error.value)

    @pytest.mark.parametrize(
        ("config", "said"),
        [
            (
                {"zones": 9},
                "shop:zones is 9; want 2 or 3, the number of availability zones to use\n"
                "      pulumi config set shop:zones <value>",
            ),
            ({"regsitry": "ecr"}, "shop:regsitry is unknown;"),
            (
                {"services": {"api": {**SERVICE, "prot": 1}}},
                "rename shop:services.api.prot to port in config/Pulumi.<stack>.yaml",
            ),
            (
                {"switchyard:zones": 3},
                "switchyard:zones is unknown; want a key of this project, which is called shop\n"
                "      rename switchyard:zones to zones in config/Pulumi.<stack>.yaml",
            ),
        ],
    )
    def test_they_name_the_projects_keys(self, tmp_path: Path, config: dict[str, Any], said: str) -> None:
        assert said in self.complaint(tmp_path, **config)

    def test_so_does_the_doctor(self, tmp_path: Path) -> None:
        services = {"api": {**SERVICE, "secrets": {"KEY": "plain"}}}
        file = shop(tmp_path, {**config_for("ecr", "ecs-fargate"), "services": services})
        (found,) = project.secrets(file)
        assert found.fix.startswith("pulumi config set --secret --path shop:services.api.secrets.KEY <value>")


class TestCommands:
    def test_a_rehearsal_changes_the_projects_keys(self, tmp_path: Path) -> None:
        shop(tmp_path, {"services": {"api": {}}})
        config = StackConfig(tmp_path, "dev")
        assert (config.orchestrator, config.protected) == ("ecs-fargate", False)
        assert [*config.prepare()]
        assert config.values.keys() == {"shop:services"}

    def test_it_is_priced(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        shop(tmp_path, {"aws:region": "us-east-1", "services": {"api": {}}})
        monkeypatch.setattr("yard.compare.ROOT", tmp_path)
        done = CliRunner().invoke(compare, ["--json"])
        assert done.exit_code == 0, done.output
        chosen = json.loads(done.output)["stack"]
        assert chosen == "dev"

    def test_the_local_stack_bears_its_name(self, tmp_path: Path) -> None:
        shop(tmp_path, {"services": {"api": {"build": "api"}}}, "local")
        local = Local(tmp_path)
        digest = SERVICE["digest"]
        local.notes.write(images={"api": {"digest": digest, "architecture": "x86_64", "repository": "r"}})
        local.lay_out()
        written = StackFile(local.place, "local")
        assert written.get("services") == {"api": {"build": "api", "architecture": "x86_64"}}
        assert (local.name, local.repository("api")) == ("shop-local", "localhost:5000/shop-local/api")
