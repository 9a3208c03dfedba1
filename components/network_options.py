"""What a user says about the network and the edge. Apart from them, for a stack off AWS does not load AWS's package."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from components import quotas
from components.lookup import Lookup
from components.model import Model, Text, wanted
from components.needs import Existing, Need, Question, Quota
from components.service import Host

Kind = Literal["public", "nat-single", "nat-per-az", "endpoints"]
"""How replicas reach the outside: by public addresses, one NAT gateway, one a zone, or VPC endpoints alone."""


def of_network(kind: Kind, zones: int, nodes: int) -> Iterator[Quota]:
    """What a network of the stack's own needs of the account, with so many nodes that have fixed public addresses where
    it gives public ones."""
    yield Quota(quotas.VPCS, 1)
    addresses = {"nat-single": 1, "nat-per-az": zones, "public": nodes}
    if needed := addresses.get(kind):
        yield Quota(quotas.ADDRESSES, needed)


Flows = Literal["none", "rejected", "all"]
"""Which connections in the network are logged."""
GroupId = Annotated[str, Text(r"^sg-[0-9a-z]+$", "the id of a security group, such as sg-0abc1234")]
SubnetId = Annotated[str, Text(r"^subnet-[0-9a-z]+$", "the id of a subnet, such as subnet-0abc1234")]


MAX_CERTIFIED = 64
"""Characters of the first name on a certificate (ACM API reference, RequestCertificate, DomainName)."""


class ExistingVpc(Model):
    """A VPC that someone else made; Switchyard only uses it."""

    id: Annotated[str, Text(r"^vpc-[0-9a-z]+$", "the id of a VPC, such as vpc-0abc1234")]
    """Its id, vpc-..."""
    public_subnets: tuple[SubnetId, ...] = Field(min_length=2)
    """For the load balancer: at least two, in different zones."""
    private_subnets: tuple[SubnetId, ...] = ()
    """For the replicas. Unset: they run in the public subnets, with public addresses."""

    def lookups(self) -> Iterator[Lookup]:
        """What the program asks for before it makes anything."""
        yield Lookup("vpc.id", self.id, "the id of a VPC in the stack's region", "ec2", "get_vpc", {"id": self.id})


class SecurityGroups(Model):
    """Security groups that someone else made, in the VPC of `vpc`. Switchyard makes no others, and changes none."""

    load_balancer: GroupId | None = None
    """The load balancer's. It must let callers in, and requests out to the replicas' ports."""
    replicas: GroupId | None = None
    """The replicas' and the nodes'. It must let the load balancer in, and let out all that they call."""

    @model_validator(mode="after")
    def _not_nothing(self) -> "SecurityGroups":
        if not (self.load_balancer or self.replicas):
            raise wanted("load-balancer, replicas, or both: the id of a security group")
        return self

    @property
    def named(self) -> Mapping[str, str]:
        """What is named, by its path."""
        each = {"load-balancer": self.load_balancer, "replicas": self.replicas}
        return {f"security-groups.{name}": id_ for name, id_ in each.items() if id_}

    def lookups(self, vpc: ExistingVpc) -> Iterator[Lookup]:
        """What the program asks for before it makes anything."""
        for path, id_ in self.named.items():
            want, found = f"the id of a security group in {vpc.id}", {"id": id_, "vpc_id": vpc.id}
            yield Lookup(path, id_, want, "ec2", "get_security_group", found)

    def needs(self, vpc: ExistingVpc) -> Iterator[Need]:
        """What the doctor looks at."""
        for path, id_ in self.named.items():
            asked = {"GroupIds": [id_], "Filters": [{"Name": "vpc-id", "Values": [vpc.id]}]}
            question = Question("ec2", "describe_security_groups", asked)
            yield Existing(path, f"security group {id_} in {vpc.id}", question, f"fix {path}", "SecurityGroups[0]")


def _certifiable(name: str) -> str:
    if len(name) > MAX_CERTIFIED:
        raise wanted(f"at most {MAX_CERTIFIED} characters: ACM makes no certificate for a longer name")
    return name


class Domain(Model):
    """The host name of the URL, which then has HTTPS."""

    name: Annotated[Host, AfterValidator(_certifiable)]
    """The host name that callers use."""
    zone: Host | None = Field(default=None, examples=["example.com"])
    """This account's public zone in Route 53 that has the name. Edges alb and proxy-ec2 need it, proxy refuses it."""

    def lookups(self) -> Iterator[Lookup]:
        """What the program asks for before it makes anything."""
        if self.zone is None:
            return
        want, found = "the one public zone of that name in Route 53", {"name": self.zone, "private_zone": False}
        yield Lookup("domain.zone", self.zone, want, "route53", "get_zone", found)


class ExistingLoadBalancer(Model):
    """A load balancer that someone else made; Switchyard only adds target groups and rules to its listener."""

    listener: Annotated[
        str,
        Text(
            r"^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:\d{12}:listener/app/\S+$",
            "the ARN of a listener of an Application Load Balancer, as `aws elbv2 describe-listeners` tells it",
        ),
    ]
    """ARN of the listener."""
    security_group: GroupId
    """Id of the load balancer's security group: the replicas let it in."""
    url: str
    """The URL that callers use."""
