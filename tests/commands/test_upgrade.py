"""`yard upgrade`: what it shows, refuses and moves, with both kinds of pin."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from tests.commands.test_init import git
from yard import programs, upgrade
from yard.starting import program
from yard.starting.program import Version
from yard.upgrading import proof
from yard.upgrading.changes import between
from yard.upgrading.proof import Outcome

FIRST = """\
# Changes

## Unreleased

### Added

- A thing that was
  there already.

## 0.1.0

- The beginning.
"""
SECOND = """\
# Changes

## Unreleased

### Fixed

- What broke.

## 0.2.0

### Added

- A thing that was
  there already.
- Another thing.

### Changed

- A thing that was
  there already.

## 0.1.0

- The beginning, in other words.
"""


def commit(root: Path, message: str, **changed: str) -> None:
    for name, text in changed.items():
        (root / name.replace("__", "/").replace("_md", ".md").replace("_py", ".py")).write_text(text, encoding="utf-8")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", message)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository with a release, another one, and a commit after it."""
    root = tmp_path / "program"
    (root / "yard").mkdir(parents=True)
    git(root, "init", "--quiet")
    (root / ".gitignore").write_text(".venv\n", encoding="utf-8")
    commit(root, "one", yard__here_py="# one", yard__rehearsed_py="# one", CHANGELOG_md=FIRST)
    git(root, "tag", "v0.1.0")
    commit(root, "two", yard__here_py="# two", CHANGELOG_md=SECOND)
    git(root, "tag", "v0.2.0")
    commit(root, "three", yard__here_py="# three")
    return root


