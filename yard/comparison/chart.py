"""The comparison as a picture: a bar for each pair, stacked by what is paid for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from components.cost import COLUMNS
from components.estimate import Estimate
from yard.comparison import Comparison
from yard.comparison.captions import LEGEND, texts

WIDTH = 1000
"""Of the PNG, in pixels as a page counts them; it has twice as many each way."""
LINE = 165
"""Characters that fit one line of it."""
NO_PRICE = "nobody here knows what their replicas cost"
TOLD = {"pair": "pair", "column": "for", "text": "USD a month", "total": "in all", "prices": "unit prices"}
"""What is told of the piece of a bar that the mouse is on: field and heading."""
OWN = "(datum.own ? ' ← this stack' : '')"
CUT = "» "
"""Before the total of a bar that is longer than the picture."""
CUTS = f"A bar with {CUT.strip()} is longer than it is drawn."
ROOMY = 2.2
"""Bars longer than so many times the middle one are cut, so that the dearest does not squeeze the rest."""

Spec = dict[str, Any]
Row = dict[str, str | float | bool]


@dataclass(frozen=True)
class Theme:
    """Colours. Each column's has a contrast of 3 to 1 to the background, and stays apart from the others for eyes that
    lack one kind of cones; a test holds them to it."""

    background: str
    ink: str
    muted: str
    line: str
    band: str
    """Behind the stack's own pair."""
    columns: tuple[str, ...]


LIGHT = Theme(
    background="#ffffff",
    ink="#1b1f24",
    muted="#57606a",
    line="#d5d9de",
    band="#e8eef6",
    columns=("#cf821b", "#627b77", "#4e34b4", "#239bd3", "#7f316a", "#3e3a00", "#be4610"),
)
DARK = Theme(
    background="#15181e",
    ink="#e8eaed",
    muted="#a3abb5",
    line="#3a414b",
    band="#262d38",
    columns=("#eb9a1c", "#81f8f5", "#5b5ff4", "#5eb4e2", "#865188", "#effa6c", "#ca1a02"),
)


def png(found: Comparison, dark: bool = False) -> bytes:
    """The pairs whose replicas have a price, the cheapest first; those that have none are named below."""
    import vl_convert  # 90 MB of machinery, for a picture alone

    picture: bytes = vl_convert.vegalite_to_png(drawing(found, dark), scale=2)
    return picture


def drawing(found: Comparison, dark: bool = False) -> Spec:
    """The same in Vega-Lite."""
    drawn = spec(len(found.known)) | {
        "width": WIDTH,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "padding": 16,
        "title": {"text": title(found), "subtitle": list(_subtitle(found))},
        "datasets": {"rows": list(rows(found)), "budget": [{"usd": 0}]},
        "config": config(DARK if dark else LIGHT),
    }
    drawn["layer"][1]["encoding"]["x"]["axis"]["title"] = list(_footer(found))
    return drawn


def title(found: Comparison) -> str:
    """What the picture shows."""
    return f"What {found.stack} would cost in {found.place}, USD a month"


def name(of: Estimate) -> str:
    """A pair's, as `yard compare --pair` takes it, with air."""
    return f"{of.registry} + {of.orchestrators[0]}"


