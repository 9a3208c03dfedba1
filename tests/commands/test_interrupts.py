"""Signals that ask a process to end: what they do while something is under way, and to a command."""

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pulumi import automation as auto

from tests import terminal
from tests.program import ROOT
from tests.terminal import Terminal
from yard.engine import Command
from yard.interrupts import ENDING, Interrupted, explained, held, raised


@pytest.fixture(autouse=True)
def handlers_are_as_before() -> Iterator[None]:
    """Whatever a test does."""
    before = [signal.getsignal(each) for each in ENDING]
    yield
    assert [signal.getsignal(each) for each in ENDING] == before


def hold(numbers: Iterable[int], tell: Callable[[int], None] = lambda _: None, error: Exception | None = None) -> None:
    """Have signals come while something is under way, which may fail then."""
    with held(tell):
        for number in numbers:
            signal.raise_signal(number)
        tell(0)
        if error:
            raise error


@pytest.mark.parametrize("number", ENDING)
def test_what_is_under_way_finishes_first(number: int) -> None:
    told: list[int] = []
    with pytest.raises(Interrupted) as interrupted:
        hold([number], told.append)
    assert told == [1, 0]
    assert interrupted.value.number == number


def test_each_signal_is_told_with_how_many_there_were() -> None:
    told: list[int] = []
    with pytest.raises(Interrupted):
        hold([signal.SIGINT, signal.SIGINT], told.append)
    assert told == [1, 2, 0]


def test_an_interrupt_goes_before_the_error_that_it_leads_to() -> None:
    with pytest.raises(Interrupted):
        hold([signal.SIGINT], error=ValueError("update canceled"))


@pytest.mark.parametrize("number", ENDING)
def test_what_must_not_wait_is_ended_at_once_and_what_it_puts_in_order_is_not_disturbed(number: int) -> None:
    done: list[str] = []

    def run() -> None:
        try:
            signal.raise_signal(number)
            done.append("went on")
        finally:
            signal.raise_signal(signal.SIGINT)
            done.append("put in order")

    with pytest.raises(Interrupted) as interrupted, raised():
        run()
    assert interrupted.value.number == number
    assert done == ["put in order"]


def test_an_error_of_its_own_is_raised() -> None:
    with pytest.raises(ValueError, match="broken"):
        hold([], error=ValueError("broken"))


def test_what_the_process_was_started_to_ignore_is_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        hold([signal.SIGHUP])
    finally:
        signal.signal(signal.SIGHUP, before)


def test_only_the_main_thread_hears_signals() -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(hold, []).result()  # raises nothing


@pytest.mark.parametrize(("raised", "code"), [(KeyboardInterrupt(), 130), (Interrupted(signal.SIGTERM), 143)])
def test_a_command_ends_with_a_sentence_and_the_code_of_the_signal(
    raised: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end, explained(lambda: "Half of it is there."):
        raise raised
    assert end.value.code == code
    assert capsys.readouterr().err == "Stopped. Half of it is there.\n"


def test_it_finishes_its_sentence_when_it_is_interrupted_again(capsys: pytest.CaptureFixture[str]) -> None:
    def impatient() -> str:
        signal.raise_signal(signal.SIGINT)
        return "Half of it is there."

    with pytest.raises(SystemExit), explained(impatient):
        raise KeyboardInterrupt
    assert capsys.readouterr().err == "Stopped. Half of it is there.\n"


class TestCli:
    """The CLI as the SDK runs it, and here a small program in its place."""

    @pytest.fixture
    def command(self, tmp_path_factory: pytest.TempPathFactory) -> Command:
        """It says what it gets, and what Ctrl-C does to it."""
        program = tmp_path_factory.mktemp("cli") / "pulumi"
        program.write_text(f"#!{sys.executable}\n{CLI}", encoding="utf-8")
        program.chmod(0o755)
        command = Command.__new__(Command)
        command.command = str(program)
        return command

    def test_what_it_says_is_told_line_by_line(self, command: Command) -> None:
        out: list[str] = []
        err: list[str] = []
        result = command.run(["stack", "ls"], str(ROOT), {"GREETING": "hello"}, out.append, err.append)
        assert (result.code, result.stdout, result.stderr) == (0, "--non-interactive stack ls\nhello true", "an aside")
        assert (out, err) == (result.stdout.splitlines(), ["an aside"])

    def test_when_it_fails_the_error_has_its_words(self, command: Command) -> None:
        with pytest.raises(auto.StackNotFoundError, match="no stack named 'x' found"):
            command.run(["fail"], str(ROOT), {})

    @pytest.mark.parametrize(("verb", "interrupted"), [("up", True), ("config", False)])
    def test_a_run_is_told_of_an_interrupt_and_the_rest_is_left_to_finish(
        self, command: Command, verb: str, interrupted: bool
    ) -> None:
        said: list[str] = []

        def hear(line: str) -> None:
            said.append(line)
            if line == "waiting":
                os.kill(os.getpid(), signal.SIGINT)

        with pytest.raises(Interrupted):
            command.run([verb, "wait"], str(ROOT), {}, hear)
        assert said[-1] == ("interrupted" if interrupted else "finished")


CLI = """
import os, signal, sys, time
def stop(*_):
    print("interrupted")
    sys.exit(1)
signal.signal(signal.SIGINT, stop)
if sys.argv[2] == "fail":
    print("error: no stack named 'x' found", file=sys.stderr)
    sys.exit(255)
if sys.argv[3] == "wait":
    print("waiting", flush=True)
    time.sleep(1)
    print("finished")
    sys.exit()
print(*sys.argv[1:])
print(os.environ["GREETING"], os.environ["PULUMI_AUTOMATION_API"])
print("an aside", file=sys.stderr)
"""


def test_a_terminal_sees_what_is_left_running(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests of Ctrl-C rest on that."""
    monkeypatch.setattr(terminal, "ENDING", 0.1)
    with (
        Terminal(["sh", "-c", "trap '' HUP; sleep 2 & exit 3"], ROOT) as shell,
        pytest.raises(AssertionError, match="sleep 2"),
    ):
        shell.end()
