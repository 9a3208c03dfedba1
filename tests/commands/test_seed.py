"""`yard compare --seed`: the first user's own table, computed from what they wrote and from the price files."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from click.testing import CliRunner

from components import prices
from config.usage_file import read
from tests.program import ROOT
from tools import docs
from yard.compare import compare
from yard.comparison import Comparison, seed

Row = dict[str, Any]
SIZES, REGIONS = (200, 500), ("us-east-1", "ap-northeast-1")
EXAMPLES = {size: ROOT / f"examples/usage/seed-{size}mb.yaml" for size in SIZES}
CHEAPEST = "us-east-1: cheapest pair, 200 MB"


def by_what() -> dict[str, Row]:
    """Every row by what it is about and its first column; those of the month by the column alone."""
    found = {(each["about"].split(" (")[0], each["what"]): each for each in seed.document()["rows"]}
    return {what if "month:" in about else f"{about}: {what}": row for (about, what), row in found.items()}


def figure(row: Row) -> Decimal:
    """The first of today's figures."""
    return Decimal(row["now"]["figures"][0])


@pytest.fixture(scope="module")
def table() -> dict[str, Row]:
    """The table of today's price files."""
    pulumi.runtime.set_all_config({})  # what another module's tests have left
    return by_what()


@pytest.fixture
def reprice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Changes numbers in a replica of the price files, which the program then reads."""
    monkeypatch.setattr(prices, "HERE", shutil.copytree(prices.HERE, tmp_path / "prices"))

    def change(file: str, key: str, **values: float) -> None:
        path = tmp_path / "prices" / f"{file}.json"
        document = json.loads(path.read_text(encoding="utf-8"))
        (found,) = (each for each in document["prices"] if each["key"] == key)
        found.update(values)
        path.write_text(json.dumps(document), encoding="utf-8")
        prices.load.cache_clear()

    yield change
    prices.load.cache_clear()


GITHUB, HUB, PUBLIC = "GitHub Packages", "Docker Hub", "Amazon ECR, public"
PRIVATE, GOOGLE, FARGATE = (
    "Amazon ECR, private",
    "Google Artifact Registry",
    "Fargate against EC2, same vCPU and memory",
)


@pytest.mark.parametrize(
    ("what", "wrote", "now", "verdict"),
    [
        (f"{GITHUB}: plan Free", "0.5 1", "0.5 1", "unchanged"),
        (f"{GITHUB}: plan Pro", "2 10", "2 10", "unchanged"),
        (f"{GITHUB}: Pro: deployments a month", "50 20", "50 20", "unchanged"),
        (f"{GITHUB}: Free: deployments a month", "5 2", "5 2", "unchanged"),
        (f"{GITHUB}: Pro: images that fit", "10 4", "10 4", "unchanged"),
        (f"{GITHUB}: Free: images that fit", "2 1", "2 1", "unchanged"),
        (f"{GITHUB}: price of Pro", "4", "4", "unchanged"),
        (f"{GITHUB}: containers today", None, "0 0", "added"),
        (f"{GITHUB}: over the quota", None, "0.25 0.5", "added"),
        (f"{HUB}: plan Personal", "1", "1", "unchanged"),
        (f"{HUB}: more private ones", "5 7", "11 9", "changed"),
        (f"{HUB}: pulls in 6 hours", None, "100 200", "added"),
        (f"{PUBLIC}: pulls to AWS", "0", "0", "unchanged"),
        (f"{PUBLIC}: pulls elsewhere", "5000", "5000 500 0.09", "corrected"),
        (f"{PUBLIC}: storage", None, "50 0.1", "added"),
        (f"{PRIVATE}: storage, GB-month", "0.1", "0.1 0.1", "unchanged"),
        (f"{PRIVATE}: transfer out, GB", "0.14", "0.09 0.114", "corrected"),
        (f"{PRIVATE}: pulls in the region", None, "0", "added"),
        (f"{PRIVATE}: free at first", "", "0.5", "changed"),
        (f"{GOOGLE}: storage free", "0.5", "0.5", "unchanged"),
        (f"{GOOGLE}: transfer, GB", "0.042", "0.05 0.01 0.12", "corrected"),
        (f"{GOOGLE}: Interconnect, Asia", None, "0.042", "added"),
        (f"{GOOGLE}: in one location", "0", "0", "unchanged"),
        (f"{FARGATE}: x86_64, 2 vCPU and 8 GB", "40", "21 17", "corrected"),
        (f"{FARGATE}: arm64, 2 vCPU and 8 GB", None, "14 10", "added"),
    ],
)
def test_their_figures_and_todays(table: dict[str, Row], what: str, wrote: str | None, now: str, verdict: str) -> None:
    found = table[what]
    assert (found["wrote"] and " ".join(found["wrote"]["figures"])) == wrote
    assert " ".join(found["now"]["figures"]) == now
    assert found["verdict"] == verdict


def test_a_gigabyte_has_1000_megabytes() -> None:
    assert seed.images("200", "10").value == 50  # with 1024 it would be 51
    assert seed.images("500", "50").value == 100  # and 102


class TestTheMonth:
    """What the whole of it costs, against 7 to 10 USD."""

    def test_the_cheapest_to_the_cent(self, table: dict[str, Row]) -> None:
        balancer = 730 * (Decimal("0.0225") + 2 * Decimal("0.005"))
        units = Decimal(1_000_000) / (25 * 3600) * Decimal("0.008")  # 25 new connections a second, for an hour
        replica = 730 * (Decimal("0.25") * Decimal("0.04048") + Decimal("0.5") * Decimal("0.004445") + Decimal("0.005"))
        logs = Decimal(7 * 12) / 365 * Decimal("0.03")
        total = (balancer + units + replica + logs).quantize(Decimal("0.01"))
        found = table[CHEAPEST]
        assert found["now"]["text"] == f"~{total} USD: ecr-public with ecs-fargate"
        assert found["verdict"] == "corrected"
        assert "does not fit" in found["why"]
        assert figure(table["us-east-1: the load balancer alone"]) == (balancer + units).quantize(total)

    def test_a_year_of_large_images_is_dearer_where_nothing_expires(self, table: dict[str, Row]) -> None:
        assert "ecr-public" in table["ap-northeast-1: cheapest pair, 200 MB"]["now"]["text"]
        assert table["ap-northeast-1: cheapest pair, 500 MB"]["now"]["text"].endswith(" ecr with ecs-fargate")

    @pytest.mark.parametrize("region", REGIONS)
    def test_the_load_balancer_alone_is_more(self, table: dict[str, Row], region: str) -> None:
        alone, rest = (table[f"{region}: {what}"] for what in ("the load balancer alone", "all the rest"))
        assert figure(alone) > 2 * seed.MONTH["most"]
        assert "does not fit" in alone["why"]
        assert figure(alone) + figure(rest) == figure(table[f"{region}: cheapest pair, 200 MB"])

    def test_what_they_chose_has_more_in_it_than_is_known(self, table: dict[str, Row]) -> None:
        found = table["us-east-1: the pair they chose"]
        assert found["now"]["text"].endswith("+? USD: ecr-public with eks")
        assert "73 USD of it is the control plane" in found["why"]

    def test_it_fits_where_there_is_room(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(seed.MONTH, "most", 60)
        table = by_what()
        found = table[CHEAPEST]
        assert (found["verdict"], found["why"]) == ("unchanged", "it fits")
        assert "does not fit" not in table["us-east-1: the load balancer alone"]["why"]

    def test_it_is_what_the_comparison_says_of_such_a_stack(self, table: dict[str, Row], tmp_path: Path) -> None:
        shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
        config = {
            "aws:region": "ap-northeast-1",
            "switchyard:registry": "ecr",
            "switchyard:orchestrator": "ecs-fargate",
            "switchyard:preset": "trial",
            "switchyard:services": {"api": {"cpu": 0.25, "memory": 512, "replicas": 1}},
        }
        (tmp_path / "config").mkdir()
        (tmp_path / "config/Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": config}), encoding="utf-8")
        for size, file in EXAMPLES.items():
            found = Comparison.of(tmp_path, "dev", usage=str(file))
            least = next(each.amount() for each in found.estimates if each.amount().whole)
            said = table[f"ap-northeast-1: cheapest pair, {size} MB"]["now"]["text"]
            assert said.split(" USD")[0] == str(least)


class TestItIsComputed:
    """From the price files, so that a refreshed price changes the table and its verdict."""

    def test_a_larger_quota_is_more_deployments(self, reprice: Callable[..., None]) -> None:
        reprice("github/global", "packages.transfer-included.pro", quantity=20)
        found = by_what()[f"{GITHUB}: Pro: deployments a month"]
        assert found["wrote"]["text"] == "50 at 200 MB and 20 at 500 MB"
        assert found["now"]["text"] == "100 at 200 MB and 40 at 500 MB"
        assert found["verdict"] == "changed"

    def test_a_price_that_comes_to_theirs_is_unchanged(self, reprice: Callable[..., None]) -> None:
        for region in REGIONS:
            reprice(f"aws/{region}", "ec2.m6i.large", usd=1)
        reprice("aws/us-east-1", "fargate.x86_64.vcpu", usd=0.7)
        reprice("aws/us-east-1", "fargate.x86_64.memory", usd=0)
        reprice("aws/ap-northeast-1", "fargate.x86_64.vcpu", usd=0.3)
        reprice("aws/ap-northeast-1", "fargate.x86_64.memory", usd=0.1)
        assert by_what()[f"{FARGATE}: x86_64, 2 vCPU and 8 GB"]["verdict"] == "unchanged"

    def test_an_unconfirmed_price_is_marked(self, reprice: Callable[..., None]) -> None:
        what = f"{PUBLIC}: storage"
        assert by_what()[what]["now"]["text"] == "50 GB free, then 0.10 USD/GB-month"
        reprice("aws/global", "ecr-public.storage", status="memory")
        assert by_what()[what]["now"]["text"] == "50 GB free, then ~0.10 USD/GB-month"

    def test_each_row_says_what_it_rests_on(self, table: dict[str, Row]) -> None:
        for what, found in table.items():
            assert found["prices"], what
            assert all(each["source"] for each in found["prices"])


class TestTheCommand:
    def run(self, *arguments: str) -> Any:
        return CliRunner().invoke(compare, ["--seed", *arguments], terminal_width=200)

    def test_it_fits_a_terminal_of_100_columns(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "200")  # so that nothing but its own widths keeps it narrow
        lines = self.run().stdout.splitlines()
        table = [each for each in lines if not re.match(r"\[\d+\] ", each)]  # a source is as long as it is
        assert max(map(len, table)) <= 100
        assert "\x1b" not in "".join(lines)

    def test_each_number_leads_to_a_source(self) -> None:
        text = self.run().stdout
        table, _, notes = text.partition("\nAssumed")
        listed = set(re.findall(r"^\[(\d+)\] .", notes, re.MULTILINE))
        assert set(re.findall(r"\[(\d+)\]", table)) == listed == {str(each + 1) for each in range(len(listed))}

    def test_it_has_every_row_of_the_json(self) -> None:
        table, _, _ = self.run().stdout.partition("\nchanged: it was right")
        told = json.loads(self.run("--json").stdout)
        assert re.findall(r"\b(unchanged|changed|corrected|added): ", table) == [row["verdict"] for row in told["rows"]]
        assert told == seed.document()
        assert {"as_of", "source", "status", "usd"} == set(told["rows"][0]["prices"][0])

    @pytest.mark.parametrize(
        "other", [["--stack", "dev"], ["--usage", "small"], ["--by-line"], ["--csv"], ["--change"]]
    )
    def test_another_option_is_refused_by_name(self, other: list[str]) -> None:
        result = self.run(*other)
        assert result.exit_code == 2
        assert f"--seed has nothing to do with {other[0]}" in result.stderr


def test_the_page_has_every_row_of_the_json_and_numbers_that_lead_to_sources() -> None:
    page = dict(docs.documents())["docs/first-user.md"]
    rows = [line for line in page.splitlines() if re.search(r"\| (unchanged|changed|corrected|added): ", line)]
    told = seed.document()["rows"]
    assert len(rows) == len(told)
    for line, row in zip(rows, told, strict=True):
        assert all(text in line for text in (row["what"], row["now"]["text"], row["verdict"], row["why"]))
    listed = re.findall(r"^(\d+)\. .", page, re.MULTILINE)
    assert listed == [str(each + 1) for each in range(len(listed))]
    assert set(re.findall(r"\[(\d+)\]", "\n".join(rows))) == set(listed)


class TestTheExamples:
    @pytest.mark.parametrize("size", EXAMPLES)
    def test_an_example_is_their_month(self, size: int) -> None:
        assert read(str(EXAMPLES[size])) == seed.usage(size)

    @pytest.mark.parametrize("size", EXAMPLES)
    def test_it_says_how_to_use_it(self, size: int) -> None:
        path = EXAMPLES[size]
        (command,) = re.findall(r"^# +yard compare (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert command == f"--usage {path.relative_to(ROOT)}"
        result = CliRunner().invoke(compare, ["--usage", str(path), "--json"])
        assert json.loads(result.stdout)["usage"]["image-size"] == size
