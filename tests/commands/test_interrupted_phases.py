"""Ctrl-C on a terminal in every phase of `yard up`, `deploy` and `down` that is not the engine's own: one sentence that
says how to go on, exit code 130, no traceback, nothing stays running. For the engine's: tests/engine/test_ctrl_c.py."""

import signal
import sys
from pathlib import Path

import pytest
import yaml

from tests.program import ROOT, config_for
from tests.terminal import Terminal

HANGS = "it hangs"
BUILD = "a build's command"
ENDS = {
    "up": "Stopped. What was made stays: `",
    "deploy": "Stopped. What was pushed stays",
    "down": "Stopped. What is not removed yet stays: `",
}
CALLS = {"up": ["up"], "deploy": ["deploy", "--stack", "dev"], "down": ["down", "--yes"]}
PHASES = [
    *(("up", each) for each in ("join_swarm", "start_registry", BUILD, "build", "push", "open", "run", "call")),
    *(("deploy", each) for each in ("stack", "find", BUILD, "build", "push", "run", "call")),
    *(("down", each) for each in ("open", "remove_lost", "remove_leftovers", "run", "remove_images", "stop_registry")),
    ("down", "leave_swarm"),
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of its own with an app, whose stacks `local` and `dev` are up."""
    (tmp_path / "Pulumi.yaml").write_text(yaml.safe_dump({"name": "shop", "runtime": "python", "main": str(ROOT)}))
    for folder in ("config", "app", ".state"):
        (tmp_path / folder).mkdir()
    (tmp_path / "app/Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    return tmp_path


def configure(project: Path, run: str) -> None:
    """Both stacks, with a service that is built by a command first."""
    api = {"build": {"context": "app", "run": run}}
    for stack, (registry, runtime) in {"local": ("oci", "swarm"), "dev": ("ecr", "ecs-fargate")}.items():
        config = {key if ":" in key else f"shop:{key}": each for key, each in config_for(registry, runtime).items()}
        document = {"config": {**config, "shop:services": {"api": api}}}
        (project / f"config/Pulumi.{stack}.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")


@pytest.mark.parametrize(("command", "phase"), PHASES, ids=lambda each: each.replace(" ", "-"))
def test_it_ends_at_once_with_a_sentence_and_nothing_stays(project: Path, command: str, phase: str) -> None:
    configure(project, f"echo {HANGS} >/dev/tty; sleep 600" if phase == BUILD else "true")
    driver = [sys.executable, "-c", DRIVER, phase, *CALLS[command]]
    with Terminal(driver, project, {"PYTHONPATH": str(ROOT)}) as terminal:
        terminal.wait_for(HANGS)
        terminal.interrupt()
        assert terminal.end() == 130
    last = terminal.screen.splitlines()[-1]
    assert ENDS[command] in last
    assert " goes on" in last
    assert "Traceback" not in terminal.screen


@pytest.mark.parametrize(("command", "phase"), [("up", "push"), ("deploy", "build"), ("down", "remove_images")])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_end_it_in_the_same_way(project: Path, command: str, phase: str, number: signal.Signals) -> None:
    configure(project, "true")
    driver = [sys.executable, "-c", DRIVER, phase, *CALLS[command]]
    with Terminal(driver, project, {"PYTHONPATH": str(ROOT)}) as terminal:
        terminal.wait_for(HANGS)
        terminal.signal(number)
        assert terminal.end() == 128 + number
    assert ENDS[command] in terminal.screen.splitlines()[-1]
    assert "Traceback" not in terminal.screen


DRIVER = """
import sys, time
from types import SimpleNamespace as Fake
from yard import answers, engine, image, local_proxy, machine, progress
from yard.__main__ import main
from yard.local import Local

phase, *words = sys.argv[1:]

def value(of):
    return Fake(value=of)

def refuse(*_, **__):
    from docker.errors import NotFound
    raise NotFound("there is no such image")

def hangs(*_, **__):
    print("it hangs", flush=True)
    time.sleep(600)

push = "docker tag api r/api:1\\ndocker push r/api:1"
urls = {"url": value({"api": "http://localhost:1"}), "logs": value({}), "push": value({"api": push})}
client = Fake(info=lambda: {"Architecture": "x86_64"}, images=Fake(get_registry_data=refuse))
stack = Fake(up=None, destroy=None, outputs=lambda: urls, workspace=Fake(remove_stack=lambda *_, **__: None))
steps = {
    "find": (machine, lambda host, notes, say: machine.Machine(host, client, notes, say)),
    "join_swarm": (machine, lambda _: None),
    "start_registry": (machine, lambda *_: None),
    "push": (image, lambda *_: "sha256:" + "1" * 64),
    "open": (Local, lambda *_: stack),
    "stack": (engine, lambda *_, **__: stack),
    "run": (progress, lambda *_, **__: Fake(outputs=urls, summary=Fake(resource_changes={}))),
    "remove_lost": (local_proxy, lambda *_: None),
    "remove_leftovers": (machine, lambda *_: None),
    "remove_images": (machine, lambda *_: None),
    "stop_registry": (machine, lambda *_: None),
    "leave_swarm": (machine, lambda *_: None),
}
if phase != "a build's command":
    steps["build"] = (image, lambda source, *_: source)
for name, (owner, instead) in steps.items():
    setattr(owner, name, hangs if name == phase else instead)
if phase == "call":
    answers.ask = hangs
main(words)
"""
