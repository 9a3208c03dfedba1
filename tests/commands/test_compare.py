"""`yard compare`: what it prints, for people and for machines, and what it refuses."""

import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from components.cost import COLUMNS, Line
from components.estimate import Charge, Estimate
from components.prices import Price, Tier
from components.usage import PRESETS
from tests.commands.comparing import REGIONS, SECRET, STACKS, TODAY, Project, document, pair, run
from tests.program import BLOCKS, ROOT, SERVICE
from yard import compare as command
from yard import suggest
from yard.comparison import Comparison, documents, summary, table
from yard.comparison.answer import Answer


class TestAnswer:
    @pytest.mark.parametrize(("stack", "preset", "width"), list(product(STACKS, PRESETS, (60, 80, 120))))
    def test_it_fits_the_terminal(self, stack: str, preset: str, width: int) -> None:
        *lines, command = run("--stack", stack, "--usage", preset, COLUMNS=str(width)).stdout.splitlines()
        assert max(map(len, lines)) <= width
        assert command.endswith(f"yard compare --all --stack {stack}"), "to be pasted, so in one line"

    def test_what_the_stack_costs_comes_first_and_what_it_is_for(self) -> None:
        lines = run("--stack", "dev").stdout.splitlines()
        assert lines[0] == "dev costs ~49.74 USD a month: ecr with ecs-fargate, in us-east-1."
        assert lines[2].split() == ["load", "balancer", "~23.81", "48", "%", "█" * 14]
        assert [line.split()[0] for line in lines[2:7]] == ["load", "compute", "network", "registry", "logs"]

    def test_the_cheapest_switch_is_named_with_what_it_saves(self) -> None:
        said = "The cheapest switch saves 4.69: ecr-public with swarm-ec2 costs ~45.05."
        assert said in run("--stack", "dev").stdout.splitlines()

    def test_a_pair_of_which_less_is_known_is_not_called_the_cheapest(self) -> None:
        answer = Answer(Comparison.of(ROOT, "dev"))
        totals = {each.registry: each.amount() for each in answer.found.known if each.orchestrators == ("swarm-ec2",)}
        assert totals["oci"].usd == totals["ecr-public"].usd, "the one that runs it asks for something, too"
        assert answer.cheapest_switch
        assert answer.cheapest_switch.registry == "ecr-public"

    def test_the_cheapest_stack_is_told_so(self, project: Project) -> None:
        project("ecr-public", "ecs-fargate")
        assert "No other pair is cheaper." in run().stdout

    def test_each_orchestrator_has_one_row_with_the_stacks_own_registry(self) -> None:
        rows = [
            line for line in run("--stack", "dev").stdout.splitlines() if re.match(r"[> ] (ecs|eks|swarm|kub)", line)
        ]
        assert [row[2:].split()[0] for row in rows] == names_by_cost("ecr")
        assert rows[1].split() == [">", "ecs-fargate", "~7.30", "~23.81", "18.02", "0.00", "~0.61", "~49.74"]
        assert rows[2].split()[-2:] == ["~78.55", "+28.81"]
        output = " ".join(run("--stack", "dev").stdout.split())
        assert "kubernetes and swarm with dockerhub, not ecr: its nodes have no AWS role" in output

    def test_registries_of_equal_cost_are_told_together(self) -> None:
        output = " ".join(run("--stack", "dev").stdout.split())
        said = "ecr-public -0.60, oci -0.60+?, dockerhub and ghcr +0.40, artifact-registry +1.31."
        assert f"The registry, on ecs-fargate in place of ecr: {said}" in output

    def test_what_nobody_knows_is_never_0(self) -> None:
        lines = run("--stack", "local").stdout.splitlines()
        (own,) = [line.split() for line in lines if line.startswith("> ")]
        assert own == [">", "swarm", "?"]
        assert lines[0].startswith("Nobody here knows what local costs: oci with swarm.")

    def test_the_month_is_below_it(self) -> None:
        output = " ".join(run("--usage", "medium").stdout.split())
        assert "60 deployments of each service a month, images of 300 MB" in output

    def test_what_a_document_shows_is_what_is_printed(self) -> None:
        printed = {line.rstrip() for line in run("--stack", "dev").stdout.splitlines()}
        printed |= {line.rstrip() for line in run("--stack", "dev", "--budget", "10").stdout.splitlines()}
        for page in ("README.md", "docs/costs.md"):
            blocks = re.findall(r"^```text\n(dev costs .*?)^```", (ROOT / page).read_text(), re.M | re.S)
            assert blocks
            assert {*"".join(blocks).splitlines()} <= printed, page


