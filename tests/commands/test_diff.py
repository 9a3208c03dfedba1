"""`yard diff`: the revisions it takes, what it tells of them, how it ends. Here the programs' answers are given; over
the real engine it is in tests/engine."""

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from config.place import HOME
from tests.commands.test_init import git
from tests.engine.pull_requests import HERE, HOSTILE
from yard import diff as command
from yard import programs
from yard.differing import comment, fields, told
from yard.differing.fields import Written
from yard.differing.result import Cost, Line, Report, Resource, StackDiff, Traffic

NOTHING: Mapping[str, Any] = {"total": "10.00", "lines": [], "unknown": []}
UP: Mapping[str, Any] = {"config": {}, "cost": NOTHING, "steps": [], "urls": {}}
Answers = dict[tuple[str, str], Mapping[str, Any]]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in a folder of a repository, with two stacks and the program that runs these tests."""
    root = tmp_path / "repository/shop"
    (root / "config").mkdir(parents=True)
    git(root.parent, "init", "--quiet")
    (root / ".gitignore").write_text("/.switchyard/\n", encoding="utf-8")
    (root / "switchyard").symlink_to(HOME)
    (root / "Pulumi.yaml").write_text("name: shop\nmain: switchyard\n", encoding="utf-8")
    for stack in ("dev", "prod"):
        write(root, stack, "trial")
    commit(root, "base")
    monkeypatch.setattr(command, "ROOT", root)
    return root


def write(root: Path, stack: str, preset: str) -> None:
    text = yaml.safe_dump({"config": {"preset": preset}})
    (root / f"config/Pulumi.{stack}.yaml").write_text(text, encoding="utf-8")


def commit(root: Path, name: str) -> None:
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", name)
    git(root, "tag", "--force", name)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """By stack and what its file says, what a program says of it; else that it is up."""
    found: Answers = {}

    def ask(program: Path, module: str, project: Path, stack: str, _: Path) -> Mapping[str, Any]:
        assert (program, module) == (HOME, "yard.described")
        preset = yaml.safe_load((project / f"config/Pulumi.{stack}.yaml").read_text())["config"]["preset"]
        return found.get((stack, preset), {**UP, "config": {"preset": preset}})

    monkeypatch.setattr(programs, "ask", ask)
    return found


def run(*arguments: str, exit_code: int = 0) -> Result:
    found = CliRunner().invoke(command.diff, arguments)
    assert found.exit_code == exit_code, found.output
    assert found.exception is None or isinstance(found.exception, SystemExit)
    return found


def stacks(*arguments: str, exit_code: int = 0) -> dict[str, Any]:
    """By name, what `--json` says of each."""
    return {each["name"]: each for each in json.loads(run(*arguments, "--json", exit_code=exit_code).stdout)["stacks"]}


class TestRevisions:
    def test_the_working_tree_against_a_commit(self, shop: Path, answers: Answers) -> None:
        write(shop, "dev", "standard")
        found = stacks("base")
        assert {name: each["kind"] for name, each in found.items()} == {"dev": "changed", "prod": "unchanged"}
        assert found["dev"]["fields"][0] == {
            "key": "preset",
            "before": {"value": "trial", "written": True},
            "after": {"value": "standard", "written": True},
            "hidden": False,
        }

    def test_two_commits_whatever_is_there_now(self, shop: Path, answers: Answers) -> None:
        write(shop, "prod", "standard")
        commit(shop, "head")
        git(shop, "checkout", "--quiet", "base")
        before = git(shop, "status", "--porcelain")
        assert {name: each["kind"] for name, each in stacks("base", "head").items()} == {
            "dev": "unchanged",
            "prod": "changed",
        }
        assert git(shop, "status", "--porcelain") == before
        assert not (shop / ".switchyard").exists()

    def test_only_the_stacks_that_are_asked_for(
        self, shop: Path, answers: Answers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("yard.here.ROOT", shop)
        assert stacks("base", "--stack", "prod").keys() == {"prod"}

    def test_a_stack_that_is_new_and_one_that_is_gone(self, shop: Path, answers: Answers) -> None:
        (shop / "config/Pulumi.prod.yaml").rename(shop / "config/Pulumi.live.yaml")
        answers["live", "trial"] = {**UP, "steps": [made("created", "api")]}
        found = run("base", "--markdown").stdout
        assert (
            "### `live`: 1 created, 0 updated, 0 replaced, 0 deleted; +10.00 USD a month\n\n- A new stack.\n" in found
        )
        assert "### `prod`: its file is removed\n\n- That deletes nothing" in found
        assert "`pulumi destroy --stack prod` removes it." in found

    def test_transforms_are_looked_at_too(self, shop: Path, answers: Answers) -> None:
        (shop / "transforms.py").write_text("TRANSFORMS = ()\n", encoding="utf-8")
        assert {each["kind"] for each in stacks("base").values()} == {"changed"}

    @pytest.mark.parametrize("name", ["nowhere", "--output=x", ""])
    def test_one_that_git_does_not_know_is_wrong(self, shop: Path, name: str) -> None:
        assert f"git knows no revision {name!r}" in run("--", name, exit_code=2).stderr

    def test_one_without_the_project_is_wrong(self, shop: Path) -> None:
        git(shop, "rm", "-r", "--quiet", "--cached", ".")
        (shop.parent / "README").touch()
        git(shop.parent, "add", "README")
        git(shop.parent, "commit", "--quiet", "--message", "none")
        assert "revision 'HEAD' does not have the project's folder" in run("HEAD", exit_code=2).stderr

    def test_without_a_repository_there_are_none(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(command, "ROOT", tmp_path)
        assert "is in no repository of git" in run("HEAD", exit_code=2).stderr


class TestPrograms:
    """Which one runs for a revision."""

    @pytest.fixture
    def pinned(self, shop: Path, tmp_path: Path) -> Callable[[str], str]:
        """Pins a program as a submodule, of which only the names of files matter; the note on the base."""
        git(shop, "rm", "--quiet", "switchyard")
        source = tmp_path / "program"
        (source / "yard").mkdir(parents=True)
        git(source, "init", "--quiet")
        for name in ("here.py", "described.py"):
            (source / "yard" / name).touch()
            commit(source, name)

        def note(version: str) -> str:
            git(shop, "submodule", "--quiet", "add", str(source), "switchyard")
            git(shop / "switchyard", "checkout", "--quiet", version)
            commit(shop, "pinned")
            document = json.loads(run("pinned", "base", "--json").stdout)
            return str(next(iter(document["notes"].values()), ""))

        return note

    def test_its_own_where_it_is_another(self, pinned: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
        equipped: list[Path] = []
        asked: list[Path] = []

        def ask(program: Path, *_: object) -> Mapping[str, Any]:
            asked.append(program)
            return UP

        monkeypatch.setattr("yard.starting.program.equip", equipped.append)
        monkeypatch.setattr(programs, "ask", ask)
        assert pinned("described.py") == ""
        assert equipped
        assert asked == [equipped[0], HOME] * 2, "of each stack first the base's program, then the head's"

    def test_this_one_where_it_is_older_than_the_command(self, pinned: Callable[[str], str], answers: Answers) -> None:
        assert pinned("here.py") == "its own program is older than the command diff, so this one ran for it"

    def test_this_one_where_it_is_not_there(self, shop: Path, answers: Answers) -> None:
        (shop / "switchyard").unlink()
        commit(shop, "none")
        document = json.loads(run("none", "base", "--json").stdout)
        (revision,) = [name for name in document["notes"] if "(none)" in name]
        assert document["notes"][revision] == "its own program is not there, so this one ran for it"


class TestHowItEnds:
    @pytest.mark.parametrize(
        ("head", "exit_code", "said"),
        [
            ({"invalid": "one thing needs a change"}, 2, "the configuration is wrong"),
            ({"config": {}, "cost": NOTHING, "refused": "no such zone"}, 1, "it cannot be brought up; the same cost"),
            ({"config": {}, "cost": NOTHING, "beyond": "swarm runs elsewhere"}, 0, "not rehearsed; the same cost"),
            (UP, 0, "no resource changes; the same cost"),
        ],
        ids=["invalid", "refused", "beyond", "nothing"],
    )
    def test_with_the_code_of_the_table(
        self, shop: Path, answers: Answers, head: Mapping[str, Any], exit_code: int, said: str
    ) -> None:
        write(shop, "dev", "standard")
        answers["dev", "standard"] = head
        for form in ([], ["--markdown"]):
            output = run("base", *form, exit_code=exit_code).stdout
            assert said in output
            assert all(text in output for text in head.values() if isinstance(text, str))

    def test_the_worst_stack_decides(self, shop: Path, answers: Answers) -> None:
        answers["dev", "standard"] = {"invalid": "x"}
        answers["prod", "standard"] = {"config": {}, "cost": NOTHING, "refused": "y"}
        for stack in ("dev", "prod"):
            write(shop, stack, "standard")
        run("base", exit_code=2)

    def test_a_base_that_is_wrong_is_no_fault_of_the_head(self, shop: Path, answers: Answers) -> None:
        write(shop, "dev", "standard")
        path = str(shop / ".switchyard")
        answers["dev", "trial"] = {"invalid": "preset is wrong\nrun `pulumi config rm preset`"}
        answers["dev", "standard"] = {**UP, "steps": [made("created", "api")]}
        output = run("base", "--markdown").stdout
        assert "whatever the head has is told as created:\n\n```text\npreset is wrong\n" in output
        assert "pulumi config rm preset --stack dev" in output
        assert "what it adds to the cost is not known" in output
        assert path not in output

    def test_markdown_and_json_are_one_or_the_other(self, shop: Path) -> None:
        assert "choose one" in run("base", "--markdown", "--json", exit_code=2).stderr

    def test_where_nothing_changes_no_program_is_asked(self, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(programs, "ask")
        (shop / "README.md").write_text("about the app", encoding="utf-8")
        commit(shop, "words")
        ends = "\n## Switchyard, from `(.+) \\(base\\)` to `(.+) \\(words\\)`\n\nNothing changes in `dev`, `prod`.\n"
        assert re.search(ends, run("base", "words", "--markdown").stdout)


def made(fate: str, name: str, *because: str) -> dict[str, Any]:
    return {"fate": fate, "type": "aws:ecs/service:Service", "name": name, "because": [*because]}


class TestTraffic:
    def told(self, **what: Any) -> str:
        stack = StackDiff("dev", "changed", traffic=Traffic(**what))
        return comment.text(Report("a", "b", [stack]))

    def test_callers_without_an_answer_are_told_and_fail_it(self) -> None:
        stack = StackDiff("dev", "changed", traffic=Traffic(broken="after delete of api callers of api get 503"))
        assert stack.exit_code == 1
        assert "but not every caller is answered: `after delete of api callers of api get 503`." in comment.text(
            Report("a", "b", [stack])
        )

    def test_shares(self) -> None:
        found = self.told(moves={"api": ("ecs-fargate", "ecs-fargate 90, eks 10")})
        assert "Traffic of `api` moves from `ecs-fargate` to `ecs-fargate 90, eks 10`.\n" in found


class TestFields:
    def changes(self, before: Any, after: Any, *chosen: Any) -> dict[str, str]:
        """By key, what is told."""
        sides = chosen or ({}, {})
        found = fields.changes(Written(before, sides[0]), Written(after, sides[1]))
        return {each.key: "".join(told.field(each)).removeprefix(f"{each.key}: ") for each in found}

    def test_what_is_the_same_in_other_words_is_no_change(self) -> None:
        one, other = ({"services": {"api": {"replicas": each}}} for each in (2, {"min": 2}))
        same = {"services": {"api": {"replicas": {"min": 2, "max": 2}}}}
        assert self.changes(one, other, same, same) == {}

    def test_what_a_preset_brings_is_told_as_well(self) -> None:
        chosen = ({"preset": "trial", "log-days": 7}, {"preset": "standard", "log-days": 30})
        assert self.changes({}, {"preset": "standard"}, *chosen) == {
            "preset": "trial (the default) to standard",
            "log-days": "7 (the default) to 30 (the default)",
        }

    def test_each_part_of_a_map_by_itself_and_a_list_as_a_whole(self) -> None:
        before = {"services": {"api": {"env": {"A": "1", "b.c": "2"}, "command": ["x"]}}}
        after = {"services": {"api": {"env": {"A": "3"}, "command": ["x", "y"]}}}
        assert self.changes(before, after) == {
            "services.api.env.A": "'1' to '3'",
            'services.api.env["b.c"]': "taken out; it was '2'",
            "services.api.command": "[x] to [x, y]",
        }

    @pytest.mark.parametrize("after", [{"secure": "v1:new"}, None, "plain"])
    def test_a_secret_is_never_shown(self, after: Any) -> None:
        before = {"services": {"api": {"secrets": {"TOKEN": {"secure": "v1:old"}, "GONE": "hunter2"}}}}
        found = fields.changes(Written(before, {}), Written({"services": {"api": {"secrets": {"TOKEN": after}}}}, {}))
        assert [(each.key, each.hidden, each.before, each.after) for each in found] == [
            ("services.api.secrets.TOKEN", True, None, None),
            ("services.api.secrets.GONE", True, None, None),
        ]

    def test_where_one_side_is_wrong_no_value_is_shown(self) -> None:
        """A secret under a misspelt key is plain text to everyone."""
        found = fields.changes(Written({}, {}), Written({"services": {"api": {"secret": "hunter2"}}}, None))
        assert [(each.key, each.hidden) for each in found] == [("services.api.secret", True)]
        assert "hunter2" not in json.dumps([each.json() for each in found])


class Page(HTMLParser):
    """What a browser would make of a comment."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.codes: list[str] = []
        self.open = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self.codes += [""] if tag == "code" else []
        self.open = tag == "code"

    def handle_endtag(self, tag: str) -> None:
        self.open = False

    def handle_data(self, data: str) -> None:
        if self.open:
            self.codes[-1] += data


