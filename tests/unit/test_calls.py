"""What is called in a rehearsal, what is right about an answer, and what is told of it. Nothing runs here."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rehearsal.traffic import figures
from rehearsal.traffic.callers import UNEXPECTED, Answer, Request
from rehearsal.traffic.passed import Passed
from rehearsal.traffic.replica import Life, Pace
from rehearsal.traffic.sockets import Kept, Sockets, Spell, kept
from tests.commands.test_story import CARRIED
from tests.unit.test_traffic import a_replica
from yard.rehearse import _calls
from yard.story.requests import lines


class TestRequest:
    """What is sent, and what must come back."""

    def test_what_vegeta_is_given(self, tmp_path: Path) -> None:
        get = Request("/a?b=c", "acme.com").target("http://here", tmp_path)
        assert get == "GET http://here/a?b=c\nHost: acme.com\n"
        post = Request("/a", body=b"{}", kind="application/json").target("http://here", tmp_path).splitlines()
        assert post[:2] == ["POST http://here/a", "Content-Type: application/json"]
        assert Path(post[2].removeprefix("@")).read_bytes() == b"{}"

    def test_what_options_ask_for(self, tmp_path: Path) -> None:
        file = tmp_path / "a.png"
        file.write_bytes(b"\x89")
        posts = (("/a", "{}"), ("/b", "c=d"), ("/c", f"@{file}"))
        found = _calls(("/",), posts, (("/a", "x"), ("/a", "y"), ("/d", "z")), ("/ws", "/ws"))
        assert [(each.path, each.body, each.kind) for each in found["calls"]] == [
            ("/", None, ""),
            ("/d", None, ""),
            ("/a", b"{}", "application/json"),
            ("/b", b"c=d", "application/x-www-form-urlencoded"),
            ("/c", b"\x89", "image/png"),
        ]
        assert found["expects"] == {"/a": ("x", "y"), "/d": ("z",)}
        assert found["websockets"] == ("/ws",)

    def test_an_answer_that_says_something_else_is_lost(self) -> None:
        assert Request("/", expects=("id", "x")).misses(b'{"id": 1}') == ["x"]
        answer = Answer(1, 0.1, 200, "", "/", "api", "api-eks", "127.0.0.1:1", right=False)
        assert figures.lost([answer], {"127.0.0.1:1"}) == {UNEXPECTED: 1}


def logged(at: int, code: int = 200, took: float = 0.1, server: str = "127.0.0.1:1") -> str:
    """A line of the access log, of a request that ended at a second."""
    entry: dict[str, Any] = {
        "ServiceName": "api-eks@file",
        "ServiceAddr": server,
        "DownstreamStatus": code,
        "OriginDuration": int(took * 1e9),
        "Duration": int(took * 1e9),
        "StartUTC": f"1970-01-01T00:00:{at - took:012.9f}Z",
    }
    return json.dumps(entry) + "\n"


class TestPassed:
    """What CloudWatch has of it."""

    def test_by_minute_once_it_is_over(self, tmp_path: Path) -> None:
        log = tmp_path / "access.log"
        passed = Passed(log, Pace(0.1))  # a minute takes 6 s
        of_first = [logged(1), logged(2, 500), logged(3, 502), logged(4, 101, 3), logged(5, 503, server="")]
        log.write_text("".join(of_first) + logged(7, took=0.4)[:-9])
        first = passed.between("api-eks", 1, 12, 6.1)
        (minute,) = first.values()
        assert [*first] == [0]
        assert (minute.requests, minute.failed, minute.refused, minute.p99) == (4, 1, 1, 0.1)
        assert not passed.between("api-eks", 0, 12, 5.9), "it is not over"
        assert not passed.between("api-old", 0, 12, 20)
        with log.open("a") as more:
            more.write(logged(7, took=0.4)[-9:])
        assert [each.p99 for each in passed.between("api-eks", 6.5, 12, 12).values()] == [0.4], "start is rounded down"
        assert [*passed.between("api-eks", 0, 6, 20)] == [0], "end is not in it"


class TestWebSockets:
    """Those that end with their replica are as it must be."""

    @pytest.mark.parametrize(("end", "fair"), [(9, False), (20, False), (40.1, True), (41, True)])
    def test_what_its_replica_did_then(self, end: float, fair: bool) -> None:
        replica = a_replica()
        replica.port, replica.life = 1, Life(1, 2, left=10, told=40, ended=41.1)
        sockets = Sockets("switch", 1, [Request("/ws")])
        sockets.spells = [
            Spell("/ws", ("switch", "1"), 5, end, "broken off"),
            Spell("/ws", ("switch", "2"), end + 0.5, end + 9, "", 0.5),
        ]
        ways = {("switch", "1"): ("api", "api-eks", "127.0.0.1:1")}
        (found,) = kept(sockets, ways, [replica])
        assert (found.opened, found.again) == (2, 0.5)
        assert (found.cut, found.lost) == (({"broken off": 1}, {}) if fair else ({}, {"broken off": 1}))

    def test_one_that_cannot_be_opened_is_lost(self) -> None:
        sockets = Sockets("switch", 1, [Request("/ws")], refused=[("/ws", "answered 502")])
        (found,) = kept(sockets, {}, [])
        assert found.lost == {"not opened: answered 502": 1}

    def test_it_is_told_and_breaks_the_rehearsal(self) -> None:
        lost = Kept("/ws", 20, {"closed with 1001": 9}, {"broken off": 1}, 0.02)
        carried = replace(CARRIED, lost={}, websockets=[lost])
        assert carried.broken == "WebSockets to /ws were lost in switch: broken off 1"
        assert carried.json()["websockets"][0]["cut"] == {"closed with 1001": 9}
        assert [*lines(carried)][-1] == (
            "  WebSockets to /ws: of 20 that were opened 9 ended with their replica (closed with 1001 9), and another"
            " was open within 0.02 s; 1 was lost (broken off 1)"
        )
