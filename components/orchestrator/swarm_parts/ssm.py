"""Docker's HTTP API over AWS Systems Manager: the engine of a manager that no network leads to.

Each request is a shell command that a manager runs (Run Command) and that hands it to the engine's socket with curl.
Commands are kept in the account's history, so no secret is in one: a request names where the manager finds it.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from docker.errors import DockerException
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter
from requests.exceptions import ConnectionError as NoConnection
from requests.exceptions import RequestException
from requests.structures import CaseInsensitiveDict

from components.docker_engine import REQUEST_TIMEOUT, Engine, SwarmError
from components.orchestrator.swarm_parts.boot import TAG
from components.shell import command

PIECE = 20_000
"""Characters of an answer that one command brings: GetCommandInvocation gives 24,000 (SSM API)."""
PATIENCE = 120
"""Seconds that a command may take, from sending it to its answer."""
POLL = 0.3
VALUE = "<value>"
"""Where in a request's body the value goes that the manager fetches."""
VALUE_FROM = "X-Switchyard-Value-From"
"""Header that names it; like the login's it goes no further than this module."""

SCRIPT = r"""
set -euo pipefail
umask 077
fetch() {  # the value of a secret: ARN:::VERSION, as ECS writes it
  local arn=${1%%:::*} region
  region=$(cut -d: -f4 <<<"$arn")
  for wait in 1 2 4 8 0; do  # a permission given a moment ago may not be known everywhere
    aws secretsmanager get-secret-value --region "$region" --secret-id "$arn" --version-id "${1##*:::}" \
      --query SecretString --output text && return
    ((wait)) && sleep "$wait"
  done
  return 1
}
sent=$(mktemp) answer=$(mktemp)
trap 'rm -f "$sent"' EXIT
{
  base64 -d <<<"$before"
  if [[ $value ]]; then fetch "$value" | head -c -1 | base64 -w0; fi
  base64 -d <<<"$after"
} >"$sent"
case $login in
  '') auth= ;;
  ecr:*) auth=$(printf '{"username":"AWS","password":"%s"}' "$(aws ecr get-login-password --region "${login#ecr:}")") ;;
  *) auth=$(fetch "$login") ;;
esac
if [[ $auth ]]; then
  printf 'header = "X-Registry-Auth: %s"\n' "$(printf %s "$auth" | base64 -w0 | tr '+/' '-_')"
fi | curl --config - --silent --show-error --include --max-time 60 --unix-socket /var/run/docker.sock \
  --request "$method" --header Expect: --header 'Content-Type: application/json' --data-binary "@$sent" \
  "http://docker$path" | gzip -9 | base64 -w0 >"$answer"
size=$(stat -c %s "$answer")
echo "$size $answer"
head -c %(piece)d "$answer"
if ((size <= %(piece)d)); then rm -f "$answer"; fi
""".replace("%(piece)d", str(PIECE))

CURL = (
    *("curl", "--silent", "--show-error", "--noproxy", "*", "--http1.1", "--max-time", "10"),
    *("--output", "/dev/null", "--dump-header", "-"),
)


class NoManagerError(SwarmError):
    """Nobody answers for a swarm."""


class NoAccessError(SwarmError):
    """Systems Manager itself says no, or there are no credentials to ask it with: waiting does not help."""


@dataclass(frozen=True)
class Request:
    """One request to an engine, as a command."""

    method: str
    path: str
    """With the query."""
    login: str
    """Where the manager finds a registry's login: `ecr:REGION`, a secret's `ARN:::VERSION`, or nowhere."""
    value: str
    """The secret (`ARN:::VERSION`) whose value is put between the two parts of the body; empty: none."""
    before: str
    after: str
    """The body, in base64."""

    def script(self) -> str:
        """What a manager runs."""
        known = [f"{name}={shlex.quote(value)}" for name, value in vars(self).items()]
        return "\n".join(["#!/bin/bash", *known, SCRIPT])

    @classmethod
    def read(cls, script: str) -> Request:
        """The request that a script makes; for whoever stands in for a manager."""
        lines = script.splitlines()[1 : 1 + len(fields(cls))]
        pairs = ("".join(shlex.split(line)).split("=", 1) for line in lines)
        return cls(**dict((name, value) for name, value in pairs))

    def raw(self, value: str = "") -> bytes:
        """Its body, with `value` as the secret's."""
        parts = (base64.b64decode(self.before), base64.b64encode(value.encode()), base64.b64decode(self.after))
        return b"".join(parts)

    def body(self, value: str = "") -> Any:
        """What it says, likewise."""
        text = self.raw(value)
        return json.loads(text) if text else None


