"""The pictures of the README, made anew of real runs: `make up`, a rehearsed switch, `make down`.

    python -m tools.pictures [pages|load]

docs/run.svg is what they print, docs/rehearsal.svg the lanes of the switch. docs/pages/ has the pages of `yard compare`
and of `yard rehearse` as a browser shows them, light, dark and on a phone; `pages` makes these alone. Needs chromium
and chromium-driver; without `pages` a Docker engine too, and a checkout in which stack local is not up: it is brought
up and taken away again. `load` makes docs/load.svg alone, the requests through a switch, and needs Go.
"""

from __future__ import annotations

import base64
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
from selenium.webdriver.support.ui import WebDriverWait

from tools import browser
from yard.local import Local

ROOT = Path(__file__).parent.parent
WIDTH = 112
UP, DOWN = ("make", "--no-print-directory", "up"), ("make", "--no-print-directory", "down")
SWITCH = ("yard", "rehearse", "--to", "eks")
PAGES = {"compare": ("yard", "compare", "--stack", "dev"), "rehearse": SWITCH}
SCREENS = {"light": (1100, 900, "light"), "dark": (1100, 900, "dark"), "phone": (390, 844, "light")}
"""How they are looked at: width, height and colour scheme."""
QUALITY = 70
"""Of WebP: text stays sharp, and no picture has more than 150 KB."""
DRAWN = "const chart = document.querySelector('#chart'); return !chart || Boolean(chart.dataset.drawn)"
WITHOUT_FONTS = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
"""A picture of a README fetches nothing, so the reader's own font does."""


def main() -> int:
    """Make all, or those of the pages; the exit code."""
    if sys.argv[1:] == ["load"]:
        load()
        return 0
    if missing := browser.missing():
        print(f"pictures: no {' and no '.join(missing)}: install chromium and chromium-driver", file=sys.stderr)
        return 1
    if sys.argv[1:] == ["pages"]:
        pages()
        return 0
    if Local(ROOT).state.exists():
        print("pictures: stack local is up: `make down` first", file=sys.stderr)
        return 1
    try:
        shown = [(UP, run(*UP)), (SWITCH, pages())]
    finally:
        run(*DOWN)
    write("run.svg", screen(shown))
    return 0


def pages() -> str:
    """The pages as pictures, and the lanes of the switch; what the rehearsal printed."""
    with tempfile.TemporaryDirectory() as place:
        files = {name: Path(place) / f"{name}.html" for name in PAGES}
        *_, printed = [run(*command, "--html", str(files[name])) for name, command in PAGES.items()]
        photograph(files)
        write("rehearsal.svg", lanes(files["rehearse"].read_text(encoding="utf-8")))
    return printed


def load() -> None:
    """The requests through a switch."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "load.html"
        print(run(*SWITCH, "--load", "--rate", "300", "--bake", "20", "--html", str(file)))
        write("load.svg", lanes(file.read_text(encoding="utf-8")))


def photograph(files: dict[str, Path]) -> None:
    """Each page on each screen, once its bars are drawn."""
    (ROOT / "docs" / "pages").mkdir(exist_ok=True)
    driver = browser.start()
    try:
        for name, file in files.items():
            for kind, (width, height, scheme) in SCREENS.items():
                browser.show(driver, file.as_uri(), width, scheme)
                WebDriverWait(driver, 30).until(lambda it: it.execute_script(DRAWN))
                clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
                options = {"format": "webp", "quality": QUALITY, "captureBeyondViewport": True, "clip": clip}
                picture = base64.b64decode(driver.execute_cdp_cmd("Page.captureScreenshot", options)["data"])
                (ROOT / "docs" / "pages" / f"{name}-{kind}.webp").write_bytes(picture)
                print(f"pictures: wrote docs/pages/{name}-{kind}.webp, {len(picture) // 1024} KB")
    finally:
        driver.quit()


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
