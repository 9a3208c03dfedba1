"""The daily verbs on Amazon EKS."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from components.operations import Line, OperationError
from components.operations.aws import Api
from components.operations.kubectl import Access
from components.operations.kubernetes import ClusterOperations, private
from components.operations.log_group import LogGroup
from components.orchestrator.eks import EksOptions
from components.shell import command

CLUSTER_HEADER = "x-k8s-aws-id"
"""Which cluster a token is for: it is signed with that (aws-iam-authenticator, "API Authorization")."""
TOKEN = "k8s-aws-v1."
SECONDS = 60


class OnEks(ClusterOperations[EksOptions]):
    """The verbs in the stack's own cluster, with the credentials that `pulumi up` runs with."""

    logs_together = True

    def access(self) -> Access:
        """By a kubeconfig with a token that is made for each request: it holds for minutes only."""

        @contextmanager
        def opened() -> Iterator[Sequence[str]]:
            with private(json.dumps(self._kubeconfig())) as file:
                yield ("--kubeconfig", file)

        return opened

    def by_hand(self, *words: str) -> str:
        """With the context that `aws eks update-kubeconfig` makes, for who has none yet."""
        profile = ("--profile", self.deployed.profile) if self.deployed.profile else ()
        where = ("--name", self.deployed.stack, "--region", self.deployed.region, *profile)
        verb, *rest = words
        login = command("aws", "eks", "update-kubeconfig", *where)
        return f"{login} && {command('kubectl', verb, '--context', self._cluster['arn'], *rest)}"

    def logs(self, service: str, since: datetime, follow: bool) -> Iterator[Line]:
        """Of the stack's log group, which has also what other orchestrators wrote there, and pods that are gone."""
        return LogGroup(self.deployed).lines(service, since, follow)

    @cached_property
    def _cluster(self) -> Any:
        return Api(self.deployed, "eks")("describe_cluster", name=self.deployed.stack)["cluster"]

    @cached_property
    def _sts(self) -> Any:
        session = boto3.Session(region_name=self.deployed.region, profile_name=self.deployed.profile)
        sts = session.client("sts")
        sts.meta.events.register("before-sign.sts.GetCallerIdentity", self._name_cluster)
        return sts

    def _name_cluster(self, request: Any, **_: Any) -> None:
        request.headers[CLUSTER_HEADER] = self.deployed.stack

    def _kubeconfig(self) -> Any:
        cluster = {"server": self._cluster["endpoint"]}
        if authority := self._cluster["certificateAuthority"]["data"]:
            cluster["certificate-authority-data"] = authority
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "eks", "cluster": cluster}],
            "users": [{"name": "eks", "user": {"token": self._token()}}],
            "contexts": [{"name": "eks", "context": {"cluster": "eks", "user": "eks"}}],
            "current-context": "eks",
        }

    def _token(self) -> str:
        """What `aws eks get-token` gives: a signed question to STS who it is that asks, which EKS asks on."""
        try:
            url = self._sts.generate_presigned_url("get_caller_identity", ExpiresIn=SECONDS, HttpMethod="GET")
        except (BotoCoreError, ClientError) as error:
            raise OperationError(f"there is no login to EKS: {error}") from error
        return TOKEN + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
