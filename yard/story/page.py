"""The story of a rehearsal as one page that needs nothing else: no network, no server, no script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from html import escape
from pathlib import Path
from string import Template

from yard.rehearsing import Report, Step
from yard.story import Phase, clock, flow, requests
from yard.story.lanes import picture
from yard.story.screen import SIMULATED

PARTS = Path(__file__).parent / "web"


def html(stack: str, report: Report) -> str:
    """The page."""
    switch = Phase("switch", report)
    before, after = (report.orchestrators.get(key, "?") for key in ("before", "after"))
    return Template((PARTS / "page.html").read_text(encoding="utf-8")).substitute(
        style=(PARTS / "page.css").read_text(encoding="utf-8"),
        title=escape(f"{stack} from {before} to {after} and back"),
        simulated=escape(SIMULATED),
        verdict=_verdict(report),
        story="\n".join(_story(report)),
        whole=picture([Phase(name, report) for name in report.changes], "The whole rehearsal"),
        switch=picture([switch], "The switch") if switch.steps else "",
        path="".join(map(_waited, switch.path())),
        resources="".join(_resources(switch)),
        cost=escape(_cost(report)),
        requests="\n".join(_requests(report)),
    )


def _verdict(report: Report) -> str:
    if not report.ok:
        return f'<p class="failed"><strong>The rehearsal failed:</strong> {escape(report.reason)}</p>'
    url = report.url["after"]
    stayed = url == report.url["before"] and isinstance(url, str)
    told = f" The URL stayed {escape(str(url))}, and never stood without a healthy target." if stayed else ""
    return f"<p><strong>It holds.</strong>{told}</p>"


def _story(report: Report) -> Iterator[str]:
    for name in report.changes:
        phase = Phase(name, report)
        yield _moment(phase.start, f"<strong>{escape(name)}</strong>: {escape(phase.changes)}")
        for each in phase.moments():
            yield _moment(each.at, escape(each.text))


def _requests(report: Report) -> Iterator[str]:
    """What came of them, and the picture of each switch; nothing where there were none."""
    if report.load:
        yield f"<h2>The requests</h2>\n<p>{escape(requests.SIMULATED)}</p>"
    for each in report.load or []:
        for line in requests.lines(each):
            yield f"<p>{escape(line)}</p>"
        named = zip(flow.COLOURS, flow.orchestrators(each), strict=False)
        legend = " ".join(f'<span class="{kind}">{escape(key)}</span>' for kind, key in named)
        label = escape(f"Requests through {each.phase}")
        yield (
            f'<p class="legend">{legend} <span class="lost">lost</span></p>\n'
            f'<div class="wide" tabindex="0" role="region" aria-label="{label}">{flow.picture(each)}</div>'
        )


def _moment(at: float, text: str) -> str:
    return f'<tr><td class="number">{clock(at)}</td><td>{text}</td></tr>'


def _waited(step: Step) -> str:
    return (
        f'<tr><td class="number">{clock(step.start)}</td><td class="number">{clock(step.end - step.start)}</td>'
        f"<td>{escape(step.op)}</td><th scope=row>{escape(step.name)}</th><td>{escape(step.type)}</td></tr>"
    )


def _resources(switch: Phase) -> Iterator[str]:
    """What the switch makes and removes, by part and type."""
    counts = {op: Counter((each.part, each.type) for each in switch.steps if each.op == op) for op in _OPS}
    for part, type_ in sorted({key for each in counts.values() for key in each}):
        cells = "".join(f'<td class="number">{counts[op][part, type_] or ""}</td>' for op in _OPS)
        yield f"<tr><td>{escape(part)}</td><th scope=row>{escape(type_)}</th>{cells}</tr>"


_OPS = ("create", "update", "delete")


def _cost(report: Report) -> str:
    before, after = report.cost.values()
    if not (before and after):
        return ""
    return f"A month costs {before} USD before the switch and {after} after it, both together while both stand."
