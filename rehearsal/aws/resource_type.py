"""What the rehearsal knows of a type of AWS resource: a row. A type without a row is refused by name.

The rows say what the AWS provider's schema says (pulumi-aws 7, the Terraform provider's "Forces new resource"). Their
seconds are estimates of what the provider usually prints in a quiet region; a few decide: those of a cluster, a NAT
gateway, a load balancer, a service.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rehearsal.aws.making import Make
from rehearsal.state import CloudResource, CloudState, Refused, Registers


@dataclass(frozen=True)
class Name:
    """The input that the provider fills in where the program does not."""

    key: str = "name"
    longest: int = 255
    lower: bool = False


@dataclass(frozen=True)
class Ref:
    """An input that names another resource, which must exist."""

    path: str
    type: str
    holds: bool = True
    """While this resource lives, the other cannot be deleted."""
    unless: str | None = None
    """An input of the other that lets it be deleted all the same."""


@dataclass(frozen=True)
class Unique:
    """Inputs that no two resources of a type may share, all of them together."""

    paths: str
    taken: str = "AlreadyExists"
    """AWS's error code when they do."""
    regional: bool = True
    """False: neither may one in another region."""


@dataclass(frozen=True)
class Start:
    """Where replicas or nodes start, which have to reach the registry, the logs and AWS's APIs from there."""

    subnets: list[str]
    public: bool
    """Whether they have public addresses."""
    endpoints: tuple[str, ...] = ()
    """The services whose VPC endpoints they need besides `network.ENDPOINTS` where they have no other way out."""


Check = Callable[[CloudState, CloudResource], None]
"""Raises `Refused` if AWS says no to a resource."""
Reasons = Callable[[CloudState, CloudResource], Iterator[str]]
"""Why AWS says no to a resource; the first reason counts."""
Then = Callable[[CloudState, CloudResource], None]


@dataclass(frozen=True)
class ResourceType:
    """One type of AWS resource."""

    token: str
    make: Make
    seconds: tuple[float, float, float] = (1, 1, 1)
    """To create, update and delete it; estimates."""
    replace: str = ""
    """Inputs whose change makes a new one, by their paths. `EVERYTHING`: all but its tags."""
    name: Name | None = None
    refs: tuple[Ref, ...] = ()
    unique: Unique | None = None
    missing: str = "NotFound"
    """AWS's error code for a reference to one that does not exist."""
    in_use: str = "DependencyViolation"
    """AWS's error code for deleting one that others hold."""
    steady: str | None = None
    """The input without which creating and updating do not wait, and take 5 s."""
    counts: str | None = None
    """A number among its outputs that every update raises."""
    brings: tuple[Ref, ...] = ()
    """Outputs that name resources which come with it, and which are in no program."""
    creating: tuple[Check, ...] = ()
    """Why AWS would not make it, or change it: these look at the resource as it would be."""
    deleting: tuple[Check, ...] = ()
    """Why AWS would not delete it now."""
    starts: Callable[[CloudState, CloudResource], Start | None] | None = None
    """Where its replicas or nodes start; None: nowhere of their own."""
    leads_out: bool = False
    """Whether it may be the way out of those that `starts` tells of."""
    registers: Registers | None = None
    """How its replicas are targets behind the load balancer; None: it has none there."""
    unsteady: Callable[[CloudState, CloudResource], str | None] = lambda _state, _resource: None
    """Why it is there but will never be well; None: it will."""
    made: Then = lambda _state, _resource: None
    """What else is so once it is made or changed."""
    gone: Then = lambda _state, _resource: None
    """What else is so once it is deleted."""


EVERYTHING = "*"
NAME = Name()


def refuses(code: str, source: str) -> Callable[[Reasons], Check]:
    """A check, from the function that says why not; with AWS's error code, and where it is known from."""

    def check(reasons: Reasons) -> Check:
        def refuse(state: CloudState, resource: CloudResource) -> None:
            for reason in reasons(state, resource):
                raise Refused(code, reason, source)

        return refuse

    return check
