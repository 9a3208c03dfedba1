"""What the pages say to type, of other programs than `yard`: each command and option is one that the program has.

`yard` itself is in test_docs.py. Programs are asked for their help; AWS's command line is held against its models.
"""

import importlib.util
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise, takewhile
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from components import backends
from components.edge import EDGES
from components.orchestrator import ORCHESTRATORS
from components.registry import REGISTRIES
from config.reader import Keys
from tests.commands.test_docs import PAGES
from tests.program import ROOT

Words = Sequence[str]
ELSEWHERE: Mapping[str, str] = {
    "kubectl": "a cluster's own; what pages show of it is run by the live tests or printed for its owner",
    "gh": "GitHub's; it needs an account to say anything",
    "gcloud": "Google's; named as the way to a key, with no option",
    "copilot": "what a reader comes from; it has ended",
    "jq": "a filter of what stands before it, run by tests/engine/test_deploy.py where it matters",
    "curl": "without options, or with the header that tests/engine/test_switch.py sends",
    "pip": "of the reader's environment",
    "uv": "of the reader's environment",
}
"""Programs whose commands are not looked at, and why."""
OF_THE_CLI = {("logs", "tail"), ("eks", "get-token")}
"""What AWS's command line has besides the operations of its models."""
OF_AWS = {"--query", "--output", "--region", "--profile"}
ALIASES = {"pulumi_stack_init": "pulumi_stack_new", "pulumi_config_rm": "pulumi_config_remove"}
"""Names under which the CLI's own documents do not list a command, though it has them."""
OF_THE_READERS = {"quay", "acme", "github"}
"""Configuration keys of the backend that docs/adding-a-backend.md makes, and of a package's."""


def commands(text: str) -> Iterator[tuple[str, Words]]:
    """The programs that a page calls, with their words: on lines of their own, and in the middle of sentences."""
    outside = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    lines = re.findall(r"^ {4}(\S.*)", outside.replace("\\\n", " "), re.MULTILINE)
    for shown in (*lines, *re.findall(r"`([^`\n]+)`", outside)):
        for part in re.split(r" && | \| |; | > ", shown):
            program, *words = split(part) or [""]
            if program in CHECKS or program in ELSEWHERE:
                yield program, words


def split(shown: str) -> list[str]:
    """A command's words; those before an apostrophe where it is a sentence."""
    try:
        return shlex.split(shown, comments=True)
    except ValueError:
        return shown.partition(" #")[0].split()


