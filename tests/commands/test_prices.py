"""`yard prices`: price lists made by hand in AWS's format become the expected files, or nothing changes at all."""

import json
import re
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from components.prices import rows_of
from tests.commands.offers_made import (
    EXPECTED,
    OLD,
    PRINTED,
    TOKYO,
    VIRGINIA,
    contents,
    dimensions,
    edited,
    path_of,
    run,
    sku,
)
from tests.commands.test_price_download import Mirror, served
from yard.pricelist import files
from yard.pricelist.items import ITEMS, SERVICES

pytestmark = pytest.mark.usefixtures("kept")


class TestRefresh:
    @pytest.mark.parametrize("region", [VIRGINIA, TOKYO])
    def test_the_file_is_exactly_the_expected_one(self, kept: Path, region: str) -> None:
        result = run(region)
        assert result.exit_code == 0, result.output
        assert (kept / f"aws/{region}.json").read_bytes() == (EXPECTED / f"{region}.json").read_bytes()

    @pytest.mark.parametrize("region", [VIRGINIA, TOKYO])
    def test_the_prices_are_those_of_the_lists(self, region: str) -> None:
        told = json.loads(run(region, "--json").output)["regions"][0]
        found = {each["key"]: each["new"] for each in told["prices"]}
        assert {key: found[key] for key in PRINTED[region]} == PRINTED[region]

    def test_every_row_says_where_and_when_it_was_read(self, kept: Path) -> None:
        run(VIRGINIA)
        rows = rows_of(kept / f"aws/{VIRGINIA}.json")
        assert {row["status"] for row in rows} == {"verified"}
        (row,) = (row for row in rows if row["key"] == "eks.cluster")
        assert row["as_of"] == "2026-11-17"
        assert row["source"].startswith(
            "https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AmazonEKS/current/us-east-1/index.json"
            " (version 20261117083000, SKU "
        )

    def test_every_item_of_the_table_is_found(self, kept: Path) -> None:
        run(VIRGINIA)
        assert [*dict.fromkeys(row["key"] for row in rows_of(kept / f"aws/{VIRGINIA}.json"))] == list(ITEMS)

    def test_what_changed_is_told(self) -> None:
        output = run(TOKYO).output
        assert "  ~ alb.hour: 0.03 -> 0.0243 USD\n" in output
        assert "  + nat.data: 0.062 USD\n" in output
        assert "  1 price as before\n" in output
        assert "kept as they are, since they are not looked up: logs.free\n" in output
        assert output.endswith(f"{TOKYO}.json: written\n")

    def test_a_second_time_changes_nothing(self, kept: Path) -> None:
        run(VIRGINIA, TOKYO)
        before = contents(kept)
        stamp = (kept / f"aws/{TOKYO}.json").stat().st_mtime_ns
        result = run(VIRGINIA, TOKYO)
        assert result.output.count(": same as before\n") == 2
        assert contents(kept) == before
        assert (kept / f"aws/{TOKYO}.json").stat().st_mtime_ns == stamp

    def test_a_dry_run_tells_the_same_and_writes_nothing(self, kept: Path) -> None:
        before = contents(kept)
        dry = run(TOKYO, "--dry-run").output
        assert contents(kept) == before
        assert dry.replace("not written (--dry-run)", "written") == run(TOKYO).output

    def test_json_is_one_document(self, kept: Path) -> None:
        told = json.loads(run(TOKYO, VIRGINIA, "--json").output)
        assert told["ok"]
        tokyo, virginia = told["regions"]
        assert (tokyo["region"], tokyo["changed"], tokyo["kept"]) == (TOKYO, True, ["logs.free"])
        assert tokyo["file"] == str(kept / f"aws/{TOKYO}.json")
        changes = {each["key"]: (each["change"], each["old"], each["new"]) for each in tokyo["prices"]}
        assert changes["alb.hour"] == ("changed", "0.03", "0.0243")
        assert changes["nat.hour"] == ("same", "0.062", "0.062")
        assert changes["nat.data"] == ("new", None, "0.062")
        assert {each["change"] for each in virginia["prices"]} == {"new"}

    def test_no_digit_is_lost_or_made_up(self, kept: Path, lists: Path) -> None:
        with edited(lists, "AmazonECS") as document:
            (tier,) = dimensions(document, "APN1-Fargate-GB-Hours")
            tier["pricePerUnit"]["USD"] = "0.1234567890123456789012"
        run(TOKYO, offers=lists)
        assert '"usd": 0.1234567890123456789012,' in (kept / f"aws/{TOKYO}.json").read_text()

    def test_an_instance_type_that_a_region_does_not_have_is_told(self, kept: Path) -> None:
        assert "not sold in this region: ec2.m7g.12xlarge\n" in run(TOKYO).output
        assert "ec2.m7g.12xlarge" not in (kept / f"aws/{TOKYO}.json").read_text()

    def test_without_a_region_it_is_the_stacks(self) -> None:
        assert json.loads(run("--stack", "dev", "--json").output)["regions"][0]["region"] == VIRGINIA

    def test_a_stack_without_a_region_wants_one_named(self) -> None:
        result = run("--stack", "local")
        assert result.exit_code == 2
        assert "stack local is in no region of AWS: name one, as in `yard prices refresh us-east-1`" in result.output

    @pytest.mark.parametrize("name", ["../../etc", "Tokyo", "us-east"])
    def test_what_is_no_region_is_refused(self, name: str) -> None:
        result = run(name)
        assert result.exit_code == 2
        assert f"'{name}' is not a region of AWS" in result.output

    @pytest.mark.parametrize("base", ["https://me:word@mirror.example", "https://mirror.example/?token=1", "ftp://x/y"])
    def test_an_address_with_a_secret_in_it_is_refused_unprinted(self, base: str) -> None:
        result = run(TOKYO, offers=base)
        assert result.exit_code == 2
        assert "want a directory, or an http or https URL without user and query" in result.output
        assert "word" not in result.output
        assert "token" not in result.output


