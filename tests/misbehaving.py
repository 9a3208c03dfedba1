"""A small service that makes one of the mistakes that `yard rehearse --load` must find; $MISTAKE says which.

It answers at once, or after so many seconds as the path ends with: /20. What is sent to it it sends back, and to
whoever wants a WebSocket it is one that answers pings.
"""

import base64
import hashlib
import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MISTAKE = os.environ.get("MISTAKE", "")
START, UNREADY, IDLE, CRASH = 4.0, 4.0, 1.0, 1.0
"""Seconds: until `slow` listens, `unready` is ready, `idle` closes, `crashes` ends."""
BORN = time.monotonic()
CLOSE, PING, PONG = 8, 9, 10
going = threading.Event()
busy: set[int] = set()
"""The threads that answer."""


class Handler(BaseHTTPRequestHandler):
    """Keeps connections, until it is told to stop."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE if MISTAKE == "idle" else None

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(200, b"you said " + body)

    def do_GET(self) -> None:
        if self.headers.get("Upgrade") == "websocket":
            self.talk()
            return
        busy.add(threading.get_ident())
        ready = self.path == "/healthz" or MISTAKE != "unready" or time.monotonic() - BORN > UNREADY
        last = self.path.rpartition("/")[2]
        if last.isdigit():
            time.sleep(int(last))
        if MISTAKE == "sick":
            ready = False
        if MISTAKE == "sour" and os.environ["SWITCHYARD_ORCHESTRATOR"] == "eks":
            ready = self.path == "/healthz"
        self.answer(200 if ready else 500, b"OK")
        busy.discard(threading.get_ident())

    def answer(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        if going.is_set():
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def talk(self) -> None:
        """A WebSocket (RFC 6455): what comes is masked and short."""
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.close_connection = True
        while head := self.rfile.read(2):
            mask = self.rfile.read(4)
            body = bytes(each ^ mask[n % 4] for n, each in enumerate(self.rfile.read(head[1] & 0x7F)))
            code = {PING: PONG, CLOSE: CLOSE}.get(head[0] & 0xF)
            if code:
                self.wfile.write(bytes([0x80 | code, len(body)]) + body)
            if code == CLOSE:
                return

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