def options(words: Words) -> list[str]:
    """The options among words, as far as they are the program's own."""
    ours = takewhile(lambda word: word != "--", words)
    return [word.partition("=")[0] for word in ours if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", word)]


def of_make(words: Words) -> Iterator[str]:
    """Targets that the Makefile does not have."""
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named = words[2:] if words[:1] == ["-C"] else words
    yield from (word for word in named if "=" not in word and word not in targets)


@cache
def pulumi_commands(place: Path) -> Mapping[str, str]:
    """What the CLI says of each of its commands."""
    subprocess.run([ROOT / ".tools/bin/pulumi", "gen-markdown", place], check=True, capture_output=True)
    return {file.stem: file.read_text(encoding="utf-8") for file in place.glob("*.md")}


def of_pulumi(words: Words, place: Path) -> Iterator[str]:
    """Commands and options that the CLI does not have, and configuration keys that the program does not."""
    known, name, rest = pulumi_commands(place), "pulumi", list(words)
    while rest and (longer := ALIASES.get(f"{name}_{rest[0]}", f"{name}_{rest[0]}")) in known:
        name, rest = longer, rest[1:]
    if any(each.startswith(f"{name}_") for each in known) and rest and re.match("[a-z]", rest[0]):
        yield rest[0]
    has = set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", known[name].partition("## Options")[2]))
    yield from (each for each in options(rest) if each not in has)
    if name in ("pulumi_config_set", "pulumi_config_remove"):
        yield from no_key(rest)


def no_key(words: Words) -> Iterator[str]:
    """The configuration key, if there is none of that name."""
    values = {"--stack", "--type"}
    plain = [
        word
        for at, word in enumerate(words)
        if not word.startswith("-") and words[at - 1 : at] not in [[each] for each in values]
    ]
    names = {each.alias or name for name, each in Keys.model_fields.items()}
    known = {
        *names,
        *EDGES,
        *REGISTRIES,
        *ORCHESTRATORS,
        *OF_THE_READERS,
        *backends.third_party("switchyard.registries"),
        "...",
    }
    for key in plain[:1]:
        top = re.split(r"[.\[]", key.removeprefix("switchyard:"))[0]
        if top and top not in known and not top.startswith(("aws:", "<")):
            yield key


def of_docker(words: Words) -> Iterator[str]:
    """Commands and options that Docker's command line does not have; a plugin's are not looked at."""
    if not words or words[0] in ("buildx", "compose"):
        return
    command = [*takewhile(lambda word: re.fullmatch("[a-z]+", word), words)][
        : 2 if words[0] in ("node", "service", "swarm") else 1
    ]
    told = said("docker", *command, "--help")
    if "Usage:" not in told:
        yield " ".join(command)
    ours = words[: next((at for at, word in enumerate(words) if at and re.search(r"[/:]", word)), len(words))]
    yield from (each for each in options(ours) if each not in re.findall(r"--?[a-z][\w-]*", told))


def of_git(words: Words) -> Iterator[str]:
    """Commands and options that git does not have."""
    told = said("git", words[0], "-h") if words else "usage:"
    if not told.lstrip().lower().startswith("usage:"):
        yield words[0]
    yield from (each for each in options(words) if each.replace("--no-", "--") not in re.sub(r"\[no-\]", "", told))


def of_aws(words: Words) -> Iterator[str]:
    """Services, operations and options that AWS's command line does not have."""
    if len(words) < 2 or tuple(words[:2]) in OF_THE_CLI:
        return
    session = botocore.session.get_session()
    service, operation = words[0].replace("s3api", "s3"), words[1]
    if operation == "wait":
        waiters = session.get_waiter_model(service)
        operations = {xform_name(each, "-"): waiters.get_waiter(each).operation for each in waiters.waiter_names}
        operation = xform_name(operations.get(words[2], "none"), "-")
    model = session.get_service_model(service)
    known = {xform_name(each, "-"): each for each in model.operation_names}
    if operation not in known:
        yield operation
        return
    shape = model.operation_model(known[operation]).input_shape
    has = {f"--{xform_name(each, '-')}" for each in (shape.members if shape else ())} | OF_AWS
    yield from (each for each in options(words) if each not in has)


def of_python(words: Words) -> Iterator[str]:
    """Modules that are not here."""
    yield from (each for before, each in pairwise(words) if before == "-m" and not importlib.util.find_spec(each))


@cache
def said(*words: str) -> str:
    """What a program prints for its help."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


CHECKS: Mapping[str, Callable[..., Iterator[str]]] = {
    "make": of_make,
    "pulumi": of_pulumi,
    "docker": of_docker,
    "git": of_git,
    "aws": of_aws,
    "python": of_python,
    ".venv/bin/python": of_python,
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the CLI's own documents go."""
    return tmp_path_factory.mktemp("pulumi")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_is_one_that_the_program_has(page: Path, place: Path) -> None:
    called = [*commands(page.read_text(encoding="utf-8"))]
    wrong = {
        shlex.join([program, *words]): found
        for program, words in called
        if program in CHECKS and (program != "docker" or shutil.which("docker"))
        if (found := [*CHECKS[program](*((words, place) if program == "pulumi" else (words,)))])
    }
    assert not wrong


@pytest.mark.parametrize(
    ("shown", "wrong"),
    [
        ("make nothing", ["nothing"]),
        ("pulumi upp", ["upp"]),
        ("pulumi up --refesh", ["--refesh"]),
        ("pulumi stack exprt", ["exprt"]),
        ("pulumi config rm --path traffic.eks", []),
        ("pulumi config set --path services.api.cpu 1", []),
        ("pulumi config set --path servces.api.cpu 1", ["servces.api.cpu"]),
        ("git commit --massage x", ["--massage"]),
        ("aws eks delete-cluster --nam x", ["--nam"]),
        ("aws eks wait cluster-deleted --name x", []),
        ("aws eks no-such", ["no-such"]),
        ("python -m tools.nothing", ["tools.nothing"]),
    ],
)
def test_what_a_program_does_not_have_is_seen(shown: str, wrong: Words, place: Path) -> None:
    ((program, words),) = commands(f"    {shown}\n")
    assert [*CHECKS[program](*((words, place) if program == "pulumi" else (words,)))] == wrong


def test_no_reason_stands_for_a_program_that_no_page_shows() -> None:
    shown = {program for page in PAGES for program, _ in commands(page.read_text(encoding="utf-8"))}
    assert shown >= {*ELSEWHERE}
