"""HTTP to this machine itself goes past any proxy that the environment names; to any other it goes as that says."""

import ssl
from typing import Any
from urllib.parse import urlsplit
from urllib.request import HTTPSHandler, ProxyHandler, build_opener, urlopen

open_directly = build_opener(ProxyHandler({})).open
"""As `urllib.request.urlopen`."""
_UNVERIFIED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_UNVERIFIED.check_hostname, _UNVERIFIED.verify_mode = False, ssl.CERT_NONE
open_unverified = build_opener(ProxyHandler({}), HTTPSHandler(context=_UNVERIFIED)).open
"""The same, whatever certificate is shown."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def open_url(url: str, timeout: float) -> Any:
    """The same, by a proxy where the address is another machine's and the environment names one."""
    return (open_directly if urlsplit(url).hostname in LOOPBACK else urlopen)(url, timeout=timeout)
