"""A stack: config -> network -> edge -> registry -> orchestrators -> services on them -> traffic -> outputs."""

from typing import TYPE_CHECKING

import pulumi

from components import transform
from components.orchestrator import Image, OrchestratorArgs
from components.registry import RegistryArgs
from config.outputs import export
from config.settings import Settings
from transforms import TRANSFORMS

if TYPE_CHECKING:
    from components.aws.edge import Target

stack = Settings.load()
keys = stack.keys
transform.register(TRANSFORMS)

# What outlives every orchestrator
network = vault = edge = None
if stack.on_aws:  # imported here, so that a stack off AWS does not load AWS's package
    from components.aws.edge import Edge
    from components.aws.network import Network
    from components.aws.vault import Vault
    from config.aws import edge_args, network_args, vault_args

    network = Network("network", network_args(stack))
    vault = Vault("vault", vault_args(stack))
    edge = Edge("edge", edge_args(stack, network))

# One registry, or while images move to another both
registries = {
    name: cls(
        "registry",
        RegistryArgs(
            services=tuple(stack.services),
            namespace=stack.stack,
            protect=bool(keys.protect),
            on_aws=stack.on_aws,
            options=stack.options[name],
        ),
    )
    for name, cls in stack.registries.items()
}

# What runs the services: one orchestrator, or during a move all that share the traffic
runtimes = {
    key: cls(
        key,
        OrchestratorArgs(
            stack=stack.stack,
            region=stack.region,
            protect=bool(keys.protect),
            options=stack.options[key],
            network=network,
            vault=vault,
            profile=stack.profile,
        ),
    )
    for key, cls in stack.orchestrators.items()
}

urls = {}
for name, service in stack.services.items():
    if service.digest is None:
        continue  # the repository is there; the service waits for its first image
    repository = registries[stack.pulled_from].repositories[name]
    image = Image(repository.source, service.digest, repository.pull)
    targets: dict[str, "Target"] = {}
    healthy: list[pulumi.Resource] = []
    for key, runtime in runtimes.items():
        target = None
        if edge and service.public and runtime.target:
            port, tags = runtime.target_port(name, service), runtime.target_tags(stack.stack)
            target = edge.target(name, service, key, runtime.target, tags, port, runtime.target_nodes)
            targets[key] = target
        workload = runtime.run(name, service, image, target)
        urls[name] = workload.url
        if stack.weights[key] > 0:
            healthy += workload.healthy
    if edge and targets:
        edge.traffic(name, service, stack.weights, targets, healthy)

export(stack, edge.url if edge else urls, registries[keys.registry])
