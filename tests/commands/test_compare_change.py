"""What a change costs, and the pictures of it."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.estimates import as_output
from tests.commands.comparing import Project, run
from tests.program import BLOCKS, ROOT, SERVICE
from yard import compare as command
from yard.comparison import settings_of


class TestChange:
    @pytest.fixture
    def last_up(self) -> Callable[[Any], None]:
        """What the state says that the outputs are."""

        def set_outputs(outputs: Any) -> None:
            self.cli(f"echo {shlex.quote(json.dumps(outputs))}")

        return set_outputs

    def cli(self, does: str) -> Path:
        """A CLI of the project's; it writes down what it is asked for, and in what directory's state."""
        asked, file = command.ROOT / "asked", command.ROOT / ".tools/bin/pulumi"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'#!/bin/sh\necho "$PULUMI_BACKEND_URL $@" >> {asked}\n{does}\n', encoding="utf-8")
        file.chmod(0o755)
        return asked

    def cost(self) -> dict[str, Any]:
        """The output `cost` that the stack would have now."""
        return as_output(settings_of(command.ROOT, "dev"))

    def test_it_is_the_difference_to_the_cent(self, project: Project, last_up: Callable[[Any], None]) -> None:
        project(services={"api": {**SERVICE, "replicas": 2}})
        last_up({"cost": self.cost(), "url": "http://x"})
        project(services={"api": {**SERVICE, "replicas": 3}})
        found = json.loads(run("--change", "--json").stdout)
        assert found["was_up"]
        assert found["columns"]["compute"] == {"before": "18.02", "after": "27.03", "change": "9.01"}
        assert found["columns"]["network"] == {"before": "7.30", "after": "10.95", "change": "3.65"}
        assert found["columns"]["control plane"]["change"] == "0.00"
        assert found["columns"]["total"] == {"before": "49.74", "after": "62.40", "change": "12.66"}
        output = run("--change").stdout
        assert re.search(r"^compute +18\.02 +27\.03 +\+9\.01$", output, re.MULTILINE)
        assert re.search(r"^total +49\.74 +62\.40 +\+12\.66$", output, re.MULTILINE)

    def test_it_may_save(self, project: Project, last_up: Callable[[Any], None]) -> None:
        project("ecr", "eks", eks=BLOCKS["eks"])
        last_up({"cost": self.cost()})
        project()
        output = run("--change").stdout
        assert re.search(r"^control plane +73\.00 +0\.00 +-73\.00$", output, re.MULTILINE)

    def test_nothing_up_costs_nothing(self, project: Project, last_up: Callable[[Any], None]) -> None:
        project()
        last_up({})
        assert "dev, USD a month: nothing is up\n" in run("--change").stdout
        found = json.loads(run("--change", "--json").stdout)
        assert not found["was_up"]
        assert found["columns"]["total"]["before"] == "0"
        assert found["columns"]["total"]["change"] == found["columns"]["total"]["after"]

    def test_a_state_that_tells_no_cost_is_not_taken_for_0(
        self, project: Project, last_up: Callable[[Any], None]
    ) -> None:
        project()
        for outputs in ({"url": "http://x"}, {"cost": {"unknown": ["no prices"]}}):
            last_up(outputs)
            found = json.loads(run("--change", "--json").stdout)
            assert found["was_up"]
            assert found["columns"]["total"]["before"] is None
            assert found["columns"]["total"]["change"] is None
            assert re.search(r"^total +\? +[\d.]+ +\?$", run("--change").stdout, re.MULTILINE)

    def test_what_is_not_known_stays_so(self, project: Project, last_up: Callable[[Any], None]) -> None:
        project("oci", "swarm")
        last_up({"cost": self.cost()})
        assert self.cost()["usd"] == "?"
        output = run("--change").stdout
        assert re.search(r"^total +\? +\? +\?$", output, re.MULTILINE)
        assert "Not in these figures" in output

    def test_a_state_that_cannot_be_read_is_an_error(self, project: Project) -> None:
        project()
        assert "there is no Pulumi CLI that runs" in run("--change", exit_code=1).stderr
        self.cli("echo error: no passphrase >&2; exit 255")
        assert "the last `pulumi up` of dev cannot be looked up: no passphrase" in run("--change", exit_code=1).stderr

    def test_it_only_looks(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """To select a stack would change what the next `pulumi up` is about."""
        monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://states")
        project()
        asked = self.cli("echo '{}'")
        run("--change")
        assert asked.read_text(encoding="utf-8") == "s3://states stack output --json --stack dev --non-interactive\n"

    def test_of_stack_local_nothing_is_made(self, project: Project) -> None:
        root = project().parent.parent
        (root / "config/Pulumi.local.yaml").write_bytes((ROOT / "config/Pulumi.local.yaml").read_bytes())
        (root / ".tools").symlink_to(ROOT / ".tools")
        before = {each: each.is_file() and each.read_bytes() for each in root.rglob("*")}
        assert "local, USD a month: nothing is up\n" in run("--change", "--stack", "local").stdout
        assert before == {each: each.is_file() and each.read_bytes() for each in root.rglob("*")}

    def test_the_state_of_stack_local_is_in_the_checkout(self, project: Project) -> None:
        root = project().parent.parent
        (root / "config/Pulumi.local.yaml").write_bytes((ROOT / "config/Pulumi.local.yaml").read_bytes())
        state = root / ".state/.pulumi/stacks/switchyard/local.json"
        state.parent.mkdir(parents=True)
        state.write_text("{}", encoding="utf-8")
        asked = self.cli('echo \'{"url": "http://x"}\'')
        assert json.loads(run("--change", "--stack", "local", "--json").stdout)["was_up"]
        assert asked.read_text(encoding="utf-8").startswith(f"{(root / '.state').as_uri()} stack output ")


class TestPictures:
    LINES = ("--by-line", "--pair", "ecr+ecs-fargate")

    def test_both_are_written(self, tmp_path: Path) -> None:
        page, picture = tmp_path / "page.html", tmp_path / "bars.png"
        result = run("--html", str(page), "--png", str(picture), *self.LINES)
        assert {f"wrote {picture}", f"wrote {page}"} <= set(result.stderr.splitlines())
        assert picture.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        text = page.read_text(encoding="utf-8")
        assert "What dev would cost in us-east-1, USD a month" in text
        assert text.count('<tr id="pair-') == 1

    def test_what_is_asked_for_besides_is_printed(self, tmp_path: Path) -> None:
        picture = tmp_path / "bars.png"
        result = run("--png", str(picture), "--json", *self.LINES)
        assert [each["registry"] for each in json.loads(result.stdout)["pairs"]] == ["ecr"]
        assert picture.exists()
        assert run("--png", str(picture), *self.LINES).stdout == run(*self.LINES).stdout

    def test_a_picture_is_in_place_of_the_table(self, tmp_path: Path) -> None:
        assert not run("--png", str(tmp_path / "bars.png")).stdout

    @pytest.mark.parametrize("option", ["--html", "--png"])
    def test_where_nothing_can_be_written_it_says_so(self, tmp_path: Path, option: str) -> None:
        file = tmp_path / "missing" / "file"
        result = run(option, str(file), "--by-line", "--pair", "ecr+ecs-fargate", exit_code=1)
        assert f"No such file or directory: '{file}'" in result.output
