"""Names of target groups, and what of groups that are there already stays, as another value would replace them."""

from components.workload import TargetKind


def prefix(service: str) -> str:
    """What a group's name begins with. Never a fixed name: it could not be replaced while a rule uses it. AWS takes 32
    characters, a prefix may have 6, and what reads its names, not two dashes at its end."""
    return f"{service[:5].rstrip('-')}-"


def kept(service: str, kind: TargetKind) -> list[str] | None:
    """Version 0.1.0 gave groups of addresses the service's port, and some names a prefix with two dashes."""
    fields = {"port": kind == "ip", "namePrefix": service[4:5] == "-"}
    return [field for field, has in fields.items() if has] or None
