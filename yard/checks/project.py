"""The stack's own files: what its configuration says, its secrets, and where its state is kept."""

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi

from config.fields import is_guarded
from config.load import of_file
from config.problems import ENCRYPTED, BadConfig, set_command
from config.reader import model_at
from config.settings import Settings
from config.stack_file import StackFile, Steps, dotted
from yard import suggest
from yard.checks import TIMEOUT, Finding, fail, ok, warn
from yard.local import STACK
from yard.state import ask


def settings(file: StackFile) -> tuple[Settings | None, list[Finding]]:
    """The program's own checks of the configuration, with placeholders for secrets. Settings only when all is right."""
    try:
        return of_file(file), [ok("config", f"{file.path.name} is valid")]
    except BadConfig as error:
        hidden = {dotted(steps) for steps in file.without_secrets()[1]}
        problems = [each for each in error.problems if each.value is ENCRYPTED or each.key not in hidden]
        found = [fail("config", each.says, each.remedy) for each in problems]
        if error.more:
            found.append(fail("config", "there is more like this", "fix these first, then call this again"))
        return None, found or [_hidden(sorted(hidden))]
    except pulumi.RunError as error:
        return None, [fail("config", str(error), f"see docs/configuration.md, and edit {file.path.name}")]


def _hidden(keys: list[str]) -> Finding:
    return warn(
        "config",
        f"whether the rest is valid depends on what is encrypted ({', '.join(keys)}), which is not read here",
        "pulumi preview",
    )


def secrets(file: StackFile) -> Iterator[Finding]:
    """Every secret is encrypted, and what it was encrypted with is at hand."""
    name = "secrets"
    values, encrypted = file.without_secrets()
    plain = [steps for steps in _leaves(values, ()) if _is_guarded(file, steps) and steps not in encrypted]
    for steps in plain:
        key = dotted(steps)
        yield fail(
            name,
            f"{key} stands in the file in plain text",
            f"{set_command(key, '--secret')}; and if the file was ever committed, replace the secret",
        )
    if not encrypted:
        if not plain:
            yield ok(name, "the stack has none")
        return
    yield _encryption(file, f"{len(encrypted)} in the file, encrypted")


def _is_guarded(file: StackFile, steps: Steps) -> bool:
    found = model_at((str(steps[0]).removeprefix(file.prefix), *steps[1:]))
    return found is not None and is_guarded(*found)


def _leaves(value: Any, steps: Steps) -> Iterator[Steps]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _leaves(each, (*steps, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _leaves(each, (*steps, index))
    elif value is not None:
        yield steps


def _encryption(file: StackFile, counted: str) -> Finding:
    name = "secrets"
    if provider := file.document.get("secretsprovider"):
        return ok(name, f"{counted} by {str(provider).partition('?')[0]}")
    if "encryptionsalt" in file.document:
        given = {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & os.environ.keys()
        if given or file.stack == STACK:
            return ok(name, f"{counted} with a passphrase")
        return warn(
            name,
            f"{counted} with a passphrase, which is not in the environment: Pulumi will ask, and CI cannot answer",
            "export PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE",
        )
    url = backend(file)
    if url and not url.startswith("http"):
        return fail(
            name,
            f"{counted}, but the file has neither encryptionsalt nor secretsprovider, so nobody can decrypt them here",
            "put encryptionsalt back as it was; or for each secret: pulumi config set --secret --path <key> <value>",
        )
    return ok(name, f"{counted} by Pulumi Cloud")


def backend(file: StackFile) -> str | None:
    """Where `pulumi` keeps the state, read as the CLI reads it; None: nobody is logged in."""
    named = os.environ.get("PULUMI_BACKEND_URL") or (file.project.get("backend") or {}).get("url")
    if named:
        return str(named)
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    directory = Path(os.environ.get("PULUMI_CREDENTIALS_PATH") or home)
    try:
        current = json.loads((directory / "credentials.json").read_text(encoding="utf-8")).get("current")
    except (OSError, ValueError):
        current = None
    return str(current) if current else ("https://api.pulumi.com" if "PULUMI_ACCESS_TOKEN" in os.environ else None)


def state(file: StackFile) -> Finding:
    """Somewhere to keep the state."""
    if file.stack == STACK:
        return ok("state", f"in .state/ of this project, where `{suggest.yard('up')}` puts it")
    url = backend(file)
    if url is None:
        return fail(
            "state",
            "nobody is logged in to Pulumi, so there is nowhere to keep the state",
            "pulumi login; or, with the state in a directory: pulumi login file://$HOME",
        )
    return ok("state", f"kept at {url}")


@dataclass(frozen=True)
class Owned:
    """What the stack's state has: the resources that are there already, and this stack's."""

    ids: Set[tuple[str, str]]
    """(type, id) of each."""
    known: bool = True
    """False: the state could not be read."""
    pending: tuple[tuple[str, str], ...] = ()
    """(what was being done, URN) of each operation that a run was killed in."""

    def count(self, type_: str) -> int:
        """How many of a type."""
        return Counter(each for each, _ in self.ids)[type_]


UNREADABLE = Owned(frozenset(), known=False)


def owned(file: StackFile, root: Path) -> Owned:
    """What the state has. It is only read: the CLI decrypts nothing for it and takes no lock."""
    url = backend(file)
    if url is None or (url.startswith("file://") and not _has_state(url)):
        return Owned(frozenset(), known=url is not None)
    try:
        answer = ask(root, file.stack, ("export",), timeout=2 * TIMEOUT)
    except (OSError, subprocess.TimeoutExpired):
        return UNREADABLE
    if answer.returncode != 0:
        return Owned(frozenset(), known="no stack named" in answer.stderr)
    saved = json.loads(answer.stdout).get("deployment") or {}
    return Owned(frozenset(_ids(saved)), pending=tuple(_pending(saved)))


def _has_state(url: str) -> bool:
    """Pulumi would make its own directory in an empty one; this looks first, because nothing may change."""
    return (Path(url.removeprefix("file://")).expanduser() / ".pulumi").is_dir()


def _ids(saved: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for resource in saved.get("resources") or []:
        if identity := resource.get("id"):
            yield resource["type"], identity


def _pending(saved: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for operation in saved.get("pending_operations") or []:
        yield operation["type"], operation["resource"]["urn"]


def interrupted(owned: Owned) -> Iterator[Finding]:
    """What a killed run was about. Of a creation Pulumi does not know how it ended, and the next `up` makes another."""
    for what, urn in owned.pending:
        if what == "creating":
            fix = (
                "look on AWS whether it is there. If it is: docs/how-a-switch-works.md, When Pulumi is killed;"
                " if not: pulumi refresh --clear-pending-creates"
            )
        else:
            fix = "pulumi refresh"
        yield warn("interrupted", f"a run was killed while {what} {urn}", fix)
