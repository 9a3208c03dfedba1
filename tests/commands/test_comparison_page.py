"""The page of `yard compare --html` without a browser: its figures are Python's, and it needs nothing but itself."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import partial
from html import unescape
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from components.cost import COLUMNS
from components.estimate import Amount, cents
from tests.program import ROOT, SERVICE, config_for
from yard.comparison import Comparison, chart, page
from yard.comparison.answer import Answer
from yard.comparison.captions import left_out
from yard.comparison.controls import Grid
from yard.comparison.parts import NANO, Position, Product, Space, Table

TODAY = date(2026, 11, 24)
PAIRS = (
    ("ecr", "ecs-fargate"),
    ("ecr-public", "ecs-ec2"),
    ("ghcr", "swarm-ec2"),
    ("artifact-registry", "eks"),
    ("artifact-registry", "kubernetes"),
)
"""Between them, every kind of dependence: on the pulls through a NAT gateway, on nodes, on free allowances."""
MANY = {
    "services": {
        "api": {**SERVICE, "replicas": {"min": 2, "max": 6}, "secrets": {"KEY": {"secure": "v1:abc:def"}}},
        "web": {**SERVICE, "path": "/web", "replicas": 3, "memory": 1500, "architecture": "arm64"},
    },
    "network": "nat-per-az",
    "usage": {"preset": "medium", "load": 0.3, "layer-reuse": 0.4, "image-size": 0, "deploys": 7, "audit-logs": 2},
}
Project = Callable[..., Comparison]


def compare(place: Path, **config: Any) -> Comparison:
    """Compare PAIRS for a stack of the test's own."""
    services = config.pop("services", {"api": {**SERVICE, "replicas": 2}})
    values = {**config_for("ecr", "ecs-fargate", **services), **config}
    values = {key if ":" in key else f"switchyard:{key}": value for key, value in values.items()}
    (place / "config").mkdir(exist_ok=True)
    (place / "Pulumi.yaml").write_bytes((ROOT / "Pulumi.yaml").read_bytes())
    (place / "config/Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": values}), encoding="utf-8")
    found = Comparison.of(place, "dev")
    kept = [each for each in found.estimates if (each.registry, each.orchestrators[0]) in PAIRS]
    return replace(found, estimates=tuple(kept))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """`project(...)` is the comparison of a stack with that configuration."""
    return partial(compare, tmp_path)


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of the stack that `project()` compares."""
    return page.html(compare(tmp_path_factory.mktemp("project")), TODAY)


Known = tuple[Grid, dict[str, Any]]


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Known:
    """What the page knows of that stack, as its script reads it."""
    grid = Grid(compare(tmp_path_factory.mktemp("project")))
    return grid, json.loads(json.dumps(page.document(grid, TODAY)))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Known:
    """The same of MANY."""
    grid = Grid(compare(tmp_path_factory.mktemp("project"), **MANY))
    return grid, json.loads(json.dumps(page.document(grid, TODAY)))


def look(table: Sequence[Any], position: Position, stops: Sequence[int]) -> Any:
    """As the page's script does."""
    if len(table) == 3:
        on, amount, factors = table
        return Product(tuple(on), amount, tuple(map(tuple, factors))).look(position, stops)
    on, values = table
    index = 0
    for slider in on:
        index = index * stops[slider] + position[slider]
    return values[index]


def shown(column: dict[str, Any], position: Position, stops: Sequence[int]) -> Amount:
    """A column's amount, out of what the page carries."""
    usd = sum(look(part, position, stops) for part in column["parts"]) * NANO
    return Amount(usd, *(look(column[key], position, stops) for key in ("confirmed", "whole")))


