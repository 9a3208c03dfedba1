"""`yard state`: where a team keeps the state of its stacks, and how a stack's gets there."""

import json
from collections.abc import Iterator

import click

from components.naming import label
from components.regions import regions
from components.shell import command
from config.stack_file import StackFile
from yard import exits, here, interrupts, suggest, terminal
from yard.checks.project import backend
from yard.choice import LOCAL, stack_option
from yard.groups import Group
from yard.local import in_words
from yard.machine import Misconfigured
from yard.region import Region
from yard.sharing.account import Account, Found
from yard.sharing.moving import Move, secrets_in
from yard.sharing.parts import Home

ROOT = here.ROOT


@click.group("state", cls=Group)
def state_() -> None:
    """Keep the state of stacks where a team reaches it."""


@state_.command()
@click.option("--bucket", metavar="NAME", help="The bucket; default: <project>-state-<account>.")
@click.option("--key", metavar="NAME", help="The key's alias, without alias/; default: <project>-state.")
@click.option("--region", type=Region(), help="Of AWS; default: the stack's.")
@click.option("--profile", help="Of the AWS CLI; default: the stack's.")
@stack_option("The stack whose region and profile are taken.")
@click.option(
    "--print", "printing", is_flag=True, help="Make nothing: print the AWS CLI's commands for what is missing."
)
@click.option("--json", "as_json", is_flag=True, help="Print what is there and what was made as JSON.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def init(
    bucket: str | None,
    key: str | None,
    region: str | None,
    profile: str | None,
    stack: str,
    printing: bool,
    as_json: bool,
    yes: bool,
) -> None:
    """Make an S3 bucket for state and a KMS key for its secrets, as far as they are not there.

    The bucket keeps versions, is private, encrypted with the key, and takes TLS only; the key gets new material every
    year. What is there already is left, and said. Then it says how to use both.
    """
    file = StackFile(ROOT, stack)
    region = _region(region, file)
    profile = profile or file.values.get("aws:profile")
    project = label(str(file.project["name"]))
    account = Account.of(region, profile)
    home = account.home(bucket, f"alias/{(key or f'{project}-state').removeprefix('alias/')}", project)
    found = account.look(home)
    if printing:
        options = ("--region", region, *(("--profile", profile) if profile else ()))
        click.echo("\n".join(_commands(home, found, options)) or "nothing is missing")
        return
    if found.to_do:
        for row in found.rows:
            click.echo(f"{row.says}: {'to be made' if row.to_do else 'there'}", err=True)
        exits.confirm(f"Make this in account {home.account}, {region}?", yes=yes)
        with interrupts.explained(lambda: "What was made stays. The same command goes on."):
            account.make(home, found)
    _tell(home, found, stack, as_json)


def _commands(home: Home, found: Found, options: tuple[str, ...]) -> Iterator[str]:
    """What is missing, for a shell."""
    for request in found.to_do:
        if request == home.make_key:
            made = request.as_command(*options, "--query", "KeyMetadata.Arn", "--output", "text")
            yield f"key=$({made})"
        else:
            yield (request.with_key(found.key) if found.key else request).as_command(*options)


def _region(given: str | None, file: StackFile) -> str:
    region = given or file.values.get("aws:region")
    if not region:
        raise exits.Misused(f"stack {file.stack} has no aws:region: give --region, such as --region eu-central-1")
    if region not in regions():
        raise exits.Misused(
            f"aws:region of stack {file.stack} is {region!r}; want a region that AWS has, such as eu-central-1"
        )
    return str(region)


def _tell(home: Home, found: Found, stack: str, as_json: bool) -> None:
    parts = [{"what": row.says.strip(), "made": bool(row.to_do)} for row in found.rows]
    outcome = {
        "account": home.account,
        "region": home.region,
        "bucket": home.bucket,
        "key": home.alias,
        "backend": home.backend,
        "secrets_provider": home.secrets_provider,
        "parts": parts,
    }
    if as_json:
        click.echo(json.dumps(outcome, indent=2))
        return
    for row in found.rows:
        click.echo(f"{row.says}: {'made' if row.to_do else 'there'}")
    by = ("--secrets-provider", home.secrets_provider)
    terminal.say("\nNext, for a stack that is up, from where you are logged in now:")
    click.echo(f"  {suggest.yard('state', 'move', '--stack', stack, '--to', home.backend, *by)}")
    click.echo("Then, wherever stacks are brought up from:")
    click.echo(f"  {command('pulumi', 'login', home.backend)}")
    click.echo("And for a stack that is new:")
    click.echo(f"  {command('pulumi', 'stack', 'init', stack, *by)}")


@state_.command()
@stack_option("The stack.")
@click.option("--to", "target", metavar="URL", required=True, help="The backend, as `pulumi login` has it.")
@click.option(
    "--secrets-provider",
    "provider",
    metavar="URL",
    required=True,
    help="What encrypts the stack's secrets there, as `pulumi stack init` has it; `passphrase`: the one of today.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def move(stack: str, target: str, provider: str, as_json: bool, yes: bool) -> None:
    """Move the state of STACK from where you are logged in to the backend at URL, with its secrets encrypted anew.

    Resources, outputs, secrets and the record of releases are compared afterwards, in both. What was there before stays
    until you remove it, and so does what `pulumi stack history` lists. Nobody may bring the stack up meanwhile.
    """
    with in_words(stack):
        source = backend(StackFile(ROOT, stack))
        if stack == LOCAL:
            raise Misconfigured(f"the state of stack {LOCAL} is this machine's: it is in .state/ and stays there")
        if source is None:
            raise Misconfigured("nobody is logged in to Pulumi: `pulumi login` to where the state is, first")
        moving = Move(ROOT, stack, source, target, provider)
        before = moving.check()
        count = len(before.resources)
        exits.confirm(f"Move the state of stack {stack}, {count} resources, from {source} to {target}?", yes=yes)
        with interrupts.explained(lambda: moving.stopped):
            moving.run(before)
    secrets = secrets_in(before.resources)
    outcome = {"stack": stack, "from": source, "to": target, "resources": count, "secrets": secrets}
    if as_json:
        click.echo(json.dumps(outcome, indent=2))
        return
    terminal.say(
        f"the state of stack {stack} is at {target}: {count} resources, {secrets} secrets in it, the same as before"
    )
    terminal.say(f"config/Pulumi.{stack}.yaml has its secrets encrypted by {provider}: commit it. Next:")
    click.echo(f"  {command('pulumi', 'login', target)}")
    click.echo(f"  {command('pulumi', 'preview', '--stack', stack)}")
    terminal.say("Once that shows no changes, what was left is removed, and nothing that runs is touched:")
    click.echo(f"  {moving.remove_source}")
