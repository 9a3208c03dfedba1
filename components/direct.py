"""HTTP to this machine itself goes past any proxy that the environment names; to any other it goes as that says."""

from typing import Any
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener, urlopen

open_directly = build_opener(ProxyHandler({})).open
"""As `urllib.request.urlopen`."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def open_url(url: str, timeout: float) -> Any:
    """The same, by a proxy where the address is another machine's and the environment names one."""
    return (open_directly if urlsplit(url).hostname in LOOPBACK else urlopen)(url, timeout=timeout)
