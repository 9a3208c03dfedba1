"""The page of `yard compare --html` in a real browser, Debian's Chromium, which must ask nobody for anything."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

from components.cost import COLUMNS
from tests.commands.test_story import report
from tests.live.project import REQUIRED, ROOT
from tools import axe
from tools import browser as browsers
from yard.comparison import Comparison, chart, page
from yard.comparison.answer import Answer
from yard.comparison.controls import with_replicas
from yard.story import page as story

SECONDS = 30
"""For what takes a moment, on a machine that is busy."""
SLIDERS = ("replicas", "image-size", "deploys", "requests")
CHOICES = ("region", "architecture", "network", "budget")
TOLD = """
    const all = (selector, of) => [...document.querySelectorAll(selector)].map(of);
    return {
      rows: [...document.querySelectorAll('#known tr')].filter((row) => !row.hidden)
        .map((row) => [...row.cells].map((cell) => cell.textContent)),
      totals: all('#chart svg .mark-text.role-mark text', (text) => text.textContent)
        .filter((text) => /^(» )?~?[0-9?]/.test(text)).map((text) => text.replace('» ', '')),
      bars: all('#chart svg .mark-rect path', (path) => path.getAttribute('d')),
      sliders: Object.fromEntries(
        all('#controls input[type=range]', (input) => [input.id, input.getAttribute('aria-valuetext')])
      ),
      assumed: all('#assumed li', (item) => item.textContent),
    };
