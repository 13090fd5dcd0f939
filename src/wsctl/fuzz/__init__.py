"""Hostile input, on purpose: named probes and generated cases, judged by what becomes of the other side."""
