"""The workflows, as data. What they do is commands that a person can run too; GitHub's part is logins and builds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components import orchestrator
from components.build import PLATFORMS
from components.shell import Shell, command
from components.workflow import BUILD, BUILDX, CHECKOUT, QEMU, Step
from config.settings import Settings
from yard.ci.render import step
from yard.ci.subject import PREFIX, Subject

RUNNER = "ubuntu-24.04"
RUNNER_PLATFORM = PLATFORMS["x86_64"]
STACK = Shell('"$STACK"')
Job = dict[str, Any]


def workflow(
    subject: Subject, name: str, on: Mapping[str, Any], concurrency: Mapping[str, Any], jobs: Mapping[str, Job]
) -> dict[str, Any]:
    """A workflow whose jobs are allowed nothing but what each says."""
    run = {"shell": "bash"} | ({"working-directory": subject.folder} if subject.folder != "." else {})
    return {
        "name": name,
        "on": dict(on),
        "permissions": {},
        "concurrency": dict(concurrency),
        "defaults": {"run": run},
        "jobs": dict(jobs),
    }


def job(name: str, permissions: Sequence[str], steps: Sequence[Step], minutes: int, **more: Any) -> Job:
    """A job; `permissions` beside that to check out, to write each."""
    return {
        "name": name,
        **{key: value for key, value in more.items() if key in ("needs", "if", "environment")},
        "runs-on": RUNNER,
        "timeout-minutes": minutes,
        "permissions": {"contents": "read", **dict.fromkeys(permissions, "write")},
        **{key: value for key, value in more.items() if key in ("outputs", "env")},
        "steps": [step(each) for each in steps],
    }


def alone(subject: Subject) -> Mapping[str, Any]:
    """One run on a stack at a time: a second would not wait for the state's lock, but fail."""
    return {"group": f"switchyard-{subject.project}-{subject.stack}", "cancel-in-progress": False}


def yard(subject: Subject, *words: str) -> str:
    """A command of the project's own yard."""
    return command(Shell(f"{_below(subject, '.venv/bin/yard')}"), *words)


def _below(subject: Subject, path: str) -> str:
    return path if subject.program == "." else f"{subject.program}/{path}"


def begin(subject: Subject, **inputs: str) -> Iterator[Step]:
    """The checkout, and the program's environment."""
    yield check_out(**inputs, **({"submodules": "true"} if subject.has_submodule else {}))
    make = ("make", "env") if subject.program == "." else ("make", "-C", subject.program, "env")
    yield Step("Set up yard", run=command(*make))


def check_out(**inputs: str) -> Step:
    """Leaves no token behind."""
    return Step("Check out", CHECKOUT, {"persist-credentials": "false", **inputs})


NEWEST = {"ref": "${{ github.ref_name }}"}
"""What the branch has by now. A run may have waited for another on the stack, such as a switch, which pushes what it
wrote into the stack's file: with the file of before, an `up` would take that back."""


# --- deploy.yml ---------------------------------------------------------------------------------------------------


def deploy(subject: Subject) -> dict[str, Any]:
    """A push to the branch: build, push, deploy, call."""
    on = {"push": {"branches": [subject.branch]}, "workflow_dispatch": {}}
    return workflow(subject, "deploy", on, alone(subject), {"build": _build(subject), "deploy": _deploy(subject)})


def _environment(subject: Subject) -> dict[str, Any]:
    return {"environment": subject.environment} if subject.environment else {}


def _build(subject: Subject) -> Job:
    access = subject.push.access
    outputs = {
        name: f"${{{{ steps.image-{name}.outputs.digest || steps.build-{name}.outputs.digest }}}}"
        for name in subject.built
    }
    if subject.cached:
        outputs |= {_address(name): f"${{{{ steps.image-{name}.outputs.image }}}}" for name in subject.built}
    # A tag names the commit that last changed the service's folder, which only the whole history tells.
    steps = [*begin(subject, **{"fetch-depth": "0"}), *reading(subject.settings), *access.steps, *_builders(subject)]
    steps += [each for name in subject.built for each in _image(subject, name)]
    env = {"STACK": subject.stack}
    # In no environment: whoever has to agree to what is deployed is asked once, and sees that it builds.
    return job("Build and push", access.permissions, steps, 60, outputs=outputs, env=env)


