"""The load balancer's own API, as far as the gate asks it: DescribeTargetHealth of the ELBv2 Query API."""

from collections.abc import Callable
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from rehearsal.apis.endpoint import Endpoint, Handler
from rehearsal.aws.health import Target

NAMESPACE = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"

Ask = Callable[[str], list[Target] | None]
"""Target group ARN -> its targets; None: no such group."""


def serve(ask: Ask) -> Endpoint:
    """Answer until closed."""
    return Endpoint(_Handler, targets=staticmethod(ask))


class _Handler(Handler):
    targets: Ask

    def respond(self, body: str) -> None:
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
        self.answer(status, "text/xml", text)


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
