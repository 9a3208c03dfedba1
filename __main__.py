"""A stack: config -> delivery, network, vault -> registry -> orchestrators, edge -> services -> traffic -> outputs."""

from components import orchestrator, registry, transform
from components.orchestrator import OrchestratorArgs
from components.registry import RegistryArgs
from components.workload import proven
from config import edge as edges
from config import release_commands
from config.aws import foundation, limits
from config.delivery import delivery
from config.load import look, running
from config.outputs import export
from config.place import transforms

stack = running()
look(stack)
transform.register([*limits(stack), *transforms()])

# Who GitHub is, and what its workflows may do; the boundary of all roles that come after it
github = delivery(stack)

# What outlives every orchestrator on AWS
aws = foundation(stack, github)

# One registry, or while images move to another both
registries = {
    name: registry.load(name)(
        "registry",
        RegistryArgs(
            services=tuple(stack.stored),
            namespace=stack.stack,
            protect=stack.config.protect,
            on_aws=stack.on_aws,
            options=options,
            kms_key=stack.config.kms_key,
        ),
    )
    for name, options in stack.registries.items()
}

# What runs the services: one orchestrator, or during a move all that share the traffic
runtimes = {
    key: orchestrator.load(key)(
        key,
        OrchestratorArgs(
            stack=stack.stack,
            protect=stack.protects(options),
            options=options,
            foundation=aws,
            releases=release_commands.standings(stack, key),
            behind_edge=stack.is_behind_edge(key),
            runs_jobs=key == stack.config.orchestrator,
        ),
    )
    for key, options in stack.orchestrators.items()
}

# The URL, which outlives them too; an edge may stand on an instance of theirs
edge = edges.of(stack, aws, runtimes.values())

urls, digests = {}, {}
for name, service in stack.services.items():
    image = registries[stack.pulled_from].image(name, service)
    if image is None:
        continue  # the repository is there; the service waits for its first image
    workloads = {key: runtime.serve(name, service, image, edge) for key, runtime in runtimes.items()}
    digests[name] = proven(image.digest, workloads.values())
    urls[name] = next((each.url for each in reversed(workloads.values()) if each.url), None)
    if edge:
        edge.traffic(name, service, stack.weights, workloads)
if edge:
    edge.finish()

export(stack, edge.url if edge else urls, registries[stack.config.registry], digests, github)
