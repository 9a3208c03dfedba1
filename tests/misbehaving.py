"""A small service that makes one of the mistakes that `yard rehearse --load` must find; $MISTAKE says which.

Below its path it answers at once, and after a second where the path ends with /slow.
"""

import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MISTAKE = os.environ.get("MISTAKE", "")
START, UNREADY, IDLE, CRASH, SLOW = 4.0, 4.0, 1.0, 1.0, 1.0
"""Seconds: until `slow` listens, `unready` is ready, `idle` closes, `crashes` ends; and of a slow request."""
BORN = time.monotonic()
going = threading.Event()
busy: set[int] = set()
"""The threads that answer."""


class Handler(BaseHTTPRequestHandler):
    """Keeps connections, until it is told to stop."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE if MISTAKE == "idle" else None

    def do_GET(self) -> None:
        busy.add(threading.get_ident())
        ready = self.path == "/healthz" or MISTAKE != "unready" or time.monotonic() - BORN > UNREADY
        if self.path.endswith("/slow"):
            time.sleep(SLOW)
        if MISTAKE == "sick":
            ready = False
        self.send_response(200 if ready else 500)
        self.send_header("Content-Length", "2")
        if going.is_set():
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"OK")
        self.wfile.flush()
        busy.discard(threading.get_ident())

    def log_message(self, *_: Any) -> None:
        """Nothing."""


class Server(ThreadingHTTPServer):
    """Waits at its end for the requests that it has."""

    daemon_threads = False
    request_queue_size = 128


def stop(server: Server) -> None:
    """What SIGTERM does."""
    if MISTAKE == "cuts":
        os._exit(0)
    if MISTAKE != "lingers":
        going.set()
        threading.Thread(target=server.shutdown).start()


def main() -> None:
    """Serve."""
    if MISTAKE == "slow":
        time.sleep(START)
    server = Server(("127.0.0.1", int(os.environ["PORT"])), Handler)
    if MISTAKE != "dies":
        signal.signal(signal.SIGTERM, lambda *_: stop(server))
    if MISTAKE == "crashes":
        threading.Timer(CRASH, os._exit, [3]).start()
    server.serve_forever()
    server.socket.close()
    while busy:
        time.sleep(0.01)
    os._exit(0)  # idle connections would be waited for without end


if __name__ == "__main__":
    main()
