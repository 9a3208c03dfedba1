"""The command `yard` itself."""

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
    assert said("version").strip() == said("--version").split()[-1]
    assert CliRunner().invoke(main, ["help", "lgos"]).exit_code == 2
