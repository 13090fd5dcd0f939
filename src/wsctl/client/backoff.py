"""Delays between attempts: capped exponential back-off with full jitter.

`random(0, min(cap, base * 2**n))`, as AWS's note on back-off and jitter recommends and Centrifuge's clients do:
many clients cut at once spread over the whole interval, where a jitter added to a fixed delay keeps the herd.

A new sequence starts only after a connection that proved itself (`STABLE_AFTER`): a server that accepts and
drops would otherwise be tried again at the shortest delay for ever.
"""

from collections.abc import Iterator
from random import Random

from wsctl.client.target import Reconnect

STABLE_AFTER = 5.0
"""seconds that a joined connection must have lasted for the next delay to start small again"""


def delays(reconnect: Reconnect, random: Random) -> Iterator[float]:
    """Seconds to wait before each further attempt, without end. Start over with a new one."""
    limit = reconnect.delay
    while True:
        yield random.uniform(0, min(reconnect.delay_max, limit))
        limit = min(limit * 2, reconnect.delay_max)
