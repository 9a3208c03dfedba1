"""From settings to what the components on AWS are asked for."""

from components import orchestrator
from components.aws.edge import EdgeArgs
from components.aws.gate import aws_health
from components.aws.network import Network, NetworkArgs
from components.aws.vault import VaultArgs
from config.settings import Settings


def network_args(stack: Settings) -> NetworkArgs:
    """The network that the stack chose."""
    keys = stack.keys
    assert keys.network is not None
    assert keys.zones is not None
    assert stack.region is not None
    return NetworkArgs(
        kind=keys.network,
        zones=keys.zones,
        region=stack.region,
        endpoints=stack.vpc_endpoints,
        existing=keys.vpc,
    )


def vault_args(stack: Settings) -> VaultArgs:
    """The vault that the stack chose."""
    keys = stack.keys
    assert keys.log_days is not None
    return VaultArgs(stack=stack.stack, log_days=keys.log_days, protect=bool(keys.protect))


def edge_args(stack: Settings, network: Network) -> EdgeArgs:
    """The edge that the stack chose."""
    keys = stack.keys
    assert stack.region is not None
    return EdgeArgs(
        network=network,
        domain=keys.domain,
        hosts=tuple(sorted({service.host for service in stack.services.values() if service.host})),
        existing=keys.load_balancer,
        protect=bool(keys.protect),
        strict=bool(keys.strict),
        access_logs=bool(keys.access_logs),
        routes={name: service for name, service in stack.services.items() if service.public},
        orchestrators=orchestrator.names(),
        gate=keys.gate,
        ask_health=aws_health(stack.region, stack.profile),
    )
