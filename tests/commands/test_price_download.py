"""The price lists come from a mirror, whole or not at all."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from components.prices import HERE, plain, rows_of
from tests.commands.offers_made import EXPECTED, OFFERS, TOKYO, VIRGINIA, run
from yard import prices as command
from yard.pricelist import files
from yard.pricelist.items import ITEMS, SERVICES, bare

pytestmark = pytest.mark.usefixtures("kept")


@dataclass
class Mirror:
    """A server of the lists that can be told to fail."""

    keeps: Callable[[int], int | None] = lambda request: None
    """How many bytes the n-th request gets before the line is cut; None: all."""
    root: Path = OFFERS
    ranges: bool = True
    status: int = 200
    tag: Callable[[int], str] = lambda request: '"1"'
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    """Paths, and the ranges that were asked for."""


@contextmanager
def served(mirror: Mirror) -> Iterator[tuple[str, Mirror]]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, mirror)) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", mirror
        server.shutdown()


class Handler(BaseHTTPRequestHandler):
    def __init__(self, mirror: Mirror, *arguments: Any) -> None:
        self.mirror = mirror
        super().__init__(*arguments)

    def do_GET(self) -> None:
        mirror, count = self.mirror, len(self.mirror.requests)
        wanted = self.headers.get("Range")
        mirror.requests.append((self.path, wanted))
        if mirror.status != 200:
            self.send_error(mirror.status)
            return
        body, tag = (mirror.root / self.path.lstrip("/")).read_bytes(), mirror.tag(count)
        if partial_answer := mirror.ranges and wanted and self.headers.get("If-Range") == tag:
            body = body[int(wanted.removeprefix("bytes=").rstrip("-")) :] if wanted else body
        self.send_response(206 if partial_answer else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", tag)
        self.end_headers()
        self.wfile.write(body[: mirror.keeps(count)])

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


class TestDownload:
    def expect(self, kept: Path, result: Result) -> None:
        assert result.exit_code == 0, result.output
        assert (kept / f"aws/{VIRGINIA}.json").read_text() == ((EXPECTED / f"{VIRGINIA}.json").read_text())

    def test_a_mirror_gives_the_same_file(self, kept: Path) -> None:
        with served(Mirror()) as (base, mirror):
            self.expect(kept, run(VIRGINIA, offers=base))
        assert [path for path, _ in mirror.requests] == [f"/{each}/current/{VIRGINIA}/index.json" for each in SERVICES]

    def test_every_region_that_has_all_services_each_by_itself(self, kept: Path, lists: Path) -> None:
        """Milan has not all of the services; Tokyo's list of ECS is broken, which keeps nobody else."""
        for service in SERVICES:
            milan = ["eu-south-1"] if service != "AmazonEKS" else []
            index = {"regions": {each: {"regionCode": each} for each in (VIRGINIA, TOKYO, *milan)}}
            (lists / service / "current/region_index.json").write_text(json.dumps(index), encoding="utf-8")
        (lists / f"AmazonECS/current/{TOKYO}/index.json").write_text("{}", encoding="utf-8")
        before = (kept / f"aws/{TOKYO}.json").read_text(encoding="utf-8")
        with served(Mirror(root=lists)) as (base, mirror):
            result = run("--every-region", offers=base)
        assert result.exit_code == 1
        assert (kept / f"aws/{VIRGINIA}.json").read_text() == ((EXPECTED / f"{VIRGINIA}.json").read_text())
        assert (kept / f"aws/{TOKYO}.json").read_text(encoding="utf-8") == before
        assert not any("eu-south-1" in path for path, _ in mirror.requests)
        assert "AmazonECS: is not a complete price list" in result.output
        assert result.output.endswith(f"{VIRGINIA}.json: written\n")

    def test_a_list_of_regions_that_is_none_is_named(self, lists: Path) -> None:
        (lists / f"{SERVICES[0]}/current/region_index.json").write_text("[]", encoding="utf-8")
        told = run("--every-region", offers=lists).output
        assert f"{SERVICES[0]}/current/region_index.json is not a list of regions in AWS's format" in told

    def test_it_goes_on_where_it_broke_off(self, kept: Path) -> None:
        with served(Mirror(keeps=lambda request: 1000 if request == 0 else None)) as (base, mirror):
            self.expect(kept, run(VIRGINIA, offers=base))
        assert [wanted for _, wanted in mirror.requests[:3]] == [None, "bytes=1000-", None]

    def test_another_version_meanwhile_is_fetched_from_the_start(self, kept: Path) -> None:
        cut = Mirror(keeps=lambda request: 1000 if request == 0 else None, tag=lambda request: f'"{request}"')
        with served(cut) as (base, mirror):
            self.expect(kept, run(VIRGINIA, offers=base))
        assert [wanted for _, wanted in mirror.requests[:3]] == [None, "bytes=1000-", None]

    def test_the_environment_may_name_the_mirror(self, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SWITCHYARD_OFFERS", str(OFFERS))
        self.expect(kept, CliRunner().invoke(command.prices, ["refresh", VIRGINIA]))


class TestUsageTypes:
    @pytest.mark.parametrize("prefix", ["", "USE1-", "APN1-", "EUC1-", "EU-", "UGW1-", "MXC1-"])
    def test_the_regions_prefix_comes_off(self, prefix: str) -> None:
        assert bare(f"{prefix}NatGateway-Hours") == "NatGateway-Hours"

    @pytest.mark.parametrize(
        "usage", ["TS-LoadBalancerUsage", "Outposts-LoadBalancerUsage", "Global-DataTransfer-Out-Bytes"]
    )
    def test_what_is_no_region_stays(self, usage: str) -> None:
        assert bare(usage) == usage

    def test_no_two_items_look_for_the_same(self) -> None:
        looked = [(item.service, usage, *item.where.values()) for item in ITEMS.values() for usage in item.usages]
        assert len(looked) == len(set(looked))


class TestFiles:
    @pytest.mark.parametrize("path", sorted((HERE / "aws").glob("*.json")), ids=lambda path: path.stem)
    def test_ours_are_written_as_they_were_read(self, path: Path) -> None:
        assert files.text("aws", path.stem, rows_of(path)) == path.read_text(encoding="utf-8")

    def test_the_table_has_what_the_file_has_that_aws_lists(self) -> None:
        keys = {row["key"] for row in rows_of(HERE / f"aws/{VIRGINIA}.json")}
        assert keys - ITEMS.keys() <= {"logs.free"}

    def test_units_are_those_of_the_file(self) -> None:
        rows = rows_of(HERE / f"aws/{VIRGINIA}.json")
        assert {row["key"]: row["unit"] for row in rows if row["key"] in ITEMS} == {
            row["key"]: ITEMS[row["key"]].unit for row in rows if row["key"] in ITEMS
        }

    @given(st.decimals(allow_nan=False, allow_infinity=False))
    def test_a_plain_number_is_the_same_number(self, number: Decimal) -> None:
        text = plain(number)
        assert Decimal(text) == number
        assert not re.search(r"[eE]|\.\d*0$|\.$", text)


class TestListing:
    def test_it_names_each_file_with_what_is_unconfirmed(self, kept: Path) -> None:
        (kept / "docker").mkdir()
        (kept / "docker/global.json").write_text(files.text("docker", "global", []))
        result = CliRunner().invoke(command.prices, [])
        assert result.exit_code == 0
        assert [line.split() for line in result.output.splitlines()] == [
            ["no", "not"],
            ["vendor", "region", "prices", "oldest", "date", "recorded", "sure"],
            ["aws", TOKYO, "3", "2026-06", "2", "0", "3"],
            ["docker", "global", "0", "-", "0", "0", "0"],
        ]
