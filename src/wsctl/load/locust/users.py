"""The Locust user of `wsctl load`: one connection, on the journey that is its turn."""

from typing import Any, ClassVar

import gevent
from gevent.event import Event
from gevent.pool import Group
from locust import User, task

from wsctl.load.locust.holder import Holder
from wsctl.load.locust.journeys import KINDS
from wsctl.load.locust.visit import Visit


class JourneyUser(User):
    """Most of its life it sleeps: what is pushed to its connection is the shard's business."""

    holder: ClassVar[Holder]
    """of this process; set before the first user is made"""

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._visit: Visit | None = None

    @property
    def seat(self) -> int | None:
        """Its number among all users; None: it has none yet."""
        return None if self._visit is None else self._visit.place.number

    def start(self, group: Group) -> gevent.Greenlet:
        """Whatever ends it, its connection does not stay."""
        greenlet: gevent.Greenlet = super().start(group)
        greenlet.link(lambda _: self._end())
        return greenlet

    @task
    def travel(self) -> None:
        """The journey, and whatever is left of the time."""
        visit = self._visit = self.holder.visit()
        KINDS[visit.journey.kind](visit)
        Event().wait()

    def _end(self) -> None:
        if self._visit is not None:
            self.holder.part(self._visit)
