"""Peers that misbehave on purpose: `python -m tests.peers NAME` runs one by hand, tests run them in a thread."""