def names_by_cost(registry: str) -> list[str]:
    """The orchestrators, that with the cheapest total with a registry first; those without a price at the end."""
    totals = {
        each["orchestrator"]: each["total"]["usd"]
        for each in document()["pairs"]
        if each["registry"] == registry and "total" in each
    }
    return [*sorted(totals, key=lambda name: Decimal(totals[name])), "kubernetes", "swarm"]


class TestBudget:
    def test_what_would_have_to_change_is_named_with_what_it_saves(self) -> None:
        output = " ".join(run("--budget", "10").stdout.split())
        assert "Of 24 pairs with a price none fits 10.00." in output
        assert "The cheapest, ecr-public with swarm-ec2, costs ~45.05: 35.05 too much." in output
        assert "-23.72 a load balancer that exists already" in output
        assert "With all of it: ~10.95 for ecr-public with ecs-fargate, still 0.95 too much." in output

    def test_a_small_stack_without_a_load_balancer_is_the_first_answer(self, project: Project) -> None:
        project(services={"api": {**SERVICE, "replicas": 2, "memory": 256}})
        found = document("--budget", "11")["budget"]
        assert found["changes"][0]["what"].startswith("edge proxy-ec2 in place of alb: callers come to one instance")
        best = found["with_all_changes"]
        assert (best["registry"], best["orchestrator"], best["total"]["usd"]) == ("ecr-public", "swarm-ec2", "10.43")

    def test_what_cannot_stand_on_an_instance_is_priced_with_a_load_balancer(self, project: Project) -> None:
        """Three managers, or no public network: the settings refuse the proxy there."""
        for keys in ({"preset": "production", "plain-http": True}, {"network": "nat-single"}):
            project(services={"api": {**SERVICE, "memory": 256}}, **keys)
            found = {each["what"]: each for each in document("--budget", "11")["budget"]["changes"]}
            assert not [what for what in found if what.startswith("edge proxy-ec2")], keys

    def test_what_it_saves_is_what_the_stack_saves_when_it_is_changed(self, project: Project) -> None:
        project(services={"api": {**SERVICE, "replicas": 2}})
        said = {each["what"]: Decimal(each["usd_saved"]) for each in document("--budget", "10")["budget"]["changes"]}
        before = min(Decimal(each["total"]["usd"]) for each in document()["pairs"] if whole(each))
        project(services={"api": {**SERVICE, "replicas": 1}})
        after = min(Decimal(each["total"]["usd"]) for each in document()["pairs"] if whole(each))
        assert said["one replica of each service: when it fails, nobody answers"] == before - after > 0

    def test_what_fits_is_listed_by_orchestrator(self) -> None:
        output = " ".join(run("--budget", "46").stdout.split())
        assert "Of 24 pairs with a price 3 fit 46.00: - swarm-ec2 with ecr-public, oci and ecr: from ~45.05" in output
        found = document("--budget", "49.74")["budget"]
        assert found["fits"][-1]["total"]["usd"] == "49.74", "to the cent"

    def test_it_does_not_go_with_what_has_no_room_for_it(self) -> None:
        for option in (["--all"], ["--csv"], ["--by-line"], ["--html", "x"]):
            assert "--budget goes with the answer or with --json" in run("--budget", "1", *option, exit_code=2).stderr


def whole(pair: Mapping[str, Any]) -> bool:
    return "total" in pair and bool(pair["total"]["whole"])


