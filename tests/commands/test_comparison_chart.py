"""The picture of `yard compare`: what is drawn, and in colours that everyone can tell apart."""

import math
import re
import struct
import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations
from xml.etree import ElementTree

import pytest
import vl_convert

from components.cost import COLUMNS, Column
from tests.program import ROOT
from yard.comparison import Comparison, chart
from yard.comparison.chart import DARK, LIGHT, Theme

Vector = Sequence[float]
Matrix = Sequence[Vector]

SEEN_BY: dict[str, Matrix] = {
    # Machado, Oliveira and Fernandes 2009, severity 1: linear RGB as it looks without one kind of cones.
    "all cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopes": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopes": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "tritanopes": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)),
}
# Ottosson 2020, OKLab: colours whose distance is that of their looks.
CONES: Matrix = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
LAB: Matrix = (
    (0.2104542553, 0.793617785, -0.0040720468),
    (1.9779984951, -2.428592205, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.808675766),
)
SVG = "{http://www.w3.org/2000/svg}"
THEMES = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])


@cache
def dev() -> Comparison:
    return Comparison.of(ROOT, "dev")


def times(matrix: Matrix, vector: Vector) -> list[float]:
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def linear(colour: str) -> list[float]:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]


def contrast(one: str, other: str) -> float:
    """As WCAG 2 has it."""
    dark, light = sorted(times([(0.2126, 0.7152, 0.0722)], linear(each))[0] for each in (one, other))
    return (light + 0.05) / (dark + 0.05)


def apart(one: str, other: str, cones: str) -> float:
    """How far two colours are from each other for who has these cones; black and white are 1 apart."""
    seen = [[min(1.0, max(0.0, each)) for each in times(SEEN_BY[cones], linear(colour))] for colour in (one, other)]
    looks = [times(LAB, [each ** (1 / 3) for each in times(CONES, rgb)]) for rgb in seen]
    return math.dist(*looks)


class TestColours:
    @THEMES
    def test_every_column_stands_out_from_the_background(self, theme: Theme) -> None:
        assert len(theme.columns) == len(COLUMNS)
        for colour in theme.columns:
            assert contrast(colour, theme.background) >= 3

    @THEMES
    @pytest.mark.parametrize("cones", SEEN_BY)
    def test_every_two_columns_are_told_apart(self, theme: Theme, cones: str) -> None:
        assert min(apart(*two, cones) for two in combinations(theme.columns, 2)) > 0.1

    @THEMES
    def test_text_is_read_on_both_backgrounds(self, theme: Theme) -> None:
        for text, behind in ((theme.ink, theme.background), (theme.ink, theme.band), (theme.muted, theme.background)):
            assert contrast(text, behind) >= 4.5


class TestRows:
    def test_they_say_what_the_table_says(self) -> None:
        found = dev()
        rows = list(chart.rows(found))
        assert len(rows) == len(found.known) * len(COLUMNS)
        for row, (each, column) in zip(rows, [(a, b) for a in found.known for b in COLUMNS], strict=True):
            assert (row["pair"], row["column"]) == (chart.name(each), column)
            assert (row["text"], str(row["total"]).removeprefix(chart.CUT)) == (
                str(each.amount(column)),
                str(each.amount()),
            )

    def test_the_pieces_of_a_bar_end_where_it_ends(self) -> None:
        found, rows = dev(), list(chart.rows(dev()))
        for each in found.known:
            theirs = [row for row in rows if row["pair"] == chart.name(each)]
            assert sum(float(row["drawn"]) for row in theirs) == pytest.approx(float(theirs[0]["end"]))
            cut = str(theirs[0]["total"]).startswith(chart.CUT)
            assert (
                cut == (float(theirs[0]["end"]) < float(each.amount().usd) - 1e-9) == (each.orchestrators == ("eks",))
            )

    @pytest.mark.parametrize(
        ("sums", "own", "end"),
        [([10, 20, 30], 20, 30), ([10, 20, 90], 10, 44), ([10, 20, 90], 90, 90), ([5], 5, 5), ([], 0, 0)],
    )
    def test_only_what_is_far_above_the_rest_is_cut_and_never_the_stacks_own(
        self, sums: list[float], own: float, end: float
    ) -> None:
        assert chart.longest(sums, own) == pytest.approx(end)

    def test_what_has_no_price_or_cannot_be_has_no_bar(self) -> None:
        found = dev()
        drawn = {row["pair"] for row in chart.rows(found)}
        assert found.unpriced
        assert found.refused
        assert not drawn & {chart.name(each) for each in (*found.unpriced, *found.refused)}


