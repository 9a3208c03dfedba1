"""The pull table: how each orchestrator gets at the images of each registry. What is refused is refused here."""

from dataclasses import dataclass
from typing import Literal

from components.orchestrator import OrchestratorOptions
from components.pull import Anonymous, AwsRole, Cached, Login, NodeIdentity, Pull
from components.registry import RegistryOptions

How = Literal["anonymous", "native role", "cache", "secret", "refresher", "refused"]

WHY: dict[type[Pull], str] = {
    Anonymous: "it pulls only with a login",
    AwsRole: "its nodes have no AWS role, and the login that ECR gives in place of one ends after 12 hours",
    NodeIdentity: "its nodes are nobody to Google Cloud, so give `artifact-registry.service-account-key`",
    Login: "it cannot hand over a user name and password",
}
"""Why an orchestrator that does not have a kind of pull access among its `pulls_by` refuses."""


@dataclass(frozen=True)
class Cell:
    """One registry, as its options have it, and one orchestrator."""

    pull: type[Pull]
    how: How
    why: str = ""
    """The reason, where it is refused."""


def cell(registry: RegistryOptions, runtime: OrchestratorOptions) -> Cell:
    """What `runtime` gets in order to pull from `registry`.

    anonymous: nothing. native role: statements for the role of its tasks or nodes, on the very repositories. cache: the
    same, and leave to have them filled. secret: a reference to the login. refresher: a login that it renews itself.
    """
    pull = registry.pulled_by(on_aws=runtime.platform == "aws")
    if not issubclass(pull, runtime.pulls_by):
        return Cell(pull, "refused", next(why for kind, why in WHY.items() if issubclass(pull, kind)))
    if pull is Anonymous:
        return Cell(pull, "anonymous")
    if pull is Login:
        return Cell(pull, "secret")
    if issubclass(pull, AwsRole) and runtime.renews:
        return Cell(pull, "refresher")
    return Cell(pull, "cache" if pull is Cached else "native role")
