"""`yard init`: a project of four files, for an app in a repository of its own."""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import pulumi

from components import orchestrator, registry
from components.regions import regions
from components.shell import command
from config.load import of_file
from config.place import HOME
from config.problems import BadConfig, nearest
from config.stack_file import StackFile
from yard import files, git, names, suggest, terminal
from yard.starting import program
from yard.starting.files import FILES, IGNORED, NOT_SENT, PROGRAM, Answers, with_lines
from yard.starting.services import BadService, Begun, found, told

NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
COMPOSE = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")


@click.command()
@click.argument("folder", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--name", help="The project's name; default: the folder's.")
@click.option("--region", help="Of AWS, for stack dev; default: us-east-1.")
@click.option(
    "--registry",
    "kept_in",
    metavar="REGISTRY",
    shell_complete=names.registries,
    help=f"For stack dev; default: {registry.DEFAULT}.",
)
@click.option(
    "--orchestrator",
    "run_on",
    metavar="ORCHESTRATOR",
    shell_complete=names.orchestrators,
    help=f"For stack dev; default: {orchestrator.DEFAULT}.",
)
@click.option(
    "--service",
    "services",
    multiple=True,
    metavar="NAME=FOLDER[:PORT]",
    help="A service and the folder of its Dockerfile; default: each Dockerfile that is found.",
)
@click.option("--from", "source", metavar="PATH_OR_URL", help="The program's repository; default: this program's.")
@click.option("--version", help="The program's version, a tag or a commit; default: this one.")
@click.option("--copy", is_flag=True, help="Copy the program in, also where it could be a git submodule.")
@click.option("--yes", is_flag=True, help="Ask nothing: take options and defaults.")
def init(
    folder: Path,
    name: str | None,
    region: str | None,
    kept_in: str | None,
    run_on: str | None,
    services: Sequence[str],
    source: str | None,
    version: str | None,
    copy: bool,
    yes: bool,
) -> None:
    """Make a project in FOLDER, empty or a repository: Pulumi.yaml, two stacks, and the program at a version.

    Nothing that is there is overwritten. The program is the folder switchyard/, which nobody edits: a git submodule in
    a repository, else a copy.
    """
    questions = Questions(not yes and sys.stdin.isatty())
    root = folder.resolve()
    name = questions.ask("Name of the project", name, _plain(root.name))
    region = questions.ask("Region of AWS for stack dev", region, "us-east-1")
    kept_in = questions.ask("Registry", kept_in, registry.DEFAULT)
    run_on = questions.ask("Orchestrator", run_on, orchestrator.DEFAULT)
    begun, problems = _services(services, root, name)
    answers = Answers(name, region, kept_in, run_on, begun)
    if problems := [*_refusals(root, answers), *problems]:
        raise click.ClickException("\n".join(["nothing was made:", *[f"  {each}" for each in problems]]))
    make(
        root,
        answers,
        program.wanted(source, version),
        as_copy=copy or not git.ask(_there(root), "rev-parse", "--show-toplevel"),
    )
    tell(root, answers)


@dataclass(frozen=True)
class Questions:
    """Asks where someone can answer."""

    asking: bool

    def ask(self, what: str, given: str | None, default: str) -> str:
        """The answer: given as an option already, or typed, or the default."""
        if given is not None or not self.asking:
            return default if given is None else given
        return str(click.prompt(what, default=default, err=True))


def _plain(name: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].rstrip("-")
    return plain if plain[:1].isalpha() else f"app-{plain}".rstrip("-")


def _services(given: Sequence[str], root: Path, name: str) -> tuple[Sequence[Begun], list[str]]:
    """The services, and what is wrong with those that were told."""
    services, problems = [], []
    for text in given:
        try:
            services.append(told(text, root))
        except BadService as error:
            problems.append(str(error))
    if not given:
        services = [*found(root, name)] or [Begun("api", "api")]
    names = [each.name for each in services]
    problems += [
        f"--service {each} is there twice: name each once" for each in sorted({*names}) if names.count(each) > 1
    ]
    return services, problems


def _refusals(root: Path, answers: Answers) -> Iterator[str]:
    """Everything that keeps the project from being made."""
    if root == HOME or HOME in root.parents:
        way = suggest.yard("init", "../shop")
        yield f"{root} is in Switchyard's own checkout: name a folder of your own, such as `{way}`"
        return
    for path in (*FILES, PROGRAM):
        if (root / path).exists():
            yield f"{root / path} is there already: take it away, or name another folder"
    if not NAME.fullmatch(answers.name):
        yield f"--name is {answers.name!r}; want lower-case letters, digits and dashes, a letter first, at most 40"
    if answers.region not in regions():
        yield f"--region is {answers.region!r}; want a region that AWS has, such as eu-central-1"
    for option, value, known in (
        ("registry", answers.registry, registry.names()),
        ("orchestrator", answers.orchestrator, orchestrator.names()),
    ):
        if value not in known:
            yield f"--{option} is {value!r}; want one of {', '.join(known)}{nearest(value, known)}"


def _there(root: Path) -> Path:
    """The nearest folder that exists."""
    return next(each for each in (root, *root.parents) if each.is_dir())


def make(root: Path, answers: Answers, version: program.Version, *, as_copy: bool) -> None:
    """The program first, which may fail for want of a network; then the files; then the program's environment."""
    root.mkdir(parents=True, exist_ok=True)
    pinned = program.place(root, version, as_copy=as_copy)
    click.echo(f"{PROGRAM}/ is the program, version {pinned}: a {'copy' if as_copy else 'git submodule'}")
    for path, text in answers.files.items():
        (root / path).parent.mkdir(exist_ok=True)
        files.write(root / path, text)
        click.echo(f"wrote {path}")
    lists = {".gitignore": IGNORED, **({".dockerignore": NOT_SENT} if answers.builds_all else {})}
    for path, lines in lists.items():
        before = (root / path).read_text(encoding="utf-8") if (root / path).is_file() else ""
        if (after := with_lines(before, lines)) != before:
            files.write(root / path, after)
            click.echo(f"wrote {path}" if not before else f"added what was missing to {path}")
    click.echo(f"making the program's environment, {PROGRAM}/.venv")
    program.equip(root / PROGRAM)


def tell(root: Path, answers: Answers) -> None:
    """What to do next."""
    for note in _notes(root, answers):
        terminal.say(f"\n{note}")
    click.echo("\nNext:")
    if root != Path.cwd():
        click.echo(f"  {command('cd', str(root))}")
    terminal.listed({_yard(*words.split()): what for words, what in FOLLOWING.items()})


FOLLOWING = {
    "up": "build the services, run them on this machine's Docker, call them",
    "compare": "what stack dev would cost with each registry and orchestrator",
    "rehearse": "stack dev on AWS, without an account",
    "doctor --stack dev": "what this machine and the account lack for it",
}


def _yard(*words: str) -> str:
    """A command of the project's own yard, for someone in its folder."""
    name = suggest.name()
    return command(name if name == "yard" else f"{PROGRAM}/.venv/bin/yard", *words)


def _notes(root: Path, answers: Answers) -> Iterator[str]:
    for each in answers.services:
        if not (root / each.folder / "Dockerfile").is_file():
            yield f"{each.name} needs a Dockerfile in {each.folder}/, whose process listens on port {each.port}."
        if each.exposed is not None:
            yield (
                f"{each.name}: its Dockerfile exposes port {each.exposed}, and nobody is root here: let the process"
                f" listen on {each.port}, which it also finds in PORT."
            )
    for path in COMPOSE:
        if (root / path).is_file():
            yield f"There is a {path}: `{_yard('import', path)}` writes its services into the stacks."
    for problem in _missing(root):
        yield f"config/Pulumi.dev.yaml needs what only you know: {problem}"


def _missing(root: Path) -> Iterator[str]:
    """What the configuration of stack dev still lacks, such as the account of a registry."""
    try:
        of_file(StackFile(root, "dev"))
    except BadConfig as error:
        yield from (f"{each.says}\n  {each.remedy}" for each in error.problems)
    except pulumi.RunError as error:
        yield str(error)
