"""The command `yard` itself."""

import pytest
from click.testing import CliRunner

from tests.imports import imported
from yard import suggest
from yard.__main__ import main


def test_a_misspelt_command_is_told_the_nearest() -> None:
    result = CliRunner().invoke(main, ["doctr"])
    assert result.exit_code == 2
    assert (
        result.stderr
        == f"Error: there is no command 'doctr'; did you mean doctor? `{suggest.yard('help')}` lists them\n"
    )
    result = CliRunner().invoke(main, ["ci", "zzz"])
    assert result.exit_code == 2
    assert result.stderr == f"Error: there is no command 'ci zzz'. `{suggest.yard('help', 'ci')}` lists them\n"


@pytest.mark.parametrize(
    ("words", "said", "about"),
    [
        (["--bogus"], "there is no option '--bogus'", []),
        (["compare", "--regoin", "x"], "there is no option '--regoin'; did you mean --region?", ["compare"]),
        (["compare", "dev", "prod"], "too many words: dev prod. The call is: {yard} compare [OPTIONS]", ["compare"]),
        (["compare", "--stack"], "option '--stack' requires an argument", ["compare"]),
        (["compare", "--all=3"], "option '--all' does not take a value", ["compare"]),
        (["compare", "--budget", "ten"], "--budget is 'ten'; want a number, 0 or more", ["compare"]),
        (["rehearse", "--rate", "1"], "--rate is 1; want a whole number from 2 to 5000", ["rehearse"]),
        (["completion", "tcsh"], "SHELL is 'tcsh'; want bash, zsh or fish", ["completion"]),
        (
            ["completion"],
            "SHELL is missing; want bash, zsh or fish. The call is: {yard} completion [OPTIONS] SHELL",
            ["completion"],
        ),
        (["import", "nope"], "FILE|FOLDER: path 'nope' does not exist", ["import"]),
        (["state", "move", "--stack", "dev"], "--to URL is missing", ["state", "move"]),
        (["prices", "refresh", "tokyo"], "REGION: 'tokyo' is not a region of AWS: want one", ["prices", "refresh"]),
    ],
    ids=" ".join,
)
def test_a_wrong_call_is_told_what_is_wrong_first_and_then_where_the_help_is(
    words: list[str], said: str, about: list[str]
) -> None:
    result = CliRunner().invoke(main, words, prog_name="yard")
    assert (result.exit_code, result.stdout) == (2, "")
    first, last = result.stderr.splitlines()
    assert first.startswith(f"Error: {said.format(yard=suggest.name())}")
    assert last == f"How to call it: `{suggest.yard('help', *about)}`"
    assert CliRunner().invoke(main, ["help", *about]).exit_code == 0


def test_the_help_waits_for_no_command() -> None:
    code = (
        "from click.testing import CliRunner\n"
        "from yard.__main__ import main\n"
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0"
    )
    assert not imported(code, "pulumi", "pydantic", "config.problems", "yard.doctor")


def test_help_and_version_are_words_too() -> None:
    def said(*words: str) -> str:
        result = CliRunner().invoke(main, words, prog_name="yard")
        assert result.exit_code == 0
        return result.stdout

    assert said("help") == said("--help")
    assert said("help", "logs") == said("logs", "--help")
    assert said("help", "ci", "init") == said("ci", "init", "--help")
    assert said("version").strip() == said("--version").split()[-1]
    assert CliRunner().invoke(main, ["help", "lgos"]).exit_code == 2
    of_a_word = CliRunner().invoke(main, ["help", "logs", "api"])
    assert of_a_word.stderr == "Error: there is no command 'logs api': logs has none of its own\n"
