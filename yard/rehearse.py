"""`yard rehearse`: what a stack makes, moves and deletes, in what order and how long it should take."""

import json
import mimetypes
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import click

from config.stack_file import NoStack
from rehearsal.traffic.callers import Request
from yard import exits, here, interrupts, names
from yard.carrying import LONGEST, Load
from yard.choice import stack_option
from yard.rehearsing import Listener, Report
from yard.rehearsing import rehearse as run
from yard.story.screen import Screen

ROOT = here.ROOT
PATH = re.compile(r"/[\w.~!$&'()*+,;=:@%/?-]*", re.ASCII)
"""A path and its query as they are in a request (RFC 3986)."""
JSON, FORM, BINARY = "application/json", "application/x-www-form-urlencoded", "application/octet-stream"
"""Media types of what is sent."""


@click.command()
@stack_option("The stack, by its config file config/Pulumi.<stack>.yaml.")
@click.option(
    "--to",
    metavar="ORCHESTRATOR",
    shell_complete=names.orchestrators,
    help="Switch to this one; default: the other one on AWS.",
)
@click.option("--verbose", "-v", is_flag=True, help="Print every operation as it ends.")
@click.option("--html", "page", metavar="FILE", type=click.Path(dir_okay=False), help="Write a page with the picture.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@click.option(
    "--speed", default=200.0, show_default=True, type=click.FloatRange(min=1), help="Rehearsal seconds a second."
)
@click.option("--load", "carries", is_flag=True, help="Let real requests flow through the switch, and count them.")
@click.option(
    "--rate",
    default=100,
    show_default=True,
    type=click.IntRange(2, 5000),
    help="With --load: requests a second, half of them on connections that are kept.",
)
@click.option(
    "--requests",
    default=0,
    type=click.IntRange(0, 2_000_000),
    help="With --load: at least so many in each switch; else as many as it is long.",
)
@click.option(
    "--bake",
    default=0.0,
    metavar="SECONDS",
    type=click.FloatRange(min=0, max=LONGEST),
    help="With --load: switch in the steps of `yard switch`, each watched so long by its guard; else in one `up`.",
)
@click.option("--path", "paths", multiple=True, metavar="PATH", help="With --load: call this too; may be repeated.")
@click.option(
    "--post",
    "posts",
    nargs=2,
    multiple=True,
    metavar="PATH BODY",
    help="With --load: send this there by POST; @FILE is what is in a file. May be repeated.",
)
@click.option(
    "--expect",
    "expects",
    nargs=2,
    multiple=True,
    metavar="PATH TEXT",
    help="With --load: call this, and each answer must have TEXT in its first 4,096 bytes. May be repeated.",
)
@click.option(
    "--websocket",
    "websockets",
    multiple=True,
    metavar="PATH",
    help="With --load: keep WebSockets to this open. May be repeated.",
)
@click.option(
    "--run",
    "runs",
    multiple=True,
    metavar="SERVICE=COMMAND",
    help="With --load: what is a replica of a service here, and listens on $PORT; else the example. May be repeated.",
)
@click.option(
    "--image",
    "images",
    multiple=True,
    metavar="SERVICE=IMAGE",
    help="With --load: run an image that is on this machine's Docker engine. May be repeated.",
)
def rehearse(
    stack: str, to: str | None, verbose: bool, page: str | None, as_json: bool, speed: float, **of_load: Any
) -> None:
    """Run STACK through the real engine over a pretend cloud: up, again, switch, back, destroy.

    Needs no account and touches neither the stack's state nor its config. Exit 1 when something is refused, or
    when a promise does not hold; 2 when the configuration keeps the stack from being rehearsed. With --load a request
    that is lost is such a promise.
    """
    load = _load(**of_load)
    with interrupts.explained(lambda: "A rehearsal leaves nothing behind; call it again to start anew."):
        try:
            report = _as_json(stack, to, speed, load) if as_json else _told(stack, to, speed, verbose, load)
        except NoStack as error:
            raise exits.Misused(str(error)) from error
    if page and report.begun:
        _write(page, stack, report)
    if not report.ok:
        raise SystemExit(1 if report.begun else exits.Misused.exit_code)


