"""The load balancer's own API, as far as the gate asks it: DescribeTargetHealth of the ELBv2 Query API."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from rehearsal.health import Target

NAMESPACE = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"

Ask = Callable[[str], list[Target] | None]
"""Target group ARN -> its targets; None: no such group."""


class Endpoint:
    """Answers on a port of this machine until closed."""

    def __init__(self, ask: Ask) -> None:
        class Handler(_Handler):
            targets = staticmethod(ask)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    targets: Ask

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        asked = {key: values[0] for key, values in parse_qs(body).items()}
        action = asked.get("Action", "")
        if action != "DescribeTargetHealth":
            self._answer(
                400, _error("InvalidAction", f"the rehearsal has no answer to {action or 'a request without Action'}")
            )
            return
        found = self.targets(asked.get("TargetGroupArn", ""))
        if found is None:
            self._answer(400, _error("TargetGroupNotFound", "One or more target groups not found"))
        else:
            self._answer(200, _health(found))

    def _answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: what is asked here is not news."""


def _health(targets: list[Target]) -> str:
    members = "".join(_member(each) for each in targets)
    return (
        f'<DescribeTargetHealthResponse xmlns="{NAMESPACE}"><DescribeTargetHealthResult>'
        f"<TargetHealthDescriptions>{members}</TargetHealthDescriptions></DescribeTargetHealthResult>"
        "<ResponseMetadata><RequestId>rehearsal</RequestId></ResponseMetadata></DescribeTargetHealthResponse>"
    )


def _member(target: Target) -> str:
    because = (
        f"<Reason>{target.reason}</Reason><Description>{escape(target.why)}</Description>" if target.reason else ""
    )
    return (
        f"<member><Target><Id>{target.address}</Id><Port>{target.port}</Port></Target>"
        f"<TargetHealth><State>{target.state}</State>{because}</TargetHealth></member>"
    )


def _error(code: str, message: str) -> str:
    return (
        f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>Sender</Type><Code>{code}</Code>'
        f"<Message>{escape(message)}</Message></Error><RequestId>rehearsal</RequestId></ErrorResponse>"
    )
