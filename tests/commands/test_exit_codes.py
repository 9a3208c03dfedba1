"""How every command ends: 0, 1, 2 or 130, and what it says then, on which stream."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from tests.program import ROOT
from tests.terminal import Terminal
from yard import __main__ as yard
from yard import exits
from yard.__main__ import main
from yard.ci import ci
from yard.state_ import state_

GROUPS = {"ci": ci, "state": state_}
COMMANDS = [name for name in yard.COMMANDS if name not in ("pulumi", *GROUPS)] + [
    f"{name} {each}" for name, group in GROUPS.items() for each in group.commands
]
"""All but the one that becomes Pulumi's own CLI."""
WITHOUT_STACK = {"init", "upgrade", "up", "down", "prices", "completion", "help", "version"}
WITH_STACK = [name for name in COMMANDS if name not in WITHOUT_STACK]


def command(name: str) -> click.Command:
    found: click.Command | None = main
    for word in name.split():
        assert isinstance(found, click.Group)
        found = found.get_command(click.Context(found), word)
    assert found
    return found


def call(name: str, *words: str) -> Result:
    """A command with what it cannot do without, and more."""
    arguments = [each for each in command(name).params if isinstance(each, click.Argument) and each.required]
    needed = [_word(each.type) for each in arguments]
    options = [each for each in command(name).params if isinstance(each, click.Option) and each.required]
    needed += [word for each in options for word in (each.opts[0], "x")]
    return CliRunner().invoke(main, [*name.split(), *needed, *words])


def _word(kind: click.ParamType[Any]) -> str:
    """Something that an argument of this type takes."""
    if isinstance(kind, click.Choice):
        return str(kind.choices[0])
    return str(ROOT) if isinstance(kind, click.Path) else "x"


@pytest.mark.parametrize("name", WITH_STACK)
def test_an_unknown_stack_is_the_same_everywhere(name: str) -> None:
    found = call(name, "--stack", "nope")
    assert (found.exit_code, found.stdout) == (2, "")
    assert found.stderr == "Error: there is no stack 'nope': config/ has dev, local, prod\n"


def test_prices_asks_for_a_stack_only_where_no_region_is_named() -> None:
    found = CliRunner().invoke(main, ["prices", "refresh", "--stack", "nope"])
    assert (found.exit_code, found.stdout) == (2, "")
    assert found.stderr == "Error: there is no stack 'nope': config/ has dev, local, prod\n"


def test_no_other_command_has_a_stack() -> None:
    without = {name for name in COMMANDS if not any(each.name == "stack" for each in command(name).params)}
    assert without == WITHOUT_STACK


@pytest.mark.parametrize("name", COMMANDS)
def test_wrong_usage_is_2(name: str) -> None:
    found = call(name, "--no-such-option")
    assert (found.exit_code, found.stdout) == (2, "")
    assert found.stderr.startswith("Error: there is no option '--no-such-option'\nHow to call it: `")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_0(name: str) -> None:
    assert CliRunner().invoke(main, [*name.split(), "--help"]).exit_code == 0


@pytest.mark.parametrize(
    ("error", "code"),
    [(KeyboardInterrupt(), 130), (click.ClickException("it failed"), 1), (exits.Misused("it is wrong"), 2)],
    ids=["interrupted", "failed", "misused"],
)
@pytest.mark.parametrize("name", COMMANDS)
def test_how_it_ends_is_its_exit_code(
    name: str, error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(command(name), "callback", end)
    found = call(name, *(["--stack", "dev"] if name in WITH_STACK else []))
    assert (found.exit_code, found.stdout) == (code, "")
    assert "Traceback" not in found.stderr


class TestAsking:
    def test_without_a_terminal_it_says_to_give_yes(self) -> None:
        @click.command()
        def ask() -> None:
            exits.confirm("Remove it all?", yes=False)

        found = CliRunner().invoke(ask)
        assert (found.exit_code, found.stdout) == (2, "")
        assert found.stderr == "Error: Remove it all? There is no terminal to answer at: give --yes\n"

    @pytest.mark.parametrize(
        ("typed", "code", "said"),
        [
            (b"y\n", 0, "done"),
            (b"n\n", 1, "nothing was changed"),
            (b"\n", 1, "nothing was changed"),
            (b"\x03", 130, "Stopped."),
        ],
    )
    def test_at_a_terminal_only_yes_goes_on_and_ctrl_c_is_no_answer(self, typed: bytes, code: int, said: str) -> None:
        with Terminal((sys.executable, "-c", ASKS), ROOT) as terminal:
            terminal.wait_for("Remove it all? [y/N]")
            terminal.type(typed)
            assert terminal.end() == code
        assert said in terminal.screen
        assert "Traceback" not in terminal.screen

    @pytest.mark.parametrize("name", ["down", "switch", "rollback"])
    @pytest.mark.parametrize(
        ("typed", "code", "said"), [(b"n\n", 1, "Error: nothing was changed"), (b"\x03", 130, "Stopped.")]
    )
    def test_every_command_that_asks_asks_so(
        self, name: str, typed: bytes, code: int, said: str, tmp_path: Path
    ) -> None:
        with Terminal((sys.executable, "-c", ASKS_FIRST, name, str(tmp_path)), ROOT) as terminal:
            terminal.wait_for("? [y/N]")
            terminal.type(typed)
            assert terminal.end() == code
        assert said in terminal.screen
        assert "Traceback" not in terminal.screen

    def test_a_rollback_without_a_terminal_says_to_give_yes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("yard.rollback.Rollback.of", lambda *_: SimpleNamespace(plan=lambda: ["api: back"]))
        found = call("rollback", "--stack", "dev")
        assert (found.exit_code, found.stdout) == (2, "api: back\n")
        assert found.stderr == "Error: Roll back stack dev? There is no terminal to answer at: give --yes\n"


ASKS_FIRST = """
import sys
from pathlib import Path
from types import SimpleNamespace as Fake
from yard import down, engine, rollback, switch
from yard.__main__ import main
from yard.ci import ci

name, folder = sys.argv[1:]
down.ROOT = Path(folder)
(down.ROOT / ".state").mkdir()
engine.stack = lambda *_, **__: Fake(name="dev")
rollback.Rollback.of = lambda *_: Fake(plan=list)
switch.Switch.of = lambda *_: Fake(check=lambda to: None, question=lambda to: f"Move dev to {to}?")
main([name, *{"switch": ["eks", "--stack", "dev"], "rollback": ["--stack", "dev"]}.get(name, [])])
"""

ASKS = """
import click
from yard import exits, interrupts
@click.command()
def ask():
    with interrupts.explained(lambda: ""):
        exits.confirm("Remove it all?", yes=False)
        print("done")
ask()
"""


def test_down_names_the_checkout_and_the_stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / ".state").mkdir()
    monkeypatch.setattr("yard.down.ROOT", tmp_path)
    found = CliRunner().invoke(main, ["down"])
    assert found.exit_code == 2
    assert found.stderr == (
        f"Error: Remove stack local of {tmp_path}, with its services and images? There is no terminal to answer at:"
        " give --yes\n"
    )
    assert (tmp_path / ".state").exists()
