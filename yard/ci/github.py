"""What GitHub has of a repository, asked by its own command, `gh`, with the login that it has."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from components.shell import Shell, command
from components.workflow import Setting
from yard.checks import TIMEOUT, Finding, fail, ok, warn
from yard.ci.subject import Subject

HERE = "repos/{owner}/{repo}"
"""`gh` puts in the repository of the folder that it is called in."""


class NoAnswer(Exception):
    """GitHub said no, or nobody could ask; the message is `gh`'s."""


@dataclass(frozen=True)
class Repository:
    """A repository on GitHub, by the folder of a clone."""

    folder: Path

    def ask(self, path: str, *more: str) -> Any:
        """What the API answers; raises `NoAnswer`."""
        words = ["gh", "api", path, *more]
        try:
            done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, timeout=4 * TIMEOUT)
        except subprocess.TimeoutExpired as error:
            raise NoAnswer("GitHub did not answer in time") from error
        if done.returncode:
            raise NoAnswer((done.stderr.strip() or done.stdout.strip()).splitlines()[0])
        return json.loads(done.stdout)

    def names(self, kind: str, environment: str | None) -> Mapping[str, str | None]:
        """The variables or secrets that a job finds, in an environment or in none; of a secret no value is told."""
        places = [f"actions/organization-{kind}", f"actions/{kind}"]
        places += [f"environments/{quote(environment, safe='')}/{kind}"] if environment else []
        found: dict[str, str | None] = {}
        for place in places:
            try:
                pages = self.ask(f"{HERE}/{place}", "--paginate", "--slurp")
            except NoAnswer:
                if "organization" in place:  # of a person's repository there is none
                    continue
                raise
            found |= {each["name"]: each.get("value") for page in pages for each in page[kind]}
        return found


def look(subject: Subject, outputs: Mapping[str, Any]) -> Iterator[Finding]:
    """What GitHub lacks for the workflows; all of it is warned of where GitHub cannot be asked."""
    if shutil.which("gh") is None:
        way = "https://cli.github.com, then `gh auth login`; or look yourself for what follows"
        yield warn("github", "the command gh is not installed, so what GitHub has was not looked at", way)
        yield from _not_looked_at(subject, outputs)
        return
    repository = Repository(subject.top)
    try:
        yield from _identity(subject, repository)
        yield _form_of_subject(repository)
        yield from _environment(subject, repository)
        yield from _settings(subject, repository, outputs)
    except NoAnswer as error:
        yield warn("github", f"GitHub cannot be asked: {error}", "gh auth login; and a remote of the repository there")
        yield from _not_looked_at(subject, outputs)


def _identity(subject: Subject, repository: Repository) -> Iterator[Finding]:
    """The roles trust numbers: a repository that was made anew under the same name has others."""
    said = repository.ask(HERE)
    wanted = {"repository": said["full_name"], "repository-id": said["id"], "owner-id": said["owner"]["id"]}
    if subject.github is None:
        yield ok("repository", f"{said['full_name']}; no role trusts it, for the stack has no key `github`")
        return
    has = subject.github.model_dump(by_alias=True, include={"repository", "repository_id", "owner_id"})
    up = command("pulumi", "up", "--stack", subject.stack)
    for key, value in wanted.items():
        if has[key] != value:
            set_ = command("pulumi", "config", "set", "--path", f"github.{key}", str(value), "--stack", subject.stack)
            yield fail("repository", f"github.{key} is {has[key]}, and on GitHub it is {value}", f"{set_}; {up}")
    if has == wanted:
        yield ok("repository", f"{said['full_name']}, with the numbers that the roles trust")


def _form_of_subject(repository: Repository) -> Finding:
    """How GitHub names a job to a cloud. The roles know the old form and the one with numbers, and no other."""
    path = f"{HERE}/actions/oidc/customization/sub"
    said = repository.ask(path)
    if said.get("use_default", True):
        return ok("subject", "GitHub names jobs in its own form; the roles know it with numbers and without")
    claims = ", ".join(said.get("include_claim_keys") or [])
    return fail(
        "subject",
        f"the repository has GitHub name its jobs by {claims}, which no role trusts",
        command("gh", "api", "--method", "PUT", path, "--field", "use_default=true"),
    )


def _environment(subject: Subject, repository: Repository) -> Iterator[Finding]:
    name = subject.environment
    if name is None:
        yield ok("environment", f"none: whoever pushes to {subject.branch} deploys")
        return
    path = f"{HERE}/environments/{quote(name, safe='')}"
    try:
        repository.ask(path)
    except NoAnswer:
        make = command("gh", "api", "--method", "PUT", path)
        yield fail("environment", f"there is no environment {name}, and the workflow deploys in it", make)
    else:
        yield ok("environment", name)


def _settings(subject: Subject, repository: Repository, outputs: Mapping[str, Any]) -> Iterator[Finding]:
    """What each job reads. That which builds is in no environment, so that nobody has to agree twice."""
    places = [(subject.push.access.settings, None), (subject.up.settings, subject.environment)]
    seen: set[str] = set()
    for settings, environment in places:
        wanted = [each for each in settings if each.name not in seen]
        seen |= {each.name for each in wanted}
        kinds = {_kind(each) for each in wanted}
        has = {kind: repository.names(f"{kind}s", environment) for kind in sorted(kinds)}
        for each in wanted:
            yield _setting(each, has[_kind(each)], _value(each, outputs), environment)


def _not_looked_at(subject: Subject, outputs: Mapping[str, Any]) -> Iterator[Finding]:
    for each in subject.needed.settings:
        environment = None if each in subject.push.access.settings else subject.environment
        fix = _set(each, _value(each, outputs), environment)
        yield warn(f"{_kind(each)}-{each.name}", f"nobody looked whether it is there. It is {each.what}", fix)


def _kind(setting: Setting) -> str:
    return "secret" if setting.secret else "variable"


def _set(each: Setting, known: str | None, environment: str | None) -> str:
    """The command that sets it; for a secret it asks."""
    where = ("--env", environment) if environment else ()
    body = () if each.secret else ("--body", known or Shell("VALUE"))
    return command("gh", _kind(each), "set", each.name, *where, *body)


def at(outputs: Mapping[str, Any], steps: Sequence[str]) -> Any:
    """What stands there in a stack's outputs; None: nothing."""
    found: Any = outputs
    for step in steps:
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _value(setting: Setting, outputs: Mapping[str, Any]) -> str | None:
    """What it has to be, where the stack's outputs have just that."""
    found = at(outputs, setting.output) if setting.output else None
    return str(found) if isinstance(found, str | int) else None


def _setting(each: Setting, has: Mapping[str, str | None], known: str | None, environment: str | None) -> Finding:
    name, fix = f"{_kind(each)}-{each.name}", _set(each, known, environment)
    if each.name not in has:
        how = warn if each.default else fail
        instead = f"; without it {each.default} is taken" if each.default else ""
        return how(name, f"it is not there{instead}. It is {each.what}", fix)
    if known and has[each.name] not in (None, known):
        return fail(name, f"it is {has[each.name]}, and the stack says {known}", fix)
    return ok(name, "secret" if each.secret else str(has[each.name]))
