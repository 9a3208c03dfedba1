"""The table of controls, as `docs/controls.md` has it."""

from collections.abc import Iterator

from config.presets import PRESETS
from policy import AREAS, CONTROLS, UNSEEN
from policy.control import EVERY, Control
from tools.markdown import table

INTRODUCTION = """\
Every stack is held to these controls: AWS's [Foundational Security Best
Practices](https://docs.aws.amazon.com/securityhub/latest/userguide/fsbp-standard.html) for the types of resources that
Switchyard makes; Pod Security, level *restricted*; and those promises of Switchyard's own that one stack's resources
can show. With presets `trial` and `standard` they are *advisory*: a broken one is told. With preset `production` they
are *mandatory*: a broken one stops.

They are checked in three places, from one table (`policy/`):

- `yard rehearse` checks what a stack makes, and fails if a mandatory one is broken.
- `yard diff`, and so the comment on a pull request, names those that a change breaks and its base does not. A
  mandatory one makes it exit 1, so the check of the pull request fails.
- `pulumi up --policy-pack policy` and `pulumi preview --policy-pack policy`: a policy pack for Pulumi's own command
  line. `make pack` sets it up, once. (In a project of your own the folder is `switchyard/policy`.) A preview
  cannot check all of them before the resources are there; `up` can. If the command line does not tell the pack which
  preset the stack has, all are advisory; `--policy-pack-config policy/mandatory.json` makes them mandatory.

If a stack does not meet one on purpose, say so with the reason; then it is not held to it:

    pulumi config set --path 'exceptions["ELB.5"]' 'the proxy in front of it keeps the logs'"""

UNSEEN_HEAD = """\
## Not applicable

Controls of AWS's for the same types of resources, and promises, that one stack's resources cannot show."""


def document() -> Iterator[str]:
    """What is met, what is a choice, what is an exception, and what does not apply."""
    yield "# Controls"
    yield INTRODUCTION
    met = [each for each in CONTROLS.values() if not each.exception]
    by_key = [each for each in CONTROLS.values() if each.exception and each.key]
    chosen = [*by_key, *(each for each in met if each.presets != EVERY)]
    always = sum(each.presets == EVERY for each in met)
    yield (
        f"{len(CONTROLS)} controls: {always} are met whatever a stack chooses, {len(chosen)} with some presets or by a"
        f" key, {len(CONTROLS) - always - len(chosen)} are exceptions."
    )
    for area, rows in AREAS.items():
        yield f"## {area}"
        yield table(("control", "what it says", "met"), [_row(each) for each in rows])
    yield UNSEEN_HEAD
    yield table(("control", "why"), [(name, why) for name, why in UNSEEN.items()])


def _row(control: Control) -> tuple[str, ...]:
    return f"[{control.id}]({control.source})" if control.source else control.id, control.says, _met(control)


def _met(control: Control) -> str:
    key = f"; key `{control.key}`" if control.key else ""
    if control.exception and control.key:
        return f"choice: with key `{control.key}`; without it, {control.exception}"
    if control.exception:
        return f"exception: {control.exception}"
    if control.presets == EVERY:
        return f"always{key}"
    return f"with preset {' and '.join(f'`{each}`' for each in PRESETS if each in control.presets)}{key}"
