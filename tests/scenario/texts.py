"""Scenario files in a line, for tables of what can be wrong with them."""

HEAD = """\
name: N
services:
  feed: {serve: {symbols: BTC/USDT}}
"""
TWO = """\
name: N
services:
  one: {serve: {}}
  two: {serve: {}}
"""
STEP = """\
steps:
  - name: s
    subscribe: {symbols: A, duration: 10s}
"""


def step(options: str) -> str:
    """A scenario that subscribes with these options."""
    return f"{HEAD}steps:\n  - name: s\n    subscribe: {{{options}}}\n"


def during(action: str, duration: str = "10s", more: str = "") -> str:
    """A scenario in whose step something happens."""
    watching = f"    subscribe: {{symbols: A, duration: {duration}}}\n    during: [{action}]\n"
    return f"{HEAD}steps:\n  - name: s\n{watching}{more}"


def expect(expected: str, options: str = "symbols: A, duration: 10s") -> str:
    """A scenario whose step expects something."""
    return f"{step(options)}    expect: {expected}\n"
