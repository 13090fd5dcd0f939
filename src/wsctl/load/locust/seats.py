"""Which worker has which users. Stands in for Locust's dispatcher, which deals users out in the order of random ids.

Of n workers, the one with index i has the users i, i+n, i+2n and so on, as many of them as there should be users. So
a run is the same on any number of workers; and those of a lost one are lost: nobody else takes them on, which would be
a storm of our own making.
"""

import heapq
import math
from collections.abc import Callable, Iterator
from typing import Any

from gevent import Greenlet
from gevent.pool import Group


class Dispatcher:
    """As Locust uses it: `new_dispatch`, then one iteration. `index_of` tells a worker's index by its id."""

    dispatch_in_progress = False

    def __init__(
        self, worker_nodes: list[Any], user_classes: list[type], *, workers: int, index_of: Callable[[str], int]
    ) -> None:
        self._ids: list[str] = [node.id for node in worker_nodes]
        self._name = user_classes[0].__name__
        self._workers = workers
        self._index_of = index_of
        self._due: list[int] = []

    def new_dispatch(self, target_user_count: int, spawn_rate: float, user_classes: Any = None) -> None:
        """There should be so many users. At what rate they come is up to who connects them."""
        self._due = [target_user_count]

    def add_worker(self, worker_node: Any) -> None:
        """A worker is there, or there again."""
        self.remove_worker(worker_node)
        self._ids.append(worker_node.id)

    def remove_worker(self, worker_node: Any) -> None:
        """A worker is gone."""
        self._ids = [id for id in self._ids if id != worker_node.id]

    def __iter__(self) -> Iterator[dict[str, dict[str, int]]]:
        while self._due:
            users = self._due.pop()
            yield {id: {self._name: self._share(self._index_of(id), users)} for id in self._ids}

    def _share(self, index: int, users: int) -> int:
        return len(range(index, users, self._workers)) if index < self._workers else 0


class Seated(Group):  # type: ignore[misc]  # gevent has no types
    """The users' greenlets as Locust's runner keeps them. It stops the first ones: here those who came last.

    So a spike takes away whom it brought, and whoever was there before stays.
    """

    def __iter__(self) -> Iterator[Greenlet]:
        return iter(sorted(self.greenlets, key=_seat, reverse=True))


def _seat(greenlet: Greenlet) -> float:
    """Of the user that it runs; who has none yet came last of all."""
    number: int | None = greenlet.args[0].seat
    return math.inf if number is None else number


class Seats:
    """The users' numbers on one worker; the lowest free one is taken first."""

    def __init__(self, index: int, workers: int) -> None:
        self._next = index
        self._workers = workers
        self._free: list[int] = []

    def take(self) -> int:
        """A number that nobody has."""
        if self._free:
            return heapq.heappop(self._free)
        self._next += self._workers
        return self._next - self._workers

    def give_back(self, number: int) -> None:
        """Its user is gone."""
        heapq.heappush(self._free, number)
