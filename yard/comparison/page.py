"""The comparison as one page that needs nothing else: no network, no server. Its controls move the bars.

The page works out nothing: it looks up what Python computed for the controls' stops, and adds (see `parts`).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from datetime import date
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from components.cost import COLUMNS, Column
from components.estimate import Amount, Charge, Estimate
from components.prices import Tier, plain
from yard.comparison import Comparison, chart
from yard.comparison.answer import Answer
from yard.comparison.captions import HOW, LEGEND, TITLES, conditions, how_known, left_out, texts
from yard.comparison.chart import DARK, LIGHT, NO_PRICE, Theme
from yard.comparison.controls import Control, Grid
from yard.comparison.parts import NANO, Position, Table

PARTS = Path(__file__).parent / "web"
Progress = Callable[[int, int], None]
"""Is told how many of how many steps are done."""


def html(found: Comparison, today: date, progress: Progress = lambda done, of: None) -> str:
    """The page. It takes a few seconds: thousands of estimates."""
    import vl_convert  # 90 MB of machinery, for a picture alone

    grid = Grid(found)
    data = document(grid, today, progress)
    style = Template(_part("page.css")).substitute(
        colours="\n".join(_colours()),
        swatches="\n".join(
            f".column-{number} {{ --swatch: var(--column-{number}); }}" for number, _ in enumerate(COLUMNS)
        ),
    )
    library = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed").replace("</script", r"<\/script")
    script = _part("page.js")
    sources: dict[str, int] = {}
    return Template(_part("page.html")).substitute(
        script_hashes=f"{_hash(library)} {_hash(script)}",
        style_hashes=_hash(style),
        style=style,
        library=library,
        script=script,
        data=json.dumps(data, separators=(",", ":")).replace("<", r"\u003c"),
        title=escape(chart.title(found)),
        stack=escape(found.stack),
        place=escape(found.place),
        own=escape(" + ".join((found.settings.config.registry, found.settings.config.orchestrator))),
        answer=escape(answer(Answer(found))),
        registry=escape(found.settings.config.registry),
        legend=escape(LEGEND),
        cuts=chart.CUTS,
        controls="\n".join(map(_control, grid.controls)),
        heads="".join(
            f'<th scope="col" class="number swatch column-{number}">{column}</th>'
            for number, column in enumerate(COLUMNS)
        ),
        known="".join(_row(place, each, found) for place, each in _working(found) if not each.runs_unpriced),
        unpriced="".join(_row(place, each, found) for place, each in _working(found) if each.runs_unpriced),
        no_bar=f"{len(found.unpriced)} pairs without a bar: {NO_PRICE}",
        no_bar_hidden="" if found.unpriced else " hidden",
        lists="\n".join(_lists(data, grid)),
        today=today.isoformat(),
        prices="".join(_prices(grid.visited, sources)),
        sources="".join(f'<li id="source-{number}">{_linked(source)}</li>' for source, number in sources.items()),
    )


def document(grid: Grid, today: date, progress: Progress = lambda done, of: None) -> dict[str, Any]:
    """All that the page's script needs."""
    found = grid.found
    working, first = _working(found), list(Answer(found).orchestrators())
    pairs = []
    for place, each in working:
        pairs.append(_pair(grid, place, each) | {"first": each in first})
        progress(len(pairs), len(working))
    numbers_of: dict[str, int] = {}
    lists = {name: [_numbered(each, numbers_of) for each in tables] for name, tables in _texts(grid, today).items()}
    for pair in pairs:
        pair["prices"] = [_numbered(_unit_prices(grid, pair["place"], column), numbers_of) for column in COLUMNS]
    return {
        "units": int(1 / NANO),
        "columns": COLUMNS,
        "controls": [{"key": each.key, "stops": each.texts} for each in grid.controls],
        "pairs": pairs,
        "lists": lists,
        "texts": list(numbers_of),
        "chart": {
            "bars": len(found.known),
            "wide": chart.spec(len(found.known)),
            "narrow": chart.spec(len(found.known), narrow=True),
            "config": chart.config(_variables()),
            "cut": chart.CUT,
            "roomy": chart.ROOMY,
        },
    }


