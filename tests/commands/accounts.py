"""An account on AWS whose answers are written down: what the tests of the doctor ask."""

from functools import cache
from typing import Any

import boto3
from botocore.stub import Stubber

from config.settings import Settings
from tests.commands.doctoring import NOTHING
from yard.checks import Finding, aws
from yard.checks.project import Owned


@cache
def real_client(service: str) -> Any:
    """boto3's own client, so that what is asked and answered is checked against AWS's models."""
    return boto3.client(  # type: ignore[call-overload]
        service, region_name="us-east-1", aws_access_key_id="id", aws_secret_access_key="key"
    )


class Aws:
    """An account whose answers are written down beforehand, in the order in which they are asked for."""

    def __init__(self) -> None:
        self._stubs: dict[str, Stubber] = {}

    def _stub(self, service: str) -> Stubber:
        if service not in self._stubs:
            self._stubs[service] = Stubber(real_client(service))
            self._stubs[service].activate()
        return self._stubs[service]

    def answers(self, service: str, operation: str, answer: dict[str, Any], asked: Any = None) -> "Aws":
        self._stub(service).add_response(operation, answer, asked)
        return self

    def refuses(self, service: str, operation: str, code: str) -> "Aws":
        self._stub(service).add_client_error(operation, code, f"{code} it is")
        return self

    def quota(self, code: str, value: float) -> "Aws":
        return self.answers("service-quotas", "get_service_quota", {"Quota": {"QuotaCode": code, "Value": value}})

    def account(self, settings: Settings, owned: Owned = NOTHING) -> aws.Account:
        def client(service: str, region: str | None = None) -> Any:
            self._stub(service)
            return real_client(service)

        return aws.Account(settings, client, "us-east-1", owned)

    def close(self) -> None:
        for stub in self._stubs.values():
            stub.deactivate()


VPC = {"id": "vpc-1", "public-subnets": ["subnet-1", "subnet-2"]}
LISTENER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/x/1/2"
BALANCER = {"listener": LISTENER, "security-group": "sg-1", "url": "https://example.com"}


def look_for(check: str, account: aws.Account) -> Finding | None:
    """What one check of the stack's finds; None: it has no such check, or this does not concern it."""
    found = dict(aws.checks(account)).get(check)
    return found(account) if found else None
