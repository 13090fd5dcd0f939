"""The other way round: a server that turns the catalogue's server-to-client probes on whatever client connects."""