def longest(sums: Sequence[float], own: float) -> float:
    """Where bars are cut; never the stack's own. The page's script does the same."""
    return min(max(sums, default=0), max(ROOMY * sorted(sums)[len(sums) // 2], own * 1.05)) if sums else 0


def rows(found: Comparison) -> Iterator[Row]:
    """What is drawn: a row for each column of each pair."""
    sums = [float(each.amount().usd) for each in found.known]
    own = next((usd for each, usd in zip(found.known, sums, strict=True) if found.is_own(each)), 0.0)
    end = longest(sums, own)
    for rank, each in enumerate(found.known):
        total = each.amount()
        cut, room = float(total.usd) > end, end
        for order, column in enumerate(COLUMNS):
            amount = each.amount(column)
            drawn = min(float(amount.usd), room)
            room -= drawn
            yield {
                "pair": name(each),
                "own": found.is_own(each),
                "rank": rank,
                "column": column,
                "order": order,
                "usd": float(amount.usd),
                "drawn": drawn,
                "text": str(amount),
                "end": min(float(total.usd), end),
                "total": f"{CUT if cut else ''}{total}",
            }


def spec(pairs: int, narrow: bool = False) -> Spec:
    """The chart of the data set `rows`, in Vega-Lite; `narrow`: names stand above their bars, not beside them."""
    y: Spec = {"field": "pair", "type": "nominal", "sort": {"field": "rank", "op": "min"}}
    y["axis"] = None if narrow else _names()
    below = 8 if narrow else 0
    layers = [
        _band(y),
        _bars(y, narrow, below),
        _budget(),
        _text(y, "datum.total" if narrow else f"datum.total + {OWN}", below),
    ]
    if narrow:
        layers.append(_text(y, f"datum.pair + {OWN}", -8))
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "data": {"name": "rows"},
        "width": "container",
        "height": pairs * (36 if narrow else 23),
        "layer": layers,
    }


def _band(y: Spec) -> Spec:
    """What stands behind the stack's own pair."""
    return {
        "transform": [{"filter": "datum.order === 0 && datum.own"}],
        "mark": "rect",
        "encoding": {"y": y, "x": {"value": 0}, "x2": {"value": "width"}},
    }


def _bars(y: Spec, narrow: bool, below: int) -> Spec:
    room = 80 if narrow else 160  # for the total behind the longest bar
    most = {"expr": f"(extent(pluck(data('rows'), 'end'))[1] || 1) * width / max(width - {room}, {room})"}
    return {
        "mark": {"type": "bar", "height": 13 if narrow else 16, "yOffset": below, "strokeWidth": 0.7},
        "encoding": {
            "y": y,
            "x": {
                "field": "drawn",
                "type": "quantitative",
                "stack": "zero",
                "scale": {"domainMin": 0, "domainMax": most, "nice": False},
                "axis": {"title": "USD a month", "tickCount": 4 if narrow else 8, "format": ",~f"},
            },
            "color": {
                "field": "column",
                "type": "nominal",
                "scale": {"domain": list(COLUMNS)},
                "legend": {"columns": 3 if narrow else len(COLUMNS)},
            },
            "order": {"field": "order", "type": "quantitative"},
            "tooltip": [{"field": field, "title": head} for field, head in TOLD.items()],
        },
    }


def _text(y: Spec, formula: str, below: int) -> Spec:
    """A text at the end of each bar; above the bar, at its beginning."""
    at_end = below >= 0
    return {
        "transform": [{"filter": "datum.order === 0"}, {"calculate": formula, "as": "words"}],
        "mark": {"type": "text", "align": "left", "dx": 6 if at_end else 0, "yOffset": below},
        "encoding": {
            "y": y,
            "x": {"field": "end", "type": "quantitative"} if at_end else {"value": 0},
            "text": {"field": "words"},
        },
    }


def _budget() -> Spec:
    """A line where the budget ends; not seen at 0, where there is none."""
    return {
        "data": {"name": "budget"},
        "mark": {"type": "rule", "strokeWidth": 2, "strokeDash": [6, 4], "clip": True},
        "encoding": {
            "x": {"field": "usd", "type": "quantitative"},
            "opacity": {"condition": {"test": "datum.usd > 0", "value": 1}, "value": 0},
        },
    }


def _names() -> Spec:
    """The axis with the pairs' names, the stack's own in bold."""
    own = "indexof(pluck(data('rows'), 'pair'), datum.value) >= 0"
    own += " && data('rows')[indexof(pluck(data('rows'), 'pair'), datum.value)].own"
    return {"labelFontWeight": {"condition": {"test": own, "value": "bold"}, "value": "normal"}}


def config(theme: Theme) -> Spec:
    """How Vega-Lite draws it in a theme's colours."""
    text = {"labelColor": theme.ink, "titleColor": theme.muted, "labelFontSize": 12, "labelLimit": 400}
    return {
        "background": theme.background,
        "font": "system-ui, sans-serif",
        "aria": False,
        "range": {"category": list(theme.columns)},
        "view": {"stroke": None},
        "bar": {"stroke": theme.background},
        "rect": {"color": theme.band},
        "rule": {"color": theme.ink},
        "text": {"color": theme.ink, "fontSize": 12, "baseline": "middle"},
        "axis": text | {"gridColor": theme.line, "domainColor": theme.line, "tickColor": theme.line},
        "axisX": {"titleAnchor": "start", "titleFontWeight": "normal", "titleFontSize": 11, "titleLimit": 2 * WIDTH},
        "axisY": {"title": None, "ticks": False, "domain": False, "labelPadding": 8},
        "legend": text | {"orient": "top", "title": None, "symbolType": "square", "symbolStrokeWidth": 0},
        "title": {
            "anchor": "start",
            "frame": "bounds",
            "color": theme.ink,
            "fontSize": 17,
            "subtitleColor": theme.muted,
            "subtitleFontSize": 12,
            "subtitlePadding": 6,
            "offset": 12,
        },
        "padding": 2,
    }


def price_days(found: Comparison) -> str:
    """Of when the prices in the figures are."""
    tiers = found.evidence
    dates = sorted({tier.as_of for tier in tiers if tier.as_of})
    span = " to ".join(dict.fromkeys((dates[0], dates[-1]))) if dates else "no known date"
    undated = any(tier.as_of is None for tier in tiers) and bool(dates)
    return f"prices of {span}" + ("; some have no date" if undated else "")


def _subtitle(found: Comparison) -> Iterator[str]:
    for text in (*found.briefly(), price_days(found)):
        yield from wrap(text, LINE)


def _footer(found: Comparison) -> Iterator[str]:
    """What the bars do not show."""
    yield LEGEND
    if any(str(each["total"]).startswith(CUT) for each in rows(found)):
        yield CUTS
    for text in texts(found.working, lambda each: (NO_PRICE,) if each.runs_unpriced else ()):
        yield from wrap(f"Not priced: {text}", LINE)
    for text in texts(found.estimates, lambda each: each.refused):
        yield from wrap(f"Refused: {text}", LINE)