def _pair(grid: Grid, place: int, each: Estimate) -> dict[str, Any]:
    def column(name: Column) -> dict[str, Any]:
        def amount(position: Position) -> Amount:
            return grid.amount(place, position, name)

        return {
            "parts": [table.document() for table in grid.parts(lambda position: amount(position).usd)],
            "confirmed": grid.table(lambda position: amount(position).confirmed).document(),
            "whole": grid.table(lambda position: amount(position).whole).document(),
        }

    return {
        "id": _id(place),
        "name": chart.name(each),
        "own": grid.found.is_own(each),
        "known": not each.runs_unpriced,
        "place": place,
        "columns": list(map(column, COLUMNS)),
    }


def answer(of: Answer) -> str:
    """What most people look for; the page's script says it anew wherever the sliders stand."""
    own, best, shares = of.own, of.cheapest_switch, of.shares()
    if own is None or not shares:
        return "Nobody here knows what this stack costs."
    largest = shares[0]
    told = f"{own.amount()} USD a month. The {largest.column} is {largest.percent} % of it."
    if best is None:
        return f"{told} No other pair is cheaper."
    return f"{told} The cheapest switch saves {-of.added(best):,}: {chart.name(best)}, {best.amount()}."


Lines = tuple[str, ...]


def _unit_prices(grid: Grid, place: int, column: Column) -> Table[Lines]:
    """What a piece of a bar is made of: what is paid for, the unit price, and of when and how it is known."""

    def lines(position: Position) -> Lines:
        counted = grid.estimate(place, position).counted(column)
        return tuple(dict.fromkeys(f"{each.line.what}: {_unit_price(each)}" for each in counted if each.billed))

    return grid.of_choices(lines)


def _unit_price(charge: Charge) -> str:
    tiers = charge.tiers
    if not tiers:
        return "no price is known"
    tier = tiers[0]
    further = " and less above" if len(tiers) > 1 else ""
    return f"{plain(tier.usd)} USD a {charge.line.unit}{further}, {HOW[tier.status]}, {tier.as_of or 'no date'}"


def _confidence(found: Comparison, today: date) -> Lines:
    """How the prices are known, and whether they are old."""
    return tuple(filter(None, (how_known(found.evidence), chart.price_days(found), found.price_dates(today))))


def _texts(grid: Grid, today: date) -> dict[str, list[Table[Lines]]]:
    """Each list's lines, as tables of which each gives some of them."""
    refused = tuple(texts(grid.found.estimates, lambda each: each.refused))
    return {
        "unknown": [_of_pairs(grid, left_out)],
        "notes": [_of_pairs(grid, lambda each: each.notes)],
        "conditions": [grid.table(lambda position: tuple(conditions(grid.comparison(position).known)))],
        "refused": [Table((), (refused,))],
        "assumed": _sentences(grid),
        "confidence": [grid.of_choices(lambda position: _confidence(grid.comparison(position), today))],
    }


def _of_pairs(grid: Grid, texts_of: Callable[[Estimate], Lines]) -> Table[Lines]:
    """What is said of pairs, each text once. Each pair is asked alone: most say the same wherever the sliders stand."""
    working = _working(grid.found)

    def alone(place: int) -> Table[Lines]:
        return grid.table(lambda position: texts_of(grid.estimate(place, position)))

    tables = {chart.name(each): alone(place) for place, each in working}

    def lines(position: Position) -> Lines:
        return tuple(
            texts([each for _, each in working], lambda each: tables[chart.name(each)].look(position, grid.stops))
        )

    return grid.table(lines)


def _sentences(grid: Grid) -> list[Table[Lines]]:
    """What is assumed, each sentence for itself: together they tell of all sliders, one alone of fewer."""

    def sentence(number: int) -> Callable[[Position], Lines]:
        return lambda position: tuple(grid.asked(position).assumptions())[number : number + 1]

    return [grid.table(sentence(number)) for number, _ in enumerate(grid.found.assumptions())]


def _numbered(table: Table[tuple[str, ...]], known: dict[str, int]) -> list[Any]:
    """The table with numbers for its texts, which are kept once."""
    numbers = tuple([known.setdefault(line, len(known)) for line in lines] for lines in table.values)
    return Table(table.controls, numbers).document()


