"""An AWS API on a port of this machine."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rehearsal.state import Refused


class Endpoint:
    """Answers by `handler` until closed; `known` are attributes of its class, from which it answers."""

    def __init__(self, handler: type[BaseHTTPRequestHandler], **known: object) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type(handler.__name__, (handler,), known))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Handler(BaseHTTPRequestHandler):
    """What every API does alike."""

    def do_POST(self) -> None:
        self.respond(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

    def respond(self, body: str) -> None:
        """Answer a request with this body."""
        raise NotImplementedError

    def answer(self, status: int, kind: str, text: str) -> None:
        """Send the response."""
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: what is asked here is not news."""


class BadRequest(Exception):
    """What an API refuses; the arguments are AWS's code and message."""


class JsonHandler(Handler):
    """An API of AWS's JSON protocol: a method `on_<action>` for each action, from its request to its response."""

    asking: Callable[[str], None] = staticmethod(lambda _: None)
    """Told of each action beforehand; raises `Refused` where it goes wrong."""

    def respond(self, body: str) -> None:
        """Answer a request with this body."""
        action = self.headers.get("X-Amz-Target", "").partition(".")[2]
        try:
            self.asking(action)
            self._answer(200, getattr(self, f"on_{action}", self._unknown(action))(json.loads(body or "{}")))
        except BadRequest as refusal:
            code, message = refusal.args
            self._answer(400, {"__type": code, "message": message})
        except Refused as refusal:
            self._answer(400, {"__type": "InternalFailure", "message": str(refusal)})

    def _answer(self, status: int, response: Any) -> None:
        self.answer(status, "application/x-amz-json-1.1", json.dumps(response))

    @staticmethod
    def _unknown(action: str) -> Callable[[Any], Any]:
        def refuse(_: Any) -> Any:
            raise BadRequest("InvalidAction", f"the rehearsal has no answer to {action or 'a request without action'}")

        return refuse
