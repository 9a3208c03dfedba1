"""What only AWS has: what outlives every orchestrator there, and what orchestrators on AWS share."""
