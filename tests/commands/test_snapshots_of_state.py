"""What `yard state` prints, as test_snapshots.py holds it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.commands.test_snapshots import call, held, width  # noqa: F401
from tests.commands.test_team_state import BUCKET, KEY, LOOKED, REFUSED, REGION, Aws, aws, project  # noqa: F401
from yard.sharing.moving import Move
from yard.state import SECRET

SECRETS = [{SECRET: "1b47061264138c4ac30d75fd1eb44270", "plaintext": '"x"'}] * 3
WAS, TARGET, BY = "file:///home/ann", f"s3://{BUCKET}?region={REGION}", f"awskms://{KEY}?region={REGION}"
MOVE = ("state", "move", "--stack", "dev", "--to", TARGET, "--secrets-provider", BY)
AGAIN = {"Arn": "arn:aws:iam::123456789012:user/ann", "Account": "123456789012", "UserId": "A"}


def test_state_init_that_makes_all(width: int, aws: Aws) -> None:  # noqa: F811
    aws.has_nothing()
    shown = [call(width, "state", "init")]  # which nobody answers
    aws.takes("sts", "get_caller_identity", {}, AGAIN)
    aws.has_nothing()
    aws.makes_all()
    shown += [call(width, "state", "init", "--yes")]
    held("state-init", width, "\n".join(shown))


def test_state_init_where_all_is_there(width: int, aws: Aws) -> None:  # noqa: F811
    aws.has_key()
    aws.rotates()
    aws.has_bucket(*REFUSED)
    shown = [call(width, "state", "init")]
    aws.takes("sts", "get_caller_identity", {}, AGAIN)
    aws.has_key()
    aws.refuses("s3", "head_bucket", "403", LOOKED)
    shown += [call(width, "state", "init", "--yes")]
    aws.takes("sts", "get_caller_identity", {}, AGAIN)
    aws.has_key(KeyState="PendingDeletion")
    shown += [call(width, "state", "init", "--yes")]
    held("state-init-there", width, "\n".join(shown))


def test_state_move(width: int, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    backends: dict[str, dict[str, Any]] = {}

    def cli(_: Move, backend: str, *words: str) -> str:
        return json.dumps({"deployment": backends[backend]} if "export" in words else {})

    monkeypatch.setenv("PULUMI_BACKEND_URL", WAS)
    monkeypatch.setattr(Move, "_cli", cli)
    whole = {"resources": [{"urn": "urn::dev"}, {"urn": "urn::api", "outputs": SECRETS}]}
    creation = {"resource": {"urn": "urn:pulumi:dev::shop::aws:ecs/service:Service::api"}, "type": "creating"}
    backends |= {WAS: whole, TARGET: whole}
    shown = [call(width, *MOVE), call(width, *MOVE, "--yes")]
    backends[TARGET] = {"resources": []}
    shown += [call(width, *MOVE, "--yes")]
    backends[WAS] = {**whole, "pending_operations": [creation]}
    shown += [call(width, *MOVE, "--yes")]
    monkeypatch.setenv("PULUMI_BACKEND_URL", TARGET)
    shown += [call(width, *MOVE, "--yes")]
    held("state-move", width, "\n".join(shown))