def reading(settings: Settings | None) -> Iterator[Step]:
    """What it takes to read a configuration without a login; nothing where it cannot be read here either."""
    for each in settings.orchestrators.values() if settings else ():
        yield from each.workflow_reading()


def _builders(subject: Subject) -> Iterator[Step]:
    """BuildKit; with QEMU where an image is for another CPU than the runner's. Neither comes from a cache."""
    platforms = {PLATFORMS[each.architecture] for each in subject.built.values()}
    platforms |= {platform for each in subject.built.values() if each.build for platform in each.build.platforms}
    if others := sorted(platforms - {RUNNER_PLATFORM}):
        yield Step("Emulate other CPUs", QEMU, {"platforms": ",".join(others), "cache-image": "false"})
    yield Step("Set up BuildKit", BUILDX, {"cache-binary": "false"})


def _image(subject: Subject, name: str) -> Iterator[Step]:
    """One service: what to build, and the build, unless the registry has that very version."""
    told = f"steps.image-{name}.outputs"
    run = f'{yard(subject, "ci", "image", name, "--stack", STACK)} >> "$GITHUB_OUTPUT"'
    prefix = subject.push.prefix
    env = {PREFIX: prefix} if "${{" in prefix else {}  # else the configuration tells
    yield Step(f"Look what {name} is built from", run=run, id=f"image-{name}", env=env)
    labels = {"source": "${{ github.server_url }}/${{ github.repository }}", "revision": "${{ github.sha }}"}
    inputs = {
        **{key: f"${{{{ {told}.{key} }}}}" for key in ("context", "file", "target", "platforms", "build-args")},
        "tags": f"${{{{ {told}.image }}}}",
        "labels": "\n".join(f"org.opencontainers.image.{key}={value}" for key, value in labels.items()),
        "push": "true",
        "provenance": "mode=max",
        "sbom": "true",
    }
    yield Step(f"Build and push {name}", BUILD, inputs, id=f"build-{name}", when=f"{told}.digest == ''")


def _deploy(subject: Subject) -> Job:
    access = subject.up
    env = {_variable(name): f"${{{{ needs.build.outputs.{name} }}}}" for name in subject.built}
    images = [Shell(f'"{name}=${_variable(name)}"') for name in subject.built]
    words = ("deploy", *images, "--commit", Shell('"$GITHUB_SHA"'), "--stack", STACK, "--json")
    run = f"{yard(subject, *words)} | sed 's/^/    /' | tee -a \"$GITHUB_STEP_SUMMARY\""
    steps = [*begin(subject, **NEWEST), *access.steps]
    steps += [_fill(subject, name) for name in subject.built if subject.cached]
    steps += [Step("Deploy and call", run=run, env={**_up(subject), **env})]
    return job("Deploy", access.permissions, steps, 120, needs="build", **_environment(subject))


def _fill(subject: Subject, name: str) -> Step:
    run = yard(subject, "ci", "fill", name, Shell('"$IMAGE"'), "--stack", STACK)
    env = {**_up(subject), "IMAGE": f"${{{{ needs.build.outputs.{_address(name)} }}}}"}
    return Step(f"Fill the cache with {name}", run=run, env=env)


def _address(service: str) -> str:
    return f"{service}-image"


def _up(subject: Subject) -> dict[str, str]:
    """The environment of a command that runs the stack."""
    return {"STACK": subject.stack, **{each.name: each.expression for each in subject.state}}


def _variable(service: str) -> str:
    return f"IMAGE_{service.upper().replace('-', '_')}"


# --- switch.yml ---------------------------------------------------------------------------------------------------