class TestFigures:
    @pytest.mark.parametrize("stack", ["one", "many"])
    def test_anywhere_they_are_pythons(self, request: pytest.FixtureRequest, stack: str) -> None:
        grid, data = request.getfixturevalue(stack)
        assert len(data["pairs"]) == len(grid.found.known) + len(grid.found.unpriced) > 3
        random = Random(5)
        for _ in range(40):
            position = tuple(random.randrange(stops) for stops in grid.stops)
            for pair in data["pairs"]:
                there = grid.estimate(pair["place"], position)
                amounts = [shown(column, position, grid.stops) for column in pair["columns"]]
                assert list(map(str, amounts)) == [str(there.amount(column)) for column in COLUMNS]
                total = sum((each.usd for each in amounts), Decimal(0))
                assert cents(total) == cents(there.amount().usd)

    def test_a_position_is_the_stack_with_other_numbers(self, project: Project) -> None:
        grid = Grid(project())
        position = tuple(stops - 1 for stops in grid.stops)
        usage = {"image-size": 2000, "deploys": 200, "requests": 10**9}
        assert [each.texts[-1] for each in grid.controls[4:]] == ["us-east-1", "arm64", "no NAT: VPC endpoints"]
        service = {**SERVICE, "replicas": 10, "architecture": "arm64"}
        other = project(services={"api": service}, usage=usage, network="endpoints")
        moved = {chart.name(each): str(each.amount()) for each in grid.comparison(position).estimates}
        assert moved == {chart.name(each): str(each.amount()) for each in other.estimates}

    def test_texts_follow_too(self, many: Known) -> None:
        grid, data = many
        for position in (grid.own, tuple(stops - 1 for stops in grid.stops)):
            lines = [
                data["texts"][number]
                for table in data["lists"]["assumed"]
                for number in look(table, position, grid.stops)
            ]
            assert lines == list(grid.comparison(position).assumptions())

    def test_unit_prices_are_those_of_the_region_and_the_architecture(self, one: Known) -> None:
        grid, data = one
        (pair,) = (each for each in data["pairs"] if each["own"])
        compute = pair["prices"][COLUMNS.index("compute")]
        there = {
            (region, architecture): [
                data["texts"][number] for number in look(compute, (*grid.own[:4], region, architecture, 0), grid.stops)
            ]
            for region in (0, 1)
            for architecture in (0, 1)
        }
        assert len({tuple(each) for each in there.values()}) == 4
        assert there[1, 0][0].startswith("api: vCPU: 0.04048 USD a vCPU-hour, as others recorded")

    def test_a_note_that_depends_on_the_replicas_comes_and_goes(self, one: Known) -> None:
        grid, data = one
        (table,) = data["lists"]["notes"]
        few, many = (
            [data["texts"][number] for number in look(table, (at, *grid.own[1:]), grid.stops)] for at in (0, 9)
        )
        assert not any("so these are priced" in line for line in few)
        assert any("nodes of type t3" in line and "so these are priced" in line for line in many)


class TestParts:
    @example([0] * 17 + [1] + [0] * 12, "sum")  # the third control matters only at one stop
    @given(st.lists(st.integers(-50, 50), min_size=30, max_size=30), st.sampled_from(["sum", "product", "one", "all"]))
    def test_they_add_up_wherever_the_controls_stand(self, given: list[int], kind: str) -> None:
        def usd(position: Position) -> Decimal:
            a, b, c, d = (given[at + 7 * control] for control, at in enumerate(position))
            return Decimal({"sum": a + b + c + d, "product": a * b + c, "one": d, "all": a * b * c * d}[kind]) / 7

        space = Space([3, 4, 5, 2], (1, 2, 3, 1))
        parts = space.parts(usd)
        for position in space.trials:  # what differs only between those is not found
            shown = sum(part.look(position, space.stops) for part in parts) * NANO
            assert abs(shown - usd(position)) < Decimal("1e-8")

    def test_what_does_not_depend_on_a_control_is_not_kept_for_it(self) -> None:
        space = Space([10, 8, 7, 8], (1, 2, 3, 1), frozenset(range(4)))
        assert space.dependence(lambda position: position[2] > 3) == (2,)
        parts = space.parts(lambda position: Decimal(position[0] * position[1] + position[3]))
        assert [part.controls for part in parts] == [(), (0,), (1,), (3,), (0, 1)]

    def test_what_only_multiplies_is_kept_as_factors(self) -> None:
        space = Space([10, 8, 7], (0, 0, 0))
        *_, last = space.parts(lambda position: Decimal(position[0] * position[1] * position[2]))
        assert isinstance(last, Product)
        assert last.look((3, 5, 6), space.stops) * NANO == 90
        *_, last = space.parts(lambda position: Decimal(min(position) == 5))
        assert isinstance(last, Table)

    def test_what_happens_above_a_sum_alone_is_found(self) -> None:
        space = Space([10, 8, 7], (2, 2, 3), frozenset(range(3)))
        assert space.dependence(lambda position: (position[0] + 1) * position[1] * position[2] < 120) == (0, 1, 2)


