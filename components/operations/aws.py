"""AWS's own APIs, asked with the credentials that `pulumi up` runs with."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from components.operations import Deployed, OperationError

SOON = Config(connect_timeout=10, read_timeout=30, retries={"mode": "standard", "max_attempts": 4})
"""A region that does not answer is told in half a minute, not in five."""


class Api:
    """One of AWS's services, by its name in boto3. What goes wrong raises `OperationError`."""

    def __init__(self, deployed: Deployed, service: str) -> None:
        self._deployed = deployed
        self._service: Any = service  # any name: the stubs have an overload for each

    @cached_property
    def _client(self) -> Any:
        session = boto3.Session(region_name=self._deployed.region, profile_name=self._deployed.profile)
        return session.client(self._service, config=SOON)

    def __call__(self, action: str, **asked: Any) -> Any:
        """The answer to one request, such as `describe_services`."""
        try:
            return getattr(self._client, action)(**asked)
        except (BotoCoreError, ClientError) as error:
            raise self._failed(error) from error

    def every(self, action: str, key: str, **asked: Any) -> Iterator[Any]:
        """What is under `key` in the answers, page after page."""
        try:
            for page in self._client.get_paginator(action).paginate(**asked):
                yield from page[key]
        except (BotoCoreError, ClientError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> OperationError:
        where = f"AWS ({self._service} in {self._deployed.region})"
        if isinstance(error, ClientError) and error.response["Error"]["Code"] == "ResourceNotFoundException":
            return NotThereError(f"{where} does not know what it was asked about: {error}")
        return OperationError(f"{where} does not answer: {error}")


class NotThereError(OperationError):
    """AWS does not know what it was asked about."""
