"""The documents: the generated ones follow from the code, and what the others say to type exists."""

import itertools
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pulumi
import pytest
import yaml

from components import backends, registry
from components.edge import EDGES
from components.orchestrator import ORCHESTRATORS
from components.registry import REGISTRIES, RegistryArgs
from components.service import FEATURES, Service
from components.testing.cloud import Cloud
from components.testing.engine import deploy, start
from config.load import load, of_file
from config.reader import Keys
from config.settings import Settings
from config.stack_file import StackFile
from config.usage_file import read as read_usage
from tests.program import SERVICE, as_pulumi
from tools import docs, keys
from tools.site import __main__ as site
from yard.__main__ import COMMANDS, main

PAGES = [docs.ROOT / "README.md", docs.ROOT / "CONTRIBUTING.md", *sorted((docs.ROOT / "docs").rglob("*.md"))]
STORIES = [page for page in PAGES if docs.NOTE not in page.read_text()]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A checkout whose generated documents are up to date."""
    assert docs.main([], tmp_path) == 0
    return tmp_path


class TestTheCommand:
    def test_what_it_wrote_is_up_to_date(self, written: Path) -> None:
        assert docs.main(["--check"], written) == 0

    def test_check_names_the_stale_document_and_leaves_it(
        self, written: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        page = written / "docs/support.md"
        page.write_text("old")
        assert docs.main(["--check"], written) == 1
        assert "docs/support.md is out of date; `make docs`" in capsys.readouterr().err
        assert page.read_text() == "old"

    def test_check_misses_a_document_that_is_not_there(self, written: Path) -> None:
        (written / "docs/configuration.md").unlink()
        assert docs.main(["--check"], written) == 1

    def test_another_option_is_refused_and_nothing_written(self, tmp_path: Path) -> None:
        assert docs.main(["--chekc"], tmp_path) == 2
        assert not list(tmp_path.iterdir())


class TestWhatItWrites:
    def test_every_field_of_a_service_has_its_row_in_both(self) -> None:
        pages = dict(docs.documents())
        keys = [field.alias for field in Service.model_fields.values()]
        for page, fields in (("docs/configuration.md", keys), ("docs/support.md", FEATURES)):
            for field in fields:
                assert f"| `{field}` |" in pages[page], f"{field} in {page}"

    def test_limits_and_choices_are_in_words(self) -> None:
        text = dict(docs.documents())["docs/configuration.md"]
        assert "| `port` | whole number, 1024 to 65535 | `8080` |" in text
        assert "| `memory` | whole number, 32 to 122880 | `512` |" in text
        assert "| `architecture` | `x86_64`, `arm64` | `x86_64` |" in text
        assert "| `password` | secret text |" in text
        assert "| `admins` | list, each an IAM role's ARN, such as arn:aws:iam::123456789012:role/ci |" in text
        assert "^" not in text

    def test_a_field_that_must_be_given_is_required(self) -> None:
        text = dict(docs.documents())["docs/configuration.md"]
        assert re.search(r"^\| `listener` \|.*\| required \|", text, re.MULTILINE)

    def test_max_replicas_are_min_where_they_are_not_given(self) -> None:
        assert Service.model_validate({"replicas": {"min": 3}}).replicas.max == 3

    def test_a_table_has_as_many_cells_in_each_row(self) -> None:
        for page, text in docs.documents():
            for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
                counts = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
                assert len(counts) == 1, f"{page}: {table}"

    def test_third_parties_backends_are_left_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before = list(docs.documents())
        monkeypatch.setattr(backends, "third_party", lambda group: {"theirs": "nowhere:Nothing"})
        assert list(docs.documents()) == before

    def test_the_pairs_that_cannot_work_are_refused(self) -> None:
        text = dict(docs.documents())["docs/support.md"]
        assert re.search(r"^\| `ecr` \|.*\| native role \|.*\| \*\*refused\*\* \|", text, re.MULTILINE)
        assert "- its nodes have no AWS role, and the login that ECR gives in place of one ends after 12 hours" in text


class TestKeys:
    """The manual and the program know the same keys, and one place has their defaults."""

    def rows(self) -> dict[str, list[str]]:
        text = dict(docs.documents())["docs/configuration.md"].partition("## Keys")[2].partition("\n## ")[0]
        cells = [re.split(r" (?<!\\)\| ", line.strip("| ")) for line in text.splitlines() if line.startswith("| `")]
        return {each[0].strip("`"): each[1:] for each in cells}

    def test_its_keys_are_those_that_the_settings_know(self) -> None:
        known = {field.alias or name for name, field in Keys.model_fields.items()}
        blocks = {name for rows in (REGISTRIES, ORCHESTRATORS, EDGES) for name, _ in keys.with_options(rows)}
        assert self.rows().keys() == known | blocks

    def test_a_backend_without_settings_has_no_key(self) -> None:
        assert "ecr-public" in REGISTRIES
        assert all(options.model_fields for _, options in keys.with_options(REGISTRIES))

    def test_every_key_is_explained(self) -> None:
        assert not [key for key, (*_, meaning) in self.rows().items() if not meaning]

    def test_the_registries_and_orchestrators_that_it_names_are_those_there_are(self) -> None:
        for key, rows in (("registry", REGISTRIES), ("orchestrator", ORCHESTRATORS)):
            assert all(re.search(rf"\b{name}\b", self.rows()[key][-1]) for name in rows)

    def test_what_pulumi_yaml_declares_is_what_the_program_does_without_it(self) -> None:
        """So a stack is the same with it and without."""
        service = {"aws:region": "us-east-1", "services": {"api": SERVICE}}
        declared = yaml.safe_load((docs.ROOT / "Pulumi.yaml").read_text())["config"]
        defaults = {key: each["default"] for key, each in declared.items() if key != "aws:defaultTags"}

        def settings(config: Mapping[str, Any]) -> Settings:
            configured = as_pulumi(config)
            pulumi.runtime.configure(pulumi.runtime.Settings(project="switchyard", stack="dev"))
            pulumi.runtime.set_all_config(configured)
            return load()

        assert settings({**defaults, **service}).config == settings(service).config


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(docs.ROOT)))
class TestEveryPage:
    def test_its_links_lead_somewhere(self, page: Path) -> None:
        prose = re.sub(r"`[^`\n]*`", "", page.read_text())
        for link in re.findall(r"\]\(([^)#\s]+)", prose):
            if "://" not in link:
                assert (page.parent / link).exists(), link

    def test_a_screen_reader_finds_its_way(self, page: Path) -> None:
        """As axe-core wants it, of which tests/live/test_site.py asks about few pages."""
        text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        depths = [len(marks) for marks in re.findall(r"^(#+) ", text, re.MULTILINE)]
        assert all(after <= before + 1 for before, after in itertools.pairwise([0, *depths]))
        heads = re.findall(r"^\|(.*)\|\n\| ?-", text, re.MULTILINE)
        assert not [head for head in heads if not all(cell.strip() for cell in head.split("|"))]

    def test_the_targets_of_make_exist(self, page: Path) -> None:
        targets = set(re.findall(r"^([a-z]+):", (docs.ROOT / "Makefile").read_text(), re.MULTILINE))
        assert set(re.findall(r"(?:^ {4}|`)make ([a-z]+)", page.read_text(), re.MULTILINE)) <= targets

    def test_the_commands_of_yard_exist(self, page: Path) -> None:
        assert set(re.findall(r"(?:^ {4}|`|/)yard ([a-z]+)", page.read_text(), re.MULTILINE)) <= set(COMMANDS)


def test_the_readme_is_read_in_two_screens() -> None:
    assert len((docs.ROOT / "README.md").read_text(encoding="utf-8").split()) <= 810, "the pages in docs/ have room"


def test_the_index_lists_every_page_once() -> None:
    index = (docs.ROOT / "docs/README.md").read_text(encoding="utf-8")
    listed = [file for _, pages in site.chapters(index) for _, file in pages]
    there = {path.name for path in (docs.ROOT / "docs").glob("*.md")} - {"README.md"}
    assert sorted(listed) == sorted({*there, "decisions/README.md"})


def test_the_site_has_every_page_and_no_link_out_of_it(tmp_path: Path) -> None:
    site.collect(tmp_path)
    for page in site.pages():
        for _, file, _ in site.LINK.findall((tmp_path / page).read_text(encoding="utf-8")):
            assert (tmp_path / page.parent / file).is_file(), f"{page}: {file}"
    assert "docs/decisions/README.md" in site.settings()


def calls(text: str) -> Iterator[list[str]]:
    """What a page calls `yard` with: in a line of its own, or in the middle of a sentence."""
    for line in re.findall(r"^ {4}(?:\.venv/bin/)?yard (.*)|`(?:\.venv/bin/)?yard ([^`\n]+)`", text, re.MULTILINE):
        yield shlex.split(max(line).rstrip("\\"), comments=True)


def unknown(words: list[str], command: click.Command) -> Iterator[str]:
    """The options that a command does not have; the name of one of its commands that is not there."""
    if isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words[0])
        yield from unknown(words[1:], found) if found else [words[0]]
        return
    params = command.get_params(click.Context(command))
    known = {option for each in params for option in [*each.opts, *each.secondary_opts]}
    if command.context_settings.get("ignore_unknown_options"):
        return  # they are for the program that it calls
    ours = itertools.takewhile(lambda word: word not in ("--", "&&", "|", ">"), words)
    yield from (word for word in ours if re.match(r"--?[a-z]", word) and word.partition("=")[0] not in known)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(docs.ROOT)))
def test_every_command_is_called_as_it_can_be(page: Path) -> None:
    called = [*calls(page.read_text(encoding="utf-8"))]
    wrong = {shlex.join(words): found for words in called if (found := [*unknown(words, main)])}
    assert not wrong


def test_what_a_command_does_not_have_is_seen() -> None:
    assert [*unknown(["deploy", "--no-such-option", "--stack", "dev"], main)] == ["--no-such-option"]
    assert [*unknown(["ci", "nothing"], main)] == ["nothing"]


@pytest.mark.parametrize("page", STORIES, ids=lambda page: str(page.relative_to(docs.ROOT)))
def test_the_files_that_a_page_names_exist(page: Path) -> None:
    folders = "components|config|examples|rehearsal|yard|tests|tools|app|docs"
    named = re.findall(rf"`((?:{folders})/[\w./-]+)`", page.read_text())
    assert not [path for path in named if not (docs.ROOT / path).exists()]


def test_the_backend_in_the_guide_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its code and its entry point, as they stand on the page."""
    page = (docs.ROOT / "docs/adding-a-backend.md").read_text()
    (code, *_), (package,) = (re.findall(rf"^```{kind}\n(.*?)^```", page, re.M | re.S) for kind in ("python", "toml"))
    module = ModuleType("acme_quay")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(code, module.__dict__)
    rows = tomllib.loads(package)["project"]["entry-points"][registry.GROUP]
    monkeypatch.setattr(backends, "third_party", {registry.GROUP: rows}.get)

    quay = registry.load("quay")
    options = quay.Options.model_validate({"organization": "acme"})
    args = RegistryArgs(services=("api",), namespace="shop-dev", protect=False, on_aws=False, options=options)
    engine = start(Cloud(), {})
    deploy(lambda: quay("registry", args))

    made = engine.graph.one("acme:registry:Quay")
    assert "quay" in registry.names()
    assert engine.graph.outputs[made.urn] == {"repositories": {"api": "quay.io/acme/shop-dev-api"}}


