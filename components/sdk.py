"""The clouds' SDKs, each loaded when the first of its resources is made: checking a configuration, comparing prices and
writing the documents need none of them."""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any


class Lazy(ModuleType):
    """Stands for a module until something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self.__name__), name)


if TYPE_CHECKING:
    import pulumi_aws as aws
    import pulumi_eks as eks
    import pulumi_gcp as gcp
    import pulumi_kubernetes as k8s
else:
    aws, eks, gcp, k8s = map(Lazy, ("pulumi_aws", "pulumi_eks", "pulumi_gcp", "pulumi_kubernetes"))

__all__ = ["aws", "eks", "gcp", "k8s"]