def missing(document: dict[str, Any]) -> None:
    del document["products"][sku(document, "APN1-NatGateway-Hours")]


def twice(document: dict[str, Any]) -> None:
    one = sku(document, "APN1-NatGateway-Hours")
    document["products"]["TWIN"] = document["products"][one]
    document["terms"]["OnDemand"]["TWIN"] = document["terms"]["OnDemand"][one]


def elsewhere(document: dict[str, Any]) -> None:
    document["products"][sku(document, "APN1-NatGateway-Hours")]["attributes"]["regionCode"] = "ap-northeast-3"


def unpriced(document: dict[str, Any]) -> None:
    del document["terms"]["OnDemand"][sku(document, "APN1-NatGateway-Hours")]


def two_terms(document: dict[str, Any]) -> None:
    terms = document["terms"]["OnDemand"][sku(document, "APN1-NatGateway-Hours")]
    terms["next year"] = next(iter(terms.values()))


def in_yuan(document: dict[str, Any]) -> None:
    (tier,) = dimensions(document, "APN1-NatGateway-Hours")
    tier["pricePerUnit"] = {"CNY": "0.4"}


def by_the_day(document: dict[str, Any]) -> None:
    (tier,) = dimensions(document, "APN1-NatGateway-Hours")
    tier["unit"] = "Days"


def for_nothing(document: dict[str, Any]) -> None:
    (tier,) = dimensions(document, "APN1-NatGateway-Hours")
    tier["pricePerUnit"]["USD"] = "0.0000000000"


def with_an_end(document: dict[str, Any]) -> None:
    (tier,) = dimensions(document, "APN1-NatGateway-Hours")
    tier["endRange"] = "100"


def other_list(document: dict[str, Any]) -> None:
    document["offerCode"] = "AmazonRDS"


def no_date(document: dict[str, Any]) -> None:
    del document["publicationDate"]


