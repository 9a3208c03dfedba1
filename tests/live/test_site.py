"""The site of the documents in a real browser: axe-core finds nothing, by all of its rules. `make site` builds it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

from tests.live.project import REQUIRED
from tools import axe, browser
from tools.site.__main__ import PAGES

WAIT = 60
FOUND = """
    const search = [...document.body.children].find((each) => each.shadowRoot);
    return search && search.shadowRoot.querySelector('[role=option]');
"""
"""The first result of the search, which is in a tree of its own."""


class Quiet(SimpleHTTPRequestHandler):
    """Logs nothing."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def _served() -> Iterator[str]:
    """The site's address: its search asks for a file, which a page that is a file itself may not."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(PAGES))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@pytest.fixture(scope="module")
def checker() -> str:
    """axe-core."""
    lacks = [*browser.missing(), *(["a site: make site"] if not PAGES.is_dir() else [])]
    script = axe.script()
    if lacks or script is None:
        (pytest.fail if REQUIRED else pytest.skip)(f"no {', no '.join(lacks or ['axe-core: make axe'])}")
    return script


@pytest.fixture(scope="module")
def driver(checker: str) -> Iterator[webdriver.Chrome]:
    """One browser for all tests of this file."""
    driver = browser.start()
    driver.set_script_timeout(WAIT)
    try:
        yield driver
    finally:
        driver.quit()


@pytest.mark.parametrize(
    ("page", "scheme", "width", "sought"),
    [
        ("index.html", "light", 390, ""),
        ("docs/registries.html", "dark", 1100, ""),
        ("index.html", "light", 1100, "rollback"),
        ("index.html", "dark", 390, "rollback"),
    ],
)
def test_a_checker_of_accessibility_finds_nothing(
    driver: webdriver.Chrome, checker: str, page: str, scheme: str, width: int, sought: str
) -> None:
    with _served() as address:
        browser.show(driver, f"{address}/{page}", width, scheme)
        assert driver.execute_script("return document.body.dataset.mdColorScheme") == (
            "slate" if scheme == "dark" else "default"
        )
        if sought:
            driver.execute_script("document.querySelector('.md-search__button').click()")
            wait = WebDriverWait(driver, WAIT)
            wait.until(lambda _: driver.execute_script("return document.activeElement.shadowRoot !== null"))
            driver.switch_to.active_element.send_keys(sought)
            wait.until(lambda _: driver.execute_script(FOUND))
        driver.execute_script(checker)
        found = driver.execute_async_script("axe.run().then(arguments[0])")
    assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
    assert "color-contrast" in [each["id"] for each in found["passes"]]
