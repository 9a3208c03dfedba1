"""`yard compare`: what it prints, for people and for machines, and what it refuses."""

import csv
import io
import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from rich.console import Console

from components.cost import COLUMNS, Line
from components.estimate import Charge, Estimate
from components.prices import Price, Tier
from components.usage import PRESETS
from config.estimates import as_output
from tests.program import BLOCKS, ROOT, SERVICE, config_for
from yard import compare as command
from yard.compare import compare
from yard.comparison import Comparison, documents, settings_of, table

STACKS = sorted(file.stem.partition(".")[2] for file in (ROOT / "config").glob("Pulumi.*.yaml"))
REGIONS = ("ap-northeast-1", "us-east-1")
TODAY = date(2026, 11, 24)
SECRET = {"secure": "v1:abc:def"}


def run(*arguments: str, exit_code: int = 0, **env: str) -> Result:
    """The command, which must end with this code and without a stack trace."""
    result = CliRunner(env=env).invoke(compare, arguments)
    assert result.exit_code == exit_code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def document(*arguments: str) -> dict[str, Any]:
    """What `--json` prints, on standard output alone."""
    found: dict[str, Any] = json.loads(run("--json", *arguments).stdout)
    return found


def pair(found: Mapping[str, Any], registry: str, orchestrator: str) -> dict[str, Any]:
    """One pair out of a document."""
    (one,) = [each for each in found["pairs"] if (each["registry"], each["orchestrator"]) == (registry, orchestrator)]
    return dict(one)


Project = Callable[..., Path]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project of the test's own; `project(...)` writes its stack dev."""
    (tmp_path / "config").mkdir()
    (tmp_path / "Pulumi.yaml").write_bytes((ROOT / "Pulumi.yaml").read_bytes())
    monkeypatch.setattr(command, "ROOT", tmp_path)

    def write(registry: str = "ecr", orchestrator: str = "ecs-fargate", **config: Any) -> Path:
        services = config.pop("services", {"api": SERVICE})
        values = {**config_for(registry, orchestrator, **services), **config}
        values = {key if ":" in key else f"switchyard:{key}": value for key, value in values.items()}
        file = tmp_path / "config/Pulumi.dev.yaml"
        file.write_text(yaml.safe_dump({"config": values}), encoding="utf-8")
        return file

    return write


class TestTable:
    @pytest.mark.parametrize(("stack", "preset", "region"), list(product(STACKS, PRESETS, REGIONS)))
    def test_it_fits_a_hundred_columns(self, stack: str, preset: str, region: str) -> None:
        lines = run("--stack", stack, "--usage", preset, "--region", region).stdout.splitlines()
        assert max(map(len, lines)) <= 100

    def test_a_terminal_that_is_narrower_changes_nothing(self) -> None:
        assert run(COLUMNS="40").stdout == run(COLUMNS="100").stdout

    def test_the_stacks_own_pair_is_marked(self) -> None:
        rows = [line for line in run("--stack", "dev").stdout.splitlines() if line.startswith("> ")]
        assert len(rows) == 1
        assert re.match(r"> ecr +ecs-fargate +0\.60 ", rows[0])

    def test_the_cheapest_comes_first_and_what_nobody_knows_last(self) -> None:
        found = Comparison.of(ROOT, "dev")
        totals = [each.amount().usd for each in found.known]
        assert totals == sorted(totals)
        order = [(each.refused != (), each.runs_unpriced) for each in found.estimates]
        assert order == sorted(order)
        assert len(found.known) + len(found.unpriced) + len(found.refused) == len(found.estimates)

    def test_what_nobody_knows_is_never_0(self) -> None:
        lines = run("--stack", "local").stdout.splitlines()
        (own,) = [line.split() for line in lines if line.startswith("> ")]
        assert own == [">", "oci", "swarm", *["?"] * (len(COLUMNS) + 1)]

    def test_every_assumption_is_below_it(self) -> None:
        output = " ".join(run("--usage", "medium").stdout.split())
        assert "a month of 730 hours: 60 deployments of each service, images of 300 MB" in output
        assert "50,000,000 requests of 15 KB, 1 a connection, 20 GB of logs" in output
        assert "1 service, api: 2 x 0.25 vCPU and 512 MiB" in output
        assert "network public, 2 zones; where a pair cannot work in it, nat-single" in output

    def test_what_is_refused_says_why(self) -> None:
        output = " ".join(run().stdout.split())
        assert "No such pair - ecr with kubernetes, ecr with swarm: its nodes have no AWS role" in output

    def test_a_move_is_told_only_once(self, project: Project) -> None:
        """The comparison is of pairs: what a move costs is the stack's output `cost`."""
        project(traffic={"ecs-fargate": 50, "eks": 50}, eks=BLOCKS["eks"])
        assert len([line for line in run().stdout.splitlines() if line.startswith("> ")]) == 1

    def test_an_instance_type_of_unknown_price_is_not_taken_for_the_cheapest(self, project: Project) -> None:
        project("ecr", "ecs-ec2", network="nat-single", **{"ecs-ec2": {"instance-types": ["r9i.large"]}})
        (own,) = [line.split() for line in run().stdout.splitlines() if line.startswith("> ")]
        assert own[-1].endswith("+?")
        found = Comparison.of(command.ROOT, "dev")
        assert not [each for each in found.known if found.is_own(each)]


