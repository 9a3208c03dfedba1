"""The story of a rehearsal: what is told of it, on a terminal and as a page."""

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from rehearsal.traffic.figures import Bar, Carried, Second
from yard.rehearsing import Report, Served, Step
from yard.story import Phase, clock
from yard.story.lanes import picture
from yard.story.page import html
from yard.story.screen import Screen

SVG = "{http://www.w3.org/2000/svg}"


def step(op: str, name: str, part: str, start: float, end: float, phase: str = "switch") -> Step:
    return Step(phase, op, f"aws:x/{name}:{name.title()}", name, part, start, end)


STEPS = [
    step("create", "task", "ecs-fargate", 0, 60, "up"),
    step("create", "role", "eks", 60, 61),
    step("create", "cluster", "eks", 61, 601),
    step("create", "log", "vault", 60, 300),
    step("create", "pods", "eks", 601, 676),
    step("update", "rule", "edge", 676, 677),
    step("delete", "task", "ecs-fargate", 677, 780),
]


CARRIED = Carried(
    phase="switch",
    seconds=2,
    requests=20,
    lost={"502": 1},
    parts=[],
    latency={"before": None, "during": None},
    mistakes=[],
    timeline=[Second(0, {"ecs-fargate": 10}, 0, 5.0), Second(1, {"ecs-fargate": 5, "eks": 4}, 1, 10.0)],
    began=0.5,
    ended=2,
    bars=[Bar("edge", "update", "aws:lb/listenerRule:ListenerRule", "api", 1, 1.5)],
)


def report(**changes: object) -> Report:
    """Of a stack that switched; with `<script>` where a name can be anybody's."""
    found = Report(
        ok=True,
        steps=STEPS,
        changes={"up": {"create": 1}, "preview": {"same": 1}, "switch": {"create": 4, "update": 1, "delete": 1}},
        url={"before": "http://here", "after": "http://here"},
        orchestrators={"before": "ecs-fargate", "after": "eks"},
        served=[Served("up", 60, "api", "ecs-fargate"), Served("switch", 677, "api", "eks")],
        cost={"before": "49.74", "after": "282.35+?"},
    )
    for name, value in changes.items():
        setattr(found, name, value)
    return found


def test_who_serves_from_when_on_and_how_long_both_cost() -> None:
    told = [(clock(each.at), each.text) for each in Phase("switch", report()).moments()]
    assert told == [
        ("11:17", "eks serves api"),
        ("13:00", "ecs-fargate is gone: both cost for 12:00 minutes"),
    ]
    assert not Phase("up", report()).twice()


@pytest.mark.parametrize(
    ("names", "shares", "said"),
    [
        (["api", "web"], "eks", "eks serves api, web"),
        ([f"s{each}" for each in range(13)], "eks", "eks serves 13 services"),
        (["api"], "ecs-fargate 90, eks 10", "api: ecs-fargate 90, eks 10"),
    ],
)
def test_services_that_move_together_are_told_together(names: list[str], shares: str, said: str) -> None:
    served = [Served("switch", 600 + each, name, shares) for each, name in enumerate(names)]
    first, *_ = Phase("switch", report(served=served)).moments()
    assert (first.at, first.text) == (600 + len(names) - 1, said)


def test_what_it_waits_for_is_the_chain_of_those_that_ended_last() -> None:
    path = Phase("switch", report()).path()
    assert [each.name for each in path] == ["role", "cluster", "pods", "rule", "task"]
    assert all(one.end <= other.start for one, other in pairwise(path))


def test_a_phase_without_changes_stands_where_the_one_before_it_ended() -> None:
    found = Phase("preview", report())
    assert (found.start, found.end, found.changes) == (60, 60, "no changes")