def page(text: str) -> Page:
    return Page(MarkdownIt("commonmark").enable("table").render(text))


class TestHostileText:
    @given(st.text(min_size=1) | st.text("`|\\<>&@[]()!*_~#\n\r\t -:h/.a", min_size=1))
    def test_it_is_code_in_a_list_and_in_a_table(self, text: str) -> None:
        shown = told.visible(text)
        for around, tags in (
            ("- {}: {}", ["ul", "li", "code", "code"]),
            (
                "| a | b |\n|---|---|\n| {} | {} |",
                ["table", "thead", "tr", "th", "th", "tbody", "tr", "td", "code", "td", "code"],
            ),
        ):
            found = page(around.format(comment.code(text), comment.code("x")))
            assert found.tags == tags
            assert [each.strip() for each in found.codes] == [shown.strip(), "x"]

    @given(st.text() | st.text("`~|<>\n @", min_size=1))
    def test_what_a_program_says_stays_in_its_block(self, text: str) -> None:
        stack = StackDiff("dev", "changed", invalid=text)
        found = page(comment.text(Report("a", "b", [stack])))
        assert {*found.tags} <= {"h2", "h3", "code", "ul", "li", "pre", "sub", "p"}

    def test_wherever_a_pull_request_can_put_it(self) -> None:
        stack = StackDiff(
            HOSTILE,
            "changed",
            fields=[fields.Change(HOSTILE, None, fields.Value(HOSTILE, written=True))],
            resources=[Resource("deleted", f"aws:{HOSTILE}", HOSTILE, [HOSTILE])],
            cost=Cost(None, None, (), [HOSTILE]),
            traffic=Traffic({HOSTILE: (HOSTILE, HOSTILE)}, {HOSTILE: (HOSTILE, None)}, HOSTILE),
            base=HOSTILE,
        )
        report = Report(HOSTILE, HOSTILE, [stack, StackDiff(HOSTILE, "unchanged")], {HOSTILE: "older"})
        text = re.sub(r"<(/?)(details|summary|sub)>|<!-- yard diff -->", "", comment.text(report))
        found = page(text)
        table = {"table", "thead", "tbody", "tr", "th", "td"}
        assert {*found.tags} - table == {"h2", "h3", "blockquote", "p", "ul", "li", "pre", "code"}
        html = MarkdownIt("commonmark").enable("table").render(text)
        assert "@everyone" not in re.sub("<code.*?</code>", "", html, flags=re.DOTALL)

    def test_a_terminal_is_told_no_commands(self, capsys: pytest.CaptureFixture[str]) -> None:
        from yard.differing import screen

        odd = "\x1b[2J\x1b]0;x\x07[red]\u202e"
        screen.show(Report(odd, "b", [StackDiff(odd, "changed", invalid=odd)]))
        output = capsys.readouterr().out
        assert "\x1b" not in output
        assert r"\x1b[2J\x1b]0;x\x07[red]\u202e: the configuration is wrong" in output


