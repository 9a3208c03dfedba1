"""What the rehearsal must know of Acme, and of a type of AWS's that Acme needs."""

from collections.abc import Iterator

from rehearsal.aws import types
from rehearsal.aws.making import computed
from rehearsal.aws.resource_type import Name, Ref, ResourceType, Unique, refuses
from rehearsal.state import CloudResource, CloudState, Registers

REPOSITORY = ResourceType("acme:index:Repository", computed(id="{name}"), replace="name", unique=Unique("name"))
SPACE = ResourceType(
    "acme:index:Space",
    computed(id="space-{hex:.8}"),
    (20, 5, 10),
    refs=(Ref("subnets", types.SUBNET),),
    in_use="SpaceNotEmpty",
)


@refuses("TooLarge", "Acme's documentation, limits of an app")
def _too_large(_: CloudState, app: CloudResource) -> Iterator[str]:
    if app.get("vcpu") > 8:
        yield f"{app.name} wants {app.get('vcpu')} vCPU; an app has 8 at most"


APP = ResourceType(
    "acme:index:App",
    computed(id="app-{hex:.8}"),
    (30, 20, 5),
    creating=(_too_large,),
    registers=Registers(group="targetGroup", port="port", replicas="copies", security_groups="securityGroups"),
)
QUEUE = ResourceType(
    "aws:sqs/queue:Queue",
    computed(url="https://sqs.{region}.amazonaws.com/{account}/{name}", id="{url}"),
    (25, 5, 60),
    "name",
    Name(longest=80),
    unique=Unique("name", taken="QueueNameExists"),
)
VPC = ResourceType(types.VPC, computed(id="acme"))
"""Of this type there is a row already, which wins."""
