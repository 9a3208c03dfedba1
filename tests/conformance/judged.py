"""A program's graph, as the controls look at it."""

from components.testing.engine import Graph
from policy.control import Resource


def resources(graph: Graph) -> list[Resource]:
    """All of its resources."""
    return [Resource(each.urn, each.type, each.inputs, each.dependencies, each.parent, each.provider) for each in graph]
