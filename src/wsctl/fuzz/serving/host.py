"""Host: the lawful server's side of one client's conversation."""

from random import Random
from typing import Protocol

from wsctl.fuzz.probe import Needs
from wsctl.fuzz.serving.visit import Visit
from wsctl.fuzz.steps import Data, Frame, data

ASKING_TIME = 0.25
"""seconds for a client that was let in to ask for something; many do not"""
ANSWER_TIMEOUT = 5.0
"""seconds for it to answer a ping that nothing hostile stands before"""


class Host(Protocol):
    """What is said to a client, and made of what it says."""

    def listen(self, visit: Visit) -> None:
        """It is on a WebSocket from here: take in what it says."""

    def begin(self, visit: Visit) -> None:
        """Listen, and say what a server says first."""

    async def settle_in(self, visit: Visit, needs: Needs) -> None:
        """Wait until it has what it came for, and a little more. Raises Unfit where that is not what a probe needs."""

    async def answers(self, visit: Visit, within: float) -> bool:
        """Whether it is alive, by what its session says where there is one."""

    def filled(self, content: Data) -> Data:
        """With the session's id and the client's namespace where a text asks for them."""

    def keep(self) -> None:
        """Say what a server says now and then."""

    def forget(self) -> None:
        """Its session is no more."""


async def pongs(visit: Visit, within: float) -> bool:
    """Whether a WebSocket ping is answered."""
    token = Random().randbytes(8)  # noqa: S311 - only has to differ from what was sent before
    await visit.send(Frame(opcode=9, data=data(token)))
    return await visit.until(lambda: token in visit.pongs or visit.left, within) and not visit.left
