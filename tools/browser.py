"""A browser that nobody sees, Debian's Chromium, which asks nobody for anything: for tests and pictures of pages."""

import shutil
from collections.abc import Sequence

from selenium import webdriver

PROGRAMS = ("chromium", "chromedriver")
OPTIONS = (
    "headless=new",
    "no-sandbox",  # which root cannot have
    "disable-dev-shm-usage",
    "disable-gpu",
    "hide-scrollbars",
    "disable-background-networking",
    "disable-component-update",
    "host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # where a test serves its own pages
)


def missing() -> Sequence[str]:
    """The programs that are not on the PATH."""
    return [each for each in PROGRAMS if shutil.which(each) is None]


def start() -> webdriver.Chrome:
    """One that keeps what it complains of and what it asks for. Whoever starts it ends it: `quit`."""
    options = webdriver.ChromeOptions()
    options.binary_location, driver = (str(shutil.which(each)) for each in PROGRAMS)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for each in OPTIONS:
        options.add_argument(f"--{each}")
    # Named, so that Selenium looks for none.
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))


def show(
    driver: webdriver.Chrome, address: str, width: int = 1100, scheme: str = "light", media: str = "screen"
) -> None:
    """A page, as someone with such a screen sees it."""
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    driver.get(address)