class TestNothingChangesWhen:
    """Whatever is wrong: exit 1, its name, the same bytes as before, and no file beside them."""

    @pytest.fixture(autouse=True)
    def untouched(self, kept: Path) -> Iterator[None]:
        before = contents(kept)
        yield
        assert contents(kept) == before

    @pytest.mark.parametrize(
        ("spoil", "says"),
        [
            (missing, "nat.hour: AmazonEC2 has no product for it (NatGateway-Hours, NAT Gateway, NatGateway)"),
            (twice, "nat.hour: AmazonEC2 has 2 products for it, not one: "),
            (elsewhere, "nat.hour: AmazonEC2 has no product for it"),
            (unpriced, "has 0 prices on demand, not one"),
            (two_terms, "has 2 prices on demand, not one"),
            (in_yuan, "is priced in CNY, not in USD"),
            (by_the_day, "is charged by 'Days', which is not hour"),
            (for_nothing, "costs nothing: look at it yourself"),
            (with_an_end, "has tiers that do not follow each other: 0 to 100"),
            (other_list, "AmazonEC2: is the price list of AmazonRDS"),
            (no_date, "AmazonEC2: is not a complete price list in AWS's format"),
        ],
        ids=lambda each: getattr(each, "__name__", ""),
    )
    def test_a_list_is_wrong(self, lists: Path, spoil: Callable[[dict[str, Any]], None], says: str) -> None:
        with edited(lists, "AmazonEC2") as document:
            spoil(document)
        result = run(TOKYO, offers=lists)
        assert result.exit_code == 1
        assert says in result.output
        assert result.output.endswith("Nothing was changed.\n")

    @pytest.mark.parametrize(("first", "second"), [("20480", "40960"), ("5120", "51200")])
    def test_tiers_leave_a_hole_or_overlap(self, lists: Path, first: str, second: str) -> None:
        with edited(lists, "AWSDataTransfer") as document:
            dimensions(document, "APN1-DataTransfer-Out-Bytes")[1] |= {"beginRange": first, "endRange": second}
        result = run(TOKYO, offers=lists)
        assert result.exit_code == 1
        assert re.search(r"transfer\.internet: SKU \w+ has tiers that do not follow each other: ", result.output)

    def test_a_type_that_the_file_has_is_sold_no_more(self, kept: Path, lists: Path) -> None:
        path = kept / f"aws/{TOKYO}.json"
        row = next(row for row in rows_of(path) if row["key"] == "nat.hour") | {"key": "ec2.m7g.12xlarge"}
        before = OLD.encode()
        path.write_text(files.text("aws", TOKYO, [row]), encoding="utf-8")
        result = run(TOKYO)
        path.write_bytes(before)
        assert result.exit_code == 1
        assert "ec2.m7g.12xlarge: AmazonEC2 has no product for it (BoxUsage:m7g.12xlarge, " in result.output

    def test_a_type_is_sold_but_not_as_it_is_looked_for(self, lists: Path) -> None:
        with edited(lists, "AmazonEC2") as document:
            wanted = sku(document, "APN1-BoxUsage:m6i.large")
            document["products"][wanted]["attributes"]["tenancy"] = "Dedicated"
        result = run(TOKYO, offers=lists)
        assert result.exit_code == 1
        assert "ec2.m6i.large: AmazonEC2 has no product for it" in result.output

    def test_two_names_of_one_usage_type_differ_in_price(self, lists: Path) -> None:
        with edited(lists, "AmazonCloudWatch", VIRGINIA) as document:
            (tier,) = dimensions(document, "DataProcessing-Bytes")
            tier["pricePerUnit"]["USD"] = "0.4000000000"
        result = run(VIRGINIA, offers=lists)
        assert result.exit_code == 1
        assert "logs.ingest: AmazonCloudWatch has 2 products for it, not one: " in result.output

    def test_all_that_is_wrong_is_named_at_once_and_the_good_region_waits(self, kept: Path, lists: Path) -> None:
        with edited(lists, "AmazonEC2") as document:
            missing(document)
        with edited(lists, "AmazonVPC") as document:
            (tier,) = dimensions(document, "APN1-VpcEndpoint-Hours")
            tier["pricePerUnit"] = {"EUR": "1"}
        path_of(lists, "AWSELB").unlink()
        told = json.loads(run(VIRGINIA, TOKYO, "--json", offers=lists).output)
        assert told["ok"] is False
        virginia, tokyo = told["regions"]
        assert (virginia["problems"], virginia["changed"]) == ([], False)
        assert [each.partition(":")[0] for each in tokyo["problems"]] == ["AWSELB", "endpoint.hour", "nat.hour"]
        assert "No such file or directory" in tokyo["problems"][0]

    @pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.999])
    def test_a_file_ends_early(self, lists: Path, share: float) -> None:
        path = path_of(lists, "AmazonEC2")
        whole = path.read_bytes().rstrip()
        path.write_bytes(whole[: int(len(whole) * share)])
        result = run(TOKYO, offers=lists)
        assert result.exit_code == 1
        assert "AmazonEC2: is not a complete price list in AWS's format" in result.output

    @pytest.mark.parametrize(
        "content", [b"<html>", b"[]", b"\xff\xfe", b'{"products": {"A": 1}}', b'{"products": [1]}']
    )
    def test_a_file_is_something_else(self, lists: Path, content: bytes) -> None:
        path_of(lists, "AmazonVPC").write_bytes(content)
        result = run(TOKYO, offers=lists)
        assert result.exit_code == 1
        assert "AmazonVPC: is not a complete price list in AWS's format" in result.output

    def test_the_file_cannot_be_written(self, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(self: Path, *_: object, **__: object) -> int:
            raise OSError(28, "No space left on device", str(self))

        monkeypatch.setattr(Path, "write_text", full)
        result = run(TOKYO)
        assert result.exit_code == 1
        assert f"No space left on device: '{kept}/aws/{TOKYO}.json.new'" in result.output

    def test_nobody_answers(self) -> None:
        with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
            base = f"http://127.0.0.1:{server.server_port}"
        result = run(TOKYO, offers=base)
        assert result.exit_code == 1
        first = f"{SERVICES[0]}: {base}/{SERVICES[0]}/current/{TOKYO}/index.json cannot be reached: "
        assert f"  {first}[Errno 111] Connection refused\nNothing was changed.\n" in result.output

    def test_a_download_always_breaks_off(self) -> None:
        with served(Mirror(keeps=lambda request: 1000, ranges=False)) as (base, mirror):
            result = run(TOKYO, offers=base)
        assert result.exit_code == 1
        assert re.search(r"AmazonEC2: \S+ broke off 5 times: 1000 of \d+ bytes came", result.output)
        assert len(mirror.requests) == 5 * len(SERVICES)

    @pytest.mark.parametrize(("status", "times"), [(403, 1), (404, 1), (503, 5)])
    def test_the_server_refuses(self, status: int, times: int) -> None:
        with served(Mirror(status=status)) as (base, mirror):
            result = run(TOKYO, offers=base)
        assert result.exit_code == 1
        assert result.output.count(str(status)) >= len(SERVICES)
        assert len(mirror.requests) == times * len(SERVICES)
