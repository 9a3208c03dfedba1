"""What a TLS certificate is for, and whether a server shows it: by the handshake itself, as a caller's."""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

FIRST = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)
ROUNDS = 4
"""Times that each side of a handshake has its turn; TLS 1.3 needs two."""


def fault(chain: str, key: str, names: Iterable[str]) -> tuple[str, str] | None:
    """What is wrong with a certificate, its intermediates and its key, all PEM: which of the two, `chain` or `key`, and
    what is wanted. Who signed it is for its callers to judge."""
    try:
        caller = trusting(chain)
    except (ssl.SSLError, ValueError):
        return "chain", "certificates in PEM: the proxy's own first, then those between it and its CA"
    try:
        server = _serving(chain, key)
    except OSError:  # an `SSLError` is one; OpenSSL also tells that it cannot go back in a pipe
        return "key", "the private key of the first certificate in `chain`, in PEM and without a passphrase"
    for name in names:
        try:
            _meet(server, caller, name)
        except ssl.SSLCertVerificationError as error:
            return "chain", f"a certificate that callers of {name} can take: {error.verify_message.rstrip('.')}"
    return None


def shown(address: str, port: int, name: str, chain: str) -> str:
    """Why who calls `name` at an address is not shown the first certificate of `chain`; empty: it is shown."""
    try:
        with (
            socket.create_connection((address, port), timeout=5) as raw,
            trusting(chain).wrap_socket(raw, server_hostname=name),
        ):
            return ""
    except OSError as error:  # an `SSLError` is one
        return str(error)


def trusting(chain: str) -> ssl.SSLContext:
    """A caller that takes the first certificate of `chain` and no other, whoever signed it."""
    first = FIRST.search(chain)
    if first is None:
        raise ValueError("no certificate in PEM")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=first[0])
    return context


def _serving(chain: str, key: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with _unwritten(chain) as certificates, _unwritten(key) as secret:
        context.load_cert_chain(certificates, secret, password=lambda: "")  # it would ask at the terminal
    return context


@contextmanager
def _unwritten(text: str) -> Iterator[str]:
    """The path of what reads as a file with this text, which is on no disk. `ssl` takes a key from files alone."""
    reader, writer = os.pipe()
    try:
        with open(writer, "w", encoding="ascii", errors="replace") as pipe:
            pipe.write(text)
        yield f"/dev/fd/{reader}"
    finally:
        os.close(reader)


def _meet(server: ssl.SSLContext, caller: ssl.SSLContext, name: str) -> None:
    """A handshake in memory; raises `SSLCertVerificationError` where the caller does not take the certificate."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = (
        caller.wrap_bio(down, up, server_hostname=name),
        server.wrap_bio(up, down, server_side=True),
    )
    for _ in range(ROUNDS):
        for side in sides:
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
