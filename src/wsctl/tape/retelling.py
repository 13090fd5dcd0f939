"""Recorded events told again: with the present as their time of sending, and a new epoch for each round."""

from collections.abc import Sequence
from typing import Any

from msgspec import structs

from wsctl.model.event import PRICE_UPDATE, Event
from wsctl.wire.dialect import Dialect
from wsctl.wire.payload import Payload


class Retelling:
    """How events of a dialect (None: the platform's over Socket.IO) are told in a round of playing.

    With `restamp` their time of sending is now. In the second round their epoch ends in `+2` and so on; where none was
    recorded the Event has `lap-2` and its payload none.
    """

    def __init__(self, dialect: Dialect | None, *, restamp: bool) -> None:
        self._dialect = dialect
        self._restamp = restamp

    def changes(self, lap: int) -> bool:
        """Whether payloads of a round are not what was recorded."""
        return self._restamp or (lap > 1 and self._dialect is None)

    def tell(self, events: Sequence[Event], now: float, lap: int) -> tuple[Event, ...]:
        """The events as they are said in a round at an instant, unix seconds."""
        if not self._restamp and lap == 1:
            return tuple(events)
        return tuple(self._told(event, now, lap) for event in events)

    def _told(self, event: Event, now: float, lap: int) -> Event:
        if lap > 1:
            event = _in_round(event, lap)
        return self._stamped(event, now) if self._restamp else event

    def _stamped(self, event: Event, now: float) -> Event:
        if event.sent_at is None:
            return event
        if self._dialect is not None:
            data = self._dialect.restamped(event.channel or "", event.data, now)
            return structs.replace(event, sent_at=now, data=data)
        key = "t" if _is_compact(event) else "timestamp"
        data = _with(event.data, {key: round(now * 1000, 3)})
        return structs.replace(event, sent_at=now, data=data)


def _in_round(event: Event, lap: int) -> Event:
    if event.epoch is None:
        return structs.replace(event, epoch=f"lap-{lap}")
    epoch = f"{event.epoch}+{lap}"
    data = _with(event.data, {"e" if _is_compact(event) else "epoch": epoch})
    return structs.replace(event, epoch=epoch, data=data)


def _is_compact(event: Event) -> bool:
    return event.name == PRICE_UPDATE and isinstance(event.data, dict) and "s" in event.data


def _with(data: Any, facts: Payload) -> Any:
    """A payload with other values where it has the keys; of several arguments, the first is meant."""
    if isinstance(data, list) and data and isinstance(data[0], dict):
        return [_with(data[0], facts), *data[1:]]
    if not isinstance(data, dict):
        return data
    return {**data, **{key: value for key, value in facts.items() if key in data}}