class TestScreen:
    def told(self, capsys: pytest.CaptureFixture[str], verbose: bool, found: Report) -> list[str]:
        screen = Screen(verbose)
        with screen:
            listener = screen.listener()
            for name in found.changes:
                listener.phase(name, f"what {name} does")
                for each in Phase(name, found).steps:
                    listener.step(each)
                listener.done(name, found)
        screen.end(found)
        return capsys.readouterr().out.splitlines()

    def test_a_dozen_lines_are_the_whole_of_it(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.told(capsys, False, report())[2:] == [
            "",
            "   0:00  up: what up does (1 made)",
            "   1:00    ecs-fargate serves api",
            "         preview: no changes, as it should be",
            "   1:00  switch: what switch does (4 made, 1 changed, 1 removed)",
            "  11:17    eks serves api",
            "  13:00    ecs-fargate is gone: both cost for 12:00 minutes",
            "",
            "The switch takes 12:00 minutes, most of them for cluster (Cluster) 9:00, task ",
            "(Task) 1:43, pods (Pods) 1:15.",
            "A month costs 49.74 USD before the switch, 282.35+? after it.",
            "The URL stayed http://here, and never stood without a healthy target.",
            "It holds. AWS was not asked.",
        ]

    @pytest.mark.parametrize("width", [60, 80, 120])
    def test_it_fits_the_terminal_but_for_the_url(
        self, width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", str(width))
        lines = [line for line in self.told(capsys, False, report()) if "http://" not in line]
        assert max(map(len, lines)) <= width

    def test_verbose_is_every_operation_in_columns(self, capsys: pytest.CaptureFixture[str]) -> None:
        lines = [line for line in self.told(capsys, True, report()) if " aws:x/" in line]
        assert len(lines) == len(STEPS)
        assert {line.index("aws:x/") for line in lines} == {52}
        assert lines[2].split() == ["1:01", "10:01", "+", "cluster", "aws:x/cluster:Cluster"]

    def test_a_failure_is_told_with_its_reason(self, capsys: pytest.CaptureFixture[str]) -> None:
        lines = self.told(capsys, False, report(ok=False, reason="the cloud said no: [x]"))
        assert lines[-2:] == ["The rehearsal failed: the cloud said no: [x]", "AWS was not asked."]


class TestPage:
    def test_every_operation_is_a_bar_in_the_lane_of_its_part(self) -> None:
        drawn = ET.fromstring(
            picture([Phase("switch", report())], "it").replace("<svg", f'<svg xmlns="{SVG[1:-1]}"', 1)
        )
        bars = {rect.findtext(f"{SVG}title"): rect for rect in drawn.iter(f"{SVG}rect")}
        assert len([each for each in bars if each and "aws:x" in each]) == len(Phase("switch", report()).steps)
        cluster = bars["create cluster (aws:x/cluster:Cluster), 1:01 to 10:01"]
        pods = bars["create pods (aws:x/pods:Pods), 10:01 to 11:16"]
        assert float(cluster.attrib["width"]) / float(pods.attrib["width"]) == pytest.approx(540 / 75, abs=0.1)
        assert drawn.attrib["aria-label"] == "it: 12:00 minutes, 6 operations"
        assert [each.text for each in drawn.iter(f"{SVG}text") if each.get("class") == "on"] == ["ecs-fargate", "eks"]

    def test_the_time_in_which_both_cost_is_seen(self) -> None:
        assert "<title>both cost for 12:00 minutes</title>" in html("dev", report())

    def test_what_is_made_and_removed_is_counted_by_part_and_type(self) -> None:
        rows = re.findall(r"<tr><td>(\S+?)</td><th scope=row>aws:x/(\w+):.*?</tr>", html("dev", report()))
        assert rows == [
            ("ecs-fargate", "task"), ("edge", "rule"), ("eks", "cluster"), ("eks", "pods"), ("eks", "role"),
            ("vault", "log"),
        ]  # fmt: skip

    def test_requests_are_drawn_over_what_the_switch_did(self) -> None:
        page = html("dev", report(load=[CARRIED]))
        columns = re.findall(r'<rect class="(\w+)" [^>]*height="([\d.]+)"><title>second (\d+): (\S+) (\d+)<', page)
        assert columns == [
            ("old", "100.0", "0", "ecs-fargate", "10"),
            ("old", "50.0", "1", "ecs-fargate", "5"),
            ("new", "40.0", "1", "eks", "4"),
            ("lost", "10.0", "1", "lost", "1"),
        ]
        assert "update api (aws:lb/listenerRule:ListenerRule), 0:01 to 0:02" in page
        assert "1 was lost (502 1)" in page
        assert "The requests" not in html("dev", report())

    def test_nothing_is_fetched_and_nothing_runs(self) -> None:
        hostile = [step("create", "<script>alert(1)</script>", "eks", 60, 61)]
        page = html("<b>", report(steps=[*STEPS, *hostile], ok=False, reason="<img src=x>"))
        assert "<script" not in page
        assert "<img" not in page
        assert not re.search(r"(src|href)=", page.replace("&lt;img src=x&gt;", ""))
        assert "default-src 'none'" in page

    def test_one_that_failed_at_once_is_a_page_too(self) -> None:
        page = html("dev", Report(reason="there is no orchestrator"))
        assert "there is no orchestrator" in page
        assert "<svg" not in page
