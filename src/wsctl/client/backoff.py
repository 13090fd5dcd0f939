"""Delays between attempts, by policy: the one that we recommend, a fixed one, and those of stock clients.

Full jitter is `random(0, min(cap, base * 2**n))`, as AWS's note on back-off and jitter recommends and Centrifuge's
clients do: many clients cut at once spread over the whole interval, where a jitter added to a fixed delay keeps the
herd. The others are here to be compared with it (docs/reconnection.md).

A new sequence starts only after a connection that proved itself (`STABLE_AFTER`): a server that accepts and
drops would otherwise be tried again at the shortest delay for ever. Stock clients start anew at once; that is not
imitated.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from random import Random

from wsctl.client.target import Policy, Reconnect
from wsctl.errors import TargetError, Unreachable

STABLE_AFTER = 5.0
"""seconds that a joined connection must have lasted for the next delay to start small again"""
USUAL: Mapping[Policy, tuple[float, float]] = {
    "full-jitter": (1.0, 30.0),
    "fixed": (1.0, 1.0),
    "socket.io-client": (1.0, 5.0),  # manager.js: reconnectionDelay, reconnectionDelayMax
    "python-socketio": (1.0, 5.0),  # base_client.py: reconnection_delay, reconnection_delay_max
    "websockets": (3.1, 90.0),  # client.py: BACKOFF_MIN_DELAY, BACKOFF_MAX_DELAY
}
"""seconds of `delay` and `delay_max` that a policy has by itself"""


def delays(reconnect: Reconnect, random: Random) -> Iterator[float]:
    """Seconds to wait before each further attempt, without end. Start over with a new one."""
    return _DELAYS[reconnect.policy](reconnect.delay, reconnect.delay_max, random)


def heeded(error: TargetError | None, reconnect: Reconnect) -> float:
    """Seconds that the server told us to wait, where the policy heeds it: stock clients do not see a Retry-After."""
    told = error.retry_after if isinstance(error, Unreachable) else 0.0
    return told if reconnect.policy == "full-jitter" else 0.0


def _full_jitter(first: float, longest: float, random: Random) -> Iterator[float]:
    limit = first
    while True:
        yield random.uniform(0, min(longest, limit))
        limit = min(limit * 2, longest)


def _fixed(first: float, longest: float, random: Random) -> Iterator[float]:
    return itertools.repeat(first)


def _socketio_js(first: float, longest: float, random: Random) -> Iterator[float]:
    """backo2.js with factor 2 and jitter 0.5, which comes before the cap: from the fifth delay on all wait `longest`.

    Whether the jitter is added or taken off is decided by the first decimal of the same random number.
    """
    delay = first
    while True:
        chance = random.random()
        deviation = chance * 0.5 * delay
        yield min(delay + deviation if int(chance * 10) % 2 else delay - deviation, longest)
        delay = min(delay * 2, longest * 2)  # half of which is the cap already


def _socketio_python(first: float, longest: float, random: Random) -> Iterator[float]:
    """async_client.py: doubled up to the cap, then half a second more or less, however long the delay."""
    delay = first
    while True:
        yield max(0.0, min(delay, longest) + 0.5 * (2 * random.random() - 1))
        delay = min(delay * 2, longest)


def _websockets(first: float, longest: float, random: Random) -> Iterator[float]:
    """asyncio/client.py: `async for` tries at once after a loss. Once an attempt failed it waits up to 5 s, then 3.1 s,
    and 1.618 times as long each time, all clients alike."""
    yield 0.0
    yield random.random() * 5.0
    delay = first
    while delay < longest:
        yield delay
        delay *= 1.618
    yield from itertools.repeat(longest)


_DELAYS: Mapping[Policy, Callable[[float, float, Random], Iterator[float]]] = {
    "full-jitter": _full_jitter,
    "fixed": _fixed,
    "socket.io-client": _socketio_js,
    "python-socketio": _socketio_python,
    "websockets": _websockets,
}