class TestColours:
    def shown(self, **how: Any) -> str:
        text = io.StringIO()
        table.show(Console(file=text, width=100, **how), Comparison.of(ROOT, "dev"), TODAY)
        return text.getvalue()

    def test_there_are_none_where_nobody_looks(self) -> None:
        assert "\x1b" not in run().stdout
        assert "\x1b" not in run("--by-line").stdout

    def test_on_a_terminal_the_own_pair_is_green(self) -> None:
        rows = [line for line in self.shown(force_terminal=True, color_system="standard").splitlines() if ">" in line]
        assert any("\x1b[32m" in row for row in rows)


class TestLines:
    def test_each_has_quantity_price_date_and_source(self) -> None:
        output = run("--by-line", "--pair", "ecr+ecs-fargate").stdout
        assert output.startswith("ecr with ecs-fargate: ~49.74  (the stack's own)\n")
        assert re.search(r"compute +api: vCPU +365 vCPU-hour +0\.04048 +14\.78 +2025-07-07 \[\d+\]", output)
        assert re.search(r"network +public IPv4, one a\s+1,460 address-hour +~0\.005 +7\.30 +no date \[\d+\]", output)
        assert re.search(r"^\[1\] \S", output, re.MULTILINE)
        assert "eks" not in output.partition("[1]")[0]

    def test_an_allowance_and_its_source_are_named(self) -> None:
        output = run("--by-line", "--pair", "ecr+ecs-fargate").stdout
        (said,) = re.findall(r"responses +10 - 100 free GB +0\.09 +0\.00 +(.+\[\d+\],\s+.+\[\d+\])", output)
        assert len(re.findall(r"\[\d+\]", said)) == 2

    def test_a_condition_and_what_is_not_known_follow(self) -> None:
        assert re.search(r"^  \+ [\d.]+ if GitHub charged", run("--by-line", "--pair", "ghcr+eks").stdout, re.MULTILINE)
        assert "  ? the cluster's audit log: how much" in run("--by-line", "--pair", "ghcr+eks").stdout

    def test_without_a_pair_all_are_told(self) -> None:
        output = run("--by-line").stdout
        found = Comparison.of(ROOT, "dev")
        assert len(re.findall(r"^\S+ with \S+: ", output, re.MULTILINE)) == len(found.known) + len(found.unpriced)

    def test_they_fit_a_hundred_columns_but_for_sources(self) -> None:
        lines = run("--by-line", "--stack", "prod", "--usage", "large").stdout.splitlines()
        assert max(len(line) for line in lines if not re.match(r"\[\d+\] ", line)) <= 100


