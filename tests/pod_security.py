"""Pod Security Standards, level "restricted", of a pod's spec alone."""

from collections.abc import Mapping
from typing import Any

from policy import pods
from policy.control import Graph, Resource


def violations(pod: Mapping[str, Any]) -> list[str]:
    """The controls that it breaks; empty: the admission controller lets it in."""
    it = Resource("", "kubernetes:apps/v1:Deployment", {"spec": {"template": {"spec": pod}}})
    return [each.id for each in pods.ROWS if not each.holds(it, Graph(()))]
