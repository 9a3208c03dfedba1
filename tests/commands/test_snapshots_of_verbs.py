"""What the other verbs print, as test_snapshots.py holds it: files for 60, 80 and 120 columns in snapshots/."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from components.edge.alb import AlbOptions
from tests.commands.comparing import Project
from tests.commands.test_snapshots import call, held, width  # noqa: F401
from tests.commands.test_story import CARRIED, report
from tests.program import DIGEST, SERVICE
from yard import compare, deploy, doctor, state, terminal, up
from yard import rollback as rollbacks
from yard.checks import ok, warn
from yard.comparison import table
from yard.comparison.change import Change
from yard.story.screen import Screen
from yard.switch import Switch, TakenBack

OLD = f"sha256:{'b' * 64}"
ANSWERS = {"version": "3f2c1ab", "orchestrator": "swarm", "service": "api", "host": "5cc8fbf"}
DEPLOYED = {
    "services": {
        "api": {
            "digest": DIGEST,
            "url": "http://localhost:8080/",
            "status": 200,
            "seconds": 0.012,
            "answer": ANSWERS,
            "logs": "docker service logs api",
        },
        "web": {
            "digest": OLD,
            "url": "http://localhost:3000/",
            "status": 500,
            "seconds": 1.25,
            "answer": "<!doctype html>\n<html lang=en>\n  <title>The database does not answer</title>\n"
            + "<p>again</p>" * 9,
            "logs": "docker service logs web",
        },
        "worker": {"digest": OLD, "url": None, "status": None, "seconds": None, "answer": None, "logs": ""},
    },
    "changes": {"create": 10, "update": 2},
    "notes": ["images still come from ecr: run the commands under `push`, then `pulumi config rm pull-from`"],
    "seconds": 12.3,
}


def test_up_and_deploy(width: int, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    up.tell(DEPLOYED)
    deploy.show(DEPLOYED, "dev", as_json=False)
    held("deployed", width, capsys.readouterr().out)


def test_doctor_that_finds_nothing(width: int, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    found = [
        ok("config", "Pulumi.dev.yaml is valid"),
        warn("quota", "nobody could tell: no answer within 5 seconds", "try again later"),
    ]
    doctor.report("dev", iter(found[:1]), as_json=False)
    doctor.report("dev", iter(found), as_json=False)
    held("doctor-good", width, capsys.readouterr().out)


def release(number: int, digest: str, **change: Any) -> dict[str, Any]:
    """One of the record, a day after that before."""
    changed = {"api": {"digest": digest, "commit": f"{number}f2c1ab", **change}}
    time = f"2026-11-{20 + number}T09:00:00Z"
    return {"number": number, "time": time, "by": "kenshiro", "changed": changed, "digests": {"api": digest}}


def test_releases_and_rollback(width: int, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    record = [release(1, DIGEST), release(2, OLD), release(3, DIGEST, back_to=1)]
    found = {"releases": record, "digests": {"api": DIGEST}}
    monkeypatch.setattr(state, "outputs", lambda *_: found)
    monkeypatch.setattr(rollbacks, "_lost", lambda *_: [])
    ways = (["releases"], ["releases", "wrker"], ["rollback"], ["rollback", "--to", "2"], ["rollback", "wrker"])
    shown = [call(width, *each, "--stack", "dev") for each in ways]
    found.clear()
    shown += [call(width, *each, "--stack", "dev") for each in (["releases"], ["rollback"])]
    held("releases", width, "\n".join(shown))


def test_prices(width: int, kept: Path, lists: Path) -> None:  # noqa: F811
    refresh = ["prices", "refresh"]
    ways: tuple[list[str], ...] = (
        ["prices"],
        [*refresh, "ap-northeast-1", "--offers", str(lists), "--dry-run"],
        [*refresh, "tokyo"],
        [*refresh, "us-east-1", "--every-region"],
        [*refresh, "us-east-1", "--offers", "https://me:secret@example.com"],
    )
    shown = "\n".join(call(width, *each) for each in ways)
    held("prices", width, shown.replace(str(lists), "offers").replace(f"{kept}/", ""))


def test_a_change_of_the_cost(width: int, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    before = {"usd": "46.50", "columns": {"compute": "18.02", "network": "7.30"}, "unknown": []}
    after = {"usd": "49.74", "columns": {"compute": "21.26", "network": "7.30"}, "unknown": ["responses: no price"]}
    table.show_change(table.console(), Change("dev", before, after))
    table.show_change(table.console(), Change("dev", None, after))
    held("change", width, capsys.readouterr().out)


class Still(Switch):
    """Says what it would do, and does nothing."""

    def _up(self) -> None:
        self.say("(up)")

    def _shift(self, traffic: Any) -> None:
        self.traffic = dict(traffic)

    def _write(self, traffic: Any) -> None:
        self.traffic = dict(traffic)

    def _settle(self, to: str) -> None:
        self.home, self.traffic = to, {}

    def _shared(self) -> Iterator[Any]:
        return iter(())


@contextmanager
def told(capsys: pytest.CaptureFixture[str], wide: int) -> Iterator[None]:
    """What goes wrong, as it is printed."""
    try:
        yield
    except Exception as error:
        print(terminal.wrapped(f"Error: {error}", wide))


def test_switch(width: int, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    looks: list[list[str]] = [[], [], [], [], []]
    guard: Any = SimpleNamespace(look_over=lambda *_: looks.pop(0))
    stack: Any = SimpleNamespace(name="dev", up=None)
    configuration: Any = SimpleNamespace()

    def still(**more: Any) -> Still:
        return Still(stack, "ecs-fargate", {}, AlbOptions, terminal.say, 60, guard, configuration, **more)

    print(still().question("eks"))
    still().run("eks")
    looks[:] = [
        [],
        ["api: 20 % of 900 requests to eks failed, 0.1 % of 9,000 to ecs-fargate; `guard.errors` allows 1 %"],
    ]
    moving = still()
    moving.abort = lambda: None  # type: ignore[method-assign]
    with pytest.raises(TakenBack) as error:
        moving.run("eks")
    print(terminal.wrapped(f"Error: {error.value}", width))
    print(terminal.wrapped(f"Stopped. {moving.stopped()}", width))
    for wrong, to in (
        (still(), "esk"),
        (still(), "kubernetes"),
        (still(is_up=False), "eks"),
        (still(pending=["creating eks-eksCluster"]), "eks"),
    ):
        with told(capsys, width):
            wrong.check(to)
    held("switch", width, capsys.readouterr().out)


def test_rehearsed_requests(width: int, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    screen = Screen(verbose=False)
    screen.end(report(load=[CARRIED]))
    wrong = (
        "3 things need a change\n  switchyard:services.api.port is 80; want a port from 1024 to 65535\n      pulumi up"
    )
    screen.end(report(ok=False, reason=wrong))
    held("rehearsed-load", width, capsys.readouterr().out)


WRONG = (
    "compare --stack dev --pair ecr+ecs",
    "compare --stack dev --by-line --pair ecr+ecs",
    "compare --stack dev --by-line --pair ecr+swarm",
    "compare --stack dev --budget 10 --csv",
    "compare --stack dev --usage enormous",
    "compare --stack dev --region eu-mars-1",
    "compare --stack dev --region eu-west-3",
    "switch",
    "switch eks --stack nope",
    "rehearse --rate 5",
    "rehearse --load --path orders",
    "rehearse --load --run api=no-such-program",
    "rehearse --load --requests 2000000 --rate 2",
    "deploy nope --stack dev",
    "import nope.yaml",
    "completion tcsh",
    "ci init --stack local",
    "run api",
    "state move --stack dev",
    "compare dev",
    "compare --stack",
    "compare --budget ten",
    "help prices refesh",
)
"""Of each kind: a wrong word, an option too many, one too few, a file or a program that is not there."""


def test_errors(width: int, project: Project) -> None:  # noqa: F811
    project(services={"api": SERVICE})
    held("errors", width, "\n".join(call(width, *each.split()) for each in WRONG))


def test_files_that_are_no_yaml(
    width: int,  # noqa: F811
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = project()
    monkeypatch.chdir(file.parents[1])
    monkeypatch.setattr(compare, "ROOT", Path())  # so that no line depends on where it lies
    shown = []
    for text in (
        "config:\n\tservices: {}\n",
        "config:\n  zones: 2\n  zones: 3\n",
        'config: {a: "b}\n',
        "orchestrator: eks\n",
    ):
        file.write_text(text, encoding="utf-8")
        shown.append(call(width, "compare", "--stack", "dev"))
    held("no-yaml", width, "\n".join(shown))
