"""The command `yard` itself."""

import subprocess
import sys

from click.testing import CliRunner

from tests.program import ROOT
from yard.__main__ import COMMANDS, main


def test_a_misspelt_command_is_told_the_nearest() -> None:
    result = CliRunner().invoke(main, ["doctr"])
    assert result.exit_code == 2
    known = ", ".join(COMMANDS)
    assert f"there is no command 'doctr': use one of {known}; did you mean doctor?" in result.stderr


def test_the_help_waits_for_no_command() -> None:
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from yard.__main__ import main\n"
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0\n"
        "print(sorted({'pulumi', 'pydantic', 'config.problems', 'yard.doctor'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
