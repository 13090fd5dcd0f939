"""How long, and for how much, servers of tapes wait for their clients."""

from typing import Final

SETTLING: Final = 0.25
"""seconds between the first subscription and the tape's beginning: clients ask channel by channel"""
BEHIND_LIMIT: Final = 16 * 1024 * 1024
"""bytes that may wait for a client: several snapshots of a deep book"""
