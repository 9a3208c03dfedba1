"""The price files row by row, and what a price makes of a quantity."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import prices
from components.prices import HERE, Price, Status, Tier

FILES = sorted(HERE.glob("*/*.json"))
BOTH = ("ap-northeast-1", "us-east-1")
FIELDS = {"key", "usd", "unit", "status", "as_of", "source", "from", "to", "quantity", "note"}
"""What a row may say; the first six it must."""


def rows(file: Path) -> list[dict[str, Any]]:
    """The rows of a price file, numbers as they are written."""
    found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal, parse_int=Decimal)[
        "prices"
    ]
    return found


def tiers(*steps: tuple[str, str | None, str]) -> Price:
    """A price of (from, to, USD)."""
    made = [
        Tier(Decimal(start), end and Decimal(end), Decimal(usd), "verified", None, "", "")  # type: ignore[arg-type]
        for start, end, usd in steps
    ]
    return Price("thing", "GB", tuple(made), None)


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
class TestEveryFile:
    def test_it_says_whose_it_is(self, file: Path) -> None:
        document = json.loads(file.read_text(encoding="utf-8"))
        assert (document["vendor"], document["region"]) == (file.parent.name, file.stem)
        assert set(document) == {"vendor", "region", "prices"}

    def test_each_row_is_whole(self, file: Path) -> None:
        for row in rows(file):
            assert {"key", "usd", "unit", "status", "as_of", "source"} <= set(row) <= FIELDS
            assert row["usd"] >= 0
            assert re.fullmatch(r"[a-z0-9_.-]+", row["key"])
            assert row["unit"]
            assert row["status"] in get_args(Status)
            assert row["source"]

    def test_its_dates_are_dates(self, file: Path) -> None:
        for row in rows(file):
            if row["as_of"] is not None:
                assert re.fullmatch(r"\d{4}(-\d{2}(-\d{2})?)?", row["as_of"])
                date(*(*map(int, row["as_of"].split("-")), 1, 1)[:3])

    def test_what_was_read_says_where_and_what_was_not_has_no_date(self, file: Path) -> None:
        for row in rows(file):
            assert (row["source"] == "memory") <= (row["status"] == "memory")
            assert row["status"] != "memory" or row["as_of"] is None

    def test_rows_of_a_key_stand_together(self, file: Path) -> None:
        keys = [key for key, _ in groupby(rows(file), lambda row: row["key"])]
        assert len(keys) == len(set(keys))

    def test_tiers_ascend_without_a_gap(self, file: Path) -> None:
        for key, group in groupby(rows(file), lambda row: row["key"]):
            found = list(group)
            assert found[0].get("from", 0) == 0, key
            assert len({row["unit"] for row in found}) == 1, key
            for lower, upper in pairwise(found):
                assert lower.get("from", 0) < upper["from"], key
                assert lower.get("to", upper["from"]) == upper["from"], key
            assert all(row["to"] > row.get("from", 0) for row in found if "to" in row), key

    def test_an_allowance_is_one_row_and_costs_nothing(self, file: Path) -> None:
        for _, group in groupby(rows(file), lambda row: row["key"]):
            found = list(group)
            if "quantity" in found[0]:
                assert len(found) == 1
                assert found[0]["usd"] == 0
                assert found[0]["quantity"] > 0


def test_no_region_says_again_what_is_the_same_everywhere() -> None:
    for file in FILES:
        if file.stem != prices.GLOBAL:
            everywhere = {row["key"] for row in rows(file.with_name(f"{prices.GLOBAL}.json"))}
            assert not everywhere & {row["key"] for row in rows(file)}


def test_a_key_has_one_unit_in_every_region_of_aws() -> None:
    books = [prices.load("aws", region) for region in BOTH]
    shared = set.intersection(*(set(book.prices) for book in books))
    assert len(shared) > 50
    assert {key for key in shared if len({book.prices[key].unit for book in books}) > 1} == set()


class TestBooks:
    def test_a_region_has_what_is_the_same_everywhere_too(self) -> None:
        book = prices.load("aws", "us-east-1")
        assert {"ecr-public.storage", "alb.hour"} <= book.prices.keys()

    def test_elsewhere_only_that_is_known(self) -> None:
        book = prices.load("google", "europe-west9")
        assert book.find("artifact-registry.storage") is not None
        assert book.find("artifact-registry.internet") is None

    def test_amounts_are_decimal_as_they_are_written(self) -> None:
        price = prices.load("aws", "ap-northeast-1").find("eks.auto.m7i.large")
        assert price
        assert price.tiers[0].usd == Decimal("0.01562")

    def test_regions_are_those_with_a_file(self) -> None:
        assert set(BOTH) <= set(prices.regions("aws"))
        assert prices.GLOBAL not in prices.regions("aws")

    def test_a_region_without_prices_names_those_with_some_and_the_way_to_more(self) -> None:
        prices.require("aws", "us-east-1")
        with pytest.raises(prices.NoPrices) as error:
            prices.require("aws", "eu-west-3")
        assert str(error.value) == (
            f"there are no prices for eu-west-3: there are for {', '.join(prices.regions('aws'))}."
            " `yard prices refresh eu-west-3` fetches them (it needs the internet)"
        )


STAIRS = tiers(("0", None, "3"), ("10", None, "2"), ("50", None, "1"))
ENDING = tiers(("0", None, "3"), ("10", "50", "2"))


class TestTiers:
    @pytest.mark.parametrize(
        ("quantity", "usd"),
        [
            ("0", "0"),
            ("9.99", "29.97"),
            ("10", "30"),
            ("10.01", "30.02"),
            ("49.5", "109"),
            ("50", "110"),
            ("50.5", "110.5"),
            ("1000", "1060"),
        ],
    )
    def test_each_is_paid_for_its_own_part(self, quantity: str, usd: str) -> None:
        assert STAIRS.cost(Decimal(quantity)) == Decimal(usd)

    @pytest.mark.parametrize(
        ("quantity", "reached"), [("0", 1), ("10", 1), ("10.01", 2), ("50", 2), ("50.01", 3), ("1000", 3)]
    )
    def test_the_next_is_reached_above_the_edge(self, quantity: str, reached: int) -> None:
        assert STAIRS.reached(Decimal(quantity)) == STAIRS.tiers[:reached]

    def test_beyond_the_last_that_is_known_nothing_is(self) -> None:
        assert ENDING.cost(Decimal(50)) == Decimal(110)
        assert ENDING.cost(Decimal("50.01")) is None

    @given(st.integers(0, 200))
    def test_it_is_what_units_cost_one_by_one(self, quantity: int) -> None:
        one_by_one = sum(3 if unit < 10 else 2 if unit < 50 else 1 for unit in range(quantity))
        assert STAIRS.cost(Decimal(quantity)) == one_by_one

    def test_more_never_costs_less_and_nothing_jumps(self) -> None:
        little = Decimal("0.000001")
        for price in [price for region in BOTH for price in prices.load("aws", region).prices.values()]:
            dearest = max(tier.usd for tier in price.tiers)
            for edge in [edge for tier in price.tiers for edge in (tier.start, tier.end) if edge is not None]:
                below, at, above = map(price.cost, (max(Decimal(0), edge - little), edge, edge + little))
                assert below is not None
                assert at is not None
                assert 0 <= at - below <= little * dearest
                assert above is None or 0 <= above - at <= little * dearest


def dated(as_of: str | None) -> Tier:
    return Tier(Decimal(0), None, Decimal(1), "verified", as_of, "", "")


class TestAge:
    @pytest.mark.parametrize(
        ("as_of", "stale"),
        [
            ("2026-11-24", False),
            ("2026-05-28", False),
            ("2026-05-27", True),
            ("2026-06", False),
            ("2026-05", True),
            ("2026", True),
            (None, True),
        ],
    )
    def test_a_price_is_stale_after_180_days_or_without_a_date(self, as_of: str | None, stale: bool) -> None:
        assert dated(as_of).is_stale(date(2026, 11, 24)) is stale

    @pytest.mark.parametrize(
        ("status", "confirmed"),
        [("verified", True), ("recorded", True), ("third-party", False), ("derived", False), ("memory", False)],
    )
    def test_only_the_vendors_own_numbers_are_confirmed(self, status: Status, confirmed: bool) -> None:
        assert Tier(Decimal(0), None, Decimal(1), status, None, "", "").confirmed is confirmed


def all_rows() -> Iterator[Mapping[str, Any]]:
    for file in FILES:
        yield from rows(file)


def test_sources_are_for_everyone_to_read() -> None:
    """No path of someone's machine, no name of someone's tool."""
    assert not [row["key"] for row in all_rows() if re.search(r"(^|\s)/(?!/)\w+/|\bread_file\b", row["source"])]
