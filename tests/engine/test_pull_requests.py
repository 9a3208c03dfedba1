"""`yard diff` on pull requests over the real engine: the comment to the letter, with the cost to the cent.

Each is merged before the next one is made, so that a stack is brought up once, and then changed: what is told of a pull
request is what the command tells, which brings the base up first. The tenth, in which nothing changes, needs no engine.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from config.place import HOME
from tests.commands.test_init import git
from tests.engine.pull_requests import API, BASE, MERGED, REFUSED, UNGUARDED, PullRequest
from tests.engine.record_states import LISTENER
from tests.program import EXISTING
from yard import described, diff, programs
from yard.differing import comment, stacks
from yard.differing.result import Report, StackDiff
from yard.differing.revisions import Revision
from yard.differing.stacks import Rehearsal, Side, result

pytestmark = pytest.mark.engine
SMALL: Mapping[str, Any] = {
    **BASE,
    **EXISTING,
    "load-balancer": {**EXISTING["load-balancer"], "listener": LISTENER},
}
"""On someone else's network and load balancer, which is quicker."""
WRITE = "SWITCHYARD_WRITE_COMMENTS"
"""Set, the comments are written anew: to be read before they are committed."""


def revision(place: Path, name: str, config: Mapping[str, Any]) -> Revision:
    """The project as a pull request leaves it."""
    root = place / name
    (root / "config").mkdir(parents=True)
    (root / "Pulumi.yaml").write_text("name: shop\nruntime: python\nstackConfigDir: config\n", encoding="utf-8")
    (root / "config/Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": dict(config)}), encoding="utf-8")
    return Revision(name, root, HOME)


def in_this_process(program: Path, module: str, project: Path, stack: str, place: Path) -> Any:
    """In place of `programs.ask`: to load everything anew takes longer than the answer."""
    assert (program, module) == (HOME, described.__name__)
    return json.loads(json.dumps(described.describe(project, stack, place)))


def test_each_has_its_comment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "ask", in_this_process)
    main = revision(tmp_path, "main", BASE)
    refused = [(each, revision(tmp_path, each.name, {**BASE, **each.changes})) for each in REFUSED]
    merged, config = [], BASE
    for request in MERGED:
        config = {**config, **request.changes}
        merged.append((request, revision(tmp_path, request.name, config)))
    with Rehearsal("dev", main, *[head for _, head in merged]) as rehearsal:
        before = Side(main, "dev", rehearsal.ask(main))
        for request, head in refused:
            check(request, main, head, result(before, Side(head, "dev", rehearsal.ask(head)), rehearsal), exit_code=2)
        for request, head in merged:
            after = Side(head, "dev", rehearsal.ask(head))
            check(request, before.revision, head, result(before, after, rehearsal))
            before = after


def check(request: PullRequest, base: Revision, head: Revision, found: StackDiff, exit_code: int = 0) -> None:
    """Compare the comment with the one that is kept."""
    text = comment.text(Report(base.name, head.name, [found])) + "\n"
    if WRITE in os.environ:
        request.comment.write_text(text, encoding="utf-8")
    assert text == request.comment.read_text(encoding="utf-8")
    assert found.exit_code == exit_code
    assert "hunter2" not in json.dumps(found.json())


def test_a_mandatory_policy_that_breaks_fails_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "ask", in_this_process)
    guarded = {**SMALL, "preset": "production"}
    base, head = (
        revision(tmp_path, name, {**guarded, **changes})
        for name, changes in (("guarded", {}), (UNGUARDED.name, UNGUARDED.changes))
    )
    found = stacks.diff(base, head, "dev")
    check(UNGUARDED, base, head, found, exit_code=1)


STARVED = """
def nobody(type_, name, props, opts):
    return ({**props, "desiredCount": 0}, opts) if type_ == "aws:ecs/service:Service" else None

TRANSFORMS = [nobody]
"""


def test_callers_whom_nobody_answers_are_not_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is content, and so is AWS."""
    monkeypatch.setattr(programs, "ask", in_this_process)
    base, head = (revision(tmp_path, name, SMALL) for name in ("base", "head"))
    (head.folder / "transforms.py").write_text(STARVED, encoding="utf-8")
    found = stacks.diff(base, head, "dev")
    assert found.traffic
    assert found.traffic.broken == "after update of api (aws:ecs/service:Service) callers of api would be answered 503"
    assert found.exit_code == 1


def test_the_command_says_it_of_two_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = revision(tmp_path, "shop", SMALL).folder
    (root / "switchyard").symlink_to(HOME)
    (root / "Pulumi.yaml").write_text(
        "name: shop\nruntime: python\nmain: switchyard\nstackConfigDir: config\n", encoding="utf-8"
    )
    git(root, "init", "--quiet")
    for tag, services in (("before", {"api": API}), ("after", {"api": {**API, "replicas": 3}})):
        file = yaml.safe_dump({"config": {**SMALL, "services": services}})
        (root / "config/Pulumi.dev.yaml").write_text(file, encoding="utf-8")
        git(root, "add", ".")
        git(root, "commit", "--quiet", "--message", tag)
        git(root, "tag", tag)
    monkeypatch.setattr(diff, "ROOT", root)
    done = CliRunner().invoke(diff.diff, ["before", "after", "--json"])
    assert done.exit_code == 0, done.output
    (stack,) = json.loads(done.stdout)["stacks"]
    assert stack["fields"] == [
        {
            "key": "services.api.replicas",
            "before": {"value": 2, "written": True},
            "after": {"value": 3, "written": True},
            "hidden": False,
        }
    ]
    assert [(each["fate"], each["name"], each["because"]) for each in stack["resources"]] == [
        ("updated", "api", ["desiredCount"])
    ]
    assert stack["cost"]["change"] == "12.66"
    assert stack["traffic"] == {"moves": {}, "urls": {}, "answered": True, "broken": ""}
    assert git(root, "status", "--porcelain") == ""