class TestSize:
    def report(self, count: int) -> Report:
        nothing, one = Decimal(0), Decimal(1)
        lines = [Line(f"compute: {'x' * 90}{place}", nothing, one) for place in range(count)]
        return Report("a", "b", [StackDiff("dev", "changed", cost=Cost(nothing, one, lines))])

    def test_a_comment_that_github_would_not_take_goes_without_its_detail(self) -> None:
        assert "<details>" in comment.text(self.report(10))
        found = comment.text(self.report(1000))
        assert len(found.encode()) <= comment.LIMIT
        assert "<details>" not in found
        assert "The detail is too long for a comment" in found

    def test_what_is_still_too_long_ends_with_a_whole_line(self) -> None:
        line = f"`@everyone` {'x' * 500}"
        found = comment.text(Report("a", "b", [StackDiff("dev", "changed", refused="\n".join([line] * 1000))]))
        assert len(found.encode()) <= comment.LIMIT
        assert found.splitlines()[-1] == line

    def test_a_long_list_is_cut_and_says_so(self) -> None:
        many = [Resource("created", "t", f"n{place}") for place in range(comment.MOST + 5)]
        found = comment.text(Report("a", "b", [StackDiff("dev", "changed", resources=many)]))
        assert "- and 5 more" in found


def test_the_comments_that_are_kept_are_those_of_the_pull_requests() -> None:
    from tests.engine.pull_requests import MERGED, REFUSED, UNGUARDED

    assert {each.stem for each in HERE.glob("*.md")} == {each.name for each in (*MERGED, *REFUSED, UNGUARDED)}


