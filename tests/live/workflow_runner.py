"""Runs a workflow's jobs on this machine: each `run:` for real and in order, each `uses:` by a stand-in of a test's."""

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

EXPRESSION = re.compile(r"\$\{\{ (.+?) \}\}")
Outputs = dict[str, str]
StandIn = Callable[[Mapping[str, str]], Outputs]
"""What takes the place of a step: its inputs -> its outputs."""


@dataclass
class Runner:
    """A runner in a folder, which is checked out already."""

    folder: Path
    scratch: Path
    stand_ins: Mapping[str, StandIn]
    """By the name of an action without its version, or of a step that runs a command."""
    contexts: Mapping[str, Mapping[str, str]]
    """`vars`, `secrets`, `github`: name -> value."""
    env: Mapping[str, str]
    replaced: list[str] = field(default_factory=list)
    """The stand-ins that were called, in order."""
    skipped: list[str] = field(default_factory=list)
    """Steps whose condition did not hold."""

    def run(self, file: Path) -> dict[str, Outputs]:
        """Every job of a workflow, whose order is that in which they need one another; the outputs of each."""
        document = yaml.load(file.read_text(encoding="utf-8"), yaml.BaseLoader)
        needs: dict[str, Outputs] = {}
        for name, job in document["jobs"].items():
            assert job.get("needs", name) in {name, *needs}
            needs[name] = self._job(job, needs)
        return needs

    @property
    def summary(self) -> str:
        """What the steps wrote for whoever looks at the run."""
        return (self.scratch / "summary").read_text(encoding="utf-8")

    def _job(self, job: Mapping[str, Any], needs: Mapping[str, Outputs]) -> Outputs:
        steps: dict[str, Outputs] = {}

        def text(value: str) -> str:
            return EXPRESSION.sub(lambda found: self._value(found[1], steps, needs), value)

        for step in job["steps"]:
            if "if" in step and not self._holds(step["if"], steps, needs):
                self.skipped.append(step["name"])
                steps[step.get("id", "")] = {}
                continue
            name = step.get("uses", step["name"]).partition("@")[0]
            if "uses" in step or name in self.stand_ins:
                self.replaced.append(name)
                outputs = self.stand_ins[name]({key: text(each) for key, each in step.get("with", {}).items()})
            else:
                env = {key: text(each) for key, each in {**job.get("env", {}), **step.get("env", {})}.items()}
                outputs = self._command(step["run"], env)
            steps[step.get("id", "")] = outputs
        return {key: text(each) for key, each in job.get("outputs", {}).items()}

    def _command(self, run: str, env: Mapping[str, str]) -> Outputs:
        """In the shell that the workflow names, as GitHub calls it ("Workflow syntax", `shell`)."""
        told = self.scratch / "output"
        told.write_text("", encoding="utf-8")
        files = {"GITHUB_OUTPUT": str(told), "GITHUB_STEP_SUMMARY": str(self.scratch / "summary")}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", run],
            cwd=self.folder,
            env={**self.env, **files, "RUNNER_TEMP": str(self.scratch), **env},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"{run}\n{done.stdout}{done.stderr}"
        return outputs_of(told.read_text(encoding="utf-8"))

    def _value(self, expression: str, steps: Mapping[str, Outputs], needs: Mapping[str, Outputs]) -> str:
        """What one of the expressions that our workflows have is; what is not there is empty, as on GitHub."""
        for each in expression.split(" || "):
            where, *rest = each.split(".")
            if where in ("steps", "needs"):
                (name, _, key) = rest
                found = (steps if where == "steps" else needs)[name].get(key, "")
            else:
                found = self.contexts[where].get(".".join(rest), "") if rest else where
            if found:
                return found
        return ""

    def _holds(self, condition: str, steps: Mapping[str, Outputs], needs: Mapping[str, Outputs]) -> bool:
        value, _, wanted = condition.partition(" == ")
        return self._value(value, steps, needs) == wanted.strip("'")


def outputs_of(text: str) -> Outputs:
    """What a step wrote into the file of its outputs: `name=value`, or lines between `name<<END` and END."""
    found, lines = {}, iter(text.splitlines())
    for line in lines:
        name, separator, end = line.partition("<<") if re.match(r"[\w-]+<<", line) else line.partition("=")
        found[name] = "\n".join(_until(lines, end)) if separator == "<<" else end
    return found


def _until(lines: Any, end: str) -> Any:
    for line in lines:
        if line == end:
            return
        yield line