class TestJson:
    def test_amounts_are_text_and_columns_add_up(self) -> None:
        for each in document("--usage", "large")["pairs"]:
            if "refused" in each:
                continue
            columns = [Decimal(amount["usd"]) for amount in each["columns"].values() if amount["usd"] is not None]
            total = Decimal(each["total"]["usd"] or 0)
            assert list(each["columns"]) == list(COLUMNS)
            assert abs(sum(columns) - total) < Decimal("0.05"), "each is rounded by itself"

    def test_what_is_not_known_is_null(self) -> None:
        swarm = pair(document(), "oci", "swarm")
        assert swarm["total"] == {"usd": None, "confirmed": True, "whole": False}
        assert swarm["columns"]["compute"]["usd"] is None
        assert len(swarm["unknown"]) == 2

    def test_every_line_has_its_sources(self) -> None:
        for each in document()["pairs"]:
            for line in each.get("lines", []):
                assert line["prices"] or line["usd"] is None
                assert all(price["source"] and price["status"] for price in line["prices"])

    def test_it_says_whose_it_is_and_for_what(self) -> None:
        found = document("--stack", "prod", "--region", "ap-northeast-1", "--usage", "large")
        assert (found["stack"], found["region"], found["unit"]) == ("prod", "ap-northeast-1", "USD a month")
        assert found["usage"]["image-size"] == 500
        assert [(each["registry"], each["orchestrator"]) for each in found["pairs"] if each["own"]] == [("ecr", "eks")]
        assert found["assumed"]

    def test_only_the_named_pairs(self) -> None:
        found = document("--by-line", "--pair", "ecr+eks", "--pair", "ghcr+eks")
        assert [each["registry"] for each in found["pairs"]] == ["ecr", "ghcr"]

    def test_numbers_are_short_and_exact(self) -> None:
        assert documents.number(Decimal("1460.000")) == "1460"
        assert documents.number(Decimal("0.000000001")) == "0"
        assert documents.number(Decimal("1E+3")) == "1000"
        assert documents.number(Decimal("0.123456789")) == "0.12345679"


class TestCsv:
    def rows(self, *arguments: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(run("--csv", *arguments).stdout)))

    def test_a_row_a_pair(self) -> None:
        rows = self.rows()
        assert len(rows) == len(document()["pairs"])
        (own,) = [row for row in rows if (row["registry"], row["orchestrator"]) == ("ecr", "ecs-fargate")]
        assert (own["total usd"], own["compute usd"], own["whole"]) == ("49.74", "18.02", "True")
        (swarm,) = [row for row in rows if (row["registry"], row["orchestrator"]) == ("oci", "swarm")]
        assert (swarm["total usd"], swarm["compute usd"], swarm["whole"]) == ("?", "?", "False")
        (refused,) = [row for row in rows if (row["registry"], row["orchestrator"]) == ("ecr", "swarm")]
        assert (refused["total usd"], refused["refused"][:9]) == ("", "its nodes")

    def test_a_row_a_line(self) -> None:
        rows = self.rows("--by-line", "--pair", "ecr+ecs-fargate")
        assert {(row["registry"], row["orchestrator"]) for row in rows} == {("ecr", "ecs-fargate")}
        (cpu,) = [row for row in rows if row["what"] == "api: vCPU"]
        assert (cpu["quantity"], cpu["unit"], cpu["price"], cpu["usd"]) == ("365", "vCPU-hour", "0.04048", "14.7752")
        assert cpu["source"]
        assert cpu["as of"] == "2025-07-07"


