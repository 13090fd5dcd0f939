"""Scenarios: YAML to typed spec to steps. Adds no machinery: a step calls a tool's engine."""
