"""The building blocks: network, edge, vault, registries and orchestrators."""