"""
CONTRAST = """
    const linear = (part) => ((part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    const light = (colour) => {
      const [r, g, b] = colour.match(/[0-9.]+/g).map(Number).map(linear);
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const background = light(getComputedStyle(document.documentElement).backgroundColor);
    const contrast = (colour) => {
      const [dark, bright] = [background, light(colour)].sort((a, b) => a - b);
      return (bright + 0.05) / (dark + 0.05);
    };
    const least = (selector, property) =>
      Math.min(...[...document.querySelectorAll(selector)].map((each) => contrast(getComputedStyle(each)[property])));
    return {
      background: getComputedStyle(document.documentElement).backgroundColor,
      text: least('h1, h2, p, li, td, th, label', 'color'),
      labels: least('#chart svg text', 'fill'),
      bars: least('#chart svg .mark-rect.role-mark.layer_1_marks path', 'fill'),
    };
"""

COLOURS = "const of = getComputedStyle(document.documentElement); return [of.color, of.backgroundColor]"


@dataclass(frozen=True)
class Browser:
    """A browser with the page."""

    driver: webdriver.Chrome
    address: str

    def open(self, width: int = 1100, scheme: str = "light", every: bool = True) -> None:
        """The page anew, as someone with such a screen sees it, once it is drawn; with every registry, or as it is."""
        self.driver.get("about:blank")  # the same page with another fragment would stay
        browsers.show(self.driver, self.address + ("#every-registry=yes" if every else ""), width, scheme)
        self.until("return document.querySelector('#chart').dataset.drawn === arguments[0]", _form(width))

    def until(self, script: str, *arguments: Any) -> None:
        """Wait until a script says true."""
        WebDriverWait(self.driver, SECONDS, poll_frequency=0.05).until(
            lambda driver: driver.execute_script(script, *arguments)
        )

    def ask(self, script: str) -> Any:
        """What a script says."""
        return self.driver.execute_script(script)

    def told(self) -> Mapping[str, Any]:
        """What is shown, once bars and table say the same."""

        def agreed(_: WebDriver) -> Mapping[str, Any] | Literal[False]:
            told: Mapping[str, Any] = self.ask(TOLD)
            totals = [text.removesuffix(" ← this stack") for text in told["totals"]]
            return totals == [row[-1] for row in told["rows"]] and told

        return WebDriverWait(self.driver, SECONDS, poll_frequency=0.05).until(agreed)

    def find(self, selector: str) -> WebElement:
        """One element."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def press(self, slider: str, *keys: str) -> None:
        """Press keys with a slider in focus."""
        self.ask(f"document.getElementById({json.dumps(slider)}).focus()")
        ActionChains(self.driver).send_keys(*keys).perform()

    def complaints(self) -> list[str]:
        """What the browser had to say since it was asked last."""
        return [entry["message"] for entry in self._log("browser")]

    def _log(self, kind: str) -> list[dict[str, Any]]:
        return list(self.driver.execute("getLog", {"type": kind})["value"])

    def requests(self) -> list[str]:
        """What it asked for since then."""
        entries = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        return [each["params"]["request"]["url"] for each in entries if each["method"] == "Network.requestWillBeSent"]


def _form(width: int) -> str:
    return "narrow" if width <= 640 else "wide"


def figures(found: Comparison) -> list[list[str]]:
    """The rows of the table, as Python has them."""
    return [
        [
            each.registry,
            each.orchestrators[0] + (" (this stack)" if found.is_own(each) else ""),
            *(str(each.amount(column)) for column in COLUMNS),
            str(each.amount()),
        ]
        for each in found.known
    ]


def changed(place: Path, config: Mapping[str, Any], service: Mapping[str, Any]) -> Comparison:
    """Stack dev with other values."""
    (place / "config").mkdir()
    (place / "Pulumi.yaml").write_bytes((ROOT / "Pulumi.yaml").read_bytes())
    stack = yaml.safe_load((ROOT / "config/Pulumi.dev.yaml").read_text(encoding="utf-8"))
    stack["config"].update(config)
    stack["config"]["switchyard:services"]["api"].update(service)
    (place / "config/Pulumi.dev.yaml").write_text(yaml.safe_dump(stack), encoding="utf-8")
    return Comparison.of(place, "dev")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests of this file; skips where there is none."""
    if missing := browsers.missing():
        reason = f"no {' and no '.join(missing)}: install chromium and chromium-driver"
        (pytest.fail if REQUIRED else pytest.skip)(reason)
    file = tmp_path_factory.mktemp("page") / "cost.html"
    file.write_text(page.html(Comparison.of(ROOT, "dev"), date(2026, 11, 24)), encoding="utf-8")
    driver = browsers.start()
    try:
        yield Browser(driver, file.as_uri())
    finally:
        driver.quit()


def test_it_opens_without_a_complaint_and_asks_nobody(browser: Browser) -> None:
    browser.complaints(), browser.requests()
    browser.open()
    assert [each.partition("#")[0] for each in browser.requests()] == [browser.address]
    browser.press("replicas", Keys.END)
    browser.told()
    assert browser.requests() == []
    assert browser.complaints() == []


def test_the_page_may_ask_nobody(browser: Browser) -> None:
    """Its own policy forbids it: the promise does not rest on the script's manners."""
    browser.open()
    image = "const image = new Image(); image.onerror = () => (window.refused = true); image.src = 'data:,x';"
    browser.ask(image)
    browser.until("return window.refused === true")
    assert any("Content Security Policy" in each for each in browser.complaints())


def test_there_is_a_bar_for_each_pair_with_pythons_figures(browser: Browser) -> None:
    browser.open()
    found = Comparison.of(ROOT, "dev")
    told = browser.told()
    assert told["rows"] == figures(found)
    assert len(told["bars"]) >= len(found.known) * len(COLUMNS)
    names = browser.ask("return [...document.querySelectorAll('#chart svg text')].map((each) => each.textContent)")
    assert [name for name in names if " + " in name] == [chart.name(each) for each in found.known]
    assert told["assumed"] == list(found.assumptions())


@pytest.mark.parametrize("slider", SLIDERS)
def test_an_arrow_key_moves_the_bars_and_the_figures(browser: Browser, slider: str) -> None:
    browser.open()
    before = browser.told()
    browser.press(slider, Keys.END)
    after = browser.told()
    assert after["rows"] != before["rows"]
    assert after["bars"] != before["bars"]
    browser.press(slider, Keys.ARROW_LEFT)
    nearly = browser.told()
    assert len({each["sliders"][slider] for each in (before, after, nearly)}) == 3
    browser.find("#controls button").click()
    assert browser.told() == before


@pytest.mark.parametrize(
    ("keys", "replicas", "usage"),
    [
        ({"replicas": [Keys.ARROW_RIGHT]}, 3, {}),
        ({"deploys": [Keys.ARROW_RIGHT] * 2, "image-size": [Keys.HOME]}, 2, {"deploys": 100, "image-size": 50}),
        (
            {"replicas": [Keys.END], "image-size": [Keys.END], "deploys": [Keys.END], "requests": [Keys.END]},
            10,
            {"image-size": 2000, "deploys": 200, "requests": 10**9},
        ),
        (
            {"replicas": [Keys.HOME], "requests": [Keys.ARROW_RIGHT] * 3, "deploys": [Keys.ARROW_LEFT]},
            1,
            {"deploys": 10, "requests": 30_000_000},
        ),
    ],
)
def test_anywhere_the_figures_are_those_of_that_stack(
    browser: Browser, tmp_path: Path, keys: Mapping[str, list[str]], replicas: int, usage: Mapping[str, int]
) -> None:
    browser.open()
    for slider, pressed in keys.items():
        browser.press(slider, *pressed)
    found = changed(tmp_path, {"switchyard:usage": dict(usage)}, {"replicas": replicas})
    told = browser.told()
    assert told["rows"] == figures(found)
    assert told["assumed"] == list(found.assumptions())


def test_bars_are_as_long_as_the_totals(browser: Browser) -> None:
    browser.open()
    browser.press("requests", Keys.END)
    browser.told()
    pieces = browser.ask(
        "return [...document.querySelectorAll('#chart svg .mark-rect path')].map((each) => each.getBBox())"
        ".filter((box) => box.height < 20).map((box) => [box.y, box.width])"
    )
    lengths: dict[float, float] = {}
    for y, width in pieces:
        lengths[y] = lengths.get(y, 0) + width
    totals = [Decimal(row[-1].strip("~+?").replace(",", "")) for row in browser.told()["rows"]]
    scale = max(lengths.values()) / float(max(totals))
    assert [lengths[y] for y in sorted(lengths)] == pytest.approx([float(each) * scale for each in totals], rel=0.01)


def test_the_mouse_on_a_piece_is_told_its_amount(browser: Browser) -> None:
    browser.open()
    browser.complaints()
    piece = next(
        each
        for each in browser.driver.find_elements(By.CSS_SELECTOR, "#chart svg .mark-rect path")
        if each.size["width"] > 30 and each.size["height"] < 20
    )
    ActionChains(browser.driver).move_to_element(piece).perform()
    browser.until("return document.querySelector('#vg-tooltip-element.visible') !== null")
    told = browser.find("#vg-tooltip-element").text
    assert "USD a month" in told
    assert re.search(r"unit prices\n?.* USD a .*, as others recorded", told)
    assert browser.complaints() == []


def test_the_keyboard_reaches_every_control_and_shows_where_it_is(browser: Browser) -> None:
    browser.open()
    reached = []
    for _ in range(len(SLIDERS) + len(CHOICES) + 6):
        ActionChains(browser.driver).send_keys(Keys.TAB).perform()
        reached.append(
            browser.ask(
                "const on = document.activeElement;"
                " return on.id || on.getAttribute('aria-label') || on.getAttribute('type') || on.tagName"
            )
        )
        style, width = browser.ask(
            "const on = getComputedStyle(document.activeElement); return [on.outlineStyle, parseFloat(on.outlineWidth)]"
        )
        assert style == "solid"
        assert width >= 2
    tables = ["Table of the figures", "SUMMARY", "Table of the prices"]
    assert reached == ["theme", *SLIDERS, *CHOICES, "reset", "every-registry", *tables]


def test_the_answer_is_that_of_the_terminal_and_follows_the_sliders(browser: Browser) -> None:
    browser.open()
    said = browser.find("#status").text
    assert said == page.answer(Answer(Comparison.of(ROOT, "dev")))
    browser.press("replicas", Keys.END)
    moved = Comparison.of(ROOT, "dev")
    wanted = page.answer(Answer(moved.priced(with_replicas(moved.settings, 10))))
    assert browser.find("#status").text == wanted != said


def test_other_registries_are_folded_and_the_address_keeps_what_is_not_the_stacks_own(browser: Browser) -> None:
    browser.open(every=False)
    first = [each for each in Answer(Comparison.of(ROOT, "dev")).orchestrators() if not each.runs_unpriced]
    assert browser.told()["rows"] == [row for row in figures(Comparison.of(ROOT, "dev")) if row[0] == "ecr"]
    assert f"{len(first)} stacked bars, from ecr + swarm-ec2" in str(browser.find("#chart").get_attribute("aria-label"))
    browser.press("deploys", Keys.END)
    browser.find("#every-registry").click()
    assert len(browser.told()["rows"]) == len(Comparison.of(ROOT, "dev").known)
    browser.driver.refresh()
    browser.until("return document.querySelector('#chart').dataset.drawn === 'wide'")
    assert browser.find("output[for=deploys]").text == "200"
    assert len(browser.told()["rows"]) == len(Comparison.of(ROOT, "dev").known)
    browser.find("#controls button").click()
    assert browser.ask("return location.hash") == "#every-registry=yes"


def test_another_region_architecture_and_way_out_are_that_stacks_figures(browser: Browser, tmp_path: Path) -> None:
    browser.open()
    for choice, at in (("region", 0), ("architecture", 1), ("network", 2)):
        Select(browser.find(f"#{choice}")).select_by_index(at)
    config = {"switchyard:network": "nat-per-az", "aws:region": "ap-northeast-1"}
    found = changed(tmp_path, config, {"architecture": "arm64"})
    assert sorted(browser.told()["rows"]) == sorted(figures(found))  # equal totals keep the order of the stack's own
    assert browser.find("#place").text == "ap-northeast-1"
    assert browser.find("#status").text == page.answer(Answer(found))


def test_a_budget_is_a_line_and_says_what_fits(browser: Browser) -> None:
    browser.open()
    line = "return document.querySelectorAll('#chart svg .role-mark.layer_2_marks line:not([opacity=\"0\"])').length"
    assert browser.ask(line) == 0
    browser.find("#budget").send_keys("50")
    found = Comparison.of(ROOT, "dev")
    fits = [each for each in found.known if each.amount().usd <= 50]
    assert browser.find("#fits").text == f"{len(fits)} of {len(found.known)} pairs fit"
    browser.until(f"{line} === 1")
    assert browser.ask("return document.querySelectorAll('#known tr.over').length") == len(found.known) - len(fits)
    browser.find("#budget").send_keys(Keys.BACKSPACE)
    assert (
        browser.find("#fits").text == f"0 of {len(found.known)} pairs fit; the cheapest costs {found.known[0].amount()}"
    )


def test_every_slider_is_named_and_says_its_value(browser: Browser) -> None:
    browser.open()
    named = browser.ask(
        "return [...document.querySelectorAll('#controls input, #controls select')]"
        ".map((each) => each.labels[0].textContent)"
    )
    assert len(named) == len(SLIDERS) + len(CHOICES)
    assert all(named)
    browser.press("image-size", Keys.ARROW_RIGHT)
    assert browser.find("#image-size").get_attribute("aria-valuetext") == "300 MB"
    assert browser.find("output[for=image-size]").text == "300 MB"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_colour_scheme_keeps_its_contrast(browser: Browser, scheme: str) -> None:
    browser.open(scheme=scheme)
    shown = browser.ask(CONTRAST)
    theme = chart.DARK if scheme == "dark" else chart.LIGHT
    assert shown["background"] == f"rgb({', '.join(str(int(theme.background[at : at + 2], 16)) for at in (1, 3, 5))})"
    assert shown["text"] >= 4.5
    assert shown["labels"] >= 4.5
    assert shown["bars"] >= 3


def test_the_switch_changes_the_scheme_and_paper_is_always_light(browser: Browser) -> None:
    browser.open()
    switch = browser.find("#theme")
    assert switch.get_attribute("aria-checked") == "false"
    light = browser.ask(CONTRAST)["background"]
    switch.send_keys(Keys.SPACE)
    assert switch.get_attribute("aria-checked") == "true"
    assert browser.ask(CONTRAST)["background"] != light
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert browser.ask(CONTRAST)["background"] == light


def test_a_rehearsal_is_printed_dark_on_white(browser: Browser, tmp_path: Path) -> None:
    _rehearsal(browser, tmp_path, "light", 718)
    light = browser.ask(COLOURS)
    _rehearsal(browser, tmp_path, "dark", 718)
    assert browser.ask(COLOURS) != light
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert browser.ask(COLOURS) == light
    assert browser.ask("return document.documentElement.scrollWidth") <= 718


@pytest.mark.parametrize("width", [360, 800, 1600])
def test_nothing_is_wider_than_the_window(browser: Browser, width: int) -> None:
    browser.open(width)
    assert browser.ask("return document.documentElement.scrollWidth") <= width
    inside = (
        "const box = document.querySelector('#chart svg').getBoundingClientRect(); return box.left >= 0 && box.right"
    )
    assert 0 < browser.ask(inside) <= width


def test_a_window_that_gets_narrow_is_drawn_anew(browser: Browser) -> None:
    browser.open(1100)
    browser.press("deploys", Keys.END)
    rows = browser.told()["rows"]
    screen = {"width": 360, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    browser.until("return document.querySelector('#chart').dataset.drawn === 'narrow'")
    assert browser.told()["rows"] == rows


def _rehearsal(browser: Browser, place: Path, scheme: str, width: int) -> None:
    (place / "rehearsal.html").write_text(story.html("dev", report()), encoding="utf-8")
    browsers.show(browser.driver, (place / "rehearsal.html").as_uri(), width, scheme)


@pytest.mark.parametrize("which", ["compare", "rehearse"])
@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1100)])
def test_a_checker_of_accessibility_finds_nothing(
    browser: Browser, tmp_path: Path, which: str, scheme: str, width: int
) -> None:
    """axe-core, with all of its rules."""
    if (script := axe.script()) is None:
        (pytest.fail if REQUIRED else pytest.skip)("no axe-core: make axe")
    browser.driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})  # the checker is no part of the page
    try:
        browser.open(width, scheme, every=False) if which == "compare" else _rehearsal(browser, tmp_path, scheme, width)
        browser.ask(script)
        found = browser.driver.execute_async_script("axe.run().then(arguments[0])")
        assert [(each["id"], each["nodes"][0]["target"]) for each in found["violations"]] == []
        assert len(found["passes"]) > 10
        browser.ask("document.body.insertAdjacentHTML('beforeend', '<img src>')")
        found = browser.driver.execute_async_script("axe.run({runOnly: ['image-alt']}).then(arguments[0])")
        assert "image-alt" in [each["id"] for each in found["violations"]]
    finally:
        browser.driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": False})
