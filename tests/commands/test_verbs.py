"""`yard status`, `logs`, `run`, `exec`: what they make of what an orchestrator says."""

import json
from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner, Result

from components.operations import Line, OperationError, Operations, Replica, Running
from components.orchestrator import HONOURED, refused
from components.orchestrator.ecs_fargate import EcsFargateOptions
from tests.commands.doctoring import stack_file
from tests.program import DIGEST, config_for
from yard import logs, state, status, suggest
from yard.__main__ import main
from yard.local import in_words

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
OTHER = f"sha256:{'b' * 64}"


class Pretend(Operations[EcsFargateOptions]):
    """An orchestrator whose answers a test gives."""

    says: ClassVar[Running | OperationError]
    wrote: ClassVar[dict[str, list[tuple[int, str]]]] = {}
    """Service -> second, text."""
    ran: ClassVar[list[tuple[str, Sequence[str]]]]
    ends: ClassVar[Sequence[str | int | BaseException]]
    stopped: ClassVar[bool]

    def status(self, service: str) -> Running:
        if isinstance(self.says, OperationError):
            raise self.says
        return self.says

    def logs(self, service: str, since: datetime, follow: bool) -> Iterator[Line]:
        for second, text in self.wrote[service]:
            yield Line(NOON + timedelta(seconds=second), text)

    def run(self, service: str, command: Sequence[str]) -> Generator[str | int, None, None]:
        self.ran.append((service, command))
        try:
            for each in self.ends:
                if isinstance(each, BaseException):
                    raise each
                yield each
        finally:
            Pretend.stopped = True

    def exec(self, service: str, command: Sequence[str]) -> int:
        self.ran.append((service, command))
        return 7


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a stack `dev` that is up, with services `api` and `web`; `new` has no image."""
    services: dict[str, Any] = {"api": {"path": "/api"}, "web": {"digest": DIGEST}, "new": {"public": False}}
    stack_file(tmp_path, config_for("ecr", "ecs-fargate", **services))
    outputs = {"url": "http://lb.example.com", "digests": {"api": DIGEST, "web": OTHER}}
    top = {"type": "pulumi:pulumi:Stack", "urn": "urn::dev", "outputs": outputs}
    monkeypatch.setattr(state, "resources", lambda root, stack, state=None: [top])
    for name in ("status", "logs", "open", "run", "exec"):
        monkeypatch.setattr(f"yard.{name}.ROOT", tmp_path)
    monkeypatch.setattr(EcsFargateOptions, "operated_by", f"{__name__}:Pretend")
    monkeypatch.setattr(
        EcsFargateOptions, "verbs", dict.fromkeys(("status", "logs", "run"), HONOURED) | {"exec": refused("it is shut")}
    )
    Pretend.ran, Pretend.stopped = [], False
    return tmp_path


def yard(*words: str) -> Result:
    """Call a command on stack `dev`."""
    return CliRunner().invoke(main, [words[0], "--stack", "dev", *words[1:]])


def test_status_tells_what_is_not_as_it_should_be(project: Path) -> None:
    replicas = [
        Replica("one", "running", True, DIGEST),
        Replica("two", "running", True, OTHER),
        Replica("three", "pending", False, None, "no room"),
    ]
    Pretend.says = Running(4, replicas, "the task ended with exit code 3")
    done = yard("status")
    assert done.exit_code == 0
    api, web = (done.output.partition(f"\n{name}: ")[2].partition("\n\n")[0].splitlines() for name in ("api", "web"))
    assert api == [
        "http://lb.example.com/api",
        f"  image {DIGEST}",
        "  ecs-fargate: 2 of 4 replicas healthy",
        f"    two: running, runs {OTHER}",
        "    three: pending: no room",
        "    failed last: the task ended with exit code 3",
    ]
    assert web[1] == f"  image {DIGEST}", "a pin goes before what is recorded"
    assert f"new: waits for its first image (`{suggest.yard('deploy', 'new', '--stack', 'dev')}`)" in done.output
    assert "stack dev: ecs-fargate\ncosts about " in done.output


def test_status_as_json(project: Path) -> None:
    Pretend.says = Running(1, [Replica("one", "running", True, DIGEST)])
    found = json.loads(yard("status", "--json").output)
    assert found["traffic"] == {"ecs-fargate": 100}
    assert float(found["usd_a_month"]) > 0
    assert found["services"]["new"] == {"url": None, "digest": None, "on": {}}
    on = found["services"]["api"]["on"]["ecs-fargate"]
    assert (on["wanted"], on["healthy"], on["failure"]) == (1, 1, "")
    assert on["replicas"] == [{"name": "one", "state": "running", "healthy": True, "digest": DIGEST, "why": ""}]


def test_an_orchestrator_that_does_not_answer_is_an_exit_code_and_a_line(project: Path) -> None:
    Pretend.says = OperationError("the token has expired")
    done = yard("status")
    assert done.exit_code == 1
    assert "  ecs-fargate: does not answer: the token has expired" in done.output
    assert "costs about" in done.output


def test_logs_of_several_services_are_in_the_order_of_their_times(project: Path) -> None:
    Pretend.wrote = {"api": [(1, "a"), (4, "d")], "web": [(2, "b"), (3, "c")]}
    assert yard("logs").output.splitlines() == ["api: a", "web: b", "web: c", "api: d"]
    assert yard("logs", "web").output.splitlines() == ["b", "c"]
    assert json.loads(yard("logs", "web", "--json").output.splitlines()[0]) == {
        "service": "web",
        "at": "2026-01-31T12:00:02+00:00",
        "text": "b",
    }


def test_logs_that_are_followed_come_from_all(project: Path) -> None:
    Pretend.wrote = {"api": [(1, "a"), (4, "d")], "web": [(2, "b")]}
    assert sorted(yard("logs", "--follow").output.splitlines()) == ["api: a", "api: d", "web: b"]


def test_what_goes_wrong_while_logs_are_followed_is_told() -> None:
    def broken() -> Iterator[Line]:
        yield Line(NOON, "a")
        raise OperationError("the engine is gone")

    lines = logs.merged([("api", broken())], follow=True)
    assert next(lines) == ("api", Line(NOON, "a"))
    with pytest.raises(OperationError, match="the engine is gone"):
        next(lines)


@pytest.mark.parametrize(
    ("text", "ago"), [("90s", 90), ("10m", 600), ("2h", 7200), ("3d", 259_200), ("2026-01-31T12:00:00+00:00", None)]
)
def test_since_is_a_span_or_a_time(text: str, ago: int | None) -> None:
    found = logs.Since().convert(text, None, None)
    wanted = NOON if ago is None else datetime.now(UTC) - timedelta(seconds=ago)
    assert abs(found - wanted) < timedelta(seconds=60)


def test_since_that_is_neither_is_told(project: Path) -> None:
    done = yard("logs", "--since", "yesterday")
    assert done.exit_code == 2
    assert "want a span such as 90s, 10m, 2h or 3d, or a time such as 2026-01-31T09:00, not 'yesterday'" in done.output


def test_run_gives_the_lines_and_the_exit_code_of_the_command(project: Path) -> None:
    Pretend.ends = ["migrating", "done", 3]
    done = yard("run", "api", "--", "migrate", "--now")
    assert (done.output, done.exit_code) == ("migrating\ndone\n", 3)
    assert Pretend.ran == [("api", ("migrate", "--now"))]


def test_run_that_is_interrupted_stops_the_task(project: Path) -> None:
    Pretend.ends = ["migrating", KeyboardInterrupt()]
    done = yard("run", "api", "--", "migrate")
    assert done.exit_code == 130
    assert "The task was stopped." in done.output
    assert Pretend.stopped


@pytest.mark.parametrize("verb", ["run", "exec"])
def test_what_was_never_run_has_an_exit_code_of_its_own(project: Path, verb: str) -> None:
    assert yard(verb, "apy", "--", "sh").exit_code == 125
    assert "did you mean api?" in yard(verb, "apy", "--", "sh").output
    assert "new does not run yet" in yard(verb, "new", "--", "sh").output
    assert not Pretend.ran


def test_a_verb_that_is_refused_says_why(project: Path) -> None:
    done = yard("exec", "api", "--", "sh")
    assert (done.exit_code, done.output) == (125, "Error: `yard exec` does not work on ecs-fargate: it is shut\n")


def test_exec_gives_the_exit_code_of_the_command(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EcsFargateOptions, "verbs", {"exec": HONOURED})
    assert yard("exec", "api", "--", "sh").exit_code == 7


def test_a_stack_that_is_not_up_says_what_brings_it_up(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "resources", lambda root, stack, state=None: [])
    done = yard("logs")
    assert (done.exit_code, done.output) == (1, "Error: stack dev is not up: `pulumi up --stack dev` brings it up\n")


def test_secrets_of_a_state_are_in_the_clear() -> None:
    secret = {state.SECRET: "1b47061264138c4ac30d75fd1eb44270", "plaintext": '{"a": [1]}'}
    assert state.clear({"login": [secret], "name": "x"}) == {"login": [{"a": [1]}], "name": "x"}


def test_traffic_during_a_move_is_shared() -> None:
    assert [*status.told("dev", {"traffic": {"ecs-ec2": 90, "eks": 10}, "usd_a_month": "?", "services": {}})] == [
        "stack dev: traffic ecs-ec2 90 %, eks 10 %",
        "what it costs a month is not known",
    ]


def test_a_reader_that_has_enough_is_no_error() -> None:
    """`yard logs | head`: click ends a command quietly whose output nobody takes."""
    with pytest.raises(BrokenPipeError), in_words():
        raise BrokenPipeError


def test_open_shows_the_url_of_the_service(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launched: list[str] = []
    monkeypatch.setattr("click.launch", launched.append)
    assert yard("open", "api").output == "http://lb.example.com/api\n"
    assert launched == ["http://lb.example.com/api"]
    several = yard("open")
    assert (several.exit_code, several.output) == (
        1,
        "Error: several services have a URL: say which, one of api, web\n",
    )
