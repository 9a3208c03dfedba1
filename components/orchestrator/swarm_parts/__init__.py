"""What stands behind the two orchestrators of Docker Swarm. What is in users' state stays beside them."""
