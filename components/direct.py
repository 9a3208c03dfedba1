"""HTTP to this machine itself, past any proxy that the environment names."""

from urllib.request import ProxyHandler, build_opener

open_directly = build_opener(ProxyHandler({})).open
"""As `urllib.request.urlopen`."""
