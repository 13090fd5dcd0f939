"""Guest: one client that asks for a WebSocket: let in, kept company until its turn, and played a case at."""

import asyncio
from collections.abc import Sequence

from msgspec import structs

from wsctl.fuzz.campaign import may_stay
from wsctl.fuzz.ending import KEPT, SHOWN, Ended, Ending, Kind, Unfit
from wsctl.fuzz.frames import RSV1
from wsctl.fuzz.probe import Probe
from wsctl.fuzz.serving.host import Host, pongs
from wsctl.fuzz.serving.socketio_host import PING_INTERVAL, PING_TIMEOUT
from wsctl.fuzz.serving.visit import Visit
from wsctl.fuzz.steps import Answer, Await, Case, Cut, Frame, Join, Open, Raw, Say, Step, Upgrade, Wait, data, expand

HEARTBEAT_TIME = (PING_INTERVAL + PING_TIMEOUT) / 1000 + 3.0
"""seconds within which a client misses a heartbeat, with some to spare"""
KEEP_EVERY = 1.0
"""seconds between what those are told who wait for their turn"""
CLOSE_TIMEOUT = 2.0
"""seconds to answer a close"""
RESTART = 1012
"""service restart, the close code after which clients come back (IANA's registry of RFC 6455, section 7.4)"""


class Guest:
    """Begins unanswered: a case may have an answer of its own to the handshake."""

    def __init__(self, visit: Visit, usual: Sequence[str], host: Host, *, compresses: bool) -> None:
        """`usual` is the lawful answer to its handshake, in which it offered to compress or not."""
        self._visit = visit
        self._usual = usual
        self._compresses = compresses
        self._host = host
        self._keeping: asyncio.Task[None] | None = None
        self.answered = False
        """whether its handshake was"""
        self._begun = False
        """whether the host has begun"""

    @property
    def left(self) -> bool:
        """Whether it is gone."""
        return self._visit.left

    def keep_company(self) -> None:
        """Serve it lawfully until its turn."""
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep())

    async def dismiss(self) -> None:
        """Let it go, politely where that is to be had, and anyway."""
        await self._stop_keeping()
        self._host.forget()
        visit = self._visit
        if visit.upgraded and not visit.left:
            await visit.send(Frame(opcode=8, data=data(RESTART.to_bytes(2, "big"))))
            await visit.until(lambda: visit.ended, CLOSE_TIMEOUT)
        visit.abort()

    async def play(self, case: Case, probe: Probe) -> Ending:
        """Do a case's steps to it, in answer to its handshake or once it has what it came for; how it ended."""
        await self._stop_keeping()
        loop = asyncio.get_running_loop()
        try:
            await self._do_all(case, probe)
        except Unfit as error:
            return Ending(kind="silent", unfit=str(error))
        began = loop.time()
        deadline = HEARTBEAT_TIME if probe.deadline < 0 else probe.deadline
        ending = await self._settle(case, deadline, may_stay=may_stay(probe))
        return structs.replace(ending, after=loop.time() - began)

    # The steps

    async def _do_all(self, case: Case, probe: Probe) -> None:
        """Raises Unfit where nothing hostile could be done."""
        first = case.steps[0]
        if not isinstance(first, Answer):
            await self._settle_in(probe)
        elif _compresses(case) and not self._compresses:
            await self._settle_in(probe)
            raise Unfit("the client does not offer to compress")
        elif len(case.steps) == 1 and not first.tail:
            self._answer(first)
            self._begin()
            return
        try:
            for step in case.steps:
                await self._do(step, probe)
        except Ended:
            pass  # how, is looked at next

    async def _do(self, step: Step, probe: Probe) -> None:
        visit = self._visit
        match step:
            case Answer():
                self._answer(step)
                self._host.listen(visit)
            case Upgrade():
                self._answer(Answer())
            case Open() | Join():
                await self._settle_in(probe)
            case Frame(data=content):
                await visit.send(structs.replace(step, data=self._host.filled(content)))
            case Say(data=content, binary=binary, times=times):
                await visit.send(Frame(opcode=2 if binary else 1, data=self._host.filled(content), times=times))
            case Raw(data=content, times=times, every=every):
                for number in range(times):
                    if every and number and await visit.until(lambda: visit.ended, every):
                        raise Ended
                    await visit.write(expand(content))
            case Wait(seconds=seconds, answers=answers):
                visit.answering = answers
                await visit.until(lambda: visit.left, HEARTBEAT_TIME if seconds < 0 else seconds)
            case Await(prefix=prefix, seconds=seconds):
                if not await visit.until(lambda: any(one.startswith(prefix) for one in visit.said), seconds):
                    raise Unfit(f"{prefix!r} did not come")
            case Cut(how=how):
                await self._cut(how)
            case _:
                raise Unfit("it attacks servers")

    def _answer(self, step: Answer) -> None:
        """To the opening handshake, once."""
        if not self.answered:
            self.answered = True
            self._visit.accept(self._usual, step)

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._host.begin(self._visit)

    async def _settle_in(self, probe: Probe) -> None:
        self._answer(Answer())
        self._begin()
        await self._host.settle_in(self._visit, probe.needs)

    async def _cut(self, how: str) -> None:
        visit = self._visit
        if how == "close" and visit.upgraded:
            await visit.send(Frame(opcode=8, data=data(b"\x03\xe8")))
            await visit.until(lambda: visit.ended, CLOSE_TIMEOUT)
        if how != "rst":
            visit.close()
        else:
            visit.abort(reset=True)
        raise Ended

    # How it ended

    async def _settle(self, case: Case, deadline: float, *, may_stay: bool) -> Ending:
        visit = self._visit
        if not may_stay:
            await visit.until(lambda: visit.left, deadline)
        if not visit.left and await self._answers(case, deadline):
            return self._ending("alive")
        if visit.close_code is not None:
            return self._ending("closed", visit.close_code, visit.close_reason)
        return self._ending("cut" if visit.ended else "silent")

    async def _answers(self, case: Case, deadline: float) -> bool:
        if case.ask == "ping":
            return await pongs(self._visit, deadline)
        return await self._host.answers(self._visit, deadline)

    def _ending(self, kind: Kind, code: int | None = None, reason: str = "") -> Ending:
        said = tuple(one[:SHOWN] for one in self._visit.said[-KEPT:])
        return Ending(kind=kind, code=code, reason=reason[:SHOWN], said=said)

    # Its turn is yet to come

    async def _keep(self) -> None:
        visit = self._visit
        self._answer(Answer())
        self._begin()
        while not await visit.until(lambda: visit.left, KEEP_EVERY) and not visit.ended:
            self._host.keep()

    async def _stop_keeping(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
            self._keeping = None


def _compresses(case: Case) -> bool:
    return any(isinstance(step, Frame) and step.rsv & RSV1 for step in case.steps)
