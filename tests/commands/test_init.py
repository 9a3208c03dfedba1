"""`yard init`: a project of four files, and what it refuses."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from config.load import of_file
from config.place import HOME
from config.stack_file import StackFile
from yard import here, init
from yard.local import Local
from yard.machine import MachineError
from yard.starting import program, services
from yard.starting.services import Begun

TAG = "v1.2.3"


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "protocol.file.allow=always"]
    return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository with as much of the program as is looked for, at two versions."""
    root = tmp_path / "program"
    (root / "yard").mkdir(parents=True)
    git(root, "init", "--quiet")
    for text, *tag in (("# one", TAG), ("# two",)):
        (root / "yard/here.py").write_text(text, encoding="utf-8")
        git(root, "add", ".")
        git(root, "commit", "--quiet", "--message", text)
        for name in tag:
            git(root, "tag", name)
    return root


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An app with two services, in no repository."""
    monkeypatch.setattr(program, "equip", lambda folder: None)
    root = tmp_path / "shop"
    for name, text in {"api": "FROM scratch\nEXPOSE 9000\n", "site/web": "from nginx\nexpose 80/tcp\n"}.items():
        (root / name).mkdir(parents=True)
        (root / name / "Dockerfile").write_text(text, encoding="utf-8")
    monkeypatch.chdir(root)
    return root


def run(*arguments: str, source: Path | None = None) -> Result:
    origin = [] if source is None else ["--from", str(source)]
    return CliRunner().invoke(init.init, [*arguments, "--yes", *origin])


class TestAProject:
    def test_its_stacks_are_valid_and_name_what_was_found(self, shop: Path, source: Path) -> None:
        done = run(source=source)
        assert done.exit_code == 0, done.output
        for stack in ("dev", "local"):
            found = of_file(StackFile(shop, stack)).services
            assert {name: each.port for name, each in found.items()} == {"api": 9000, "web": 8080}
        assert of_file(StackFile(shop, "dev")).services["web"].path == "/web"
        assert "its Dockerfile exposes port 80, and nobody is root here" in done.output
        Local(shop).check()

    def test_its_pulumi_yaml_leads_to_the_program(self, shop: Path, source: Path) -> None:
        assert run(source=source).exit_code == 0
        project = yaml.safe_load((shop / "Pulumi.yaml").read_text())
        assert (project["name"], project["main"]) == ("shop", "switchyard")
        assert project["runtime"]["options"]["virtualenv"] == "switchyard/.venv"
        assert here.program_of(shop) == shop / "switchyard"

    def test_options_are_what_it_says(self, shop: Path, source: Path) -> None:
        options = ["--name=till", "--region=eu-central-1", "--registry=ecr-public", "--orchestrator=eks"]
        assert run(*options, "--service", "pay=api:7000", source=source).exit_code == 0
        settings = of_file(StackFile(shop, "dev"))
        assert (settings.stack, settings.region) == ("till-dev", "eu-central-1")
        assert ([*settings.registries], [*settings.orchestrators]) == (["ecr-public"], ["eks"])
        assert {name: each.port for name, each in settings.services.items()} == {"pay": 7000}

    def test_what_only_a_person_knows_is_named_with_its_command(self, shop: Path, source: Path) -> None:
        done = run("--registry=ghcr", source=source)
        assert done.exit_code == 0
        assert "needs what only you know: shop:ghcr.owner is not set" in done.output
        assert "pulumi config set --path shop:ghcr.owner <value>" in done.output

    def test_an_empty_folder_gets_a_service_to_fill(self, tmp_path: Path, shop: Path, source: Path) -> None:
        done = run(str(tmp_path / "new"), source=source)
        assert done.exit_code == 0, done.output
        assert "api needs a Dockerfile in api/, whose process listens on port 8080" in done.output
        assert f"cd {tmp_path / 'new'}" in done.output

    def test_it_adds_to_what_git_ignores(self, shop: Path, source: Path) -> None:
        (shop / ".gitignore").write_text("node_modules\n/.state/", encoding="utf-8")
        assert run(source=source).exit_code == 0
        assert (shop / ".gitignore").read_text() == "node_modules\n/.state/\n/.switchyard/\n__pycache__/\n"

    def test_a_builder_of_the_whole_folder_does_not_get_the_program(self, shop: Path, source: Path) -> None:
        (shop / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
        assert run(source=source).exit_code == 0
        assert "switchyard" in (shop / ".dockerignore").read_text().splitlines()
        assert of_file(StackFile(shop, "dev")).services["shop"].build

    def test_services_on_one_port_get_ports_of_the_machine(self, shop: Path, source: Path) -> None:
        assert run("--service=a=api:8080", "--service=b=api:8080", "--service=c=api:8081", source=source).exit_code == 0
        assert Local(shop).block("swarm") == {"ports": {"b": 8081, "c": 8082}}

    def test_a_compose_file_is_mentioned(self, shop: Path, source: Path) -> None:
        (shop / "compose.yaml").touch()
        assert "yard import compose.yaml` writes its services" in run(source=source).output

    def test_what_it_says_to_type_next_exists(self, shop: Path, source: Path) -> None:
        from yard.__main__ import COMMANDS

        assert {words.split()[0] for words in init.FOLLOWING} <= set(COMMANDS)


class TestTheProgram:
    def test_it_is_a_submodule_in_a_repository(self, shop: Path, source: Path) -> None:
        git(shop, "init", "--quiet")
        done = run("--version", TAG, source=source)
        assert f"version {TAG}: a git submodule" in done.output, done.output
        assert git(shop / "switchyard", "rev-parse", "HEAD") == git(source, "rev-parse", TAG)
        assert f"160000 {git(source, 'rev-parse', TAG)}" in git(shop, "ls-files", "--stage", "switchyard")

    def test_it_is_a_copy_elsewhere_and_says_of_what(self, shop: Path, source: Path) -> None:
        assert ": a copy" in run(source=source).output
        commit = git(source, "rev-parse", "HEAD")
        assert program.Version.of(shop / "switchyard") == program.Version(str(source), commit)
        assert not (shop / "switchyard/.git").exists()

    @pytest.mark.parametrize("repository", [True, False])
    def test_a_version_that_is_not_there_leaves_nothing(self, shop: Path, source: Path, repository: bool) -> None:
        if repository:
            git(shop, "init", "--quiet")
        before = sorted(each.name for each in shop.iterdir())
        done = run("--version", "v9", source=source)
        assert done.exit_code == 1
        assert "has no version v9: push it there, or name another with --version" in done.output
        assert sorted(each.name for each in shop.iterdir() if each.name != ".gitmodules") == before
        assert run("--version", TAG, source=source).exit_code == 0, "the second try meets what the first left"

    def test_what_is_no_program_is_told(self, shop: Path, tmp_path: Path) -> None:
        other = tmp_path / "other"
        other.mkdir()
        git(other, "init", "--quiet")
        git(other, "commit", "--allow-empty", "--quiet", "--message", "x")
        assert "is not a program of Switchyard's: see --from" in run(source=other).output
        assert not (shop / "switchyard").exists()


class TestServices:
    def test_those_of_others_are_not_found(self, shop: Path) -> None:
        for name in ("node_modules/x", ".cache", "switchyard/app", "a/b/c/d"):
            (shop / name).mkdir(parents=True)
            (shop / name / "Dockerfile").touch()
        assert [each.name for each in services.found(shop, "shop")] == ["api", "web"]

    def test_two_folders_of_one_name_are_two_services(self, shop: Path) -> None:
        (shop / "old/api").mkdir(parents=True)
        (shop / "old/api/Dockerfile").touch()
        assert services.found(shop, "shop") == (
            Begun("api", "api", 9000),
            Begun("api-2", "old/api"),
            *services.found(shop, "shop")[2:],
        )

    @pytest.mark.parametrize(("folder", "name"), [("My_API", "my-api"), ("2nd", "app-2nd"), ("a" * 30, "a" * 20)])
    def test_a_name_is_made_to_fit(self, tmp_path: Path, folder: str, name: str) -> None:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "Dockerfile").touch()
        assert [each.name for each in services.found(tmp_path, "x")] == [name]


MISTAKES: dict[str, tuple[list[str], str]] = {
    "a registry that is none": (["--registry=ecr_public"], "--registry is 'ecr_public'; want one of "),
    "a near one is named": (["--registry=ecr_public"], "did you mean ecr-public?"),
    "an orchestrator that is none": (["--orchestrator=k8s"], "--orchestrator is 'k8s'; want one of "),
    "a zone for a region": (["--region=eu-central-1a"], "want a region that AWS has, such as eu-central-1"),
    "a name in capitals": (["--name=Shop"], "--name is 'Shop'; want lower-case letters"),
    "a service without a folder": (["--service=api"], "--service api: want NAME=FOLDER or NAME=FOLDER:PORT"),
    "a port of root's": (["--service=api=api:80"], "the port is 80; want one from 1024 to 65535"),
    "a service in capitals": (["--service=API=api"], "--service API=api: the name is 'API'; want lower-case"),
    "a service twice": (["--service=a=api", "--service=a=api"], "--service a is there twice: name each once"),
}


@pytest.mark.parametrize(("options", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_of_the_first_day_is_told_and_nothing_is_made(shop: Path, options: list[str], said: str) -> None:
    done = run(*options)
    assert done.exit_code == 1
    assert said in done.output
    assert sorted(each.name for each in shop.iterdir()) == ["api", "site"]


def test_all_that_is_there_already_is_named_at_once(shop: Path) -> None:
    (shop / "config").mkdir()
    for path in ("Pulumi.yaml", "config/Pulumi.dev.yaml", "switchyard"):
        (shop / path).touch()
    done = run("--region=mars")
    for path in ("Pulumi.yaml", "config/Pulumi.dev.yaml", "switchyard"):
        assert f"{shop / path} is there already: take it away, or name another folder" in done.output
    assert "--region is 'mars'" in done.output


def test_our_own_checkout_is_no_place_for_it() -> None:
    done = run(str(HOME / "config"))
    assert "is in Switchyard's own checkout: name a folder of your own, such as `" in done.output


def test_a_folder_without_a_project_names_init(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"there is no project of Switchyard .* or make one here with `yard init`"):
        here.find(tmp_path)


def test_a_service_whose_dockerfile_is_missing_is_told_where(tmp_path: Path, shop: Path, source: Path) -> None:
    new = tmp_path / "new"
    assert run(str(new), source=source).exit_code == 0
    with pytest.raises(MachineError, match=r"services.api.build.* is api, and there is no folder .*/new/api"):
        Local(new).check()


def test_it_asks_where_someone_can_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def prompt(what: str, default: str, err: bool) -> str:
        asked.append((what, default))
        return "typed"

    monkeypatch.setattr("click.prompt", prompt)
    assert init.Questions(True).ask("Region", None, "us-east-1") == "typed"
    assert init.Questions(True).ask("Region", "eu-west-1", "us-east-1") == "eu-west-1"
    assert init.Questions(False).ask("Region", None, "us-east-1") == "us-east-1"
    assert asked == [("Region", "us-east-1")]
