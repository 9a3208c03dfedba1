"""The way to a swarm that no network leads to: requests as commands, and who answers them."""

import base64
import gzip
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pulumi.dynamic import Config, ConfigureRequest
from requests import PreparedRequest
from requests import Request as Asked
from requests.exceptions import ConnectionError as NoConnection

from components import docker_engine as swarm_client
from components.docker_engine import SwarmError
from components.orchestrator import swarm_engine, swarm_nodes
from components.orchestrator.swarm_nodes import ClusterProvider, ManagerProvider, check_quorum, joined
from components.orchestrator.swarm_parts import ssm as swarm_ssm
from components.orchestrator.swarm_parts.boot import user_data
from components.orchestrator.swarm_parts.connection import connection
from components.orchestrator.swarm_parts.ssm import (
    Adapter,
    NoAccessError,
    NoManagerError,
    Request,
    request_of,
    response,
)


class TestBoot:
    @pytest.mark.parametrize("role", ["first", "manager", "worker"])
    def test_the_script_is_one(self, role: Any) -> None:
        script = user_data(role, "us-east-1", "/shop/swarm-ec2")
        assert len(script.encode()) < 16 * 1024  # the limit of EC2
        assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0

    def test_only_managers_know_the_managers_token(self) -> None:
        assert "swarm init" not in user_data("worker", "us-east-1", "/shop")
        assert "keep manager" not in user_data("worker", "us-east-1", "/shop")
        assert "first=no" in user_data("manager", "us-east-1", "/shop")


class TestRequest:
    def prepared(self, **how: Any) -> PreparedRequest:
        return Asked(how.pop("method", "POST"), "http://manager:2375/v1.44/x", **how).prepare()

    def test_what_is_written_is_read_again(self) -> None:
        made = request_of(self.prepared(json={"Name": "it's $(this)\n'", "x": 1}, params={"a": "b c"}))
        assert Request.read(made.script()) == made
        assert made.path == "/v1.44/x?a=b+c"
        assert made.body() == {"Name": "it's $(this)\n'", "x": 1}

    def test_a_login_is_named_and_not_sent(self) -> None:
        login = swarm_client.registry_auth({"from": "ecr:us-east-1"})
        made = request_of(self.prepared(headers=login))
        assert made.login == "ecr:us-east-1"
        assert made.body() is None

    def test_a_value_has_its_place_in_the_body(self) -> None:
        made = request_of(self.prepared(json={"Data": swarm_ssm.VALUE}, headers={swarm_ssm.VALUE_FROM: "arn:::v1"}))
        assert made.value == "arn:::v1"
        assert made.body("x y") == {"Data": base64.b64encode(b"x y").decode()}

    def test_that_place_is_ordinary_text_anywhere_else(self) -> None:
        body = {"Env": [f"GREETING=type {swarm_ssm.VALUE} here"], "Args": [swarm_ssm.VALUE]}
        assert request_of(self.prepared(json=body)).body() == body

    def test_the_script_is_one(self) -> None:
        script = request_of(self.prepared()).script()
        assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0

    def test_an_answer_is_taken_apart(self) -> None:
        raw = b"HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{}"
        made = response(raw, self.prepared())
        assert (made.status_code, made.reason, made.json()) == (409, "Conflict", {})
        assert "Transfer-Encoding" not in made.headers


class Ssm:
    """Systems Manager with one answer for each command, in order."""

    def __init__(self, *outcomes: dict[str, Any]) -> None:
        self.outcomes = list(outcomes)
        self.sent: list[str] = []
        self.known = False

    def send_command(self, **asked: Any) -> Any:
        self.sent.append(asked["Parameters"]["commands"][0])
        self.known = False
        return {"Command": {"CommandId": "1"}}

    def get_command_invocation(self, **_: Any) -> Any:
        if not self.known:
            self.known = True
            raise ClientError({"Error": {"Code": "InvocationDoesNotExist"}}, "GetCommandInvocation")
        return self.outcomes.pop(0)