class TestControls:
    def test_the_stacks_own_values_are_stops(self, project: Project) -> None:
        found = project(
            usage={"image-size": 123, "deploys": 0, "requests": 5}, services={"api": {**SERVICE, "replicas": 14}}
        )
        own = [each.stops[each.own] for each in Grid(found).controls[:4]]
        assert own == [14, 123, 0, 5]

    def test_services_with_different_replicas_have_a_stop_of_their_own(self, project: Project) -> None:
        grid = Grid(project(**MANY))
        assert grid.controls[0].texts[grid.own[0]] == "as the stack says, 2 to 3"
        assert grid.asked(grid.own).settings.services == grid.found.settings.services

    def test_a_choice_is_left_out_where_there_is_none(self, project: Project) -> None:
        subnets = {"id": "vpc-1", "public-subnets": ["subnet-1", "subnet-2"]}
        keys = [each.key for each in Grid(project(vpc=subnets)).controls if each.is_choice]
        assert keys == ["region", "architecture"]
        borrowed = replace(project(), meant="eu-central-1")
        assert [each.key for each in Grid(borrowed).controls if each.is_choice] == ["architecture", "network"]

    def test_services_for_both_architectures_have_a_stop_of_their_own(self, project: Project) -> None:
        services = {"api": SERVICE, "web": {**SERVICE, "path": "/web", "architecture": "arm64"}}
        grid = Grid(project(services=services))
        assert "as the stack says" in grid.controls[5].texts
        assert grid.asked(grid.own).settings.services == grid.found.settings.services

    def test_the_room_to_scale_stays(self, project: Project) -> None:
        grid = Grid(project(**MANY))
        services = grid.asked((9, *grid.own[1:])).settings.services
        ranges = {name: (each.replicas.min, each.replicas.max) for name, each in services.items()}
        assert ranges == {"api": (9, 13), "web": (9, 9)}
        assert grid.controls[0].label.endswith("at least")


class TestPage:
    def test_it_is_one_file_that_may_ask_nobody(self, html: str) -> None:
        assert len(html) < 3_000_000
        markup = re.sub(r"<(script|style).*?</\1>", "", html, flags=re.DOTALL)
        assert not re.search(r"<(link|img|iframe|object|embed|base)\b|\ssrc=|@import|\son\w+=", markup)
        policy = unescape(re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)[0])
        assert policy.startswith("default-src 'none';")
        assert "unsafe" not in policy
        assert set(re.findall(r"'(sha256-[^']*)'", policy)) == set(map(hashed, inlined(html)))

    def test_without_a_script_the_table_is_the_stacks(self, project: Project, html: str) -> None:
        found = project()
        for each in (*found.known, *found.unpriced):
            row = "".join(f'<td class="number">{each.amount(column)}</td>' for column in COLUMNS)
            assert f'{row}<td class="number sum">{each.amount()}</td>' in html
        assert html.count("(this stack)") == 1

    def test_the_answer_is_there_without_a_script(self, project: Project, html: str) -> None:
        told = page.answer(Answer(project()))
        assert re.match(r"~[\d.]+ USD a month\. The [a-z ]+ is \d+ % of it\. ", told)
        assert f'role="status">{told}</p>' in unescape(html)

    def test_it_says_what_the_figures_rest_on(self, project: Project, html: str) -> None:
        found, text = project(), unescape(html)
        for line in found.assumptions():
            assert f"<li>{line}</li>" in text
        for each in found.known:
            assert all(f": {line}.</li>" in text for line in (*left_out(each), *each.notes))
            for charge in each.charges:
                assert all(tier.source.split(" ")[0] in text for tier in charge.tiers)
                assert charge.line.price in text
        assert f"The page is of {TODAY}" in text

    def test_refused_pairs_are_there_with_the_reason(self) -> None:
        everything = Comparison.of(ROOT, "dev")
        only = replace(everything, estimates=everything.refused)
        assert "its nodes have no AWS role" in page.html(only, TODAY)

    def test_names_are_no_markup(self, project: Project) -> None:
        found = replace(project(), stack="<b>", estimates=())
        html = page.html(found, TODAY)
        assert "<b>" not in html
        assert "&lt;b&gt;" in html

    def test_progress_is_told_to_the_end(self, project: Project) -> None:
        told: list[tuple[int, int]] = []
        page.document(Grid(project()), TODAY, lambda done, of: told.append((done, of)))
        assert told == [(done, len(PAIRS)) for done in range(1, len(PAIRS) + 1)]


def inlined(html: str) -> list[str]:
    """What the page has of scripts that run, and of styles."""
    return re.findall(r"<(?:script|style)>(.*?)</(?:script|style)>", html, flags=re.DOTALL)


def hashed(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
