"""The documents as a site with a search, in `.tools/site/pages`.

    python -m tools.site

Zensical makes it, in an environment of its own. What is in it, and in which order, docs/README.md says by its headings
and lists. A link or an anchor that leads nowhere fails. Exit 1 then.
"""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tools import build

CHECKOUT = Path(__file__).resolve().parents[2]
INDEX = CHECKOUT / "docs" / "README.md"
PACKAGES = Path(__file__).with_name("requirements.txt")
PLACE = CHECKOUT / ".tools" / "site"
ENVIRONMENT, SOURCES, PAGES = PLACE / "environment", PLACE / "docs", PLACE / "pages"
PICTURES = ("*.svg", "*.webp")
THEME = Path(__file__).with_name("theme")
LINK = re.compile(r"(?<!!)\[([^\]\[]+)\]\(([^)#\s:]+)(#[^)\s]*)?\)")
"""A link to another file: its text, the file, the anchor."""

SETTINGS = """
[project]
site_name = "Switchyard"
site_dir = "{pages}"
use_directory_urls = false
extra_css = ["theme/access.css"]
extra_javascript = ["theme/access.js"]
nav = [
{nav}
]
[project.markdown_extensions.toc]
permalink = true
[project.markdown_extensions.pymdownx.highlight]
anchor_linenums = false  # a link without a text for each line
[project.markdown_extensions.pymdownx.superfences]
[project.markdown_extensions.pymdownx.magiclink]
[project.theme]
features = ["navigation.top", "content.code.copy", "search.highlight"]
font = false  # nothing is fetched from elsewhere
[[project.theme.palette]]
media = "(prefers-color-scheme: light)"
scheme = "default"
toggle = {{ icon = "lucide/sun", name = "Switch to dark" }}
[[project.theme.palette]]
media = "(prefers-color-scheme: dark)"
scheme = "slate"
toggle = {{ icon = "lucide/moon", name = "Switch to light" }}
"""

say = partial(build.say, "site")


def main() -> int:
    """Collect the pages, and build."""
    build.environment("site", ENVIRONMENT, PACKAGES)
    collect(SOURCES)
    configuration = PLACE / "zensical.toml"
    configuration.write_text(settings(), encoding="utf-8")
    zensical = [
        str(ENVIRONMENT / "bin" / "zensical"),
        "build",
        "--clean",
        "--strict",
        "--config-file",
        str(configuration),
    ]
    if subprocess.run(zensical, cwd=PLACE).returncode:
        return 1
    say(f"look at it: .venv/bin/python -m http.server --directory {PAGES.relative_to(CHECKOUT)}")
    return 0


def pages() -> list[Path]:
    """Every Markdown file that people read, from the checkout."""
    found = [*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md"), CHECKOUT / "app" / "README.md"]
    return sorted(path.relative_to(CHECKOUT) for path in [*found, CHECKOUT / "benchmarks" / "README.md"])


def collect(place: Path) -> None:
    """The pages and their pictures, in the folders in which they lie. What is no page there is named, not linked."""
    shutil.rmtree(place, ignore_errors=True)
    known = {(CHECKOUT / page).resolve() for page in pages()}
    for page in pages():
        (place / page).parent.mkdir(parents=True, exist_ok=True)
        text = (CHECKOUT / page).read_text(encoding="utf-8")
        (place / page).write_text(LINK.sub(partial(_within, CHECKOUT / page, known), text), encoding="utf-8")
    shutil.copytree(THEME, place / THEME.name)
    for picture in (each for kind in PICTURES for each in (CHECKOUT / "docs").rglob(kind)):
        (place / picture.relative_to(CHECKOUT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, place / picture.relative_to(CHECKOUT))


def _within(page: Path, known: set[Path], link: re.Match[str]) -> str:
    text, file, anchor = link.groups()
    target = (page.parent / file).resolve()
    if target.is_dir() and (target / "README.md") in known:
        return f"[{text}]({file.rstrip('/')}/README.md{anchor or ''})"
    return link[0] if target in known else text


def chapters(index: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The headings of an index, each with the titles and files below it."""
    for part in index.split("\n## ")[1:]:
        heading, _, body = part.partition("\n")
        yield heading, re.findall(r"^- \[([^\]]+)\]\(([^)]+)\)", body, re.MULTILINE)


def settings() -> str:
    """What Zensical is told, as TOML; raises `tomllib.TOMLDecodeError` where a title of the index would break it."""
    nav = ['  { "Switchyard" = "README.md" },', '  { "All pages" = "docs/README.md" },']
    for heading, listed in chapters(INDEX.read_text(encoding="utf-8")):
        below = ", ".join(f'{{ "{title}" = "docs/{file}" }}' for title, file in listed)
        nav.append(f'  {{ "{heading}" = [{below}] }},')
    nav.append('  { "Changes" = "CHANGELOG.md" },')
    text = SETTINGS.format(pages=PAGES.name, nav="\n".join(nav))
    tomllib.loads(text)
    return text


if __name__ == "__main__":
    sys.exit(main())
