"""The controls as a policy pack, for Pulumi's own command line: `pulumi up --policy-pack policy`.

It runs in the environment of this folder (`make pack`), where pulumi_policy is and nothing else of Switchyard's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pulumi
from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyPack,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

sys.path.append(str(Path(__file__).resolve().parents[1]))  # the pack is run by its folder, which is a package of ours

from policy import CONTROLS, waived
from policy.control import Control, Graph, Resource, level

UNKNOWN = "what it looks at is not known before it is made"


def _stack() -> tuple[str | None, set[str]]:
    """The stack's preset and what it is not held to; no preset where the command line does not hand the configuration
    over."""
    config = pulumi.Config()
    return config.get("preset"), waived(config.get_bool, config.get_object("exceptions") or {})


def _resource(it: PolicyResource) -> Resource:
    return Resource(
        it.urn,
        it.resource_type,
        it.props,
        frozenset(each.urn for each in it.dependencies),
        it.parent.urn if it.parent else "",
        it.provider.urn if it.provider else "",
    )


def _of_one(control: Control) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if args.resource_type not in control.types:
            return
        try:
            held = control.holds(Resource(args.urn, args.resource_type, args.props), Graph(()))
        except UnknownValueError:
            args.not_applicable(UNKNOWN)
        else:
            if not held:
                report(_fix(control), None)

    return validate


def _of_all(control: Control) -> Callable[[StackValidationArgs, ReportViolation], None]:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        try:
            broken = control.broken_by(Graph(map(_resource, args.resources)))
        except UnknownValueError:
            args.not_applicable(UNKNOWN)
        else:
            for each in broken:
                report(f"{each.name}: {_fix(control)}", each.urn)

    return validate


def _fix(control: Control) -> str:
    return f"Key {control.key} decides." if control.key else "See docs/controls.md."


def _policy(control: Control, enforced: EnforcementLevel) -> Policy:
    about = {"enforcement_level": enforced, "url": control.source or None}
    if control.wired:
        return StackValidationPolicy(control.id, control.says, _of_all(control), **about)
    return ResourceValidationPolicy(control.id, control.says, _of_one(control), **about)


def main() -> None:
    """Serve what the stack is held to, until the engine has no more questions."""
    preset, exceptions = _stack()
    enforced = EnforcementLevel(level(preset or ""))
    asked = [each for each in CONTROLS.values() if each.applies(preset or "production") and each.id not in exceptions]
    PolicyPack("switchyard", [_policy(each, enforced) for each in asked])


if __name__ == "__main__":
    main()