class TestTable:
    @pytest.mark.parametrize(("stack", "preset", "region"), list(product(STACKS, PRESETS, REGIONS)))
    def test_it_fits_eighty_columns(self, stack: str, preset: str, region: str) -> None:
        output = run("--all", "--stack", stack, "--usage", preset, "--region", region).stdout
        assert max(map(len, output.partition("\n\n~")[0].splitlines())) <= 80
        assert max(map(len, output.splitlines())) <= 100

    def test_the_stacks_own_pair_is_marked(self) -> None:
        rows = [line for line in run("--all", "--stack", "dev").stdout.splitlines() if line.startswith("> ")]
        assert len(rows) == 1
        assert re.match(r">  ecr +0\.60 ", rows[0])

    def test_the_cheapest_comes_first_and_what_nobody_knows_last(self) -> None:
        found = Comparison.of(ROOT, "dev")
        totals = [each.amount().usd for each in found.known]
        assert totals == sorted(totals)
        order = [(each.refused != (), each.runs_unpriced) for each in found.estimates]
        assert order == sorted(order)
        assert len(found.known) + len(found.unpriced) + len(found.refused) == len(found.estimates)

    def test_every_pair_that_can_be_has_a_row(self) -> None:
        output = run("--all", "--stack", "dev").stdout.partition("USD a month. ~")[0]
        registries = re.findall(r"^[> ]  ([a-z-]+) +[\d?]", output, re.MULTILINE)
        assert len(registries) == len(Comparison.of(ROOT, "dev").working)

    def test_what_nobody_knows_is_never_0(self) -> None:
        lines = run("--all", "--stack", "local").stdout.splitlines()
        (own,) = [line.split() for line in lines if line.startswith("> ")]
        assert own == [">", "oci", *["?"] * len(COLUMNS)], "two columns are one here, and there is the total"

    def test_every_assumption_is_below_it(self) -> None:
        output = " ".join(run("--all", "--usage", "medium").stdout.split())
        assert "- It is up 730 hours a month. Each service is deployed 60 times, with an image of 300 MB; 0 %" in output
        assert "- Callers send 50,000,000 requests, 1 on each connection, and get 15 KB for each." in output
        assert "- All replicas together write 20 GB of logs, which are kept 7 days" in output
        assert "- The stack has 1 service (api: 2 x 0.25 vCPU and 512 MiB)." in output
        assert "- The network is public, in 2 zones. A pair that cannot work in it is priced with nat-single." in output

    def test_what_is_refused_says_why(self) -> None:
        output = " ".join(run("--all").stdout.split())
        assert "Pairs that are refused - ecr with kubernetes and ecr with swarm: its nodes have no AWS role" in output

    def test_a_move_is_told_only_once(self, project: Project) -> None:
        """The comparison is of pairs: what a move costs is the stack's output `cost`."""
        project(traffic={"ecs-fargate": 50, "eks": 50}, eks=BLOCKS["eks"])
        for option in ((), ("--all",)):
            assert len([line for line in run(*option).stdout.splitlines() if line.startswith("> ")]) == 1

    def test_an_instance_type_of_unknown_price_is_not_taken_for_the_cheapest(self, project: Project) -> None:
        project("ecr", "ecs-ec2", network="nat-single", **{"ecs-ec2": {"instance-types": ["r9i.large"]}})
        (own,) = [line.split() for line in run("--all").stdout.splitlines() if line.startswith("> ")]
        assert own[-1].endswith("+?")
        found = Comparison.of(command.ROOT, "dev")
        assert not [each for each in found.known if found.is_own(each)]


