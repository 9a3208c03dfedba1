"""What is in docs/mistakes.md: what people are likely to write into a configuration, and what each is told."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.markdown import table

FILE = Path(__file__).parents[1] / "tests/unit/likely_mistakes.txt"
ABOUT = """\
Mistakes that people are likely to make in `config/Pulumi.<stack>.yaml`, and the whole message that each gets. All of a
file's mistakes are told at once, before anything is made. A test writes each of these files, reads it, and compares the
message: `tests/unit/test_likely_mistakes.py`. *Written* stands under `config`, beside a region and a service `api`; or
it is the whole file, where it begins with `config:`. What is in angle brackets is yours to fill in: `yard` puts the
stack's name there itself."""


@dataclass(frozen=True)
class Mistake:
    """One of them."""

    title: str
    written: str
    told: str
    """The message without its first line, which counts."""


def read() -> list[Mistake]:
    """All of them."""
    _, *blocks = FILE.read_text(encoding="utf-8").split("\n=== ")
    parts = ((title, rest.split("\n---\n")) for title, _, rest in (each.partition("\n") for each in blocks))
    return [Mistake(title, written, told.strip("\n")) for title, (written, told) in parts]


def document() -> Iterator[str]:
    """The table."""
    yield "# Likely mistakes"
    yield ABOUT
    yield table(["mistake", "written", "told", "the fix"], (_row(each) for each in read()))


def _row(mistake: Mistake) -> list[str]:
    lines = mistake.told.splitlines()
    fixes = [each.strip() for each in lines if each.startswith("      ")]
    says = [each.strip() for each in lines if each.strip() not in fixes]
    return [mistake.title, _code(map(_visible, mistake.written.splitlines())), _code(says), _code(fixes)]


def _visible(line: str) -> str:
    """A line whose spaces a page keeps, and whose tab one sees."""
    text = line.lstrip(" ")
    return "\N{NO-BREAK SPACE}" * (len(line) - len(text)) + text.replace("\t", "\N{RIGHTWARDS ARROW TO BAR}")


def _code(lines: Iterable[str]) -> str:
    """Each line as code, in backquotes that it has not itself."""
    marked = (f"`` {each} ``" if "`" in each else f"`{each}`" for each in lines)
    return "<br>".join(each.replace("|", "\\|") for each in marked)
