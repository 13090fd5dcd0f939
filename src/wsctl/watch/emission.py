"""Emission: one event sent, its acknowledgement and what comes back."""

import asyncio
import uuid
from typing import Any

from wsctl.client.dial import Dialler
from wsctl.client.emitting import Emitting
from wsctl.client.losses import AckTimeout, Lost
from wsctl.client.target import Target
from wsctl.clock import Clock
from wsctl.model.observation import Observation
from wsctl.wire.payload import EventReader

MOST_EVENTS = 10_000
"""events kept; more than this is a stream, and subscribe watches those"""


class Answers:
    """What came back: the acknowledgement's arguments (None: there was none) and the events meanwhile."""

    def __init__(self) -> None:
        self.acknowledgement: list[Any] | None = None
        self.events: list[Observation] = []
        self.left_out = 0
        """events past MOST_EVENTS"""
        self.ended: str | None = None
        """why the connection ended, if it did"""


async def emit(target: Target, event: str, arguments: list[Any], *, wait: float, clock: Clock) -> Answers:
    """Send an event and collect what comes back for `wait` seconds. Raises Unreachable or Refused."""
    answers = Answers()
    reader = EventReader()
    gone = asyncio.Event()

    def on_event(name: str, args: tuple[Any, ...]) -> None:
        if len(answers.events) == MOST_EVENTS:
            answers.left_out += 1
        else:
            seen = reader.read(name, args)
            answers.events.append(
                Observation(clock.now(), "c1", seen.channel, name, seen.epoch, seen.seq, seen.sent_at, None, seen.data)
            )

    def on_close(reason: str) -> None:
        answers.ended = reason
        gone.set()

    connection, _ = await Dialler(target, target.handshake(uuid.uuid4().hex)).open(on_event, on_close)
    assert isinstance(connection, Emitting), "events are emitted over Socket.IO only"
    try:
        async with asyncio.timeout(wait):
            answers.acknowledgement = await connection.emit(event, *arguments, timeout=wait)
            await gone.wait()
    except (TimeoutError, AckTimeout, Lost):
        pass  # the time is up, or the connection (on_close says why); what came, came
    finally:
        await connection.close()
    return answers