@dataclass(frozen=True)
class Question:
    """A request that an instance makes of itself, as a command: it needs no way from here to what it asks."""

    url: str
    headers: tuple[str, ...] = ()
    """Each as `name: value`. None may be a secret: commands are kept."""
    verified: bool = False
    """True: only with a certificate that callers of the URL's name take."""

    def script(self) -> str:
        """What the instance runs; it prints the head of the answer."""
        as_callers = ["--resolve", f"{urlsplit(self.url).hostname}:443:127.0.0.1"]
        headers = [word for each in self.headers for word in ("--header", each)]
        words = [*CURL, *(as_callers if self.verified else ["--insecure"]), *headers, self.url]
        return f"#!/bin/bash\n{shlex.join(words)}"

    @classmethod
    def read(cls, script: str) -> Question | None:
        """The question that a script asks, for whoever stands in for an instance; None: it asks none."""
        words = shlex.split(script.partition("\n")[2]) if script.startswith("#!/bin/bash\ncurl ") else []
        if words[: len(CURL)] != [*CURL]:
            return None
        headers = [after for word, after in pairwise(words) if word == "--header"]
        return cls(words[-1], tuple(headers), "--insecure" not in words)


def request_of(prepared: PreparedRequest) -> Request:
    """What a client of the engine wants to send."""
    raw = prepared.body or b""
    body = raw.encode() if isinstance(raw, str) else bytes(raw)
    secret = prepared.headers.get(VALUE_FROM, "")
    # Only there has the text a meaning: in a variable or an argument it is a user's own.
    before, _, after = body.partition(VALUE.encode()) if secret else (body, b"", b"")
    split = urlsplit(str(prepared.url))
    auth = prepared.headers.get("X-Registry-Auth")
    return Request(
        method=str(prepared.method),
        path=f"{split.path}?{split.query}" if split.query else split.path,
        login=json.loads(base64.urlsafe_b64decode(auth))["from"] if auth else "",
        value=secret,
        before=base64.b64encode(before).decode(),
        after=base64.b64encode(after).decode(),
    )