@pytest.fixture(params=["submodule", "copy"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project at the first release, with two stacks of which nothing would be lost."""
    root = tmp_path / "app" / "shop"
    (root / "config").mkdir(parents=True)
    git(root.parent, "init", "--quiet")
    for name in ("dev", "local"):
        (root / f"config/Pulumi.{name}.yaml").touch()
    (root / "Pulumi.yaml").write_text("name: shop\nmain: switchyard\n", encoding="utf-8")
    program.place(root, Version(str(source), "v0.1.0"), as_copy=request.param == "copy")
    (root / "switchyard/.venv").mkdir()
    monkeypatch.setattr(upgrade, "ROOT", root)
    monkeypatch.setattr(program, "equip", lambda folder, like=None: None)
    monkeypatch.setattr(proof, "outcome", lambda project, stack, old, new: Outcome("0 replaced, 0 deleted", True))
    return root


def run(*arguments: str) -> Result:
    return CliRunner().invoke(upgrade.upgrade, arguments)


def at(shop: Path, source: Path, name: str) -> bool:
    """Whether the project is at a version, with its files and its pin."""
    pinned = Version.of(shop / "switchyard")
    words = git(source, "show", f"{name}:yard/here.py")
    return pinned == Version(str(source), git(source, "rev-parse", name)) and words == (
        shop / "switchyard/yard/here.py"
    ).read_text(encoding="utf-8")


class TestItMoves:
    def test_to_the_newest_release(self, shop: Path, source: Path) -> None:
        done = run("--yes")
        assert done.exit_code == 0, done.output
        assert at(shop, source, "v0.2.0")
        assert "- Another thing." in done.output
        assert "stack dev: 0 replaced, 0 deleted\nstack local: 0 replaced, 0 deleted\n" in done.output
        assert not list((shop / ".switchyard").iterdir())
        assert (shop / "switchyard/.git").exists() or (shop / "switchyard/PIN").exists()

    def test_to_a_commit_and_back(self, shop: Path, source: Path) -> None:
        head = git(source, "rev-parse", "HEAD")
        assert run("--yes", "--to", head).exit_code == 0
        assert at(shop, source, "HEAD")
        assert "nothing newer" in run("--yes").output, "the newest release is older than that"
        assert run("--yes", "--to", "v0.1.0").exit_code == 0
        assert at(shop, source, "v0.1.0")

    def test_to_the_newest_commit_where_nothing_is_released(self, shop: Path, source: Path) -> None:
        git(source, "tag", "--delete", "v0.1.0", "v0.2.0")
        assert run("--yes").exit_code == 0
        assert at(shop, source, "HEAD")

    def test_what_it_says_to_commit_is_the_move(self, shop: Path) -> None:
        git(shop, "add", ".")
        git(shop, "commit", "--quiet", "--message", "begun")
        done = run("--yes")
        assert f"git -C {shop} add switchyard\n" in done.output
        git(shop, "add", "switchyard")
        assert {line.split("/")[1] for line in git(shop, "diff", "--cached", "--name-only").split()} == {"switchyard"}

    def test_to_another_repository_which_becomes_its_own(self, shop: Path, source: Path, tmp_path: Path) -> None:
        fork = tmp_path / "fork"
        git(tmp_path, "clone", "--quiet", str(source), str(fork))
        commit(fork, "four", yard__here_py="# four")
        git(fork, "tag", "v0.3.0")
        done = run("--yes", "--from", str(fork))
        assert done.exit_code == 0, done.output
        assert at(shop, fork, "v0.3.0")
        if (shop / "switchyard/.git").exists():
            assert str(fork) in (shop.parent / ".gitmodules").read_text(encoding="utf-8")

    def test_only_when_somebody_says_so(self, shop: Path, source: Path) -> None:
        done = run()
        assert (done.exit_code, "give --yes" in done.output) == (2, True)
        assert at(shop, source, "v0.1.0")


class TestItMovesNothing:
    @pytest.fixture(autouse=True)
    def still(self, shop: Path, source: Path) -> object:
        yield
        assert at(shop, source, "v0.1.0")
        assert (shop / "switchyard/.venv").is_dir()
        assert not list((shop / ".switchyard").glob("*"))

    def test_check(self, shop: Path) -> None:
        done = run("--check")
        assert (done.exit_code, "- Another thing." in done.output) == (0, True)

    @pytest.mark.parametrize("check", [["--check"], ["--yes"]])
    def test_where_a_stack_would_lose_something(self, monkeypatch: pytest.MonkeyPatch, check: list[str]) -> None:
        lost = {"dev": Outcome("1 replaced\n  replaced: db", False), "local": Outcome("not rehearsed: swarm", True)}
        monkeypatch.setattr(proof, "outcome", lambda project, stack, old, new: lost[stack])
        done = run(*check)
        assert done.exit_code == 1
        assert "stack dev: 1 replaced\n  replaced: db\nstack local: not rehearsed: swarm\n" in done.output
        assert "nothing was moved: v0.2.0 would not leave dev as they are" in done.output

    def test_where_there_is_nothing_newer(self, shop: Path, source: Path) -> None:
        for arguments in (["--to", "v0.1.0"], ["--to", "v0.1.0", "--check"]):
            assert (run(*arguments).exit_code, "nothing newer" in run(*arguments).output) == (0, True)

    def test_to_an_unknown_version(self) -> None:
        done = run("--to", "v9")
        assert done.exit_code == 1
        assert "has no version v9: its releases are v0.2.0, v0.1.0; or name another" in done.output

    def test_to_a_repository_that_is_not_there(self, tmp_path: Path) -> None:
        assert run("--from", str(tmp_path / "none")).exit_code == 1

    def test_where_the_environment_cannot_be_made(self, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(folder: Path, like: Path | None = None) -> None:
            if folder == shop / "switchyard":
                raise click.ClickException("no network")

        monkeypatch.setattr(program, "equip", fail)
        done = run("--yes")
        assert (done.exit_code, "no network" in done.output) == (1, True)

    def test_check_and_unproved_are_one_or_the_other(self) -> None:
        assert run("--check", "--unproved").exit_code == 2


class TestEdits:
    def test_are_refused_by_name(self, shop: Path, source: Path) -> None:
        (shop / "switchyard/yard/here.py").write_text("# mine", encoding="utf-8")
        (shop / "switchyard/yard/mine.py").touch()
        done = run("--yes")
        assert done.exit_code == 1
        assert "yard/here.py, yard/mine.py; put that back" in done.output
        assert (shop / "switchyard/yard/here.py").read_text(encoding="utf-8") == "# mine"

    def test_a_deleted_file_is_one(self, shop: Path) -> None:
        (shop / "switchyard/CHANGELOG.md").unlink()
        assert "differs from" in (output := run("--yes").output)
        assert "CHANGELOG.md; put that back" in output

    def test_a_version_that_the_repository_lacks_cannot_be_compared(self, shop: Path, tmp_path: Path) -> None:
        other = tmp_path / "other"
        other.mkdir()
        git(other, "init", "--quiet")
        commit(other, "else", README_md="else")
        done = run("--yes", "--from", str(other))
        assert done.exit_code == 1
        assert f"which {other} does not have, so nothing tells what was edited there" in done.output


class TestAVersionThatCannotBeAsked:
    @pytest.fixture(autouse=True)
    def older(self, source: Path, shop: Path) -> None:
        (source / "yard/rehearsed.py").unlink()
        commit(source, "without")
        git(source, "tag", "v0.3.0")

    def test_it_is_refused(self, shop: Path, source: Path) -> None:
        done = run("--yes")
        assert done.exit_code == 1
        assert "v0.3.0 cannot be rehearsed, for it has no yard.rehearsed yet; nothing was moved" in done.output
        assert at(shop, source, "v0.1.0")

    def test_unless_nobody_wants_proof(self, shop: Path, source: Path) -> None:
        done = run("--yes", "--unproved")
        assert (done.exit_code, "no stack was rehearsed" in done.output) == (0, True)
        assert at(shop, source, "v0.3.0")


def test_a_project_without_a_program_of_its_own_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: switchyard\n", encoding="utf-8")
    monkeypatch.setattr(upgrade, "ROOT", tmp_path)
    done = run()
    assert (done.exit_code, "does not have its program in a folder switchyard/" in done.output) == (2, True)


class TestChanges:
    def test_a_release_and_what_came_after_without_what_was_there(self) -> None:
        assert between(FIRST, SECOND) == (
            "## Unreleased\n### Fixed\n- What broke.\n## 0.2.0\n### Added\n- Another thing."
        )

    def test_between_two_commits_the_new_entries(self) -> None:
        added = FIRST.replace("there already.\n", "there already.\n- One more.\n")
        assert between(FIRST, added) == "## Unreleased\n### Added\n- One more."

    @pytest.mark.parametrize("new", [FIRST, ""])
    def test_nothing(self, new: str) -> None:
        assert between(FIRST, new) == ""

    def test_back_to_an_older_version_nothing_is_new(self) -> None:
        assert between(SECOND, FIRST) == ""


class TestWhatAProgramAnswers:
    def ask(self, monkeypatch: pytest.MonkeyPatch, **answers: dict[str, object]) -> Outcome:
        monkeypatch.setattr(programs, "ask", lambda program, module, run, *_: answers[run])
        return proof.outcome(Path(), "dev", Path("old"), Path("new"))

    def test_what_is_lost_is_named_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ops = [("create-replacement", "db"), ("replace", "db"), ("delete-replaced", "db"), ("delete", "old")]
        steps = [[op, "t", name] for op, name in [*ops, ("create", "new"), ("update", "api"), ("read", "vpc")]]
        found = self.ask(monkeypatch, up={"steps": []}, preview={"steps": steps})
        assert not found.holds
        assert found.lost == {"db (t)": "replaced", "old (t)": "deleted"}
        assert found.says == "1 replaced, 1 deleted, 1 created, 1 updated\n  replaced: db (t)\n  deleted: old (t)"

    def test_what_only_comes_and_changes_holds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = self.ask(monkeypatch, up={"steps": []}, preview={"steps": [["create", "t", "new"]]})
        assert (found.holds, found.says) == (True, "0 replaced, 0 deleted, 1 created")

    def test_a_stack_beyond_the_rehearsal_is_no_obstacle(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = self.ask(monkeypatch, up={"beyond": "it is on swarm"})
        assert (found.holds, found.says) == (True, "not rehearsed: it is on swarm")

    @pytest.mark.parametrize("run", ["up", "preview"])
    def test_what_is_refused_is_one(self, monkeypatch: pytest.MonkeyPatch, run: str) -> None:
        answers: dict[str, dict[str, object]] = {"up": {"steps": []}, run: {"refused": "no account"}}
        found = self.ask(monkeypatch, **answers)
        assert not found.holds
        assert found.says.endswith("refuses it: no account")

    def test_a_process_that_fails_has_its_last_words(self, tmp_path: Path) -> None:
        python = tmp_path / ".venv/bin/python"
        python.parent.mkdir(parents=True)
        python.write_text("#!/bin/sh\necho boom >&2\nexit 3\n", encoding="utf-8")
        python.chmod(0o755)
        found = proof.outcome(tmp_path, "dev", tmp_path, tmp_path)
        assert (found.holds, "boom" in found.says) == (False, True)
