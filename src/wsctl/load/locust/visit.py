"""What a journey has to do with: a connection, and what this one user asks for, shows and waits."""

import uuid
from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING

from wsctl.client.subscription import Subscription
from wsctl.load.plan import Journey, Work
from wsctl.wire.dialects import spoken

if TYPE_CHECKING:
    from wsctl.load.locust.link import ShardClient

SUBSCRIBE, UNSUBSCRIBE = "price:subscribe", "price:unsubscribe"


class Place:
    """Where a user is among all: the same whatever worker it is on."""

    def __init__(self, work: Work, number: int) -> None:
        turns = _turns(work.journeys)
        rounds, turn = divmod(number, len(turns))
        self.number = number
        """among all users"""
        self.journey = turns[turn]
        self.ordinal = rounds * turns.count(self.journey) + turns[:turn].count(self.journey)
        """among those on the same journey"""
        self.token = _token(work, self)
        self.symbols = _symbols(work.symbols, self)


class Visit:
    """One user's doings; journeys are functions of it."""

    def __init__(self, client: "ShardClient", work: Work, number: int, sleep: Callable[[float], None]) -> None:
        """`sleep` takes seconds."""
        self.client = client
        self.place = Place(work, number)
        self.journey = self.place.journey
        self.random = Random() if work.seed is None else Random(f"{work.seed} {number}")  # noqa: S311
        self._work = work
        self._sleep = sleep
        dialect = spoken(work.target.dialect)
        self._raw = dialect if dialect is not None and dialect.over == "websocket" else None
        form = {} if work.format == "full" or self._raw is not None else {"format": work.format}
        self._auth = {"client": uuid.UUID(int=self.random.getrandbits(128), version=4).hex, **form}

    def enter(self, *subscriptions: Subscription) -> None:
        """Set out and ask, on each connection; who wants to know what comes of it waits for the client."""
        auth = {} if self._raw is not None else self._auth
        self.client.enter(token=self.place.token, auth=auth, subscriptions=subscriptions)

    def prices(self, symbols: Sequence[str]) -> Subscription:
        """Of symbols, as the target calls them."""
        return Subscription(SUBSCRIBE, self._names(symbols))

    def no_prices(self, symbols: Sequence[str]) -> Subscription:
        """What gives them up."""
        return Subscription(UNSUBSCRIBE, self._names(symbols))

    def other_symbol(self, symbols: Sequence[str]) -> str | None:
        """One of the load's that is none of these; None: there is none."""
        others = [symbol for symbol in self._work.symbols if symbol not in symbols]
        return self.random.choice(others) if others else None

    def think(self) -> None:
        """Let the time between two doings pass."""
        self._sleep(self.random.uniform(*self.journey.think))

    def be_away(self) -> None:
        """Let the time of an absence pass."""
        self._sleep(self.random.uniform(*self.journey.away))

    def _names(self, symbols: Sequence[str]) -> tuple[str, ...]:
        if self._raw is None:
            return tuple(symbols)
        return tuple(self._raw.channel("ticker", symbol) for symbol in symbols)


def _turns(journeys: Sequence[Journey]) -> list[Journey]:
    """Which journey one user after the other takes, from the first again: each stretch has its share of each."""
    total = sum(journey.weight for journey in journeys)
    taken = [0] * len(journeys)
    turns: list[Journey] = []
    for turn in range(1, total + 1):
        behind = [journey.weight * turn / total - count for journey, count in zip(journeys, taken, strict=True)]
        most = behind.index(max(behind))
        taken[most] += 1
        turns.append(journeys[most])
    return turns


def _token(work: Work, place: Place) -> str | None:
    if not work.tokens:
        return None
    journey = place.journey
    index = place.ordinal // journey.connections if journey.connections > 1 else place.number
    return work.tokens[index % len(work.tokens)]


def _symbols(symbols: Sequence[str], place: Place) -> tuple[str, ...]:
    wanted = place.journey.symbols
    if not wanted or wanted >= len(symbols):
        return tuple(symbols)
    first = place.ordinal * wanted
    return tuple(symbols[(first + index) % len(symbols)] for index in range(wanted))