def policy(control: str, name: str = "api", level: str = "advisory") -> Mapping[str, str]:
    return {"control": control, "level": level, "type": "aws:a/b:C", "name": name, "says": "It holds", "key": ""}


class TestPolicies:
    @pytest.mark.parametrize(
        ("before", "after", "new"),
        [
            ([], ["ELB.4"], ["ELB.4"]),
            (["ELB.4"], ["ELB.4", "ELB.5"], ["ELB.5"]),
            (["ELB.4"], [], []),
            (None, ["ELB.4"], []),
        ],
        ids=["broken", "one more", "met again", "the base's program is older than policies"],
    )
    def test_those_are_told_that_the_head_alone_breaks(
        self, shop: Path, answers: Answers, before: list[str] | None, after: list[str], new: list[str]
    ) -> None:
        write(shop, "dev", "standard")
        answers["dev", "trial"] = {**UP, **({} if before is None else {"policies": [*map(policy, before)]})}
        answers["dev", "standard"] = {**UP, "policies": [*map(policy, after)]}
        assert [each["control"] for each in stacks("base")["dev"]["policies"]] == new

    @pytest.mark.parametrize(("level", "exit_code"), [("advisory", 0), ("mandatory", 1)])
    def test_a_mandatory_one_fails(self, shop: Path, answers: Answers, level: str, exit_code: int) -> None:
        write(shop, "dev", "standard")
        many = [policy("ELB.4", f"edge-{number}", level) for number in range(told.SEEN + 2)]
        answers["dev", "standard"] = {**UP, "policies": many}
        answers["dev", "trial"] = {**UP, "policies": []}
        text = run("base", "--markdown", exit_code=exit_code).stdout
        assert text.count(f"- It breaks {level} policy ELB.4: ") == told.SEEN
        assert "- It breaks 2 policies more." in text