NOTE = """\
patch=$(git diff -- "config/Pulumi.$STACK.yaml" | base64 --wrap 0)
echo "patch=$patch" >> "$GITHUB_OUTPUT"
"""
RECORD = """\
base64 --decode <<< "$PATCH" | git -C "$GITHUB_WORKSPACE" apply
git config user.name "github-actions[bot]"
git config user.email "41898282+github-actions[bot]@users.noreply.github.com"
git commit --all --message "Stack $STACK: what yard switch wrote"
gh auth setup-git
git push origin "HEAD:$GITHUB_REF_NAME"
"""


def switch(subject: Subject) -> dict[str, Any] | None:
    """By hand: to another orchestrator, or back. None for a stack without an edge, which cannot switch."""
    edge = subject.settings.edge
    if edge is None:
        return None
    known = [each for each in orchestrator.names() if orchestrator.load(each).Options.target in edge.takes]
    targets = sorted(subject.github.orchestrators) if subject.github and subject.github.orchestrators else known
    inputs = {
        "to": {"description": "Move the stack to", "type": "choice", "options": targets},
        "bake": {"description": "Seconds to watch each step", "type": "number", "default": 60},
        "abort": {"description": "Instead, give all traffic back", "type": "boolean", "default": False},
    }
    jobs = {"switch": _switch(subject), "record": _record(subject)}
    return workflow(subject, "switch", {"workflow_dispatch": {"inputs": inputs}}, alone(subject), jobs)


def _switch(subject: Subject) -> Job:
    access, env = subject.up, _up(subject)
    move = yard(subject, "switch", Shell('"$TO"'), "--bake", Shell('"$BAKE"'), "--yes", "--stack", STACK)
    back = yard(subject, "switch", "--abort", "--stack", STACK)
    given = {"TO": "${{ inputs.to }}", "BAKE": "${{ inputs.bake }}"}
    steps = [
        *begin(subject, **NEWEST),
        *access.steps,
        Step("Switch", run=move, env=env | given, when="${{ !inputs.abort }}"),
        Step("Give all traffic back", run=back, env=env, when="inputs.abort"),
        Step("Note the stack's file", run=NOTE, env={"STACK": subject.stack}, id="file", when="always()"),
    ]
    outputs = {"patch": "${{ steps.file.outputs.patch }}"}
    return job("Switch", access.permissions, steps, 360, outputs=outputs, **_environment(subject))


def _record(subject: Subject) -> Job:
    """What the switch wrote must be in the branch before the next push deploys from it, also after half a switch."""
    env = {
        "STACK": subject.stack,
        "PATCH": "${{ needs.switch.outputs.patch }}",
        "GH_TOKEN": "${{ github.token }}",
    }
    steps = [check_out(**NEWEST), Step("Push it", run=RECORD, env=env)]
    when = "always() && needs.switch.outputs.patch != ''"
    return job("Record", ("contents",), steps, 10, needs="switch", **{"if": when})


# --- check.yml ----------------------------------------------------------------------------------------------------

COMMENT = """\
body=$(printf '%s\\n\\n%s' "$MARK" "$DIFF")
comments="repos/$GITHUB_REPOSITORY/issues/$NUMBER/comments"
id=$(gh api --paginate "$comments" --jq ".[] | select(.body | startswith(\\"$MARK\\")) | .id" | tail -n 1)
if [[ -n $id ]]; then
  gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$id" --raw-field body="$body"
else
  gh api --silent "$comments" --raw-field body="$body"
fi
"""


def check(subject: Subject) -> dict[str, Any]:
    """A pull request, from a fork too: nothing in it has a login."""
    concurrency = {"group": "check-${{ github.ref }}", "cancel-in-progress": True}
    jobs = {"check": _check(subject), "comment": _comment()}
    return workflow(subject, "check", {"pull_request": {}}, concurrency, jobs)