def _working(found: Comparison) -> list[tuple[int, Estimate]]:
    """The pairs that are not refused, with their places."""
    return [(place, each) for place, each in enumerate(found.estimates) if not each.refused]


def _part(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _variables() -> Theme:
    """The theme whose colours the page's style sheet decides."""
    names = [each.name for each in fields(Theme) if each.name != "columns"]
    columns = tuple(f"var(--column-{number})" for number in range(len(COLUMNS)))
    return Theme(**{name: f"var(--{name})" for name in names}, columns=columns)


def _colours() -> Iterator[str]:
    for each in fields(Theme):
        if each.name != "columns":
            yield f"  --{each.name}: light-dark({getattr(LIGHT, each.name)}, {getattr(DARK, each.name)});"
    for number, (light, dark) in enumerate(zip(LIGHT.columns, DARK.columns, strict=True)):
        yield f"  --column-{number}: light-dark({light}, {dark});"


def _id(place: int) -> str:
    return f"pair-{place}"


def _control(each: Control) -> str:
    own = escape(each.texts[each.own])
    if each.is_choice:
        options = "".join(
            f'<option value="{number}"{" selected" if number == each.own else ""}>{escape(text)}</option>'
            for number, text in enumerate(each.texts)
        )
        changed = f'<select id="{each.key}" autocomplete="off">{options}</select>'
    else:
        changed = (
            f'<output for="{each.key}">{own}</output>'
            f'<input type="range" id="{each.key}" min="0" max="{len(each.stops) - 1}" value="{each.own}" step="1"'
            f' aria-valuetext="{own}" autocomplete="off">'
        )
    return (
        f'<div class="{"choice" if each.is_choice else "slider"}"><label for="{each.key}">{escape(each.label)}</label>'
        f'{changed}<span class="own-stop">this stack: {own}</span></div>'
    )


def _row(place: int, each: Estimate, found: Comparison) -> str:
    own = found.is_own(each)
    cells = "".join(f'<td class="number">{each.amount(column)}</td>' for column in COLUMNS)
    return (
        f'<tr id="{_id(place)}"{" class=own" if own else ""}><th scope="row">{escape(each.registry)}</th>'
        f"<td>{escape(each.orchestrators[0])}{' (this stack)' if own else ''}</td>"
        f'{cells}<td class="number sum">{each.amount()}</td></tr>\n'
    )


def _lists(data: dict[str, Any], grid: Grid) -> Iterator[str]:
    """The lists for the stack as it is; the page's script writes them anew."""
    for name, title in TITLES.items():
        numbers = [
            number
            for controls, values in data["lists"][name]
            for number in Table(tuple(controls), values).look(grid.own, grid.stops)
        ]
        items = "".join(f"<li>{escape(data['texts'][number])}</li>" for number in numbers)
        hidden = "" if items else " hidden"
        yield (
            f'<section aria-labelledby="{name}-title"{hidden}><h2 id="{name}-title">{title}</h2>'
            f'<ul id="{name}">{items}</ul></section>'
        )


def _prices(estimates: Iterable[Estimate], sources: dict[str, int]) -> Iterator[str]:
    """A row for each tier of each price; `sources` gets their sources, numbered."""
    used: dict[tuple[str, Tier], str] = {}
    for each in estimates:
        for charge in each.charges:
            for tier in charge.tiers if charge.price else ():
                used[f"{charge.line.vendor} {charge.line.price}", tier] = charge.line.unit
    for (key, tier), unit in sorted(used.items(), key=lambda item: (item[0][0], item[0][1].start)):
        number = sources.setdefault(tier.source, len(sources) + 1)
        yield (
            f'<tr><th scope="row">{escape(key)}</th><td class="number">{tier.usd:f}</td><td>{escape(unit)}</td>'
            f'<td class="number">{f"{tier.start:,}" if tier.start else ""}</td><td>{tier.status}</td>'
            f'<td>{tier.as_of or "no date"}</td><td><a href="#source-{number}">{number}</a></td></tr>\n'
        )


def _linked(source: str) -> str:
    """A source's address as a link, what else it says as text."""
    address, _, rest = source.partition(" ")
    if not address.startswith("https://"):
        return escape(source)
    return f'<a href="{escape(address)}" rel="noreferrer">{escape(address)}</a> {escape(rest)}'
