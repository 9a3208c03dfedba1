"""`yard ci init`: the workflows of this project, in `.github/`."""

import json
from collections.abc import Mapping, Sequence

import click

from components.shell import command
from yard import exits, here, suggest, terminal
from yard.choice import stack_option
from yard.ci import written
from yard.ci.subject import Subject
from yard.ci.written import Written

ROOT = here.ROOT
SAID = {"new": "wrote", "old": "renewed", "changed": "wrote anew", "same": "as it should be:"}


@click.command()
@stack_option("The stack that a push to the branch deploys.")
@click.option("--force", is_flag=True, help="Take back what people changed in these files.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON, and nothing else.")
def init(stack: str, force: bool, as_json: bool) -> None:
    """Write workflows of GitHub Actions for STACK: check.yml, deploy.yml, switch.yml, and a file for Dependabot.

    Again: only what the configuration has changed since. A file that a person has changed is taken back only if they
    say so. Nothing is asked of GitHub or of a cloud: `yard ci check` says what they lack.
    """
    subject = Subject.of(ROOT, stack)
    found = written.all_of(subject)
    if changed := [each for each in found if each.state == "changed"]:
        names = ", ".join(str(each.path) for each in changed)
        verb = "is" if len(changed) == 1 else "are"
        exits.confirm(f"{names} {verb} not as yard wrote it. Write it anew?", yes=force, option="--force")
    for each in found:
        each.write(subject.top)
    if as_json:
        click.echo(json.dumps(_document(subject, found), indent=2))
    else:
        _tell(subject, found)


def _document(subject: Subject, found: Sequence[Written]) -> Mapping[str, object]:
    return {
        "stack": subject.stack,
        "files": {str(each.path): each.state for each in found},
        "settings": [{"name": each.name, "secret": each.secret, "what": each.what} for each in subject.needed.settings],
        "lacks": list(subject.needed.lacks),
    }


def _tell(subject: Subject, found: Sequence[Written]) -> None:
    for each in found:
        click.echo(f"{SAID[each.state]} {each.path}")
    for why in subject.needed.lacks:
        terminal.say(f"\nA runner of GitHub's cannot deploy it yet: {why}.")
    click.echo("\nNext:")
    git = command("git", "-C", str(subject.top), "add", ".github")
    terminal.listed(
        {
            suggest.yard("ci", "check", "--stack", subject.stack): "what GitHub and the stack still lack for them",
            git: f"then commit and push: from then on a push to {subject.branch} deploys",
        }
    )