class TestColours:
    def shown(self, **how: Any) -> str:
        text = io.StringIO()
        for each in (summary.show, table.show):
            each(Console(file=text, width=100, **how), Comparison.of(ROOT, "dev"), TODAY)
        return text.getvalue()

    def test_there_are_none_where_nobody_looks(self) -> None:
        assert "\x1b" not in run().stdout
        assert "\x1b" not in run("--by-line").stdout

    def test_who_wants_no_colour_gets_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        assert not re.search(r"\x1b\[\d*;?3\d", self.shown(force_terminal=True, color_system="standard"))

    def test_on_a_terminal_the_own_pair_is_green(self) -> None:
        rows = [line for line in self.shown(force_terminal=True, color_system="standard").splitlines() if ">" in line]
        assert [row.startswith("\x1b[32m>") for row in rows] == [True, True]


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
        assert re.search(
            r"^  \+ [\d.]+ USD a month more if GitHub charged",
            run("--by-line", "--pair", "ghcr+eks").stdout,
            re.MULTILINE,
        )
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

    def test_the_answer_is_in_it(self) -> None:
        answer = document()["answer"]
        assert answer["own"]["usd"] == "49.74"
        assert answer["shares"][0] == {"column": "load balancer", "usd": "23.81", "percent": 48}
        saved = {"registry": "ecr-public", "orchestrator": "swarm-ec2", "usd_saved": "4.69"}
        assert answer["cheapest_switch"] == saved

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

    def test_a_region_without_prices_is_priced_like_another_and_says_so(self) -> None:
        """Nothing of it is confirmed, and it is as dear as the other."""
        arguments = ("--region", "eu-central-1", "--like", "us-east-1")
        assert "in eu-central-1, at the prices of us-east-1." in " ".join(run(*arguments).stdout.split())
        found, own = document(*arguments), pair(document(), "ecr", "ecs-fargate")
        like = pair(found, "ecr", "ecs-fargate")
        assert (found["region"], found["prices_of"]) == ("eu-central-1", "us-east-1")
        assert like["total"]["usd"] == own["total"]["usd"]
        assert own["columns"]["compute"]["confirmed"]
        assert not like["columns"]["compute"]["confirmed"]

    def test_how_the_prices_are_known_is_counted(self) -> None:
        told = "prices: 6 recorded by others, 2 read elsewhere (~), 1 worked out (~); "
        assert re.search(rf"{re.escape(told)}\d+ old", " ".join(run().stdout.split()))
        assert "as others recorded the vendor's list" in " ".join(run("--all").stdout.split())

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
            (["--stack", "nope"], 2, r"there is no stack 'nope': config/ has dev, local"),
            (
                ["--region", "eu-west-3"],
                1,
                r"there are no prices for eu-west-3: .*yard prices refresh eu-west-3.*--like us-east-1`",
            ),
            (["--usage", "smal"], 2, r"--usage smal is neither a file nor a preset: .*did you mean small\?"),
            (["--json", "--csv"], 2, r"--json or --csv: choose one"),
            (["--pair", "ecr+eks"], 2, r"--pair goes with --by-line"),
            (
                ["--by-line", "--pair", "ecr"],
                2,
                r"there is no pair 'ecr': use REGISTRY\+ORCHESTRATOR, with one of .*, ecr, .* and one of ecs-ec2, ",
            ),
            (
                ["--by-line", "--pair", "ecr+swarm", "--json"],
                2,
                r"ecr cannot go with swarm: its nodes have no AWS role",
            ),
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
        error = run(exit_code=2).stderr
        assert "stack dev cannot be priced: 3 things need a change" in error
        assert "switchyard:usage.deploys is -1; want at least 0" in error
        assert "did you mean logs?" in error
        assert "switchyard:zones is 9" in error

    def test_a_usage_file_that_is_wrong_is_told_all_at_once(self, tmp_path: Path) -> None:
        file = tmp_path / "month.yaml"
        file.write_text("{preset: tiny, deploys: many}", encoding="utf-8")
        error = run("--usage", str(file), exit_code=2).stderr
        assert "usage.preset is 'tiny'; want one of small, medium, large" in error
        assert "usage.deploys is 'many'; want a whole number" in error


class TestAge:
    def comparison(self, as_of: str | None) -> Comparison:
        """Of one pair, whose one price is of that date."""
        tier = Tier(Decimal(0), None, Decimal(1), "verified", as_of, "a list", "")
        line = Line("compute", "replicas", Decimal(3), "hour", "replica")
        only = Estimate("one", ("two",), charges=(Charge(line, Price("replica", "hour", (tier,), None)),))
        return replace(Comparison.of(ROOT, "dev"), estimates=(only,))

    def test_fresh_prices_are_not_talked_about(self) -> None:
        assert self.comparison("2026-09-01").price_dates(TODAY) is None

    def test_old_ones_are(self) -> None:
        assert self.comparison("2026-01-31").price_dates(TODAY) == (
            "1 prices in these figures are older than 180 days or have no date, the oldest of 2026-01-31:"
            f" `{suggest.yard('prices', 'refresh', 'us-east-1')}` fetches AWS's anew (it needs the internet)"
        )

    def test_so_are_those_of_no_date(self) -> None:
        warning = self.comparison(None).price_dates(TODAY)
        assert warning
        assert "the oldest" not in warning

    @pytest.mark.parametrize("arguments", [["--all"], ["--by-line"]])
    def test_the_warning_is_printed(self, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        class Then(date):
            @classmethod
            def today(cls) -> "Then":
                return cls(2036, 1, 1)

        monkeypatch.setattr(command, "date", Then)
        assert "older than 180 days" in " ".join(run(*arguments).stdout.split())
        assert document()["warnings"]