def test_the_costs_and_rows_in_the_guide_are_the_third_partys() -> None:
    """Who states them so is compared (tests/conformance/test_promises.py) and rehearsed (test_third_party_rows.py)."""
    page = (docs.ROOT / "docs/adding-a-backend.md").read_text()
    theirs = (docs.ROOT / "tests/conformance/third_party").glob("*.py")
    _, *examples = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)
    lines = [line.strip() for example in examples for line in example.splitlines() if line]  # a class is around them
    assert any("Line(" in line for line in lines)
    assert any("@refuses(" in line for line in lines)
    known = {line.strip() for file in theirs for line in file.read_text().splitlines()}
    assert not [line for line in lines if line not in known]


def test_the_configuration_begins_with_one_that_is_whole(tmp_path: Path) -> None:
    (example,) = re.findall(
        r"^```yaml\n(config:.*?)^```", (docs.ROOT / "docs/configuration.md").read_text(), re.M | re.S
    )
    (tmp_path / "config").mkdir()
    (tmp_path / "Pulumi.yaml").write_bytes((docs.ROOT / "Pulumi.yaml").read_bytes())
    (tmp_path / "config/Pulumi.dev.yaml").write_text(example, encoding="utf-8")
    settings = of_file(StackFile(tmp_path, "dev"))
    assert (settings.config.registry, settings.config.orchestrator) == ("ecr", "ecs-fargate")
    assert settings.services["api"].port == 8080


def test_the_usage_in_the_guide_is_one(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```yaml\n(.*?)^```", (docs.ROOT / "docs/costs.md").read_text(), re.M | re.S)
    (tmp_path / "usage.yaml").write_text(example)
    month = read_usage(str(tmp_path / "usage.yaml"))
    assert (month.preset, month.requests, month.logs) == ("medium", 50_000_000, 20)
