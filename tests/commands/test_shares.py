"""`yard switch`: where a move is, by what the stack's file says and by what its last `up` did; and what is refused."""

import importlib
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner
from pulumi.automation import CommandError, CommandResult

from components.edge import Shared
from components.edge.alb import GROUP, RULE, AlbOptions
from components.guard import GuardOptions
from yard import engine, suggest
from yard.__main__ import main
from yard.guarding import Guard
from yard.local import Local
from yard.switch import Switch, _guard, _weights, shares


@pytest.mark.parametrize(
    ("weights", "of_services", "want"),
    [
        ({}, [], {}),
        ({}, [{"ecs-fargate": 1}], {}),
        ({"ecs-fargate": 90, "eks": 10}, [], {"ecs-fargate": 90, "eks": 10}),
        ({"ecs-fargate": 900, "eks": 100}, [{"ecs-fargate": 900, "eks": 100}], {"ecs-fargate": 90, "eks": 10}),
        ({"ecs-fargate": 1, "eks": 1}, [{"ecs-fargate": 1, "eks": 1}], {"ecs-fargate": 50, "eks": 50}),
        ({"ecs-fargate": 0, "eks": 100}, [{"ecs-fargate": 50, "eks": 50}], {"ecs-fargate": 50, "eks": 50}),
        ({"ecs-fargate": 0, "eks": 100}, [{"eks": 9}, {"ecs-fargate": 9, "eks": 1}], {"ecs-fargate": 90, "eks": 10}),
        ({"ecs-fargate": 100, "eks": 0}, [{"ecs-fargate": 100}], {"ecs-fargate": 100, "eks": 0}),
    ],
)
def test_the_last_up_says_what_each_has(
    weights: Mapping[str, int], of_services: list[Mapping[str, int]], want: Mapping[str, int]
) -> None:
    assert shares("ecs-fargate", weights, [Shared("urn", each) for each in of_services]) == want


@pytest.mark.parametrize("text", ["eks", "[1]", '{"eks": "much"}', '{"eks": null}', "1"])
def test_weights_that_are_no_map_are_refused(text: str) -> None:
    with pytest.raises(click.ClickException, match="is not a map of weights"):
        _weights(text)


def rule(name: str, **action: Any) -> dict[str, Any]:
    """A listener rule, as a state has it."""
    return {"urn": f"urn::{name}", "type": RULE, "inputs": {"actions": [action]}}


def test_only_rules_that_share_say_what_each_has() -> None:
    """The state of a stack whose last `up` gave a service to two orchestrators, behind a domain."""
    groups = [
        {"urn": f"urn::api-{key}", "type": GROUP, "outputs": {"arn": f"arn-{key}"}} for key in ("ecs-fargate", "eks")
    ]
    shared = [{"arn": "arn-ecs-fargate", "weight": 90}, {"arn": "arn-eks", "weight": 10}]
    state = [
        *groups,
        rule("api", type="forward", forward={"targetGroups": shared}),
        rule("api-eks--warm-up", type="forward", targetGroupArn="arn-eks"),
        rule("edge-redirect", type="redirect", redirect={"port": "443"}),
    ]
    assert list(AlbOptions.shared(state)) == [Shared("urn::api", {"ecs-fargate": 90, "eks": 10})]


class Opened:
    """A stack that cannot be read: its passphrase is not at hand."""

    name = "dev"

    def get_all_config(self) -> None:
        raise CommandError(CommandResult("", "error: passphrase must be set", 255))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["eks", "--stack", "dev", "--bake", "-1"], 2, "--bake is -1.0; want a number from 0 to 86400"),
        (["--stack", "dev"], 2, "name the orchestrator to switch to, or --abort"),
        (["kubernetes", "--stack", "local"], 2, "stack local is not up"),
        (["eks", "--stack", "dev"], 1, "Error: passphrase must be set\n"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, said: str
) -> None:
    monkeypatch.setattr(engine, "stack", lambda *_, **__: Opened())
    monkeypatch.setattr(Local, "exists", False)
    result = CliRunner().invoke(main, ["switch", *arguments])
    assert (result.exit_code, said in result.output) == (code, True), result.output
    assert "Fix it and call this again" not in result.output, "nothing has begun"


def test_what_fails_on_the_way_says_how_to_go_on_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise engine.EngineError("AWS refuses it")

    on_its_way = SimpleNamespace(abort=fails, stopped=lambda: "")
    monkeypatch.setattr(importlib.import_module("yard.switch"), "_of", lambda *_: on_its_way)
    monkeypatch.setattr(engine, "stack", lambda *_, **__: Opened())
    result = CliRunner().invoke(main, ["switch", "--abort", "--stack", "dev"])
    back = f"Fix it and call this again, or `{suggest.yard('switch', '--abort', '--stack', 'dev')}`."
    assert (result.exit_code, result.stderr) == (1, f"Error: AWS refuses it\n{back}\n")


def test_a_guard_that_is_not_as_it_should_be_is_no_traceback() -> None:
    with pytest.raises(click.ClickException, match="`yard doctor` says what is wrong"):
        _guard('{"errors": "many"}')


def opened() -> Switch:
    """A stack that is up, on Fargate."""
    guard = Guard(GuardOptions(), lambda: None, print, lambda _: None)
    settings: Any = None
    return Switch(Opened(), "ecs-fargate", {}, AlbOptions, print, 0, guard, settings)  # type: ignore[arg-type]


def test_a_name_that_is_near_is_told() -> None:
    with pytest.raises(click.ClickException, match=r"did you mean eks\?"):
        opened().check("ek")


def test_what_keeps_the_stack_from_there_is_said_before_anything_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "stack", lambda *_, **__: Opened())
    monkeypatch.setattr(Switch, "of", lambda *_: opened())
    result = CliRunner().invoke(main, ["switch", "ecs-ec2", "--stack", "dev", "--yes"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "stack dev cannot go to ecs-ec2 as it is configured: one thing needs a change" in result.stderr
    assert "pulumi config set switchyard:network <value> --stack dev" in result.stderr