@pytest.fixture(scope="module")
def svg() -> str:
    """The picture, before it is made of pixels."""
    return str(vl_convert.vegalite_to_svg(chart.drawing(dev())))


def texts_of(svg: str) -> list[str]:
    return ["".join(each.itertext()) for each in ElementTree.fromstring(svg).iter(f"{SVG}text")]


class TestDrawing:
    def test_it_names_every_pair_cheapest_first(self, svg: str) -> None:
        names = [chart.name(each) for each in dev().known]
        assert [text for text in texts_of(svg) if text in names] == names

    def test_each_bar_has_its_total_and_the_stacks_own_a_mark(self, svg: str) -> None:
        found, texts = dev(), [text.removeprefix(chart.CUT) for text in texts_of(svg)]
        for each in found.known:
            assert f"{each.amount()}{' ← this stack' if found.is_own(each) else ''}" in texts
        assert sum("this stack" in text for text in texts) == 1

    @pytest.mark.parametrize("column", ["compute", "load balancer"])
    def test_pieces_are_as_long_as_they_cost(self, svg: str, column: Column) -> None:
        colour = LIGHT.columns[COLUMNS.index(column)]
        lengths = re.findall(rf'd="M[\d.]+,[\d.]+h([\d.]+)v16h-[\d.]+Z" fill="{colour}"', svg)
        usd = [float(row["drawn"]) for row in chart.rows(dev()) if row["column"] == column]
        scale = float(lengths[0]) / usd[0]
        assert list(map(float, lengths)) == pytest.approx([each * scale for each in usd], rel=1e-6)

    def test_all_of_it_is_inside(self, svg: str) -> None:
        image = ElementTree.fromstring(svg)
        assert int(image.get("width", "")) == chart.WIDTH
        plot = float(re.findall(r'transform="translate\(([\d.]+),', svg)[0])
        totals = re.findall(r'translate\(([\d.]+),[\d.]+\)"[^>]*>(?:» )?~?[\d,]+\.\d\d(?:\+\?)?(?: ←[^<]*)?<', svg)
        assert len(totals) == len(dev().known)
        assert plot + max(map(float, totals)) < chart.WIDTH - 100

    def test_what_has_no_bar_is_named_below(self, svg: str) -> None:
        texts = " ".join(texts_of(svg))
        assert "Not priced: kubernetes and swarm: nobody" in texts
        assert "Refused: ecr with kubernetes and ecr with swarm: its nodes have no AWS role" in texts

    def test_it_says_for_what_and_of_when(self, svg: str) -> None:
        texts = " ".join(texts_of(svg))
        assert "What dev would cost in us-east-1" in texts
        for part in ("api: 2 x 0.25 vCPU", "20 deployments", "prices of 20"):
            assert part in texts


class TestPng:
    @pytest.mark.parametrize("dark", [False, True])
    def test_it_is_twice_as_sharp_and_in_the_themes_colour(self, dark: bool) -> None:
        picture = chart.png(dev(), dark)
        assert picture[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = struct.unpack(">II", picture[16:24])
        assert width == 2 * chart.WIDTH
        assert 1000 < height < 2000
        assert first_pixel(picture) == bytes.fromhex((DARK if dark else LIGHT).background[1:])

    def test_without_a_bar_it_says_why(self) -> None:
        found = dev()
        none = replace(found, estimates=(*found.unpriced, *found.refused))
        assert "nobody here knows" in vl_convert.vegalite_to_svg(chart.drawing(none))
        assert chart.png(none)


def first_pixel(png: bytes) -> bytes:
    """Red, green and blue of the upper left corner, which no filter of PNG changes."""
    data, at = b"", 8
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        data += png[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    return zlib.decompress(data)[1:4]
