"""What AWS makes up when it makes a resource: ids, ARNs and the like."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rehearsal.state import ACCOUNT, CloudState
from rehearsal.wire import Properties


@dataclass(frozen=True)
class Facts:
    """What the outputs of a new resource follow from."""

    state: CloudState
    urn: str
    region: str
    inputs: Properties
    """Secrets revealed."""

    def hex(self, length: int) -> str:
        """Fresh hexadecimal digits."""
        return self.state.hex(self.urn, length)


Make = Callable[[Facts], Properties]
"""What a new resource's own properties are; "id" is among them."""


def computed(**outputs: Any) -> Make:
    """Each output by its template, which may name inputs, outputs before it, the `region`, the `account`, and fresh
    digits: `{hex:.17}` are seventeen of them."""

    def make(facts: Facts) -> Properties:
        given = facts.inputs | {"region": facts.region, "account": ACCOUNT, "hex": facts.hex(64)}
        made: Properties = {}
        for key, template in outputs.items():
            made[key] = template.format_map(given | made) if isinstance(template, str) else template
        return made

    return make


def in_ec2(prefix: str, kind: str, **more: Any) -> Make:
    """An id of EC2's, and an ARN that ends in it."""
    arn = f"arn:aws:ec2:{{region}}:{{account}}:{kind}/{{id}}"
    return computed(id=f"{prefix}-{{hex:.17}}", arn=arn, ownerId="{account}", **more)
