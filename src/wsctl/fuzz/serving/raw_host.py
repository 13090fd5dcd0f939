"""RawHost: the exchange's side of a raw WebSocket: what is asked for is acknowledged, and nothing is published."""

from contextlib import suppress

from wsctl.errors import WireError
from wsctl.fuzz.ending import Unfit
from wsctl.fuzz.probe import Needs
from wsctl.fuzz.serving.host import ANSWER_TIMEOUT, ASKING_TIME, pongs
from wsctl.fuzz.serving.visit import Visit
from wsctl.fuzz.steps import Data
from wsctl.wire.dialect import Asked, Reply, ServerSession


class RawHost:
    """In the words of a dialect; a client that speaks another one is not answered."""

    def __init__(self, session: ServerSession) -> None:
        self._session = session

    def listen(self, visit: Visit) -> None:
        """Acknowledge what it asks for."""
        visit.on_message = lambda message: self._hear(visit, message)

    def begin(self, visit: Visit) -> None:
        """Greet, where the exchange does."""
        self.listen(visit)
        _reply(visit, self._session.open())

    async def settle_in(self, visit: Visit, needs: Needs) -> None:
        """It answers a ping, and has asked for something, if it ever does."""
        if not await pongs(visit, ANSWER_TIMEOUT):
            raise Unfit("the client left" if visit.left else "the client answers no ping")
        await visit.until(lambda: visit.received > 0, ASKING_TIME)

    async def answers(self, visit: Visit, within: float) -> bool:
        """By WebSocket ping: what else there is, is the dialect's."""
        return await pongs(visit, within)

    def filled(self, content: Data) -> Data:
        """There is no session."""
        return content

    def keep(self) -> None:
        """A WebSocket lives without."""

    def forget(self) -> None:
        """Nothing is kept."""

    def _hear(self, visit: Visit, message: str | bytes) -> None:
        if not visit.answering:
            return
        with suppress(WireError):  # what is judged is how a client ends, not what it says to what it was sent
            _reply(visit, self._session.receive(message))


def _reply(visit: Visit, found: list[Asked | Reply]) -> None:
    for each in found:
        if isinstance(each, Reply):
            visit.say_now(each.frame)
