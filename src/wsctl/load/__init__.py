"""Load over time: a profile, Locust as the control plane, swarm processes as the data plane."""
