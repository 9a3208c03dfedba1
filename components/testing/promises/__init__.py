"""What every registry, orchestrator and edge promises. A third party holds its own backend to it with two lines:

    import pytest
    pytest.register_assert_rewrite("components.testing.promises")
    from components.testing.promises import OrchestratorPromises, RegistryPromises

    @pytest.mark.parametrize(("name", "block"), [("acme", {"project": "shop"})])
    class TestAcme(RegistryPromises): ...

`name` is the entry point's, `block` a config block that is right for it.
"""

from components.testing.promises.checks import PASSWORD, PROJECT
from components.testing.promises.edges import EdgePromises
from components.testing.promises.orchestrators import ASKING, OrchestratorPromises
from components.testing.promises.registries import RegistryPromises

__all__ = ["ASKING", "PASSWORD", "PROJECT", "EdgePromises", "OrchestratorPromises", "RegistryPromises"]