def _check(subject: Subject) -> Job:
    # The merge of the pull request and the commit that it is merged into: what would change is between them.
    steps = [*begin(subject, **{"fetch-depth": "2"})]
    settings = {stack: subject.settings_of(stack) for stack in subject.stacks}
    for stack, each in settings.items():
        steps += reading(each)
        steps.append(Step(f"Configuration of {stack}", run=yard(subject, "doctor", "--offline", "--stack", stack)))
    for stack in [
        stack for stack, each in settings.items() if each and each.on_aws
    ]:  # the rehearsal has no other cloud
        steps.append(Step(f"Rehearse {stack}", run=yard(subject, "rehearse", "--stack", stack)))
        steps.append(Step(f"Cost of {stack}", run=yard(subject, "compare", "--stack", stack)))
    # Also after a rehearsal that failed: a broken policy is then told in the comment.
    steps.append(Step("What would change", id="diff", run=_diff(subject), when="${{ !cancelled() }}"))
    return job("Check", (), steps, 30, outputs={"diff": "${{ steps.diff.outputs.diff }}"})


def _diff(subject: Subject) -> str:
    stacks = [word for each in subject.stacks for word in ("--stack", each)]
    diff = yard(subject, "diff", "HEAD^", "HEAD", *stacks, "--markdown")
    return "\n".join(
        (
            f'{diff} > "$RUNNER_TEMP/diff.md" || failed=$?  # what it says then is to be read all the more',
            'cat "$RUNNER_TEMP/diff.md" >> "$GITHUB_STEP_SUMMARY"',
            "end=$(openssl rand -hex 16)  # nothing in the text can be the line that ends it",
            '{ echo "diff<<$end"; cat "$RUNNER_TEMP/diff.md"; echo; echo "$end"; } >> "$GITHUB_OUTPUT"',
            'exit "${failed:-0}"',
            "",
        )
    )


def _comment() -> Job:
    """Apart from the check: what may write here runs nothing of the pull request's."""
    env = {
        "MARK": "<!-- yard diff -->",
        "DIFF": "${{ needs.check.outputs.diff }}",
        "NUMBER": "${{ github.event.pull_request.number }}",
        "GH_TOKEN": "${{ github.token }}",
    }
    # The token of a fork's pull request may only read, whatever is said here.
    own = "github.event.pull_request.head.repo.full_name == github.repository"
    when = f"always() && needs.check.outputs.diff != '' && {own}"
    found = job(
        "Comment", ("pull-requests",), [Step("Comment", run=COMMENT, env=env)], 5, needs="check", **{"if": when}
    )
    del found["permissions"]["contents"]
    return found


# --- dependabot.yml -----------------------------------------------------------------------------------------------


def dependabot(subject: Subject) -> dict[str, Any]:
    """New versions of the actions, and of the base images of the services."""
    contexts = sorted({(subject.root / each.build.context).resolve() for each in subject.built.values() if each.build})
    inside = [each.relative_to(subject.top).as_posix() for each in contexts if each.is_relative_to(subject.top)]
    folders = {"github-actions": ["/"], "docker": [f"/{each}" if each != "." else "/" for each in inside]}
    return {"version": 2, "updates": [_update(each, where) for each, where in folders.items() if where]}


def _update(ecosystem: str, folders: Sequence[str]) -> dict[str, Any]:
    return {
        "package-ecosystem": ecosystem,
        "directories": list(folders),
        "schedule": {"interval": "weekly"},
        "cooldown": {"default-days": 7},  # most releases that were tampered with are found out in days
        "groups": {ecosystem: {"patterns": ["*"]}},
    }


def documents(subject: Subject) -> dict[str, dict[str, Any]]:
    """Every file, by its path from the repository's folder."""
    found = {"check": check(subject), "deploy": deploy(subject), "switch": switch(subject)}
    files = {f".github/workflows/{name}.yml": each for name, each in found.items() if each is not None}
    return {**files, ".github/dependabot.yml": dependabot(subject)}
