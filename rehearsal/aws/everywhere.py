"""What AWS refuses of every type, by what the rows say: references, names, what others hold, ways out."""

from collections.abc import Mapping
from typing import Any

from rehearsal.aws import types
from rehearsal.aws.network import has_endpoints, has_route
from rehearsal.aws.resource_type import ResourceType, Unique
from rehearsal.state import CloudResource, CloudState, Refused

Rows = Mapping[str, ResourceType]
"""By their tokens."""


def refuse_making(rows: Rows, state: CloudState, resource: CloudResource) -> None:
    """Raise `Refused` if AWS would not make `resource`, or change it into what it is here."""
    _references(rows, state, resource)
    if unique := rows[resource.type].unique:
        _collisions(unique, state, resource)
    if subnet := _without_way_out(rows, state, resource):
        raise Refused(
            "ResourceInitializationError",
            f"{resource.name} is in {subnet}, which has no way to the registry: no route to a gateway and no endpoints",
            "amazon-ecs-agent #1128; AWS re:Post on ResourceInitializationError",
        )
    for check in rows[resource.type].creating:
        check(state, resource)


def refuse_deleting(rows: Rows, state: CloudState, resource: CloudResource) -> None:
    """Raise `Refused` if AWS would not delete `resource` now."""
    if resource.get("enableDeletionProtection") or resource.get("deletionProtection"):
        raise Refused(
            "OperationNotPermitted",
            f"{resource.name} cannot be deleted because deletion protection is enabled",
            "ELBv2 and EKS API",
        )
    for check in rows[resource.type].deleting:
        check(state, resource)
    if rows[resource.type].leads_out:
        _cut_off(rows, state, resource)
    _held(rows, state, resource)


def _references(rows: Rows, state: CloudState, resource: CloudResource) -> None:
    """What an input names must exist. What the stack's config names is taken to."""
    for ref in rows[resource.type].refs:
        for handle in resource.all(ref.path):
            if handle and handle not in state.existing and not _is_there(rows, state, ref.type, handle):
                code = rows[ref.type].missing
                raise Refused(code, f"{ref.path} of {resource.name} names {handle}, which does not exist", "AWS API")


def _is_there(rows: Rows, state: CloudState, type_: str, handle: str) -> bool:
    """A group that came with its VPC or cluster is in no program, but is there."""
    brought = [(row, ref) for row in rows.values() for ref in row.brings if ref.type == type_]
    return bool(state.find(type_, handle)) or any(state.where(row.token, ref.path, handle) for row, ref in brought)


def _collisions(unique: Unique, state: CloudState, resource: CloudResource) -> None:
    """Fixed names, and other things of which there can be one."""
    paths = unique.paths.split()
    key = _key(unique, resource)
    if None in key:
        return
    for other in state.where(resource.type, paths[-1], key[-1]):
        if not other.same(resource) and _key(unique, other) == key:
            shared = ", ".join(f"{path} {resource.get(path)}" for path in paths)
            raise Refused(unique.taken, f"{resource.name}: {shared} is taken by {other.name}", "AWS API")
    name = resource.get("name", "")
    if why := state.reserved_names.get((resource.type, resource.get("region", ""), name)):
        taken = f"{resource.name}: the name {name} is taken: {why}"
        raise Refused(unique.taken, taken, "terraform-provider-aws #4467, #10259")


def _key(unique: Unique, resource: CloudResource) -> list[Any]:
    return [resource.get("region") if unique.regional else "", *map(resource.get, unique.paths.split())]


def _held(rows: Rows, state: CloudState, resource: CloudResource) -> None:
    """A resource that others hold on to stays."""
    holding = [(row, ref) for row in rows.values() for ref in row.refs if ref.holds and ref.type == resource.type]
    for row, ref in holding:
        if ref.unless and resource.get(ref.unless):
            continue
        for other in state.where(row.token, ref.path, *resource.handles):
            raise Refused(
                rows[resource.type].in_use,
                f"{resource.name} ({resource.id}) cannot be deleted: {other.name} ({other.type}) uses it",
                "AWS API; pulumi-aws #4220, terraform-provider-aws #30640",
            )


def _cut_off(rows: Rows, state: CloudState, resource: CloudResource) -> None:
    """AWS would allow it, and the runtime would then hang for ever in its own deletion."""
    state.remove(resource)
    try:
        for runtime in [each for row in rows.values() if row.starts for each in state.every(row.token)]:
            if _without_way_out(rows, state, runtime):
                raise Refused(
                    "RuntimeCutOff",
                    f"without {resource.name} ({resource.type}) the living {runtime.name} has no way out,"
                    " and cannot even be deleted in order",
                    "aws-samples/appmod-blueprints #582, awslabs/ai-on-eks #323",
                )
    finally:
        state.add(resource)


def _without_way_out(rows: Rows, state: CloudState, runtime: CloudResource) -> str | None:
    """The first subnet in which a runtime starts and has no way out: it would never start."""
    starts = rows[runtime.type].starts
    start = starts(state, runtime) if starts else None
    if start is None:
        return None
    subnets = [found for each in start.subnets if (found := state.find(types.SUBNET, each))]
    closed = (
        each.name
        for each in subnets
        if not has_route(state, each, start.public) and not has_endpoints(state, each, start.endpoints)
    )
    return next(closed, None)
