"""The comment on a pull request, in GitHub's Markdown. Whatever the pull request itself wrote stands in it as code, in
which nothing works: no markup, no HTML, no mention, no link."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape

from yard.differing import told
from yard.differing.result import FATES, Cost, Report, StackDiff
from yard.differing.told import Block, Code, Said

MARK = "<!-- yard diff -->"
"""The first line, by which whoever posts the comment finds the one to replace."""
LIMIT = 60_000
"""Bytes. GitHub takes 65,536 characters; whoever posts the comment may have more to say in it."""
MOST = 200
"""Entries of a list."""


def text(report: Report) -> str:
    """The comment; without its detail where GitHub would not take all of it."""
    whole = "\n".join(_lines(report, detailed=True))
    if len(whole.encode()) <= LIMIT:
        return whole
    short = "\n".join(
        [*_lines(report, detailed=False), "", "The detail is too long for a comment: `yard diff` tells it."]
    )
    return short if len(short.encode()) <= LIMIT else _whole_lines(short)


def _whole_lines(text: str) -> str:
    """The beginning, without a line that would be cut in the middle of code, which then would be none."""
    return text.encode()[:LIMIT].decode(errors="ignore").rpartition("\n")[0]


def _lines(report: Report, *, detailed: bool) -> Iterator[str]:
    yield MARK
    yield f"## Switchyard, {_said(told.heading(report))}"
    for remark in told.remarks(report):
        yield f"\n> {_said(remark)}"
    for stack in told.changed(report):
        yield f"\n### {code(stack.name)}: {told.summary(stack)}\n"
        yield from _notes(stack)
        if detailed:
            yield from _detail(stack)
    for others in told.unchanged(report):
        yield f"\n{_said(others)}"
    yield f"\n<sub>{told.FOOT}</sub>"


def _notes(stack: StackDiff) -> Iterator[str]:
    for note in told.notes(stack):
        if isinstance(note, Block):
            yield _fenced(note.text)
        else:
            yield f"- {_said(note)}"


def _detail(stack: StackDiff) -> Iterator[str]:
    if stack.cost and (stack.cost.lines or stack.cost.unknown):
        yield from _folded(f"Cost: {told.money(stack.cost)}", _cost(stack.cost))
    if stack.resources:
        counts = ", ".join(f"{stack.count(fate)} {fate}" for fate in FATES)
        listed = [(f"{each.fate}: ", *told.named(each)) for each in told.ordered(stack)]
        yield from _folded(f"Resources: {counts}", _listed(listed))
    if stack.fields:
        count = len(stack.fields)
        yield from _folded(
            f"Configuration: {count} field{'s' * (count > 1)}", _listed([*map(told.field, stack.fields)])
        )


def _folded(title: str, lines: Iterator[str]) -> Iterator[str]:
    yield f"\n<details><summary>{escape(title)}</summary>\n"
    yield from lines
    yield "\n</details>"


def _cost(cost: Cost) -> Iterator[str]:
    if cost.lines:
        yield "| USD a month | before | after | change |"
        yield "|---|---:|---:|---:|"
        for what, *figures in told.rows(cost):
            yield f"| {what if what == 'total' else code(what)} | {' | '.join(figures)} |"
    if cost.unknown:
        yield "\nNot in these figures:\n" if cost.lines else "Not in these figures:\n"
        yield from _listed([[Code(each)] for each in cost.unknown])


def _listed(entries: Sequence[Said]) -> Iterator[str]:
    for each in entries[:MOST]:
        yield f"- {_said(each)}"
    if len(entries) > MOST:
        yield f"- and {len(entries) - MOST} more"


def _said(parts: Said) -> str:
    return "".join(code(each) if isinstance(each, Code) else each for each in parts)


def code(text: str) -> str:
    """Text as it is, whatever is in it."""
    shown = told.visible(text)
    if "|" in shown:  # which ends a table's cell inside a span of code as well
        return f"<code>{re.sub(r'[^A-Za-z0-9 ]', _entity, shown)}</code>"
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    space = " " if shown.startswith(("`", " ")) or shown.endswith(("`", " ")) else ""
    return f"{fence}{space}{shown}{space}{fence}"


def _entity(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};"


def _fenced(text: str) -> str:
    shown = "\n".join(map(told.visible, text.splitlines()))
    fence = "`" * (max([2, *map(len, re.findall("`+", shown))]) + 1)
    return f"\n{fence}text\n{shown}\n{fence}"