Texts = tuple[str, ...]
Pairs = tuple[tuple[str, str], ...]


def _load(carries: bool, **of_load: Any) -> Load | None:
    """What is to be carried, by the call; raises `UsageError` for what makes no sense."""
    if carries:
        return _carried(**of_load)
    here = click.get_current_context()
    for each in here.command.params:
        name = str(each.name)
        if name in of_load and here.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{each.opts[0]} is about the requests of --load: give that too")
    return None


def _carried(rate: int, requests: int, bake: float, runs: Texts, images: Texts, **of_calls: Any) -> Load:
    if requests > rate * LONGEST:
        least = -(-requests // LONGEST)
        raise click.UsageError(f"{requests} requests at {rate} a second take too long: use --rate {least} or more")
    return Load(rate, requests, dict(map(_run, runs)), dict(map(_image, images)), bake=bake, **_calls(**of_calls))


def _calls(paths: Texts, posts: Pairs, expects: Pairs, websockets: Texts) -> dict[str, Any]:
    """What is called, and what it is answered."""
    for option, each in [
        *(("--path", path) for path in paths),
        *(("--post", path) for path, _ in posts),
        *(("--expect", path) for path, _ in expects),
        *(("--websocket", path) for path in websockets),
    ]:
        if not PATH.fullmatch(each):
            raise click.UsageError(f"{option} {each}: want a path that begins with /, as in a URL: /orders?of=a%20b")
    sent = [_post(path, body) for path, body in posts]
    told = {path: tuple(text for of, text in expects if of == path) for path, _ in expects}
    asked = dict.fromkeys([*paths, *(path for path in told if path not in {each.path for each in sent})])
    return {"calls": [*map(Request, asked), *sent], "expects": told, "websockets": tuple(dict.fromkeys(websockets))}


def _post(path: str, body: str) -> Request:
    """What is sent; of which media type, its file's name says or itself."""
    if not body.startswith("@"):
        return Request(path, body=body.encode(), kind=JSON if _is_json(body) else FORM)
    try:
        content = Path(body[1:]).read_bytes()
    except OSError as error:
        raise click.UsageError(f"--post {path} {body}: {body[1:]} cannot be read: {error.strerror}") from error
    return Request(path, body=content, kind=mimetypes.guess_type(body)[0] or BINARY)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _image(text: str) -> tuple[str, str]:
    service, _, image = text.partition("=")
    if not (service and image):
        raise click.UsageError(f"--image {text}: want SERVICE=IMAGE, such as --image api=acme/api:latest")
    return service, image


def _run(text: str) -> tuple[str, list[str]]:
    service, _, line = text.partition("=")
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise click.UsageError(f"--run {text}: {error}") from error
    if not (service and words and shutil.which(words[0])):
        missing = (
            f"there is no program {words[0]} here; want one that is" if service and words else "want SERVICE=COMMAND"
        )
        raise click.UsageError(f"--run {text}: {missing}, such as --run api='node server.js'")
    return service, words


def _told(stack: str, to: str | None, speed: float, verbose: bool, load: Load | None) -> Report:
    screen = Screen(verbose)
    with screen:
        report = run(ROOT, stack, to, speed, screen.listener(), load)
    if not report.begun:
        raise exits.Misused(report.reason)
    screen.end(report)
    return report


def _as_json(stack: str, to: str | None, speed: float, load: Load | None) -> Report:
    try:
        report = run(ROOT, stack, to, speed, Listener(), load)
    except KeyboardInterrupt:
        click.echo(json.dumps(Report(reason="interrupted").json(), indent=2))
        raise
    click.echo(json.dumps(report.json(), indent=2))
    return report


def _write(file: str, stack: str, report: Report) -> None:
    from yard.story import page

    try:
        Path(file).write_text(page.html(stack, report), encoding="utf-8")
    except OSError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"wrote {file}", err=True)
