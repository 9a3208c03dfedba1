"""What carries real requests over the pretend cloud: replicas that run here, and a proxy before them that does as the
rehearsed load balancer is told."""
