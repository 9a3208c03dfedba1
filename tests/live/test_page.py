"""The page of `yard compare --html` in a real browser, Debian's Chromium, which must ask nobody for anything."""

import json
import shutil
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
from selenium.webdriver.support.ui import WebDriverWait

from components.cost import COLUMNS
from tests.live.project import REQUIRED, ROOT
from yard.comparison import Comparison, chart, page
from yard.comparison.answer import Answer
from yard.comparison.sliders import with_replicas

SECONDS = 30
"""For what takes a moment, on a machine that is busy."""
SLIDERS = ("replicas", "image-size", "deploys", "requests")
TOLD = """
    const all = (selector, of) => [...document.querySelectorAll(selector)].map(of);
    return {
      rows: all('#known tr', (row) => [...row.cells].map((cell) => cell.textContent)),
      totals: all('#chart svg .mark-text.role-mark text', (text) => text.textContent)
        .filter((text) => /^~?[0-9?]/.test(text)),
      bars: all('#chart svg .mark-rect path', (path) => path.getAttribute('d')),
      sliders: Object.fromEntries(all('#sliders input', (input) => [input.id, input.getAttribute('aria-valuetext')])),
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


@dataclass(frozen=True)
class Browser:
    """A browser with the page."""

    driver: webdriver.Chrome
    address: str

    def open(self, width: int = 1100, scheme: str = "light", media: str = "screen") -> None:
        """The page anew, as someone with such a screen sees it, once it is drawn."""
        screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
        self.driver.get(self.address)
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


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests of this file; skips where there is none."""
    programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    if missing := [name for name, path in programs.items() if path is None]:
        reason = f"no {' and no '.join(missing)}: install chromium and chromium-driver"
        (pytest.fail if REQUIRED else pytest.skip)(reason)
    file = tmp_path_factory.mktemp("page") / "cost.html"
    file.write_text(page.html(Comparison.of(ROOT, "dev"), date(2026, 11, 24)), encoding="utf-8")
    driver = webdriver.Chrome(options=_options(str(programs["chromium"])), service=_service(programs["chromedriver"]))
    try:
        yield Browser(driver, file.as_uri())
    finally:
        driver.quit()


def _options(chromium: str) -> webdriver.ChromeOptions:
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for argument in (
        "headless=new",
        "no-sandbox",  # which root cannot have
        "disable-dev-shm-usage",
        "disable-gpu",
        "disable-background-networking",
        "disable-component-update",
        "host-resolver-rules=MAP * ~NOTFOUND",
    ):
        options.add_argument(f"--{argument}")
    return options


def _service(driver: str | None) -> webdriver.ChromeService:
    return webdriver.ChromeService(executable_path=driver)  # named, so that Selenium looks for none


def test_it_opens_without_a_complaint_and_asks_nobody(browser: Browser) -> None:
    browser.complaints(), browser.requests()
    browser.open()
    assert browser.requests() == [browser.address]
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
    browser.find("#sliders button").click()
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
    (tmp_path / "config").mkdir()
    (tmp_path / "Pulumi.yaml").write_bytes((ROOT / "Pulumi.yaml").read_bytes())
    stack = yaml.safe_load((ROOT / "config/Pulumi.dev.yaml").read_text(encoding="utf-8"))
    stack["config"]["switchyard:services"]["api"]["replicas"] = replicas
    stack["config"]["switchyard:usage"] = dict(usage)
    (tmp_path / "config/Pulumi.dev.yaml").write_text(yaml.safe_dump(stack), encoding="utf-8")
    found = Comparison.of(tmp_path, "dev")
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
    assert "USD a month" in browser.find("#vg-tooltip-element").text
    assert browser.complaints() == []


def test_the_keyboard_reaches_every_control_and_shows_where_it_is(browser: Browser) -> None:
    browser.open()
    reached = []
    for _ in range(len(SLIDERS) + 5):
        ActionChains(browser.driver).send_keys(Keys.TAB).perform()
        reached.append(
            browser.ask(
                "const on = document.activeElement; return on.id || on.getAttribute('aria-labelledby') || on.type"
            )
        )
        style, width = browser.ask(
            "const on = getComputedStyle(document.activeElement); return [on.outlineStyle, parseFloat(on.outlineWidth)]"
        )
        assert style == "solid"
        assert width >= 2
    assert reached == ["theme", *SLIDERS, "reset", "own-registry", "figures", "prices"]


def test_the_answer_is_that_of_the_terminal_and_follows_the_sliders(browser: Browser) -> None:
    browser.open()
    said = browser.find("#status").text
    assert said == page.answer(Answer(Comparison.of(ROOT, "dev")))
    browser.press("replicas", Keys.END)
    moved = Comparison.of(ROOT, "dev")
    wanted = page.answer(Answer(moved.priced(with_replicas(moved.settings, 10))))
    assert browser.find("#status").text == wanted != said


def test_other_registries_can_be_folded_and_the_address_keeps_what_is_not_the_stacks_own(browser: Browser) -> None:
    browser.open()
    browser.press("deploys", Keys.END)
    browser.find("#own-registry").click()
    rows = "return [...document.querySelectorAll('#table tbody tr')].filter((row) => row.offsetParent).length"
    assert browser.ask(rows) == len([each for each in Comparison.of(ROOT, "dev").known if each.registry == "ecr"])
    assert "4 stacked bars, from ecr + swarm-ec2" in str(browser.find("#chart").get_attribute("aria-label"))
    browser.driver.refresh()
    browser.until("return document.querySelector('#chart').dataset.drawn === 'wide'")
    assert browser.find("output[for=deploys]").text == "200"
    assert browser.ask(rows) == 4
    browser.find("#sliders button").click()
    assert browser.ask("return location.hash") == "#own-registry=yes"


def test_every_slider_is_named_and_says_its_value(browser: Browser) -> None:
    browser.open()
    named = browser.ask(
        "return [...document.querySelectorAll('#sliders input')].map((each) => each.labels[0].textContent)"
    )
    assert len(named) == len(SLIDERS)
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
