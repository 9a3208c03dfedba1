"""What is said of a backend: its block of the configuration, and all that can be known of it before anything is made.

Pure: no SDK of a cloud is loaded by it. What is made is the backend's component, generic over its options.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, get_args

from components.aws.access import AwsAccess
from components.cost import Demand, Item
from components.lookup import Lookup
from components.model import Contradiction, Model
from components.needs import Need
from components.service import Service
from components.workflow import Access


class Options(Model):
    """The block `<key>`, which only this backend understands."""

    key: ClassVar[str]
    """Its name in the configuration and in the table of backends."""
    aws_access: ClassVar[AwsAccess] = AwsAccess()
    """What it takes on AWS to make it, for the role by which CI deploys."""
    vpc_endpoints: ClassVar[frozenset[str]] = frozenset()
    """VPC endpoint services that it needs where the network has no other way out."""

    def check(self, services: Mapping[str, Service], protect: bool) -> Iterator[Contradiction]:
        """What types alone cannot say, for each problem."""
        yield from ()

    def needs(self, stack: str, services: Mapping[str, Service], protect: bool) -> Iterator[Need]:
        """What must be there before an `up`, which `yard doctor` looks for."""
        yield from ()

    def lookups(self) -> Iterator[Lookup]:
        """What the block says exists on AWS, which the program asks for before it makes anything."""
        yield from ()

    def workflow_access(self, region: str) -> Access:
        """What a job of GitHub Actions needs for an `up`, the stack's region on AWS being this one."""
        return Access()

    @abstractmethod
    def costs(self, demand: Demand) -> Iterator[Item]:
        """What it costs a month, with all that it makes."""

    @classmethod
    def example(cls, region: str) -> dict[str, Any]:
        """The smallest block that works, with names made up, of the first example of each field that has one: for
        whoever looks at a backend that the stack has not set up. `region` is the stack's on AWS."""
        return {each.alias or name: each.examples[0] for name, each in cls.model_fields.items() if each.examples}


class WithOptions:
    """A component: what is made of a backend. It is generic over its options."""

    Options: ClassVar[Any]
    """The class of its options, whatever it is generic over; while that is left open, there is none."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        arguments = [each for base in vars(cls).get("__orig_bases__", ()) for each in get_args(base)]
        for each in arguments:
            if isinstance(each, type) and issubclass(each, Options):
                cls.Options = each
