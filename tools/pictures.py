"""The pictures of the README, made anew of real runs: `make up`, a rehearsed switch, `make down`.

docs/run.svg is what they print, docs/rehearsal.svg the lanes of the switch. Needs a Docker engine, and a checkout in
which stack local is not up: it is brought up and taken away again.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from yard.local import Local

ROOT = Path(__file__).parent.parent
WIDTH = 112
UP, DOWN = ("make", "--no-print-directory", "up"), ("make", "--no-print-directory", "down")
SWITCH = ("yard", "rehearse", "--to", "eks")
WITHOUT_FONTS = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
"""A picture of a README fetches nothing, so the reader's own font does."""


def main() -> int:
    """Make both; the exit code."""
    if Local(ROOT).state.exists():
        print("pictures: stack local is up: `make down` first", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as place:
        page = Path(place) / "page.html"
        try:
            shown = [(UP, run(*UP)), (SWITCH, run(*SWITCH, "--html", str(page)))]
        finally:
            run(*DOWN)
        write("run.svg", screen(shown))
        write("rehearsal.svg", lanes(page.read_text(encoding="utf-8")))
    return 0


def run(*command: str) -> str:
    """What a command prints on a terminal of WIDTH columns."""
    path = f"{ROOT / '.venv/bin'}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "COLUMNS": str(WIDTH), "FORCE_COLOR": "1"}
    return subprocess.run(command, cwd=ROOT, env=env, check=True, stdout=subprocess.PIPE, text=True).stdout


def screen(shown: list[tuple[tuple[str, ...], str]]) -> str:
    """Commands and what they printed, as a picture of a terminal."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="standard")
    for command, output in shown:
        words = " ".join(word for word in command if not word.startswith("--no-print"))
        console.print(Text(f"$ {words}", style="bold"))
        console.print(Text.from_ansi(output.rstrip()))
        console.print()
    return console.export_svg(title="", code_format=WITHOUT_FONTS, unique_id="run")


def lanes(page: str) -> str:
    """The first picture of a rehearsal's page, with the page's own style, as a file of its own."""
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    picture: str = re.findall(r"<svg.*?</svg>", page, re.DOTALL)[0]
    colours = style.replace("min-width: 44rem;", "")
    head = '<svg xmlns="http://www.w3.org/2000/svg" style="background: var(--background)"'
    return picture.replace("<svg", head, 1).replace(">", f"><style>{colours}</style>", 1)


def write(name: str, text: str) -> None:
    """Into docs/."""
    (ROOT / "docs" / name).write_text(text, encoding="utf-8")
    print(f"pictures: wrote docs/{name}")


if __name__ == "__main__":
    sys.exit(main())