class TestUsageAndRegion:
    def test_tokyo_costs_what_tokyo_costs(self) -> None:
        columns = pair(document("--region", "ap-northeast-1"), "ecr", "ecs-fargate")["columns"]
        assert columns["load balancer"]["usd"] == "25.13"
        assert columns["compute"]["usd"] == "22.49"

    def test_the_stacks_own_usage_is_the_default(self, project: Project) -> None:
        project(usage={"preset": "medium", "deploys": 3})
        assert document()["usage"]["deploys"] == 3
        assert document()["usage"]["image-size"] == 300
        assert document("--usage", "small")["usage"]["deploys"] == 20

    def test_a_file_may_say_it(self, tmp_path: Path) -> None:
        file = tmp_path / "month.yaml"
        file.write_text("{preset: large, deploys: 7}", encoding="utf-8")
        assert document("--usage", str(file))["usage"]["deploys"] == 7

    def test_a_stack_without_a_region_is_priced_in_virginia(self) -> None:
        assert document("--stack", "local")["region"] == "us-east-1"

    def test_a_secret_is_no_hindrance_and_is_nowhere(self, project: Project) -> None:
        project(services={"api": {**SERVICE, "secrets": {"KEY": SECRET}}})
        found = document()
        (line,) = [each for each in pair(found, "ecr", "ecs-fargate")["lines"] if each["unit"] == "secret-month"]
        assert line["quantity"] == "1"
        assert "v1:abc" not in json.dumps(found)


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "code", "said"),
        [
            (["--stack", "nope"], 1, r"stack nope cannot be priced: there is no stack 'nope': config/ has dev, local"),
            (["--region", "eu-west-3"], 1, r"there are no prices for eu-west-3: .*yard prices refresh eu-west-3"),
            (["--usage", "smal"], 1, r"smal is no file, and no preset either: .*did you mean small\?"),
            (["--json", "--csv"], 2, r"--json or --csv: choose one"),
            (["--pair", "ecr+eks"], 2, r"--pair goes with --by-line"),
            (["--by-line", "--pair", "ecr"], 2, r"no such pair: ecr\. There are .*ecr\+eks"),
            (["--by-line", "--pair", "ecr+swarm", "--json"], 2, r"no such pair: ecr\+swarm"),
            (["--change", "--region", "us-east-1"], 2, r"--change has nothing to do with --region"),
            (["--change", "--csv"], 2, r"--change has nothing to do with --csv"),
        ],
    )
    def test_in_words(self, arguments: list[str], code: int, said: str) -> None:
        result = run(*arguments, exit_code=code)
        assert re.search(said, result.stderr, re.DOTALL)
        assert result.stdout == ""

    def test_a_configuration_that_is_wrong_is_told_all_at_once(self, project: Project) -> None:
        project(zones=9, usage={"deploys": -1, "logz": 1})
        error = run(exit_code=1).stderr
        assert "stack dev cannot be priced: 3 things need a change" in error
        assert "switchyard:usage.deploys is -1; want at least 0" in error
        assert "did you mean logs?" in error
        assert "switchyard:zones is 9" in error

    def test_a_usage_file_that_is_wrong_is_told_all_at_once(self, tmp_path: Path) -> None:
        file = tmp_path / "month.yaml"
        file.write_text("{preset: tiny, deploys: many}", encoding="utf-8")
        error = run("--usage", str(file), exit_code=1).stderr
        assert "usage.preset is 'tiny'; want one of small, medium, large" in error
        assert "usage.deploys is 'many'; want a whole number" in error


class TestAge:
    def comparison(self, as_of: str | None) -> Comparison:
        """Of one pair, whose one price is of that date."""
        tier = Tier(Decimal(0), None, Decimal(1), "verified", as_of, "a list", "")
        line = Line("compute", "copies", Decimal(3), "hour", "copy")
        only = Estimate("one", ("two",), charges=(Charge(line, Price("copy", "hour", (tier,), None)),))
        return replace(Comparison.of(ROOT, "dev"), estimates=(only,))

    def test_fresh_prices_are_not_talked_about(self) -> None:
        assert self.comparison("2026-09-01").price_dates(TODAY) is None

    def test_old_ones_are(self) -> None:
        assert self.comparison("2026-01-31").price_dates(TODAY) == (
            "1 prices in these figures are older than 180 days or have no date, the oldest of 2026-01-31:"
            " `yard prices refresh us-east-1` fetches AWS's anew (it needs the internet)"
        )

    def test_so_are_those_of_no_date(self) -> None:
        warning = self.comparison(None).price_dates(TODAY)
        assert warning
        assert "the oldest" not in warning

    @pytest.mark.parametrize("arguments", [[], ["--by-line"]])
    def test_the_warning_is_printed(self, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        class Then(date):
            @classmethod
            def today(cls) -> "Then":
                return cls(2036, 1, 1)

        monkeypatch.setattr(command, "date", Then)
        assert "older than 180 days" in " ".join(run(*arguments).stdout.split())
        assert document()["warnings"]


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
