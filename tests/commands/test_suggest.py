"""Commands that `yard` suggests, and the command on PATH that they are typed with."""

import os
import subprocess
from pathlib import Path

import pytest

from config.place import HOME
from yard import suggest

SHIM = HOME / "tools/yard"


def program(folder: Path) -> Path:
    """A program that answers where it is, and what it is asked."""
    for path, text in {"yard/here.py": "", ".venv/bin/yard": '#!/bin/sh\necho "$0 $*"\n'}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    (folder / ".venv/bin/yard").chmod(0o755)
    (folder / "tools").mkdir()
    (folder / "tools/yard").write_bytes(SHIM.read_bytes())
    (folder / "tools/yard").chmod(0o755)
    return folder


def call(command: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(command), *arguments], cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The command, installed from a checkout."""
    checkout = program(tmp_path / "checkout")
    (checkout / "tools/install").write_bytes((HOME / "tools/install").read_bytes())
    done = subprocess.run(
        ["bash", "tools/install", str(tmp_path / "bin")], cwd=checkout, capture_output=True, text=True, check=True
    )
    assert "is not on PATH yet: put this into your shell's profile" in done.stdout
    return tmp_path / "bin/yard"


class TestTheCommandOnPath:
    @pytest.mark.parametrize("main", ["main: switchyard", 'main: "switchyard"  # the program', "main:   'switchyard'"])
    def test_it_runs_the_program_of_the_project(self, installed: Path, tmp_path: Path, main: str) -> None:
        own = program(tmp_path / "shop/switchyard")
        (tmp_path / "shop/Pulumi.yaml").write_text(f"name: shop\n{main}\nruntime: python\n", encoding="utf-8")
        (tmp_path / "shop/api/src").mkdir(parents=True)
        done = call(installed, tmp_path / "shop/api/src", "logs", "api", "a b")
        assert done.stdout == f"{own}/.venv/bin/yard logs api a b\n"

    def test_elsewhere_it_runs_the_checkouts(self, installed: Path, tmp_path: Path) -> None:
        (tmp_path / "Pulumi.yaml").write_text("name: another\nruntime: nodejs\n", encoding="utf-8")
        assert call(installed, tmp_path, "init").stdout == f"{tmp_path}/checkout/.venv/bin/yard init\n"

    def test_a_clone_without_its_submodule_is_told_the_command(self, installed: Path, tmp_path: Path) -> None:
        source, shop = program(tmp_path / "source"), tmp_path / "shop"
        shop.mkdir()
        git = ["git", "-c", "user.name=t", "-c", "user.email=t@e.x", "-c", "protocol.file.allow=always"]
        for folder, *words in (
            (source, "init", "--quiet"),
            (source, "add", "yard"),
            (source, "commit", "--quiet", "--message", "x"),
            (shop, "init", "--quiet"),
            (shop, "submodule", "--quiet", "add", str(source), "switchyard"),
            (shop, "submodule", "--quiet", "deinit", "--force", "switchyard"),
        ):
            subprocess.run([*git, *words], cwd=folder, check=True, capture_output=True)
        (shop / "Pulumi.yaml").write_text("name: shop\nmain: switchyard\n", encoding="utf-8")
        done = call(installed, shop, "up")
        assert done.returncode == 1
        assert f"git -C '{shop}' submodule update --init 'switchyard'" in done.stderr

    def test_another_program_of_that_name_is_left(self, tmp_path: Path) -> None:
        (tmp_path / "yard").write_text("#!/bin/sh\n", encoding="utf-8")
        done = subprocess.run([str(HOME / "tools/install"), str(tmp_path)], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "is there already, and not a link of ours" in done.stderr


class TestNames:
    def test_it_is_yard_where_that_leads_here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "yard").symlink_to(SHIM)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert suggest.yard("up") == "yard up"

    def test_it_is_the_path_where_it_does_not(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "yard").write_text("#!/bin/sh\n", encoding="utf-8")  # Ruby has one
        (tmp_path / "yard").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.chdir(HOME)
        assert suggest.yard("up") == ".venv/bin/yard up"
        monkeypatch.chdir(tmp_path)
        assert suggest.yard("up") == f"{HOME}/.venv/bin/yard up"


class TestAboutAStack:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("x\n  pulumi config set a <value>\n  y", "x\n  pulumi config set a <value> --stack dev\n  y"),
            ("edit it in config/Pulumi.<stack>.yaml", "edit it in config/Pulumi.dev.yaml"),
        ],
    )
    def test_each_command_of_a_message_names_it(self, text: str, shown: str) -> None:
        assert suggest.about("dev", text) == shown

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("pulumi config rm a", "yard pulumi config rm a --stack local"),
            ("`pulumi config set --path a.b c --stack local`", "`yard pulumi config set --path a.b c --stack local`"),
            ("pulumi preview", "yard up"),
        ],
    )
    def test_those_of_stack_local_run_as_printed(
        self, text: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "yard").symlink_to(SHIM)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        assert suggest.about("local", text) == shown