def success(out: str) -> dict[str, Any]:
    return {"Status": "Success", "StandardOutputContent": out}


class TestAdapter:
    @pytest.fixture(autouse=True)
    def at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(swarm_ssm, "POLL", 0)

    def send(self, ssm: Ssm) -> Any:
        return Adapter(ssm, "i-1").send(Asked("GET", "http://manager:2375/info").prepare())

    def test_an_answer_in_pieces(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(swarm_ssm, "PIECE", 50)
        text = base64.b64encode(gzip.compress(b'HTTP/1.1 200 OK\r\n\r\n{"a": 1}')).decode()
        first, second = text[:50], text[50:]
        ssm = Ssm(success(f"{len(text)} /tmp/x\n{first}"), success(second))
        assert self.send(ssm).json() == {"a": 1}
        assert ssm.sent[1] == "#!/bin/bash\ntail -c +51 /tmp/x | head -c 50\nrm -f /tmp/x"

    def test_a_command_that_fails_says_why(self) -> None:
        with pytest.raises(NoConnection, match="i-1: the command ended with Failed: AccessDenied"):
            self.send(Ssm({"Status": "Failed", "StandardErrorContent": "AccessDenied\n"}))

    def test_an_answer_of_someone_else_is_not_trusted(self) -> None:
        with pytest.raises(NoConnection, match="i-1 answers"):
            self.send(Ssm(success("99999 /tmp/$(reboot)\n")))


def node(identity: str, address: str, reach: str = "reachable", state: str = "ready") -> dict[str, Any]:
    status = {"Addr": f"{address}:2377", "Reachability": reach}
    spec = {"Role": "manager", "Availability": "active"}
    return {
        "ID": identity,
        "Version": {"Index": 7},
        "Spec": spec,
        "Status": {"State": state},
        "ManagerStatus": status,
    }


class Managers:
    """An engine that knows managers alone."""

    def __init__(self, *nodes: dict[str, Any], swarm: str = "swarm-1") -> None:
        self.known = {each["ID"]: each for each in nodes}
        self.swarm = swarm
        self.told: list[str] = []

    def nodes(self, filters: Any) -> list[dict[str, Any]]:
        assert filters == {"role": "manager"}
        return list(self.known.values())

    def info(self) -> Any:
        return {"Swarm": {"Cluster": {"ID": self.swarm}}}

    def inspect_node(self, identity: str) -> dict[str, Any]:
        return self.known[identity]

    def update_node(self, identity: str, version: int, spec: Any) -> None:
        self.told.append(f"{identity} becomes a {spec['Role']} at {version}")

    def remove_node(self, identity: str, force: bool) -> None:
        assert force
        self.told.append(f"{identity} goes")


ADDRESS = {"host": "ssm://us-east-1/shop", "address": "10.0.0.5", "instance": "i-1"}


class TestManagers:
    def engine(self, monkeypatch: pytest.MonkeyPatch, *answers: Any) -> list[str]:
        """Let each connection find the next of `answers`; whom not to ask is noted."""
        left, avoided = list(answers), []

        @contextmanager
        def connect(host: str, avoid: str = "") -> Iterator[Any]:
            avoided.append(avoid)
            answer = left.pop(0)
            if isinstance(answer, Exception):
                raise answer
            yield answer

        monkeypatch.setattr(swarm_nodes, "connection", connect)
        monkeypatch.setattr(swarm_nodes, "POLL", 0)
        return avoided

    def test_it_is_there_when_the_others_reach_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        unready = Managers(node("b", "10.0.0.4"), node("a", "10.0.0.5", "unreachable", "down"))
        ready = Managers(node("a", "10.0.0.5"))
        self.engine(monkeypatch, NoManagerError("not booted"), unready, ready)
        assert ManagerProvider().create(ADDRESS).id == "a"

    def test_without_credentials_nobody_waits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine(monkeypatch, NoAccessError("no credentials"))
        with pytest.raises(NoAccessError, match="no credentials"):
            ManagerProvider().create(ADDRESS)

    def test_one_that_never_joins_is_an_error_with_the_reason(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(swarm_nodes, "JOINING", 0.05)
        self.engine(monkeypatch, *[NoManagerError("nobody is online")] * 10_000)
        with pytest.raises(SwarmError, match=r"i-1 is not a manager of the swarm after .* nobody is online"):
            ManagerProvider().create(ADDRESS)

    def test_it_steps_down_before_it_goes_and_others_see_to_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        swarm = Managers(node("a", "10.0.0.5"), node("b", "10.0.0.6"), node("c", "10.0.0.7"))
        avoided = self.engine(monkeypatch, swarm)
        ManagerProvider().delete("a", ADDRESS)
        assert swarm.told == ["a becomes a worker at 7", "a goes"]
        assert avoided == ["i-1"]

    def test_the_last_one_just_goes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        alone = Managers(node("a", "10.0.0.5"))
        asked = self.engine(monkeypatch, NoManagerError("nobody else"), alone)
        ManagerProvider().delete("a", ADDRESS)
        assert (asked, alone.told) == (["i-1", ""], [])
        asked = self.engine(monkeypatch, NoManagerError("nobody else"), NoManagerError("nobody at all"))
        ManagerProvider().delete("a", ADDRESS)
        assert asked == ["i-1", ""]

    def test_it_stays_while_the_others_do_not_answer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine(monkeypatch, NoManagerError("nobody else"), Managers(node("a", "10.0.0.5"), node("b", "10.0.0.6")))
        with pytest.raises(SwarmError, match="nobody else"):
            ManagerProvider().delete("a", ADDRESS)

    @pytest.mark.parametrize(
        ("reach", "allowed"),
        [(["reachable"], True), (["reachable", "unreachable"], False), (["reachable"] * 2 + ["unreachable"], True)],
    )
    def test_a_majority_must_be_left(self, reach: list[str], allowed: bool) -> None:
        others = [node(f"o{index}", f"10.0.1.{index}", each) for index, each in enumerate(reach)]
        swarm: Any = Managers(node("a", "10.0.0.5"), *others)
        if allowed:
            check_quorum(swarm, "a")
        else:
            with pytest.raises(SwarmError, match="only 1 of the 2 managers that would be left are reachable"):
                check_quorum(swarm, "a")

    def test_of_two_at_one_address_the_living_one_is_meant(self) -> None:
        dead = node("a", "10.0.0.5", "unreachable", "down")
        swarm: Any = Managers(dead, node("b", "10.0.0.5"))
        assert joined(swarm, "10.0.0.5") == "b"

    def test_another_swarm_has_another_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        props = {"host": "ssm://us-east-1/shop", "managers": ["i-1"], "swarm": None}
        self.engine(monkeypatch, Managers(), Managers(), Managers(swarm="swarm-2"))
        provider = ClusterProvider()
        made = provider.create(props)
        assert (made.id, (made.outs or {})["swarm"]) == ("swarm-1", "swarm-1")
        assert (provider.update("swarm-1", props, {**props, "managers": ["i-2"]}).outs or {})["swarm"] == "swarm-1"
        assert (provider.read("swarm-1", props).outs or {})["swarm"] == "swarm-2"
        assert provider.diff("swarm-1", {**props, "swarm": "swarm-1"}, props).changes is False

    def test_it_uses_the_profile_of_the_stack(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_PROFILE", "")
        monkeypatch.setattr(swarm_engine, "speak_in_words", lambda _: None)
        ManagerProvider().configure(ConfigureRequest(Config({"aws:profile": "shop"}, "switchyard")))
        assert os.environ["AWS_PROFILE"] == "shop"

    def test_advice_names_the_block_of_this_backend(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Open:
            def close(self) -> None: ...

        monkeypatch.setattr(swarm_ssm, "open_manager", lambda *_: Open())
        with (
            pytest.raises(SwarmError, match=r"see swarm-ec2\.ports"),
            connection("ssm://us-east-1/shop"),
        ):
            raise SwarmError("see swarm.ports")