class Adapter(BaseAdapter):
    """A way for `requests` to reach the engine on one instance."""

    def __init__(self, ssm: Any, instance: str) -> None:
        super().__init__()
        self.instance = instance
        self._ssm = ssm

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Have the instance make the request."""
        head, _, text = self.run(request_of(request).script()).partition("\n")
        size, path = head.split(" ", 1)
        if not re.fullmatch(r"/[\w./-]+", path):
            raise NoConnection(f"{self.instance} answers {head!r}")
        while len(text) < int(size):
            text += self.run(piece(path, len(text), int(size)))
        return response(gzip.decompress(base64.b64decode(text)), request)

    def close(self) -> None:
        """There is nothing open."""

    def run(self, script: str) -> str:
        """What a command on the instance prints; raises `NoConnection` for one that fails."""
        try:
            sent = self._ssm.send_command(
                InstanceIds=[self.instance],
                DocumentName="AWS-RunShellScript",
                Comment="Switchyard: one request to the Docker engine",
                Parameters={"commands": [script], "executionTimeout": [str(PATIENCE)]},
            )
            done = self._done(sent["Command"]["CommandId"])
        except (BotoCoreError, ClientError) as error:
            raise NoConnection(f"{self.instance}: {error}") from error
        if done["Status"] != "Success":
            message = done.get("StandardErrorContent", "").strip() or done.get("StatusDetails", "")
            raise NoConnection(f"{self.instance}: the command ended with {done['Status']}: {message}")
        return str(done["StandardOutputContent"])

    def _done(self, command: str) -> dict[str, Any]:
        """How a command ended."""
        deadline = time.monotonic() + PATIENCE
        while True:
            time.sleep(POLL)
            try:
                found: dict[str, Any] = self._ssm.get_command_invocation(CommandId=command, InstanceId=self.instance)
                if found["Status"] not in ("Pending", "InProgress", "Delayed"):
                    return found
            except ClientError as error:  # it takes a moment until a command is known
                if error.response["Error"]["Code"] != "InvocationDoesNotExist":
                    raise
            if time.monotonic() > deadline:
                raise NoConnection(f"{self.instance} did not answer within {PATIENCE} s")


def piece(path: str, offset: int, size: int) -> str:
    """The command that brings the next characters of an answer; the last one also removes the file."""
    last = offset + PIECE >= size
    quoted = shlex.quote(path)
    return f"#!/bin/bash\ntail -c +{offset + 1} {quoted} | head -c {PIECE}" + (f"\nrm -f {quoted}" if last else "")


def response(raw: bytes, request: PreparedRequest) -> Response:
    """What curl wrote (status line, headers, body), as `requests` knows it."""
    head, _, body = raw.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    made = Response()
    made.status_code = int(status.split(" ", 2)[1])
    made.reason = status.split(" ", 2)[-1]
    pairs = (line.split(": ", 1) for line in lines if ": " in line)
    # The body is whole by now, however it came.
    made.headers = CaseInsensitiveDict({key: value for key, value in pairs if key.lower() != "transfer-encoding"})
    made.raw = io.BytesIO(body)
    made.request, made.url = request, str(request.url)
    return made


class RemoteEngine(Engine):
    """The engine on a manager's instance."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        super().__init__("http://manager:2375", version="auto", timeout=REQUEST_TIMEOUT)

    def ask(self, question: Question) -> tuple[str, dict[str, str]]:
        """The status and headers that the instance is answered; or why there is no answer, and no headers."""
        try:
            head, *lines = self.adapter.run(question.script()).splitlines()
        except NoConnection as error:
            return str(error), {}
        pairs = (line.partition(": ") for line in lines)
        return head.split(" ")[1], {name.lower(): value for name, _, value in pairs}

    def get_adapter(self, url: str) -> BaseAdapter:
        """The only way there is."""
        return self.adapter

    def _multiplexed_response_stream_helper(self, response: Response) -> Any:
        """Frames of a log from an answer that is here, where docker-py would read on from its socket."""
        helper: Any = super()
        return helper._multiplexed_buffer_helper(response)

    def _stream_raw_result(self, response: Response, chunk_size: int = 1, decode: bool = True) -> Iterator[bytes]:
        """A file, likewise."""
        yield response.content

    def create_secret(self, name: str, data: str | bytes, labels: Any = None, driver: Any = None) -> Any:
        """A Swarm secret with the value of a secret in Secrets Manager: `data` is its `ARN:::VERSION`."""
        body = {"Name": name, "Labels": labels or {}, "Data": VALUE}
        return self._call("POST", "/secrets/create", json=body, headers={VALUE_FROM: str(data)})

    def registry_login(self, login: dict[str, str]) -> None:
        """Nothing to ask: only the manager knows the password, and the look for the image shows whether it fits."""


def open_manager(host: str, avoid: str = "") -> RemoteEngine:
    """A manager of the swarm `ssm://REGION/STACK` that answers, but not the instance `avoid`; else `NoManagerError`."""
    region, stack = urlsplit(host).netloc, urlsplit(host).path.strip("/")
    problems: list[str] = []
    try:
        ssm: Any = boto3.client("ssm", region_name=region, config=Config(retries={"max_attempts": 10}))
        for instance in _online(ssm, stack):
            if instance != avoid and (engine := _manager(Adapter(ssm, instance), problems)):
                return engine
    except (BotoCoreError, ClientError) as error:
        raise NoAccessError(f"AWS Systems Manager does not answer in {region}: {error}") from error
    look = command(
        *("aws", "ssm", "describe-instance-information", "--region", region),
        *("--filters", f"Key=tag:{TAG},Values={stack}"),
    )
    raise NoManagerError(
        f"no manager of the swarm {stack} answers by Systems Manager in {region}"
        f" ({'; '.join(problems) or 'no instance of it is online'}): look at `{look}`"
        " and at /var/log/cloud-init-output.log there"
    )


def _online(ssm: Any, stack: str) -> Iterator[str]:
    """The swarm's managers that Systems Manager reaches. A filter by tag takes no other beside it (SSM API)."""
    filters = [{"Key": f"tag:{TAG}", "Values": [stack]}]
    pages = ssm.get_paginator("describe_instance_information").paginate(Filters=filters)
    found = [each for page in pages for each in page["InstanceInformationList"]]
    return iter(sorted(each["InstanceId"] for each in found if each["PingStatus"] == "Online"))


def _manager(adapter: Adapter, problems: list[str]) -> RemoteEngine | None:
    """The engine behind `adapter`, if it is a manager's; if not, why is added to `problems`."""
    try:
        engine = RemoteEngine(adapter)
        if engine.info().get("Swarm", {}).get("ControlAvailable"):
            return engine
        problems.append(f"{adapter.instance} is not a manager")
    except (DockerException, RequestException) as error:
        problems.append(str(error))
    return None
