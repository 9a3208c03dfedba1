"""From settings to what stands on AWS."""

from collections.abc import Iterator

from components.aws import flow_logs
from components.aws.boundary import bounding
from components.aws.delivery import Delivery
from components.aws.foundation import Foundation
from components.aws.network import Network, NetworkArgs
from components.aws.vault import Vault, VaultArgs
from components.transform import Transform
from config.settings import Settings


def limits(stack: Settings) -> Iterator[Transform]:
    """What the stack demands of each resource on AWS."""
    if stack.config.permissions_boundary:
        yield bounding(stack.config.permissions_boundary)


def foundation(stack: Settings, github: Delivery | None = None) -> Foundation | None:
    """Make what outlives every orchestrator on AWS; None off AWS. `github` deploys, if it is given."""
    if not stack.on_aws:
        return None
    network = Network("network", network_args(stack))
    vault = Vault("vault", vault_args(stack))
    if not stack.config.vpc:
        flow_logs.keep(network, vault, stack.stack, stack.config.flow_logs)
    return Foundation(
        region=stack.region,
        profile=stack.profile,
        network=network,
        vault=vault,
        gate=stack.config.gate,
        deployer=github.deployer if github else None,
    )


def network_args(stack: Settings) -> NetworkArgs:
    """The network that the stack chose."""
    return NetworkArgs(
        kind=stack.config.network,
        zones=stack.config.zones,
        region=stack.region,
        endpoints=stack.vpc_endpoints,
        existing=stack.config.vpc,
        group=stack.config.security_groups.replicas if stack.config.security_groups else None,
    )


def vault_args(stack: Settings) -> VaultArgs:
    """The vault that the stack chose."""
    config = stack.config
    return VaultArgs(stack=stack.stack, log_days=config.log_days, protect=config.protect, kms_key=config.kms_key)
