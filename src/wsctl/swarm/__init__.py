"""Many connections of one process: paced connects, sequence checks on every message, histograms."""
